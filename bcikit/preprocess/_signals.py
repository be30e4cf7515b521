"""Which channels a stage works on."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.errors import WrongUse
from ..core.stream import Stream

BRAIN = ("eeg", "ecog", "seeg", "dbs", "lfp", "meg", "broadband", "spikes")  # one reference for each of these kinds
SIGNALS = (*BRAIN, "emg", "eog", "ecg", "bio")  # a voltage of the body
MARKS = ("digital", "counter", "marker", "trigger", "time", "status", "aux digital")  # numbers that mean what they are

CHANNELS = "channels or kinds it works on; the others pass unchanged. Without: all voltages of the body"


def flat(s: Stream, part: str, regular: bool = True) -> None:
    """Refuse a stream that is not (samples, channels), or has no rate where one is needed."""
    if len(s.shape) != 1:
        raise WrongUse(
            f"{part} takes samples of channels; {s.name} has samples of shape {s.shape}.",
            "It stands behind a stage that adds an axis.",
            f"Put {part} before `window`.",
        )
    if regular and not s.rate > 0:
        raise WrongUse(f"{part} needs a regular rate; {s.name} is irregular.", "It holds decisions, markers or epochs.")


def chosen(s: Stream, wanted: Sequence[str], part: str, kinds: Sequence[str] = SIGNALS) -> list[int]:
    """Columns asked for; where nothing was asked, those of `kinds`, or all that are not marks where there are none."""
    columns = s.pick(wanted) if wanted else s.of_kind(*kinds)
    if not columns and not wanted:
        columns = [i for i, c in enumerate(s.channels) if c.kind not in MARKS]
    if not columns:
        raise WrongUse(
            f"{part} finds no channel to work on in {s.name}.",
            f"Its channels are of kind {', '.join(sorted({c.kind for c in s.channels})) or 'none'}.",
            f"Name them: {part}:channels=A+B",
        )
    return sorted(columns)


def below_nyquist(s: Stream, part: str, **hertz: float | None) -> None:
    """Refuse a frequency that the stream's rate cannot carry."""
    for name, value in hertz.items():
        if value is not None and not 0 < value < s.rate / 2:
            raise WrongUse(
                f"{part}:{name}={value:g} Hz lies outside what {s.name} can carry.",
                f"At {s.rate:g} samples a second that is above 0 and below {s.rate / 2:g} Hz.",
            )


def noted(s: Stream, text: str) -> Stream:
    """The stream with a word for the person in `info["notes"]`, which views show and recordings keep."""
    return s.but(info={**s.info, "notes": [*s.info.get("notes", ()), text]})
