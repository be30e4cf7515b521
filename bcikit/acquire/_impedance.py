"""How well electrodes touch: the impedance of each, measured by the board's own test current.

Cyton and Daisy: the ADS1299 drives a 31.25 Hz sine of 6 nA (peak) through one electrode at a time; the voltage at that
frequency, by Ohm's law, is the electrode and the 2.2 kOhm resistor on the board in series (data sheet SBAS499, lead-off
detection; docs.openbci.com, Cyton Board SDK, LeadOff Set; known resistors: github.com/OpenBCI/OpenBCI_GUI, pull 1211).
Ganglion: the board measures by itself and sends kOhm, electrode after electrode, then the reference.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..core.clock import WALL
from ..core.errors import DeviceTrouble, WrongUse
from ..core.parts import Board
from ..core.stream import Chunk
from ._brainflow import Session, described
from .openbci import LETTERS, Openbci

TONE_HZ, TONE_A, SERIES_OHM = 31.25, 6e-9, 2200.0
SETTLE_S = 0.25  # after the current was switched
LEAST_S, MOST_S = 1.0, 4.0  # of samples for an electrode: more where its signal is noisy
OWN_S = 4.0  # without current, for what is there at the same frequency: a Cyton has a line of some 2 µV at rate / 8
BLOCK_S = 0.5  # that the tone is sought in; blocks overlap by half
SURE, SURE_OHM = 0.015, 100.0  # standard errors at which it is enough: relative, ohm
ROUGH = 0.08  # standard error above which it is not noise alone
WAIT_S = 3.0  # for samples, or for a Ganglion's next electrode
TOO_LITTLE = ("The board sends too little to measure.", "It is out of reach or switched off, or packets are lost.")

# Below 10 kOhm is what the practice of wet EEG asks for, and up to some 50 kOhm an amplifier whose input impedance is
# above 500 MOhm, as that of the ADS1299, loses little: Kappenman & Luck, Psychophysiology 47 (2010),
# doi:10.1111/j.1469-8986.2010.01009.x; Ferree et al., Clin. Neurophysiol. 112 (2001), doi:10.1016/S1388-2457(00)00533-2.
GRADES = ((10e3, "good"), (50e3, "usable"), (500e3, "poor"), (math.inf, "open"))
ADVICE = {
    "good": "",
    "usable": "more gel or paste, or press it on, where the signal is noisy",
    "poor": "part the hair, clean the skin, more gel",
    "open": "not touching, or its cable is broken",
}


@dataclass(frozen=True)
class Reading:
    """One electrode: its impedance in ohm at the test frequency, its standard error, and how good that is."""

    channel: str
    ohm: float
    error_ohm: float = 0.0

    @property
    def grade(self) -> str:
        return next(name for limit, name in GRADES if self.ohm < limit or limit == math.inf)

    @property
    def advice(self) -> str:
        return ADVICE[self.grade]


def impedances(board: Board, seconds: float | None = None) -> Iterator[Reading]:
    """One electrode after the other, round after round for `seconds`; without them one round. Opens and closes the board.
    Raises WrongUse for a board that cannot, DeviceTrouble where nothing comes."""
    if not isinstance(board, Openbci):
        raise WrongUse(f"{board.part_name()} cannot measure impedances.", "The board openbci can (Cyton, Daisy, Ganglion).")
    until = None if seconds is None else WALL.now() + seconds
    ganglion = board.model.startswith("ganglion")
    try:
        for reading in _ganglion(board) if ganglion else _cyton(board):
            if reading is not None:
                yield reading
            elif until is None or WALL.now() >= until:
                return
            if until is not None and WALL.now() >= until:
                return
    finally:
        board.close()


# -- Cyton and Daisy


def tone(index: np.ndarray, microvolts: np.ndarray, rate: float) -> tuple[complex, float]:
    """(the sine at TONE_HZ in µV, as a phasor on the samples' index; its standard error) in samples (n,) at these indices,
    which may have gaps.

    What has one phase throughout stays, and the brain, which has not, goes: the sine's two parts are fitted, beside a
    constant and a slope, in overlapping blocks under a Hann window, and averaged."""
    n = round(BLOCK_S * rate)
    hann, parts = np.hanning(n), []
    for begin in range(int(index[0]), int(index[-1]) - n + 2, n // 2):
        rows = slice(*np.searchsorted(index, (begin, begin + n)))
        if len(index[rows]) < n / 2:
            continue
        angle, weight = 2 * np.pi * TONE_HZ / rate * index[rows], hann[index[rows] - begin]
        t = (index[rows] - begin) / n
        model = np.stack([np.sin(angle), np.cos(angle), np.ones(len(t)), t], axis=1) * weight[:, None]
        sine, cosine, *_ = np.linalg.lstsq(model, microvolts[rows] * weight, rcond=None)[0]
        parts.append(sine + 1j * cosine)
    if len(parts) < 2:
        return complex(math.nan), math.inf
    return complex(np.mean(parts)), float(np.std(parts, ddof=1)) / math.sqrt(len(parts))


def measured(
    index: np.ndarray, microvolts: np.ndarray, rate: float, own: tuple[complex, float] = (0j, 0.0)
) -> tuple[float, float]:
    """(ohm, its standard error) of the electrode behind samples in µV (n,). own: the tone that was there without current."""
    volts, error = tone(index, microvolts, rate)
    return max(abs(volts - own[0]) * 1e-6 / TONE_A - SERIES_OHM, 0.0), math.hypot(error, own[1]) * 1e-6 / TONE_A


def _cyton(board: Openbci) -> Iterator[Reading | None]:
    """Endless rounds, None after each. The current flows on the negative side, where the electrodes of SRB2 montages are."""
    stream = board.open()
    columns = stream.of_kind("eeg")
    index, x = _without_current(board, stream.rate)
    own = {column: tone(index, x[:, column], stream.rate) for column in columns}
    while True:
        for column, letter in zip(columns, LETTERS, strict=False):
            board.tell(f"z{letter}01Z")
            try:
                yield Reading(stream.names[column], *_until_sure(board, column, stream.rate, own[column]))
            finally:
                board.tell(f"z{letter}00Z")
        yield None


def _without_current(board: Openbci, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """(indices, samples) of the next OWN_S, all channels."""
    chunks: list[Chunk] = []
    end = WALL.now() + OWN_S + WAIT_S
    while sum(map(len, chunks)) < OWN_S * rate:
        if WALL.now() > end:
            raise DeviceTrouble(*TOO_LITTLE)
        chunks += [c] if (c := board.read(0.05)) is not None else []
    return np.concatenate([np.arange(c.first, c.end) for c in chunks]), np.concatenate([c.data for c in chunks])


def _until_sure(board: Openbci, column: int, rate: float, own: tuple[complex, float]) -> tuple[float, float]:
    """From SETTLE_S after now on, as many samples of one channel as are needed, up to MOST_S; when they leave it quite
    unsure (a loss whose length was misjudged turns the phase), once more from there."""
    begin = math.ceil(board.index_of(WALL.now() + SETTLE_S)[0])
    end = WALL.now() + SETTLE_S + 2 * MOST_S + WAIT_S
    again = True
    index, x, look = np.empty(0, int), np.empty(0), LEAST_S * rate
    while WALL.now() < end:
        c = board.read(0.05)
        if c is None or c.end <= begin:
            continue
        skip = max(begin - c.first, 0)
        index = np.concatenate([index, np.arange(c.first + skip, c.end)])
        x = np.concatenate([x, c.data[skip:, column]])
        if (had := index[-1] - begin) >= look:
            look = had + BLOCK_S * rate / 2
            value, error = measured(index, x, rate, own)
            share, full = error / (value + SERIES_OHM), had >= MOST_S * rate
            if share < SURE or error < SURE_OHM or (full and value == value and (share < ROUGH or not again)):
                return value, error
            if full:
                begin, again, look = c.end, False, LEAST_S * rate
                index, x = index[:0], x[:0]
    raise DeviceTrouble(*TOO_LITTLE)


# -- Ganglion


def _ganglion(board: Openbci) -> Iterator[Reading | None]:
    """Endless rounds over the four electrodes and the reference, None after each."""
    session, layout = board.connect(again=False)
    names = [c.name for c in layout.channels[:4]] + ["REF"]
    try:
        session.tell("z")
        session.start(layout.rate)
        yield from _reported(session, names)
    finally:
        session.close()


def _reported(session: Session, names: list[str]) -> Iterator[Reading | None]:
    said = described(session.id)
    rows, number = said["resistance_channels"], said["package_num_channel"]
    wifi, seen, last = session.id == 4, set[int](), WALL.now()
    before = np.zeros(len(rows))
    while True:
        if not session.count():
            if WALL.now() - last > WAIT_S:
                raise DeviceTrouble("The Ganglion reports no impedances.", "It is out of reach or switched off.")
            WALL.sleep_until(WALL.now() + 0.02)
            continue
        data, last = session.take(), WALL.now()
        for k in range(data.shape[1]):
            values = data[rows, k]
            one = [int(i) for i in np.flatnonzero(values != before)] if wifi else [int(data[number, k]) - 201]
            before = values
            for i in one:
                if 0 <= i < len(names):
                    seen.add(i)
                    yield Reading(names[i], float(values[i]) * 1000)
            if len(seen) == len(names):
                seen.clear()
                yield None
