"""Serial ports: finding them, holding them, and saying what is wrong with one.

Linux is read from /sys and /dev; macOS and Windows are asked through pyserial where it is installed (extra `io`).
Facts: OpenBCI's "Cyton Radios" (commands of the dongle, its answers), FTDI AN232B-04 (the latency timer).
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import DeviceTrouble

POSIX = os.name == "posix"
DONGLES = {("0403", "6015"): "OpenBCI dongle (FTDI)", ("2458", "0001"): "BLED112 (Bluetooth dongle)"}
RADIO = b"\xf0"
ANSWER = re.compile(rb"(OpenBCI|Success|Failure)[^$]*\$\$\$")
NOISE = 500  # bytes without an answer among them
CHANNELS = range(1, 26)  # of the radio
SCAN_S = 15.0


@dataclass(frozen=True)
class Port:
    """A serial port. device: a dongle that is known, or what it calls itself. serial: of the USB device."""

    path: str
    device: str = ""
    vendor: str = ""
    product: str = ""
    serial: str = ""

    @property
    def openbci(self) -> bool:
        return (self.vendor, self.product) == ("0403", "6015")


@dataclass(frozen=True)
class Finding:
    """What `diagnose` found. state: ready, missing, permission, busy, silent, off (no board on the dongle's channel),
    channel (the board is on another one: `channel`). banner: what the board said of itself."""

    path: str
    state: str
    what: str
    do: str = ""
    banner: str = ""
    channel: int | None = None

    def trouble(self) -> DeviceTrouble:
        return DeviceTrouble(self.what, "", self.do)


# -- finding


def ports(sys_folder: str | Path = "/sys", dev: str | Path = "/dev") -> list[Port]:
    """All serial ports of this computer that a USB device made."""
    if sys.platform != "linux":
        return _asked()
    found = []
    for tty in sorted(Path(sys_folder).glob("class/tty/tty[UA][SC][BM]*")):
        facts = {}
        for folder in [p for p in (tty / "device").resolve().parents if (p / "idVendor").exists()][:1]:
            facts = {name: _text(folder / name) for name in ("idVendor", "idProduct", "serial", "product")}
        vendor, product = facts.get("idVendor", ""), facts.get("idProduct", "")
        device = DONGLES.get((vendor, product), facts.get("product", ""))
        found.append(Port(str(Path(dev) / tty.name), device, vendor, product, facts.get("serial", "")))
    return found


def _asked() -> list[Port]:
    try:
        from serial.tools import list_ports
    except ImportError:
        return [Port(str(p)) for p in sorted(Path("/dev").glob("cu.usbserial*"))] if POSIX else []
    found = []
    for p in list_ports.comports():
        if p.vid is not None:
            vendor, product = f"{p.vid:04x}", f"{p.pid:04x}"
            device = DONGLES.get((vendor, product), p.description or "")
            found.append(Port(p.device, device, vendor, product, p.serial_number or ""))
    return found


def only_port() -> Port:
    """The one port that an OpenBCI dongle made. Raises DeviceTrouble where there is none or more than one."""
    every = ports()
    likely = [p for p in every if p.openbci]
    if len(likely) == 1:
        return likely[0]
    if likely:
        named = ", ".join(f"{p.path} ({p.serial or 'no serial number'})" for p in likely)
        named += "."
        raise DeviceTrouble(f"There are {len(likely)} OpenBCI dongles: {named}", do=f"Name one: --opt port={likely[0].path}")
    others = ", ".join(p.path for p in every)
    raise DeviceTrouble(
        "No OpenBCI dongle is plugged in.",
        f"There are other serial ports: {others}." if others else "This computer shows no USB serial port.",
        "Plug it in, or name the port: --opt port=PATH. Without a board: bcikit emulate cyton",
    )


# -- holding


class Held:
    """A port kept open under an advisory lock, so that a second user is told and a hang-up is noticed.
    Nothing is read or written through it while a driver streams. Raises DeviceTrouble where the port cannot be had."""

    def __init__(self, path: str) -> None:
        self.path, self.real = path, os.path.realpath(path)
        self.fd = -1
        if not POSIX:
            return
        if finding := _unusable(path):
            raise finding.trouble()
        import fcntl

        try:
            self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.close()
            raise _busy(path, holders(path)).trouble() from None
        if others := _others(path):  # who does not know of locks
            self.close()
            raise _busy(path, others).trouble()

    @property
    def gone(self) -> bool:
        """The device behind the port has been taken away."""
        if self.fd < 0:
            return POSIX and not os.path.exists(self.path)
        poll = select.poll()
        poll.register(self.fd, 0)
        return bool(poll.poll(0)) or not os.path.exists(self.path)

    def blunt(self) -> None:
        """Once the port is gone: let writes of this process to it go nowhere and reads fail. BrainFlow's Ganglion driver
        retries for ever a write that fails (uart_tx, 5.23). Linux."""
        for link in Path("/proc/self/fd").iterdir() if sys.platform == "linux" else ():
            with contextlib.suppress(OSError):
                if os.readlink(link).removesuffix(" (deleted)") == self.real and int(link.name) != self.fd:
                    nothing = os.open(os.devnull, os.O_WRONLY)
                    os.dup2(nothing, int(link.name))
                    os.close(nothing)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def holders(path: str) -> list[str]:
    """Who has the port open, as 'name (pid)'; only of processes that this user may look at. Linux."""
    real, found = os.path.realpath(path), []
    for folder in Path("/proc").glob("[0-9]*/fd") if sys.platform == "linux" else ():
        with contextlib.suppress(OSError):
            if any(os.path.realpath(link) == real for link in folder.iterdir()):
                pid = folder.parent.name
                found.append("this process" if int(pid) == os.getpid() else f"{_text(folder.parent / 'comm')} ({pid})")
    return found


# -- asking


def ask(held: Held, message: bytes, wait: float = 1.2) -> str:
    """Write to a port that nobody streams from; what it answers, up to `$$$`, or '' after `wait` seconds. Packets of a
    board that was left streaming may come before the answer. POSIX."""
    _drain(held.fd)
    with contextlib.suppress(OSError):
        os.write(held.fd, message)
    heard, end = b"", time.monotonic() + wait
    while (left := end - time.monotonic()) > 0:
        if not select.select([held.fd], [], [], left)[0]:
            break
        try:
            part = os.read(held.fd, 4096)
        except OSError:
            break
        heard += part
        if answer := ANSWER.search(heard):
            return answer[0].decode("latin-1")
        if not part:
            break
    return heard.decode("latin-1") if len(heard) < NOISE else ""


def check(held: Held, scan: bool = True) -> Finding:
    """What stands behind a port that is held: a board that is ready, a dongle without one, or silence. scan: where no
    board answers, look for it on the other 24 radio channels (up to SCAN_S) and put the dongle back to its own."""
    _raw(held.fd)
    path, said = held.path, ask(held, b"v")  # the board stops, and begins anew with its defaults
    if "$$$" in said and "Failure" not in said:
        return Finding(path, "ready", f"{path}: {said.splitlines()[0].strip()}", banner=said)
    if "Failure" not in said:
        return Finding(
            path,
            "silent",
            f"{path} is open, but nothing answers." if not said else f"{path} answers, but not like an OpenBCI board.",
            "It may be another device. With an OpenBCI dongle: its switch must stand on GPIO 6, not RESET; plug it in anew.",
        )
    own = _channel(ask(held, RADIO + b"\x00"))
    found = _scan(held, own) if scan else None
    where = "on any radio channel" if scan else f"on radio channel {own}" if own else "there"
    off = Finding(
        path,
        "off",
        f"The dongle on {path} is there, but no board answers {where}.",
        "Switch the board to PC (not BLE) and look for its blue light; charge or change the battery; bring it nearer.",
    )
    if found is None:
        return off
    return Finding(
        path,
        "channel",
        f"The board is on radio channel {found}, the dongle on {own}.",
        f"--opt radio_channel={found} puts the dongle there.",
        channel=found,
    )


def diagnose(path: str, scan: bool = True) -> Finding:
    """What is wrong with a port, if anything; see `Finding`. Never raises; a board that is there is stopped and reset."""
    if finding := _unusable(path):
        return finding
    if not POSIX:
        return Finding(path, "ready", f"{path} is there; what stands behind it is not asked on this system.")
    try:
        held = Held(path)
    except DeviceTrouble as trouble:
        return Finding(path, "busy", trouble.what, trouble.do)
    try:
        return check(held, scan)
    finally:
        held.close()


def set_radio_channel(path: str, channel: int) -> bool:
    """Put the dongle (not the board) on a radio channel; whether a board answers there."""
    held = Held(path)
    try:
        _raw(held.fd)
        return _up_on(held, channel)
    finally:
        held.close()


# -- the FTDI latency timer


def latency_timer(path: str, sys_folder: str | Path = "/sys") -> int | None:
    """Milliseconds that an FTDI dongle collects bytes for before it sends them on; None where there is no such timer."""
    file = _timer(path, sys_folder)
    with contextlib.suppress(OSError, ValueError):
        return int(file.read_text())
    return None


def set_latency_timer(path: str, ms: int = 1, sys_folder: str | Path = "/sys") -> None:
    """Set it until the dongle is unplugged. Raises DeviceTrouble, with the rule that sets it for good, where this user
    may not."""
    file = _timer(path, sys_folder)
    if not file.exists():
        raise DeviceTrouble(f"{path} has no latency timer.", "Only FTDI dongles on Linux have one here.")
    try:
        file.write_text(f"{ms}\n")
    except OSError as error:
        rule = 'ACTION=="add", SUBSYSTEM=="usb-serial", DRIVER=="ftdi_sio", ATTR{latency_timer}="1"'
        raise DeviceTrouble(
            f"The latency timer of {path} cannot be set: {error.strerror or error}.",
            "Only the administrator may.",
            f"echo {ms} | sudo tee {file}\n"
            f"for good: echo '{rule}' | sudo tee /etc/udev/rules.d/99-ftdi.rules, and plug the dongle in anew",
        ) from error


def _timer(path: str, sys_folder: str | Path) -> Path:
    return Path(sys_folder) / "bus/usb-serial/devices" / os.path.basename(os.path.realpath(path)) / "latency_timer"


# -- small things


def _text(file: Path) -> str:
    with contextlib.suppress(OSError):
        return file.read_text().strip()
    return ""


def _unusable(path: str) -> Finding | None:
    """Why a port cannot even be opened."""
    if not POSIX:
        return None
    if not os.path.exists(path):
        there = ", ".join(p.path for p in ports())
        return Finding(
            path,
            "missing",
            f"There is no port {path}.",
            f"Plug the dongle in. {'Ports that are there: ' + there + '.' if there else 'No USB serial port is there.'}",
        )
    if not os.access(path, os.R_OK | os.W_OK):
        group = _group(path)
        return Finding(
            path,
            "permission",
            f"This user may not use {path}.",
            f"sudo usermod -aG {group} $USER, then log out and in again" if group else "Ask the owner of this computer.",
        )
    import stat

    if not stat.S_ISCHR(os.stat(path).st_mode):
        return Finding(path, "missing", f"{path} is not a serial port.", "Name the dongle's port, such as /dev/ttyUSB0.")
    return None


def _group(path: str) -> str:
    with contextlib.suppress(ImportError, KeyError, OSError):
        import grp

        return grp.getgrgid(os.stat(path).st_gid).gr_name
    return ""


def _others(path: str) -> list[str]:
    """Other processes that have the port open, and still have it a moment later."""
    for wait in (0.0, 0.1):
        time.sleep(wait)
        others = [h for h in holders(path) if h != "this process"]
        if not others:
            break
    return others


def _busy(path: str, who: list[str]) -> Finding:
    named = ", ".join(who[:3]) + (f" and {len(who) - 3} more" if len(who) > 3 else "")
    by = f" by {named or 'another program'}"
    act = "Close that program (the OpenBCI GUI, another bcikit), then try again."
    return Finding(path, "busy", f"{path} is in use{by}.", act)


def _raw(fd: int) -> None:
    import termios

    with contextlib.suppress(termios.error):
        iflag, oflag, cflag, lflag, _, _, cc = termios.tcgetattr(fd)
        cflag = (cflag | termios.CS8 | termios.CREAD | termios.CLOCAL) & ~(termios.PARENB | termios.CSTOPB)
        iflag, oflag, lflag = termios.IGNPAR, 0, 0
        termios.tcsetattr(fd, termios.TCSANOW, [iflag, oflag, cflag, lflag, termios.B115200, termios.B115200, cc])


def _drain(fd: int) -> None:
    import termios

    with contextlib.suppress(termios.error):
        termios.tcflush(fd, termios.TCIOFLUSH)


def _channel(answer: str) -> int | None:
    found = re.search(r"[Cc]hannel [Nn]umber:? (\d+)", answer)
    return int(found[1]) if found else None


def _up_on(held: Held, channel: int) -> bool:
    ask(held, RADIO + bytes((2, channel)))
    return "System is Up" in ask(held, RADIO + b"\x07")


def _scan(held: Held, own: int | None) -> int | None:
    """The radio channel that a board answers on, the dongle put back to its own."""
    if own is None:
        return None
    end = time.monotonic() + SCAN_S
    try:
        return next((c for c in CHANNELS if c != own and time.monotonic() < end and _up_on(held, c)), None)
    finally:
        ask(held, RADIO + bytes((2, own)))
