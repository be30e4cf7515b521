"""How fast the supervisor makes safe, whatever fails, and what it costs a step.

Each trial flies three simulated drones from a program of its own (`_victim.py`), breaks something, and reads from the
device's own memory when it began to act safely: counted from the fault, or from when the brain data are stale. Trials go on
in LANES processes at a time, each with a home, a supervisor and drones of its own: `python -m bcikit.bench.supervisor FAULT
TRIALS` is one of them, `... alarms SECONDS` one flight in which nothing is broken.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..core.errors import BciError
from ..core.find import parts
from ..effectors import _limits
from ..effectors._door import tell
from ..effectors._moved import Moved
from ..effectors._priority import SUPERVISES, favour, unfavour
from ..effectors._slot import Panel
from ..effectors._spec import Felt
from ..effectors._supervisor import Cause, Command, Seen, Supervisor
from ..effectors.drones import Drones
from ._victim import RATE
from ._witness import Witness

READY_S, WARM = 20.0, 100
LANES = 4
FAULTS = ("stale", "network", "stopped", "held", "killed", "supervisor killed")
DEADLINE_MS = {fault: 200.0 if fault == "supervisor killed" else 100.0 for fault in FAULTS}
HELD_S = 5.0
ROWS = ("cost", "arm", *FAULTS, "alarms")
FLIGHT_S = 1800.0  # of the false alarms: a session is over after an hour
WITHIN_S, STALLED_S = 0.5, 0.05  # before an alarm; the second is half of what makes brain data stale


class Flight:
    """A victim in flight, its brain data coming from here until told otherwise."""

    def __init__(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.victim = subprocess.Popen([sys.executable, "-m", "bcikit.bench._victim", str(listener.getsockname()[1])])
        listener.settimeout(READY_S)
        self._line = listener.accept()[0]
        listener.close()
        self.frozen: float | None = None  # the brain time that is sent on and on
        self.cut, self._end = False, threading.Event()
        self.sent = time.monotonic()
        about = tell("drones")
        self.prompt = about["real-time"]
        self.guardian, self.mover = int(about["guardian"]), int(about["mover"])
        with open(f"/proc/{self.mover}/fd/{about['memory']}", "r+b", buffering=0) as memory:
            spec = Drones.spec
            self.panel = Panel(memory.fileno(), len(spec.names), 3 * spec.points + 3 + len(spec.felt))
        self._sender = threading.Thread(target=self._send, daemon=True)
        self._sender.start()

    def _send(self) -> None:
        favour(SUPERVISES + 1)  # it stands for a board, which is late for nobody
        due, k = time.monotonic(), 0
        while not self._end.is_set():
            brain = time.monotonic() if self.frozen is None else self.frozen
            if not self.cut:
                k += 1
                self.sent = time.monotonic()
                try:  # a little forward, a little back: the drones stay inside
                    self._line.sendall(f"{brain} {0.2 * (-1) ** (k // 50) + 0.001 * (k % 7)}\n".encode())
                except OSError:
                    return
            due = max(due + 1 / RATE, time.monotonic())
            self._end.wait(due - time.monotonic())

    def hold(self, seconds: float) -> None:
        self._line.sendall(f"hold {seconds}\n".encode())

    def felt(self) -> tuple[int, float]:
        """(why the device does not move, since when)."""
        values = self.panel.felt.read()[1]
        return int(values[1]), values[2]

    def brain(self) -> float:
        """Time of the newest brain data that the program has passed on."""
        return self.panel.command.read()[1][2]

    def steady(self, seconds: float = 0.3) -> None:
        """Wait until it has flown undisturbed for so long."""
        end, since = time.monotonic() + READY_S, time.monotonic()
        while time.monotonic() - since < seconds:
            if self.felt()[0]:
                since = time.monotonic()
            if time.monotonic() > end:
                raise BciError("The drones do not fly.", tell("drones")["cause"])
            time.sleep(0.005)

    def close(self) -> None:
        self._end.set()
        for pid, wait in ((self.victim.pid, signal.SIGCONT), (self.victim.pid, signal.SIGKILL)):
            try:
                os.kill(pid, wait)
            except ProcessLookupError:
                pass
        self.victim.wait()
        self._line.close()
        for pid in (self.guardian, self.mover):  # the next flight needs the device
            _ended(pid, 10.0)
        self.panel.close()


def _ended(pid: int, seconds: float) -> None:
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    select.select([fd], [], [], seconds)
    os.close(fd)


def trial(flight: Flight, fault: str) -> float:
    """Milliseconds from the fault, or from when the data are stale, to the device acting safely; inf if it never did."""
    flight.steady()
    stale_s = _limits.read(_limits.packaged("drones")).stale_after(1 / RATE)
    began = time.monotonic()
    if fault == "stale":
        flight.frozen = time.monotonic()
    elif fault == "network":
        flight.cut = True
    elif fault == "held":
        flight.hold(HELD_S)
    else:
        pid = flight.guardian if fault == "supervisor killed" else flight.victim.pid
        os.kill(pid, signal.SIGSTOP if fault == "stopped" else signal.SIGKILL)
    took = float("inf")
    while time.monotonic() < began + 2.0:
        cause, since = flight.felt()
        if cause and since >= began:
            due = began if fault in ("stopped", "killed", "supervisor killed") else flight.brain() + stale_s
            took = max(since - due, 0.0) * 1000
            break
        time.sleep(0.001)
    if fault == "held":
        time.sleep(max(began + HELD_S - time.monotonic(), 0.0))
    if fault == "stopped":
        os.kill(flight.victim.pid, signal.SIGCONT)
    flight.frozen, flight.cut = None, False
    return took


def lane(trials: int, fault: str) -> list[float]:
    """The milliseconds of so many trials, one after another."""
    took: list[float] = []
    flight: Flight | None = None
    try:
        for _ in range(trials):
            flight = flight or Flight()
            took.append(trial(flight, fault))
            if "killed" in fault:
                flight.close()
                flight = None
    finally:
        if flight is not None:
            flight.close()
    return took


def faults(trials: int, which: tuple[str, ...] = FAULTS, lanes: int = LANES) -> Iterator[dict[str, Any]]:
    """A row for each fault: how many of the trials were safe in time, and the milliseconds it took."""
    for fault in which:
        with tempfile.TemporaryDirectory() as homes:
            shares = [len(range(k, trials, lanes)) for k in range(min(lanes, trials))]
            asked = [[sys.executable, "-m", "bcikit.bench.supervisor", fault, str(n)] for n in shares]
            envs = [{**os.environ, "BCIKIT_HOME": f"{homes}/{k}"} for k in range(len(asked))]
            running = [
                subprocess.Popen(a, env=e, stdout=subprocess.PIPE, text=True) for a, e in zip(asked, envs, strict=True)
            ]
            said = [p.communicate()[0] for p in running]
        if any(p.returncode for p in running):
            raise BciError(f"The trials of {fault} broke off.", "What their process said stands above.")
        ms = np.array([x for text in said for x in json.loads(text)])
        yield {
            "fault": fault,
            "trials": len(ms),
            "safe_in_time": int((ms <= DEADLINE_MS[fault]).sum()),
            "wanted_ms": DEADLINE_MS[fault],
            "at_a_time": len(shares),
            "load": os.getloadavg()[0],
            **{f"ms_{name}": float(np.percentile(ms, q)) for name, q in (("p50", 50), ("p99", 99), ("worst", 100))},
        }


def alarms(seconds: float) -> Iterator[dict[str, Any]]:
    """How often it stopped although nothing was wrong, with every core busy: a row for each time, with its cause, and one of
    them all. of_the_machine: those within WITHIN_S of a moment when a core did not run even what comes before all of this,
    for STALLED_S or longer. Flown for at most FLIGHT_S at a time, for a session ends."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in os.sched_getaffinity(0)]
    said: list[dict[str, Any]] = []
    prompt, left = "", seconds
    try:
        while left > 0:
            with tempfile.TemporaryDirectory() as home:
                asked = [sys.executable, "-m", "bcikit.bench.supervisor", "alarms", str(min(left, FLIGHT_S))]
                env = {**os.environ, "BCIKIT_HOME": home}
                with subprocess.Popen(asked, env=env, stdout=subprocess.PIPE, text=True) as flying:
                    assert flying.stdout is not None
                    for line in flying.stdout:
                        row = json.loads(line)
                        prompt = row.pop("real-time", prompt)
                        if row:
                            said.append(row)
                            yield row
            if flying.returncode:
                raise BciError("The flight of the false alarms broke off.", "What its process said stands above.")
            left -= FLIGHT_S
    finally:
        for one in busy:
            one.kill()
            one.wait()
    yield {
        "false_alarms": len(said),
        "of_the_machine": sum(row["machine_ms"] >= 1000 * STALLED_S for row in said),
        "seconds": seconds,
        "per_hour": len(said) * 3600 / seconds,
        "busy_processes": len(busy),
        "load": os.getloadavg()[0],
        "real-time": prompt,
    }


