"""A network that ends in this process: a loopback which no other program reaches, but those that join it.

Linux alone (network_namespaces(7), user_namespaces(7)). What liblsl opens on every interface then opens on that one.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
from pathlib import Path

from ..core.errors import BciError
from .sandbox import NEW_NET, NEW_USER

GET_FLAGS, SET_FLAGS, UP, MULTICAST = 0x8913, 0x8914, 1, 0x1000  # netdevice(7)
REQUEST = struct.Struct("16sH22s")
SELF = Path("/proc/self")


def enter() -> str:
    """Leave the networks of this machine for good; gives the command that a reader on this machine is begun with. Begins the
    program anew where libraries have made threads already, as namespaces are for processes of one thread.
    Raises BciError where the system has none, or does not allow it."""
    if not sys.platform.startswith("linux"):
        raise BciError(f"There is no network of one's own on {sys.platform}.", "It needs Linux.", "Leave --lsl-local out.")
    if len(os.listdir(SELF / "task")) > 1 and os.environ.get("OPENBLAS_NUM_THREADS") != "1":
        one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **one})
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if libc.unshare(NEW_USER | NEW_NET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        (SELF / "setgroups").write_text("deny")
        (SELF / "uid_map").write_text(f"{user} {user} 1")  # the same user as before, so that files stay readable
        (SELF / "gid_map").write_text(f"{group} {group} 1")
        _up("lo")
    except OSError as error:
        raise BciError(
            "This system does not let a program have a network of its own.",
            f"{error.strerror}.",
            "Allow unprivileged user namespaces, or leave --lsl-local out.",
        ) from None
    return f"nsenter -t {os.getpid()} -U -n --preserve-credentials PROGRAM"


def _up(name: str) -> None:
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        asked = REQUEST.pack(name.encode(), 0, b"")
        _, flags, _ = REQUEST.unpack(fcntl.ioctl(s, GET_FLAGS, asked))
        fcntl.ioctl(s, SET_FLAGS, REQUEST.pack(name.encode(), flags | UP | MULTICAST, b""))
