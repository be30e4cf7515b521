"""What hostile code tries from inside the sandboxed worker, to get a secret out or a foot in the door. Each gives what it
achieved, or raises."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..ethics import sandbox

SECRET = b"the canary sings"


def _sent(family: int, kind: int, to: Any, proto: int = 0) -> Any:
    with socket.socket(family, kind, proto) as s:
        s.settimeout(1.0)
        s.connect(to)
        return s.send(SECRET)


def _call(number: int, *args: Any) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(number, *args)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _off(x: dict[str, Any]) -> Any:
    """New rules that allow everything, laid over the old: they can only add to them."""
    sandbox._landlock(sandbox._libc(), [Path("/")], [])
    return Path(x["file"]).read_bytes()


def _seen(x: dict[str, Any]) -> Any:
    """What is printed goes nowhere; were it seen, the broker would say so."""
    for fd in (1, 2):
        os.write(fd, SECRET)
    raise PermissionError(errno.EPERM, "it went to nobody, or the broker tells of it")


def _left(x: dict[str, Any]) -> Any:
    """Anything but the one way to the broker."""
    found = []
    for fd in range(3, 200):
        if fd != x["way"]:
            try:
                os.write(fd, SECRET)
                found.append(fd)
            except OSError:
                continue
    if not found:
        raise OSError(errno.EBADF, "none")
    return found


TRIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "TCP to a listener": lambda x: _sent(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", x["port"])),
    "UDP to a listener": lambda x: _sent(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", x["port"])),
    "TCP over IPv6": lambda x: _sent(socket.AF_INET6, socket.SOCK_STREAM, ("::1", x["port"])),
    "UDP broadcast": lambda x: _sent(socket.AF_INET, socket.SOCK_DGRAM, ("255.255.255.255", 9)),
    "a socket in a folder": lambda x: _sent(socket.AF_UNIX, socket.SOCK_STREAM, x["socket"]),
    "an abstract socket": lambda x: _sent(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + x["abstract"]),
    "the system log": lambda x: _sent(socket.AF_UNIX, socket.SOCK_DGRAM, "/dev/log"),
    "a raw socket": lambda x: _sent(socket.AF_INET, socket.SOCK_RAW, ("127.0.0.1", 0), 1),
    "netlink": lambda x: socket.socket(16, socket.SOCK_RAW, 0),
    "vsock": lambda x: _sent(40, socket.SOCK_STREAM, (2, 1234)),
    "a name asked of DNS": lambda x: socket.getaddrinfo("secret.example.org", 53),
    "a shell": lambda x: subprocess.run(["/bin/sh", "-c", f"echo x > {x['folder']}/shell"], check=True),
    "fork": lambda x: os.fork() or os._exit(0),
    "posix_spawn": lambda x: os.posix_spawn("/bin/true", ["true"], {}),
    "exec": lambda x: os.execv("/bin/true", ["true"]),
    "clone by hand": lambda x: _call(56, 17, 0, 0, 0, 0) or os._exit(0),
    "a file in the temporary folder": lambda x: Path("/tmp/bcikit-canary").write_bytes(SECRET),
    "a file in a folder": lambda x: Path(x["folder"], "new").write_bytes(SECRET),
    "a file under the home": lambda x: Path(x["home"], "new").write_bytes(SECRET),
    "appending to a file": lambda x: open(x["file"], "ab").write(SECRET),
    "cutting a file": lambda x: os.truncate(x["file"], 1),
    "a file beside the package": lambda x: (Path(__file__).parent / "canary.py").write_bytes(SECRET),
    "a folder": lambda x: os.mkdir(x["folder"] + "/d"),
    "a pipe with a name": lambda x: os.mkfifo(x["folder"] + "/p"),
    "a link with a telling name": lambda x: os.symlink("secret", x["folder"] + "/l"),
    "a hard link": lambda x: os.link(x["file"], x["folder"] + "/h"),
    "renaming": lambda x: os.rename(x["file"], x["folder"] + "/r"),
    "removing": lambda x: os.unlink(x["file"]),
    "a file's mode": lambda x: os.chmod(x["file"], 0o640),
    "a file's times": lambda x: os.utime(x["file"], (1, 1)),
    "a file's owner": lambda x: os.chown(x["file"], os.getuid(), os.getgid()),
    "an extended attribute": lambda x: os.setxattr(x["file"], "user.secret", SECRET),
    "a lock that others see": lambda x: __import__("fcntl").flock(open(x["readable"]), 2),
    "shared memory": lambda x: open("/dev/shm/bcikit-canary", "wb").write(SECRET),
    "System V memory": lambda x: _call(29, 0x1234, 4096, 0o1666),
    "a message queue": lambda x: _call(240, b"/bcikit", 0o102, 0o600, None),
    "memory with a descriptor": lambda x: os.memfd_create("x"),
    "the kernel's key ring": lambda x: _call(248, b"user", b"bcikit", SECRET, len(SECRET), -3),
    "tracing the broker": lambda x: _call(101, 16, x["pid"], 0, 0),
    "reading the broker's memory": lambda x: open(f"/proc/{x['pid']}/mem", "rb").read(1),
    "reading it by system call": lambda x: _call(310, x["pid"], b"\0" * 16, 1, b"\0" * 16, 1, 0),
    "the broker's environment": lambda x: open(f"/proc/{x['pid']}/environ").read(),
    "a signal to the broker": lambda x: os.kill(x["pid"], 0),
    "a handle of the broker": lambda x: _call(434, x["pid"], 0),
    "the device's key": lambda x: Path(x["home"], "device.key").read_bytes(),
    "the consents": lambda x: Path(x["home"], "consent.db").read_bytes(),
    "forging the counter": lambda x: open(Path(x["home"], "consent.epoch"), "r+b").write(b"\0"),
    "a file nobody named": lambda x: Path(x["file"]).read_bytes(),
    "the users of the machine": lambda x: Path("/etc/passwd").read_bytes(),
    "the terminal": lambda x: open("/dev/tty", "wb").write(SECRET),
    "an asynchronous ring": lambda x: _call(425, 1, b"\0" * 120),
    "a mount": lambda x: _call(165, b"none", x["folder"].encode(), b"tmpfs", 0, None),
    "another namespace": lambda x: _call(272, 0x10000000),
    "taking the sandbox off": _off,
    "the standard streams": _seen,
    "a descriptor left open": _left,
    "a system call of the x32 kind": lambda x: _call(0x40000000 + 41, 2, 1, 0),
}


def inside(way: int, x: dict[str, Any]) -> None:
    """Shut in, then try everything; the answers go the one way there is."""
    libraries = [Path(p) for p in {*sysconfig.get_paths().values(), sys.base_prefix, "/usr/lib", "/lib", "/lib64"}]
    libraries += [Path(p) for p in sys.path if "site-packages" in p] + [Path(__file__).parent.parent, Path(x["readable"])]
    missing = sandbox.enter([p.resolve() for p in libraries])
    got = {}
    for name, attempt in TRIES.items():
        try:
            got[name] = f"got through: {str(attempt(x))[:80]}"
        except BaseException as error:
            got[name] = f"refused: {type(error).__name__}: {str(error)[:80]}"
    os.write(way, json.dumps([missing, got]).encode() + b"\n")
    os._exit(0)


def tried(home: Path, folder: Path) -> tuple[list[str], dict[str, str]]:
    """(what the sandbox lacks here, {try: what came of it}), each from one shut-in process, with listeners that hear what
    comes through and files that show it."""
    (file := folder / "secret").write_bytes(SECRET)
    (readable := folder / "readable").write_bytes(b"x")
    heard: list[str] = []
    listeners = []
    tcp = socket.create_server(("127.0.0.1", 0))
    port = tcp.getsockname()[1]
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", port))
    named, abstract = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    named.bind(str(folder / "s"))
    abstract.bind("\0bcikit-" + folder.name)
    for s in (named, abstract):
        s.listen()
    listeners = [tcp, udp, named, abstract]
    ours, theirs = os.pipe()
    x = {"port": port, "socket": str(folder / "s"), "abstract": "bcikit-" + folder.name, "folder": str(folder)}
    x |= {"file": str(file), "readable": str(readable), "home": str(home), "pid": os.getpid(), "way": theirs}
    code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import inside; inside({theirs}, {x!r})"
    before = _state(folder)
    one = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # namespaces are for processes of one thread
    command = [sys.executable, "-I", "-c", code]
    done = subprocess.run(command, pass_fds=[theirs], capture_output=True, timeout=60, cwd="/", env=one, check=False)
    os.close(theirs)
    with os.fdopen(ours, "rb") as f:
        raw = f.read()
    for s in listeners:
        s.settimeout(0.05)
        try:
            s.recv(16) if s is udp else s.accept()
            heard.append(str(s.getsockname()))
        except OSError:
            pass
        s.close()
    if not raw:
        return ["it did not run"], {"all": f"got through: nothing is known ({done.stderr[-200:]!r})"}
    missing, got = json.loads(raw)
    if heard or _state(folder) != before:
        got["an effect outside"] = f"got through: {heard}, {_state(folder)}"
    return missing, got


def _state(folder: Path) -> list[tuple[str, int, int, float]]:
    return sorted((p.name, (s := p.lstat()).st_size, s.st_mode, s.st_mtime) for p in folder.iterdir())
