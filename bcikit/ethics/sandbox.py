"""A process that can compute and nothing else: no network, no files but those named, no other programs, no core dumps.

On Linux, in this order: new namespaces for user, network and System V memory; no new privileges; Landlock, by its three
system calls, over the file system, TCP, signals and abstract sockets
(https://docs.kernel.org/userspace-api/landlock.html); a seccomp filter that refuses sockets, new processes, other
processes' memory and what reaches the kernel's rarer parts (seccomp(2)). Elsewhere there is no such worker, and what
needs one is refused.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

from ..core.errors import BciError

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # Landlock's system calls, the same on every architecture
PATH_BENEATH = 1
# access to files, by bit: execute, write, read, read folder, remove folder, remove, make (7 kinds), link, truncate, device
ALL_FILES = (1 << 16) - 1
LIST = 1 << 3
READ = (1 << 2) | LIST  # read files and folders: no execute, so that nothing else can be run
ALL_TCP, ALL_SCOPES = 0b11, 0b11
ABI_FILES = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}

NEW_USER, NEW_NET, NEW_IPC = 0x10000000, 0x40000000, 0x08000000
SET_DUMPABLE, SET_NO_NEW_PRIVS, SET_SECCOMP, FILTER = 4, 38, 22, 2

# x86-64 numbers of system calls that are refused: whatever makes a socket or a process, looks into another, or is
# rarely used
REFUSED = (
    *(41, 42, 43, 44, 46, 48, 49, 50, 53, 288, 307),  # socket, connect, accept, sendto, sendmsg, shutdown, bind, listen, ...
    *(57, 58, 59, 322, 435),  # fork, vfork, execve, execveat, clone3
    *(62, 200, 129, 297, 424),  # kill, tkill, sigqueueinfo, pidfd_send_signal
    *(101, 310, 311, 312, 434, 438),  # ptrace, process_vm_readv and _writev, kcmp, pidfd_open and _getfd
    *(29, 30, 31, 64, 65, 66, 68, 69, 70, 71, 240, 241, 242, 243),  # System V memory, semaphores, messages; POSIX queues
    *(155, 161, 165, 166, 169, 170, 171, 175, 176, 246, 272, 308, 313, 320),  # mounts, names, modules, namespaces
    *(
        298,
        319,
        321,
        323,
        425,
        426,
        427,
        428,
        429,
        430,
        431,
        432,
        433,
        442,
    ),  # perf, memfd, bpf, userfaultfd, io_uring, mounts
    *(248, 249, 250, 133, 259, 303, 304),  # keys, device files, open by handle
    *(73, 90, 91, 92, 93, 94, 260, 268, 452, 132, 235, 261, 280),  # locks, modes, owners, times: Landlock leaves them free
    *(188, 189, 190, 197, 198, 199, 463, 466),  # extended attributes
)
CLONE, CLONE_THREAD = 56, 0x00010000  # threads may be made, processes not


def available() -> str:
    """Why there is no sandbox here; '' where there is one."""
    if not sys.platform.startswith("linux"):
        return f"{platform.system()} has none that is built yet"
    if platform.machine() != "x86_64":
        return f"its filter is written for x86-64, not {platform.machine()}"
    abi = _libc().syscall(CREATE_RULESET, None, 0, 1)
    return "" if abi >= 1 else "this kernel has no Landlock (5.13 or newer, and lsm=...,landlock)"


def enter(readable: Sequence[Path], listed: Sequence[Path] = ()) -> list[str]:
    """Shut this process in, for good; reading below `readable` stays, and seeing what is called how below `listed`. Gives
    what could not be added, in words. Raises BciError where the sandbox is not complete enough to be one."""
    if why := available():
        raise BciError("There is no sandboxed worker on this machine.", f"{why}.", "Run on Linux, x86-64, 5.13 or newer.")
    libc, missing = _libc(), []
    if libc.unshare(NEW_USER | NEW_NET | NEW_IPC) != 0:
        missing.append(f"namespaces ({os.strerror(ctypes.get_errno())})")
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for option, value in ((SET_DUMPABLE, 0), (SET_NO_NEW_PRIVS, 1)):
        _must(libc.prctl(option, value, 0, 0, 0), "prctl")
    _landlock(libc, readable, listed)
    _seccomp(libc)
    return missing


def _landlock(libc: ctypes.CDLL, readable: Sequence[Path], listed: Sequence[Path]) -> None:
    abi = libc.syscall(CREATE_RULESET, None, 0, 1)
    handled = struct.pack("<QQQ", ABI_FILES.get(abi, ALL_FILES), ALL_TCP if abi >= 4 else 0, ALL_SCOPES if abi >= 6 else 0)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    ruleset = _must(libc.syscall(CREATE_RULESET, ctypes.c_char_p(handled), size, 0), "landlock_create_ruleset")
    try:
        for path, wanted in (*((p, READ) for p in readable), *((p, LIST) for p in listed)):
            if not path.exists():
                continue
            at = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                allowed = wanted if path.is_dir() else wanted & ~LIST
                if not allowed:
                    continue
                rule = struct.pack("<Qi", allowed, at)
                _must(libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, ctypes.c_char_p(rule), 0), "landlock_add_rule")
            finally:
                os.close(at)
        _must(libc.syscall(RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    finally:
        os.close(ruleset)


def _seccomp(libc: ctypes.CDLL) -> None:
    """A classic BPF program over (number, architecture, ..., first argument): another architecture kills; clone makes
    threads alone; what is refused ends as if the kernel did not have it."""
    load, equal, at_least, any_bit, ret = 0x20, 0x15, 0x35, 0x45, 0x06
    number, arch, first = 0, 4, 16
    program: list[tuple[int, int | str, int | str, int]] = [
        (load, 0, 0, arch),
        (equal, 1, 0, 0xC000003E),
        (ret, 0, 0, 0x80000000),  # kill
        (load, 0, 0, number),
        (at_least, "refuse", 0, 0x40000000),  # numbers of the x32 kind
        (equal, 0, 2, CLONE),
        (load, 0, 0, first),
        (any_bit, "allow", "refuse", CLONE_THREAD),
        *((equal, "refuse", 0, call) for call in REFUSED),
        (ret, 0, 0, 0x7FFF0000),  # allow
        (ret, 0, 0, 0x00050000 | errno.ENOSYS),  # refuse
    ]
    ends = {"allow": len(program) - 2, "refuse": len(program) - 1}
    raw = b""
    for i, (code, yes, no, value) in enumerate(program):
        jumps = [ends[to] - i - 1 if isinstance(to, str) else to for to in (yes, no)]
        raw += struct.pack("<HBBI", code, *jumps, value)
    kept = ctypes.create_string_buffer(raw, len(raw))
    head = struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(kept))
    _must(libc.prctl(SET_SECCOMP, FILTER, ctypes.c_char_p(head), 0, 0), "seccomp")


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_void_p] * 4]
    return libc


def _must(result: int, what: str) -> int:
    if result < 0:
        raise BciError(
            "The sandbox could not be closed, so nothing runs in it.", f"{what}: {os.strerror(ctypes.get_errno())}."
        )
    return result