def watch(seconds: float) -> None:
    """Print a line for each false alarm of one flight, once it is known what the machine did meanwhile, and one about who
    has real-time priority."""
    flight = Flight()
    favour(SUPERVISES + 1)
    with Witness() as witness:
        try:
            flight.steady()
            print(json.dumps({"real-time": flight.prompt}), flush=True)
            began, was, seen = time.monotonic(), 0, deque[dict[str, Any]]()
            while (now := time.monotonic()) < began + seconds + WITHIN_S:
                cause = flight.felt()[0]
                if cause and not was and now < began + seconds:
                    ages = {"brain_ms": 1000 * (now - flight.brain()), "board_ms": 1000 * (now - flight.sent)}
                    seen.append({"alarm": Cause(cause).words(), "at_s": now - began, **ages})
                was = cause
                while seen and now > (at := began + seen[0]["at_s"]) + WITHIN_S:
                    stalled = witness.stalled(at - WITHIN_S, at)
                    print(json.dumps(seen.popleft() | {"machine_ms": 1000 * stalled}), flush=True)
                time.sleep(0.002)
        finally:
            flight.close()


def cost(seconds: float) -> Iterator[dict[str, Any]]:
    """What a step of the supervisor takes, for each effector above which one stands: microseconds on the wall clock, at the
    priority of its process where the system gives it, one straight after another (`hot`) and at its period (`paced`: what
    the caches held is gone by then, and the processor may have slept)."""
    with _favoured(SUPERVISES) as given:
        for name, cls in parts("sink").items():
            if issubclass(cls, Moved):
                took = {f"{kind}_us": _steps(name, cls, seconds / 2, kind == "paced") for kind in ("hot", "paced")}
                yield {
                    "step": name,
                    "real-time": given,
                    **{
                        f"{k}_{q}": float(np.percentile(t, p))
                        for k, t in took.items()
                        for q, p in (("p50", 50), ("p99", 99))
                    },
                }


