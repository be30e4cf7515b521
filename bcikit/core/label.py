"""Privacy labels: what a stream may tell about whom, and for what it may be used.

A label is born at a board, joined where streams meet, and read by the Gate. A stage hands its input's label
on; only the parts in `DECLASSIFIERS` may call their output less raw than what they were given.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import IntEnum


class Level(IntEnum):
    """How raw the data are, from most to least."""

    RAW = 0
    SIGNAL = 1
    FEATURE = 2
    DECISION = 3
    AGGREGATE = 4


SETS = ("inferences", "subjects", "purposes")


@dataclass(frozen=True)
class Label:
    """level: how raw. inferences: what was inferred. subjects: of whom. purposes: for what it may be used.
    expires: seconds since 1970, None is never. simulated: no person stands behind it (simulated boards, and
    recordings signed as made by them, alone bear that word). recorded: read from a file, so local sinks need no new
    grant (only who reads a file says so; what says nothing is taken for a live person)."""

    level: Level = Level.RAW
    inferences: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()
    purposes: frozenset[str] = frozenset()
    expires: float | None = None
    simulated: bool = False
    recorded: bool = False

    def join(self, other: Label) -> Label:
        """The label of data made from both: the most raw level, all inferences and subjects, common purposes."""
        if self.simulated != other.simulated:  # what is simulated limits nothing, and frees nothing
            person = other if self.simulated else self
            level = min(self.level, other.level)
            return replace(person, level=level, inferences=self.inferences | other.inferences)
        ends = [e for e in (self.expires, other.expires) if e is not None]
        return Label(
            min(self.level, other.level),
            self.inferences | other.inferences,
            self.subjects | other.subjects,
            self.purposes & other.purposes,
            min(ends) if ends else None,
            self.simulated,
            self.recorded and other.recorded,
        )

    def as_dict(self) -> dict:
        """Plain values, for a file's header."""
        return {**asdict(self), "level": self.level.name, **{k: sorted(getattr(self, k)) for k in SETS}}

    @classmethod
    def from_dict(cls, d: dict) -> Label:
        """The inverse of `as_dict`; `simulated` and `recorded` are never read back: a verified signature gives the one,
        reading a file the other."""
        inferences, subjects, purposes = (frozenset(d.get(k, ())) for k in SETS)
        return cls(Level[d.get("level", "RAW")], inferences, subjects, purposes, d.get("expires"))


UNLABELLED = Label()
SIMULATED = Label(simulated=True)

# Parts whose output cannot be turned back into the signal, by module: nothing else may lower a level. A window of samples is
# not among them: it is the signal itself, cut. Mean power and counts of threshold crossings, at 1 kHz or slower and over 10
# samples or more, tell how active a site was, not the waveform; each of these parts leaves the level where a bin is shorter,
# or is not of crossings. A decision is a word of the classes, never a probability; how much words tell, the Gate bounds.
DECLASSIFIERS = {f"bcikit.preprocess.{part}": Level.FEATURE for part in ("bandpower", "bins", "sbp", "unit_features")}
DECLASSIFIERS |= {f"bcikit.decode.{part}": Level.DECISION for part in ("threshold", "map.select", "map.word")}
