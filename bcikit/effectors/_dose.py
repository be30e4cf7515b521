"""What a stimulator may give: every train is judged whole, before its first pulse, and what was given is counted for the
day.

Limits, each from the signed file (`stimulator.toml`), none from a constant: current, width, charge a phase, charge density,
Shannon's k (R. V. Shannon, IEEE Trans. Biomed. Eng. 39:424-426, 1992, doi:10.1109/10.126616: log D + log Q <= k, of which
1.85 is where damage was seen), balance of the two phases, rate, duty, length, charge of a session and of a day. Shannon's
line rests on macroelectrodes and does not hold for microelectrodes (S. F. Cogan et al., J. Neural Eng. 13:021001, 2016,
doi:10.1088/1741-2560/13/2/021001): below 1 mm2 an electrode needs a charge and a density limit of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from ..core.errors import FileTrouble, WrongUse
from ..core.settings import Part, Setting
from ..ethics import keys
from ..files.toml import Toml
from ._limits import ABOUT, PACKAGED, signature_of

MACRO_MM2 = 1.0  # below it Shannon's line is no limit
K_MOST = 1.85


@dataclass(eq=False)
class Electrode(Part):
    """One contact. Its area is that of its surface, not of its silhouette, and has no default: without it no charge is
    safe."""

    name: Annotated[str, Setting("name of the contact")] = ""
    area_mm2: Annotated[float | None, Setting("surface", "mm²", low=1e-6, high=1e4)] = None
    position: Annotated[tuple[float, ...], Setting("x, y, z", "mm")] = (0.0, 0.0, 0.0)
    current_ua: Annotated[float | None, Setting("most current", "µA", low=0.1, high=25_000)] = None
    charge_nc: Annotated[float | None, Setting("most charge a phase", "nC", low=0.01, high=20_000)] = None
    density_uc_cm2: Annotated[float | None, Setting("most charge density a phase", "µC/cm²", low=0.1, high=10_000)] = None
    shannon_k: Annotated[float, Setting("Shannon's k", high=K_MOST)] = 1.75
    width_us: Annotated[float, Setting("longest phase", "µs", low=1, high=10_000)] = 1000.0

    def complete(self) -> None:
        """Raises WrongUse where what must be known is not."""
        if not self.name or self.area_mm2 is None or self.current_ua is None:
            raise WrongUse(
                f"The electrode {self.name!r} lacks its name, its area or its largest current.",
                "Without the area of its surface nobody knows what charge is safe.",
                'name = "e1", area_mm2 = 0.002, current_ua = 100',
            )
        if self.area_mm2 < MACRO_MM2 and (self.charge_nc is None or self.density_uc_cm2 is None):
            raise WrongUse(
                f"The electrode {self.name!r} has {self.area_mm2:g} mm² and no limits of its own.",
                "Shannon's line does not hold below 1 mm².",
                "Give charge_nc and density_uc_cm2, with their source.",
            )


@dataclass(eq=False)
class Dose(Part):
    """What holds for the whole stimulator."""

    device: Annotated[str, Setting("of which effector")] = "stimulator"
    balance: Annotated[
        float, Setting("how far the charges of the two phases may differ, of the first", low=0, high=0.05)
    ] = 0.01
    rate_hz: Annotated[float, Setting("most pulses a second", "Hz", low=0.1, high=1000)] = 300.0
    duty: Annotated[float, Setting("most of the time under current", low=0.0001, high=0.5)] = 0.25
    train_s: Annotated[float, Setting("longest train", "s", low=0.001, high=60)] = 5.0
    session_uc: Annotated[float | None, Setting("charge in a session, both phases", "µC", low=0.001)] = None
    day_uc: Annotated[float | None, Setting("charge in a day", "µC", low=0.001)] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.electrodes: tuple[Electrode, ...] = ()


def read(path: Path, home: Path | None = None) -> Dose:
    """From a file, signed unless it is the package's (of the simulated stimulator). Raises FileTrouble, WrongUse."""
    dose = parse(path)
    packaged = path.resolve().parent == PACKAGED.resolve()
    if not packaged and not keys.verify(Toml(path).text.encode(), ABOUT, signature_of(path), home):
        raise FileTrouble(f"The limits {path} are not signed by this device.", do=f"bcikit limits sign {path}")
    return dose


