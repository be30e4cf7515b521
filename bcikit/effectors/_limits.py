"""The limits file: what a device may do near a person. Every number that the supervisor enforces stands in it.

    device = "arm"
    period_s = 0.005
    force = 40.0                          # N; contact above it is a protective stop
    [[channel]]
    name = "vx"
    unit = "m/s"
    order = "velocity"                    # its bounds are then `acceleration` and `jerk`
    ...

A file of one's own is signed with this device's key (`bcikit limits sign FILE`); one edited afterwards is refused. The
files in the package are for the simulated devices alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from ..core.errors import FileTrouble, WrongUse
from ..core.settings import Part, Setting
from ..ethics import keys
from ..files.toml import Toml
from ._spec import CommandSpec

PACKAGED = Path(__file__).parent
ABOUT = "limits"  # what a signature is for
STALE_S, STALE_MOST_S = 0.1, 1.0  # brain data are stale a period plus this much after the newest, and after this in any case
BOUNDS = {"velocity": ("acceleration", "jerk"), "position": ("velocity", "acceleration"), "force": ("rate", "jolt")}
MODES = ("hand", "separation", "force")


@dataclass(eq=False)
class Channel(Part):
    """Bounds of one command. Its first and second derivative are bounded by the two names that go with its order."""

    name: Annotated[str, Setting("name of the command")] = ""
    unit: Annotated[str, Setting("its unit")] = ""
    order: Annotated[str, Setting("what is commanded", choices=tuple(BOUNDS))] = "velocity"
    low: Annotated[float | None, Setting("smallest value")] = None
    high: Annotated[float | None, Setting("largest value")] = None
    safe: Annotated[str, Setting("the value it goes to when all must be safe, or keep")] = "0"
    axis: Annotated[str, Setting("along which a velocity moves the point", choices=("", "x", "y", "z"))] = ""
    point: Annotated[int, Setting("which point", low=0)] = 0
    velocity: Annotated[float | None, Setting("most, of a position", low=0)] = None
    acceleration: Annotated[float | None, Setting("most, of a velocity or position", low=0)] = None
    jerk: Annotated[float | None, Setting("most, of a velocity", low=0)] = None
    rate: Annotated[float | None, Setting("most change of a force a second", low=0)] = None
    jolt: Annotated[float | None, Setting("most change of that a second", low=0)] = None

    def _check(self) -> None:
        low, high, *bounds = (getattr(self, n) for n in ("low", "high", *BOUNDS[self.order]))
        for name, value in zip(("low", "high", *BOUNDS[self.order]), (low, high, *bounds), strict=True):
            if value is None or not np.isfinite(value):
                raise WrongUse(
                    f"The command {self.name!r} has no {name}.", f"A {self.order} needs low, high and its bounds."
                )
        if not low < high or min(bounds) <= 0:
            raise WrongUse(f"The command {self.name!r} is bounded to nothing.", "low < high, and every bound above 0.")
        try:
            safe = values([self.safe])[0]
        except ValueError:
            raise WrongUse(f"The command {self.name!r} is safe at {self.safe!r}: neither a number nor keep.") from None
        if not np.isnan(safe) and not low <= safe <= high:
            raise WrongUse(f"The command {self.name!r} is safe at {self.safe}, which is out of its range.")
        if self.axis and self.order != "velocity":
            raise WrongUse(f"The command {self.name!r} moves a point, and is no velocity.")


@dataclass(eq=False)
class Sphere(Part):
    """A place that no point may enter."""

    center: Annotated[tuple[float, ...], Setting("x, y, z", "m")] = ()
    radius: Annotated[float, Setting("radius", "m", low=0.001)] = 0.1


@dataclass(eq=False)
class Box(Part):
    """A box along the axes."""

    low: Annotated[tuple[float, ...], Setting("x, y, z", "m")] = ()
    high: Annotated[tuple[float, ...], Setting("x, y, z", "m")] = ()


@dataclass(eq=False)
class Limits(Part):
    """What is enforced, with sources: IEC 80601-2-78:2019 (rehabilitation robots: protective stop, safe state after a
    fault), ISO 13482:2014 (personal care robots), ISO 10218-2:2025 (modes of operation with a person near; contact
    limits)."""

    device: Annotated[str, Setting("of which effector")] = ""
    period_s: Annotated[float, Setting("the supervisor's step", "s", low=0.001, high=0.05)] = 0.005
    stale_s: Annotated[float | None, Setting("age of brain data; may only tighten", "s", low=0.01, high=STALE_MOST_S)] = None
    command_s: Annotated[float, Setting("age of a command", "s", low=0.01, high=STALE_MOST_S)] = 0.5
    persist_s: Annotated[
        float, Setting("a command that stays the same to the bit is suspicious", "s", low=0.1, high=600)
    ] = 2.0
    rearm_s: Annotated[float, Setting("without cause before it moves again", "s", low=0, high=60)] = 0.2
    heartbeat_s: Annotated[
        float, Setting("the device's own timeout, and how long it may be silent", "s", low=0.01, high=0.2)
    ] = 0.1
    absurd: Annotated[float, Setting("so many times the range is refused, less is clipped", low=1, high=1000)] = 10.0
    modes: Annotated[tuple[str, ...], Setting("ways to be near a person", choices=MODES)] = ()
    dead_man: Annotated[bool, Setting("moves only while the switch is held")] = False
    force: Annotated[float | None, Setting("contact force", "N", low=0.1, high=2000)] = None
    torque: Annotated[float | None, Setting("joint torque", "N m", low=0.01, high=2000)] = None
    stop_m: Annotated[float, Setting("a person nearer than this stops it", "m", low=0, high=10)] = 0.3
    slow_m: Annotated[float, Setting("a person nearer than this slows it", "m", low=0, high=20)] = 1.0
    speed: Annotated[float | None, Setting("of a point", "m/s", low=0.001, high=30)] = None
    margin: Annotated[float, Setting("kept from every border", "m", low=0, high=1)] = 0.0
    apart: Annotated[float | None, Setting("kept between any two points", "m", low=0.001, high=100)] = None
    session_s: Annotated[float, Setting("of motion in a session", "s", low=1, high=86400)] = 3600.0
    day_s: Annotated[float, Setting("of motion in a day", "s", low=1, high=86400)] = 14400.0
    retract_s: Annotated[float, Setting("how long it retracts when the force is too high", "s", low=0, high=10)] = 0.0
    retract: Annotated[tuple[str, ...], Setting("the command meanwhile: a value for each channel, or keep")] = ()

    @classmethod
    def part_name(cls) -> str:
        return "limits"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.channels: tuple[Channel, ...] = ()
        self.boxes: tuple[Box, ...] = ()  # that no point may enter
        self.spheres: tuple[Sphere, ...] = ()
        self.allowed: Box | None = None  # that no point may leave
        self.hash = ""

    def stale_after(self, period: float) -> float:
        """Seconds without newer brain data after which a command stream of this period is stale."""
        own = min(period + STALE_S, STALE_MOST_S)
        return own if self.stale_s is None else min(own, self.stale_s)

    def fits(self, spec: CommandSpec) -> None:
        """Raises WrongUse where the file is for another command."""
        its = {c.name: c.unit for c in self.channels}
        if its != dict(zip(spec.names, spec.units, strict=True)) or list(its) != list(spec.names):
            raise WrongUse(
                f"The limits of {self.device} are for the commands {', '.join(f'{n} ({u})' for n, u in its.items())}.",
                f"The device takes {', '.join(f'{n} ({u})' for n, u in zip(spec.names, spec.units, strict=True))}.",
            )
        if any(c.axis and c.point >= spec.points for c in self.channels):
            raise WrongUse(f"The limits of {self.device} name a point that the device does not have.")

    def bounds(self) -> np.ndarray:
        """(4, channels): low, high, and the most of the first and of the second derivative."""
        return np.array([[getattr(c, n) for n in ("low", "high", *BOUNDS[c.order])] for c in self.channels], float).T.copy()


def values(said: Sequence[str]) -> np.ndarray:
    """Numbers, NaN where a value is to be kept."""
    return np.array([np.nan if s == "keep" else float(s) for s in said])


def packaged(device: str) -> Path:
    """The limits of a simulated device, beside its effector."""
    return PACKAGED / f"{device}.toml"


def read(path: Path, home: Path | None = None) -> Limits:
    """Limits from a file. Raises FileTrouble where it cannot be read or is not signed, WrongUse, with its line, for what is
    wrong in it."""
    limits, raw = parse(path)
    if path.resolve().parent != PACKAGED.resolve():
        signature = signature_of(path)
        if not keys.verify(raw, ABOUT, signature, home):
            raise FileTrouble(
                f"The limits {path} are not signed by this device.",
                "They were changed after somebody had signed them, or nobody has." if signature else "Nobody has.",
                f"Read them, then: bcikit limits sign {path}",
            )
    return limits


def sign(path: Path, home: Path | None = None) -> None:
    """Sign a file as it stands, once it was checked."""
    _signature(path).write_text(keys.sign(Toml(path).text.encode(), ABOUT, home) + "\n")


def signature_of(path: Path) -> str:
    """What stands beside a file as its signature; '' where nothing does."""
    try:
        return _signature(path).read_text().strip()
    except (OSError, UnicodeError):
        return ""


def _signature(path: Path) -> Path:
    return path.with_name(path.name + ".sig")


def parse(path: Path) -> tuple[Limits, bytes]:
    """Limits and the bytes they were read from, whoever signed them."""
    toml = Toml(path)
    doc = dict(toml.doc)
    tables = {key: doc.pop(key, []) for key in ("channel", "keep_out_box", "keep_out_sphere")}
    allowed = doc.pop("workspace", None)
    for key in doc:
        with toml.line(key):
            Limits.make({key: doc[key]})
    limits = Limits.make(doc)
    made: dict[str, list[Any]] = {}
    kinds: Mapping[str, type[Part]] = {"channel": Channel, "keep_out_box": Box, "keep_out_sphere": Sphere}
    for key, kind in kinds.items():
        made[key] = []
        for i, table in enumerate(tables[key]):
            with toml.line(key, i):
                made[key].append(kind.make(table))
                _whole(made[key][-1])
    if allowed is not None:
        with toml.line("workspace"):
            limits.allowed = Box.make(allowed)
            _whole(limits.allowed)
    limits.channels, limits.boxes = tuple(made["channel"]), tuple(made["keep_out_box"])
    limits.spheres = tuple(made["keep_out_sphere"])
    raw = toml.text.encode()
    limits.hash = hashlib.sha256(raw).hexdigest()
    with toml.line("device"):
        _consistent(limits)
    return limits, raw


def _whole(part: Part) -> None:
    if isinstance(part, Channel):
        part._check()
        return
    if isinstance(part, Sphere) and (len(part.center) != 3 or not np.isfinite([*part.center, part.radius]).all()):
        raise WrongUse("A sphere has a center of three numbers and a radius.")
    if isinstance(part, Box) and not (len(part.low) == len(part.high) == 3 and np.all(np.less(part.low, part.high))):
        raise WrongUse("A box has three numbers in low and in high, low below high.")


def _fastest(c: Channel) -> float:
    return max(abs(c.low or 0.0), abs(c.high or 0.0))


def _consistent(limits: Limits) -> None:
    channels = limits.channels
    if not limits.device or not channels:
        raise WrongUse("Limits name their device, and one channel at least.", do='device = "arm", then [[channel]]')
    points = {c.point for c in channels if c.axis}
    for k in points:
        fastest = np.hypot.reduce([_fastest(c) for c in channels if c.axis and c.point == k])
        if limits.speed is None or fastest > limits.speed * (1 + 1e-9):
            raise WrongUse(
                f"Point {k} could go {fastest:.3g} m/s, with all its velocities at their bound.",
                f"speed allows {limits.speed or 0:g} m/s.",
                "Lower the ranges of its channels, or raise speed.",
            )
    if (limits.allowed or limits.boxes or limits.spheres or limits.apart) and not points:
        raise WrongUse("A workspace needs channels that say along which axis they move the point.", do='axis = "x"')
    if "force" in limits.modes and limits.force is None:
        raise WrongUse("The mode force needs a bound on the force.", do="force = 65.0")
    if "separation" in limits.modes and not limits.stop_m < limits.slow_m:
        raise WrongUse("The mode separation needs stop_m below slow_m.")
    if len(limits.retract) not in (0, len(channels)):
        raise WrongUse("retract has one value for each channel.")
    try:
        values(limits.retract)
    except ValueError:
        raise WrongUse("retract is numbers, or keep.") from None