@contextmanager
def _favoured(priority: int) -> Iterator[bool]:
    """Meanwhile, real-time priority for this thread; whether it was given."""
    gc.collect()
    gc.freeze()
    given = favour(priority)
    try:
        yield given
    finally:
        if given:
            unfavour()
        gc.unfreeze()


def _steps(name: str, cls: type[Moved], seconds: float, paced: bool) -> np.ndarray:
    """Microseconds of each step, once warm."""
    limits = _limits.read(_limits.packaged(name))
    sup = Supervisor(limits, cls.spec, 1 / RATE)
    sup.take(1)
    felt = Felt(np.tile(_inside(limits), (cls.spec.points, 1)), 0.0, 0.0, 10.0)
    took: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(took) < 2 * WARM:
        k = len(took)
        now = k * limits.period_s
        values = np.array(cls.spec.rest) + 0.01 * np.sin(k / 50)
        began = time.perf_counter()
        sup.step(now, Command.of(values, k + 1, now, now), Seen.of(felt, now))
        took.append(time.perf_counter() - began)
        if paced:
            time.sleep(limits.period_s)
    return np.array(took[WARM:]) * 1e6


def _inside(limits: _limits.Limits) -> np.ndarray:
    box = limits.allowed
    return np.zeros(3) if box is None else (np.array(box.low) + np.array(box.high)) / 2


def arm(seconds: float) -> dict[str, Any]:
    """How many times real time the simulated arm goes, physics and control of its joints, on the wall clock (with real-time
    priority where the system gives it, the least there is) and of the processor's own time; or why it was left out."""
    from ..effectors.arm import Arm

    try:
        device = Arm().device()
    except BciError as error:
        return {"arm": f"left out: {error.what}"}
    dt = _limits.read(_limits.packaged("arm")).period_s
    with _favoured(1) as given:
        wall, cpu, k = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - wall < seconds:
            k += 1
            device.step(np.array([*(0.05 * np.sin(k / 100 + np.arange(3))), 0.0]), dt)
        took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    device.close()
    faster = {f"{n}_x_real_time": k * dt / t for n, t in took.items()}
    return {"arm": "step with control", "real-time": given, "simulated_s": k * dt, **faster}


def supervisor(trials: int, seconds: float, rows: Sequence[str] = ROWS) -> Iterator[dict[str, Any]]:
    """The rows asked for, of ROWS."""
    process = hasattr(os, "pidfd_open")  # its own needs Linux
    if "cost" in rows and process:
        yield from cost(min(seconds, 5.0))
    if "arm" in rows:
        yield arm(min(seconds, 5.0))
    if process:
        yield from faults(trials, tuple(f for f in FAULTS if f in rows))
    if "alarms" in rows and process:
        yield from alarms(seconds)


if __name__ == "__main__":
    if sys.argv[1] == "alarms":
        watch(float(sys.argv[2]))
    else:
        print(json.dumps(lane(int(sys.argv[2]), sys.argv[1])))