def parse(path: Path) -> Dose:
    """The same, whoever signed it."""
    toml = Toml(path)
    doc = dict(toml.doc)
    tables = doc.pop("electrode", [])
    for key in doc:
        with toml.line(key):
            Dose.make({key: doc[key]})
    dose, made = Dose.make(doc), []
    for i, table in enumerate(tables):
        with toml.line("electrode", i):
            made.append(Electrode.make(table))
            made[-1].complete()
    dose.electrodes = tuple(made)
    if not made or dose.session_uc is None or dose.day_uc is None:
        raise WrongUse(f"{path} lacks electrodes, or the charge of a session or a day.")
    return dose


@dataclass(frozen=True)
class Train:
    """Charge-balanced pulses: a phase of `current` (µA) and `width` (µs), `gap` (µs), a phase of the other sign of
    `back_current` and `back_width`; `rate` a second (Hz) for `seconds`, by the electrode of this number (from 1)."""

    electrode: float
    current: float
    width: float
    gap: float
    back_current: float
    back_width: float
    rate: float
    seconds: float

    @property
    def pulses(self) -> int:
        """How many pulses there are, a begun one counted whole."""
        return math.ceil(round(self.rate * self.seconds, 9))

    @property
    def charge(self) -> float:
        """µC that flow, of both phases of all pulses."""
        return self.pulses * (self.current * self.width + self.back_current * self.back_width) * 1e-6


class Meter:
    """Judges trains, and counts what was given. used_uc: so far (in the session, today)."""

    def __init__(self, dose: Dose, used_uc: tuple[float, float] = (0.0, 0.0)) -> None:
        self.dose = dose
        self.session, self.day = used_uc

    def refusal(self, t: Train) -> str:
        """Why a train may not be given, for the person; '' where it may."""
        values = vars(t)
        for name, value in values.items():
            if not math.isfinite(value):
                return f"{name} is not a number"
            if value < 0:
                return f"{name} is negative"
        if t.electrode != int(t.electrode) or not 1 <= t.electrode <= len(self.dose.electrodes):
            return "there is no such electrode"
        if min(t.current, t.width, t.rate, t.seconds) == 0:
            return "it has no current, width, rate or length"
        first, back = t.current * t.width * 1e-3, t.back_current * t.back_width * 1e-3  # nC
        if back == 0:
            return "it is monophasic: the charge would stay in the tissue"
        if abs(first - back) > self.dose.balance * first:
            return "its phases do not balance"
        return self._electrode(t, max(first, back)) or self._whole(t)

    def _electrode(self, t: Train, charge: float) -> str:
        e = self.dose.electrodes[int(t.electrode) - 1]
        if e.area_mm2 is None or e.current_ua is None:
            return "its electrode is not known well enough"
        if max(t.current, t.back_current) > e.current_ua:
            return "current"
        if max(t.width, t.back_width) > e.width_us:
            return "width"
        if e.charge_nc is not None and charge > e.charge_nc:
            return "charge a phase"
        density = charge * 1e-3 / (e.area_mm2 * 1e-2)  # µC/cm²
        if e.density_uc_cm2 is not None and density > e.density_uc_cm2:
            return "charge density"
        if math.log10(density) + math.log10(charge * 1e-3) > e.shannon_k:
            return "Shannon's k"
        return ""

    def _whole(self, t: Train) -> str:
        dose = self.dose
        if t.rate > dose.rate_hz:
            return "rate"
        if (t.width + t.gap + t.back_width) * 1e-6 * t.rate > dose.duty:
            return "duty"
        if t.seconds > dose.train_s:
            return "length of the train"
        if self.session + t.charge > (dose.session_uc or 0.0):
            return "charge of the session"
        if self.day + t.charge > (dose.day_uc or 0.0):
            return "charge of the day"
        return ""

    def give(self, t: Train) -> str:
        """The same, and what is not refused is counted as given."""
        why = self.refusal(t)
        if not why:
            self.session, self.day = self.session + t.charge, self.day + t.charge
        return why
