"""What is installed and usable on this machine, and what to do about what is not."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Literal

LSL_WAIT_S = 2.0  # how long a stream of our own may take to be found
CLOCK_TRIES = 200
FREE_GB = 2.0  # an hour of 64 channels at 1 kHz takes 0.9 GB


@dataclass(frozen=True)
class Finding:
    """One thing looked at. state: good, note (works, but ...), or bad (does not work). do: the act that mends it."""

    name: str
    state: Literal["good", "note", "bad"]
    found: str
    do: str = ""


def examine(ports: Sequence[str] = ()) -> Iterator[Finding]:
    """All checks in order, each as soon as it is done; none of them raises. Looks at `ports`, or at those that it finds."""
    for check in CHECKS:
        try:
            yield from check(ports) if check is serial_ports else check()
        except Exception as error:  # a check that breaks is itself a finding
            yield Finding(check.__name__, "bad", f"this check failed: {error}", "bcikit --debug doctor shows where.")


def machine() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("system", "good", f"{platform.system()} {platform.release()}, {platform.machine()}, {cores} cores")
    yield Finding("python", "good", f"{platform.python_version()} at {sys.prefix}")


def home() -> Iterator[Finding]:
    from ..ethics.home import home as where

    folder = where()
    free = shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.exists())).free / 1e9
    what = f"{folder}  ({free:.0f} GB free)"
    if free < FREE_GB:
        yield Finding(
            "BCIKIT_HOME", "note", what, "Little room for recordings: free some, or set BCIKIT_HOME to another disk."
        )
    else:
        yield Finding("BCIKIT_HOME", "good", what + "; keys, consents and recordings are kept here")


def kernels() -> Iterator[Finding]:
    from .. import kernels as k

    if getattr(k, "COMPILED", False):
        yield Finding("kernels", "good", "compiled")
    else:
        yield Finding(
            "kernels",
            "note",
            "not compiled: plain NumPy does the work, right but slower",
            "Enough for EEG. For more: install a C compiler and the Python headers (Debian: gcc python3-dev), then "
            "pip install --force-reinstall --no-deps bcikit.",
        )


def libraries() -> Iterator[Finding]:
    for name in ("brainflow", "pylsl", "mne", "cryptography"):
        try:
            yield Finding(name, "good", version(name))
        except PackageNotFoundError:
            yield Finding(name, "bad", "not installed", f"pip install {name}")
    extras = {
        "deep": "torch",
        "robot": "mujoco",
        "web": "starlette",
        "files": "zarr",
        "io": "serial",
        "keys": "keyring",
        "scale": "dask",
    }
    there = [extra for extra, module in extras.items() if find_spec(module)]
    yield Finding("extras", "good", f"here: {', '.join(there) or 'none'}; others by pip install 'bcikit[NAME]': "
                  + ", ".join(e for e in extras if e not in there))  # fmt: skip


def boards() -> Iterator[Finding]:
    """BrainFlow's native library; it is there on x86 and arm64, but older wheels missed some machines."""
    from ..acquire import _brainflow

    try:
        version_of = _brainflow.library().board_shim.BoardShim.get_version()
    except Exception as error:
        mend = "On an unusual machine it must be built from source (brainflow.readthedocs.io, 'Installation')."
        yield Finding("BrainFlow library", "bad", f"does not load: {error}", mend)
        return
    yield Finding("BrainFlow library", "good", f"loads, version {version_of}")


def lsl() -> Iterator[Finding]:
    from ..acquire import _lsl

    try:
        pylsl = _lsl.library()
    except Exception as error:
        mend = "pip install pylsl brings it; or conda install -c conda-forge liblsl"
        yield Finding("liblsl", "bad", f"does not load: {error}", mend)
        return
    yield Finding("liblsl", "good", f"version {pylsl.library_version() / 100:.2f}")
    name = f"bcikit-doctor-{os.getpid()}"  # a stream of nothing, so no person's data
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "Test", 1, 0, "float32", name))
    began = time.monotonic()
    found = pylsl.resolve_byprop("source_id", name, 1, LSL_WAIT_S)
    took = time.monotonic() - began
    del outlet
    if found:
        yield Finding("LSL discovery", "good", f"a stream of this machine is found in {took * 1000:.1f} ms")
    else:
        yield Finding(
            "LSL discovery",
            "bad",
            f"a stream of this machine is not found within {LSL_WAIT_S:g} s: multicast is blocked",
            "A VPN, Docker or a firewall is the usual cause (LSL needs UDP 16571-16604 and multicast). Without discovery: "
            "bcikit stream --board lsl --opt address=HOST:PORT",
        )


def serial_ports(named: Sequence[str] = ()) -> Iterator[Finding]:
    """The ports named, or all that USB devices made: asked for a board, each told apart in what is wrong with it."""
    from ..acquire import _ports

    here = named or [port.path for port in _ports.ports()]
    if not here:
        yield Finding(
            "serial ports",
            "note",
            "no USB serial port",
            "Plug in the dongle (its switch on GPIO 6) and turn the board on (its switch on PC). To try everything without "
            "one: bcikit emulate cyton --file RECORDING",
        )
    for path in here:
        seen = _ports.diagnose(path)
        yield Finding(f"port {path}", "good" if seen.state == "ready" else "bad", seen.what, seen.do)
        timer = _ports.latency_timer(path)
        if timer is not None and timer > 1:
            mend = "bcikit doctor --set-latency-timer sets it to 1 ms."
            yield Finding(f"port {path}", "note", f"FTDI latency timer at {timer} ms: samples come in clumps", mend)


def quicken(named: Sequence[str] = ()) -> Iterator[Finding]:
    """Set the latency timer of FTDI ports to 1 ms."""
    from ..acquire import _ports
    from ..core.errors import DeviceTrouble

    timed = [p for p in named or [port.path for port in _ports.ports()] if named or _ports.latency_timer(p) is not None]
    if not timed:
        yield Finding("latency timer", "note", "no FTDI dongle is plugged in", "Plug it in and try again.")
    for path in timed:
        try:
            _ports.set_latency_timer(path)
            yield Finding(f"port {path}", "good", "latency timer at 1 ms until it is unplugged")
        except DeviceTrouble as error:
            yield Finding(f"port {path}", "bad", f"{error.what} {error.why}", error.do)


def display() -> Iterator[Finding]:
    here = os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY") or sys.platform in ("win32", "darwin")
    yield Finding("display", "good" if here else "note", "there" if here else "none: the terminal view works without one")


def gpu() -> Iterator[Finding]:
    smi = shutil.which("nvidia-smi")
    if smi is None:
        yield Finding("GPU", "good", "none found; none is needed")
        return
    query = [smi, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    names = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False).stdout.strip()
    yield Finding("GPU", "good", names.replace("\n", "; ") or "a driver, but no card")


def clock() -> Iterator[Finding]:
    late = []
    due = time.monotonic()
    for _ in range(CLOCK_TRIES):
        due += 0.001
        time.sleep(max(0.0, due - time.monotonic()))
        late.append(time.monotonic() - due)
    late.sort()
    p50, p99 = late[CLOCK_TRIES // 2] * 1000, late[-3] * 1000
    what = f"1 ms waits end {p50:.2f} ms late (p99 {p99:.2f} ms)"
    if p99 > 5:
        yield Finding("clock", "note", what, "Other programs hold the processor: close them for a closed loop.")
    else:
        yield Finding("clock", "good", what)


CHECKS: tuple[Callable[..., Iterator[Finding]], ...] = (
    machine,
    home,
    kernels,
    libraries,
    boards,
    lsl,
    serial_ports,
    display,
    gpu,
    clock,
)
