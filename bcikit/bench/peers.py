"""A live EEG chain beside what others offer for it: 8 channels at 250 Hz, chunks of 10 samples: notch,
bandpass, power of the alpha band over the last second, ten times a second.

The work is the same where a peer can do it; where it cannot (BrainFlow keeps no state between calls), the row says what it
does instead, and its numbers are compared where they can be.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..core.label import SIMULATED
from ..core.pipeline import Pipeline
from ..core.stream import Channel, Chunk, Stream
from ..preprocess.bandpass import Bandpass
from ..preprocess.bandpower import Bandpower
from ..preprocess.notch import Notch
from ._measure import Contender, Row, difference, race
from ._remote import Remote, there

CHANNELS, RATE, N = 8, 250.0, 10
SECONDS = 60
LOW, HIGH, MAINS, WIDTH = 1.0, 40.0, 50.0, 2.0
BAND, HOP, HOPS = (8.0, 13.0), 25, 10  # Hz, samples, hops a window
COMPARED = 200  # chunks
SETTLED = 20  # rows of power
OTHERS = {
    "mne_lsl": ("MNE-LSL StreamLSL", "acquired by hand; LSL's loopback is in it"),
    "timeflux": ("timeflux, its nodes in one process", ""),
}
WINDOW = 5.0  # seconds that BrainFlow's users refilter for each new chunk, as its documentation shows


def signal() -> np.ndarray:
    """(samples, channels) µV, float32: simulated noise that falls with frequency, mains, and an offset."""
    rng = np.random.default_rng(0)
    n = int(SECONDS * RATE)
    x = 0.3 * np.cumsum(rng.normal(0, 1, (n, CHANNELS)), axis=0)
    x -= np.linspace(0, 1, n)[:, None] * x[-1]
    t = np.arange(n)[:, None] / RATE
    return (x + 5 * rng.normal(0, 1, x.shape) + 20 * np.sin(2 * np.pi * MAINS * t) + 200.0).astype(np.float32)


def sections() -> np.ndarray:
    """The notch and the bandpass as SciPy designs them."""
    from scipy.signal import butter, iirnotch, tf2sos

    return np.concatenate(
        [tf2sos(*iirnotch(MAINS, MAINS / WIDTH, RATE)), butter(4, (LOW, HIGH), "bandpass", fs=RATE, output="sos")]
    )


def peers(seconds: float) -> Iterator[Row | dict[str, Any]]:
    """Rows, then the summary."""
    x, sos = signal(), sections()
    pieces = [x[a : a + N] for a in range(0, len(x), N)]
    stream = Stream("simulated", RATE, tuple(Channel(f"c{i}") for i in range(CHANNELS)), label=SIMULATED)

    def start_scipy() -> Callable[[int], Any]:
        from scipy.signal import sosfilt, sosfilt_zi

        zi, power = sosfilt_zi(sos)[:, :, None] * x[0].astype(float), Power()

        def step(i: int) -> Any:
            nonlocal zi
            y, zi = sosfilt(sos, pieces[i % len(pieces)], axis=0, zi=zi)
            return power(y)

        return step

    def start_ours() -> Callable[[int], Any]:
        power = Bandpower(bands=("alpha",), window=HOP * HOPS / RATE, hop=HOP / RATE)
        line = Pipeline([Notch(mains=MAINS, harmonics=1, width=WIDTH), Bandpass(low=LOW, high=HIGH), power])
        line.start(stream)
        return lambda i: line.step(Chunk(pieces[i % len(pieces)], i * N, i * N / RATE)).data

    def start_loop() -> Callable[[int], Any]:
        from scipy.signal import sosfilt_zi

        state, power = (sosfilt_zi(sos)[:, :, None] * x[0].astype(float)).copy(), Power()
        b, a = sos[:, :3], sos[:, 4:]

        def step(i: int) -> Any:
            piece = pieces[i % len(pieces)]
            out = np.empty(piece.shape)
            for r, row in enumerate(piece.astype(float)):
                for k in range(len(sos)):
                    y = b[k, 0] * row + state[k, 0]
                    state[k, 0] = b[k, 1] * row - a[k, 0] * y + state[k, 1]
                    state[k, 1] = b[k, 2] * row - a[k, 1] * y
                    row = y
                out[r] = row
            return power(out)

        return step

    contenders = [
        Contender("SciPy sosfilt, state carried", start_scipy),
        Contender("bcikit, notch, bandpass and bandpower", start_ours),
        Contender("NumPy, a row at a time", start_loop),
    ]
    if find_spec("brainflow"):
        contenders.append(Contender("BrainFlow DataFilter, stateless", _brainflow(x)))
    contenders += [remote(x, name, said, note) for name, (said, note) in OTHERS.items() if there(name)]
    rows = race(contenders, seconds, N / RATE, COMPARED, settled)
    for row in rows:
        if row.name.startswith("BrainFlow"):
            row.error = _brainflow_error(x)
            row.note = f"filters the last {WINDOW:g} s anew each time; its bandpass compared on a whole signal begun at zero"
    yield from rows
    yield from (Row(name, note=why) for name, why in absent())
    by = {r.name.split()[0].strip(","): r for r in rows}
    mine = by["bcikit"]

    def over(name: str) -> float | None:
        other = by.get(name)
        return mine.ratio / other.ratio if mine.ratio and other and other.ratio else None

    assert mine.us_p50 and mine.us_p99 and mine.ratio
    yield {
        "bench": "peers",
        "channels": CHANNELS,
        "rate_hz": RATE,
        "chunk": N,
        "ms_p99": mine.us_p99 / 1000,
        "cpu": mine.us_p50 * 1e-6 * RATE / N,
        "ratio_scipy": mine.ratio,
        "ratio_brainflow": over("BrainFlow"),
        "ratio_mne_lsl": over("MNE-LSL"),
        "ratio_timeflux": over("timeflux"),
        "error": mine.error,
    }


class Power:
    """The power of the alpha band over the last second, by SciPy and NumPy: (hops, channels)."""

    def __init__(self) -> None:
        from scipy.signal import butter

        self.sos = butter(2, BAND, "bandpass", fs=RATE, output="sos")
        self.zi: Any = None
        self.at, self.sum, self.old = 0, np.zeros(CHANNELS), list[np.ndarray]()

    def __call__(self, y: np.ndarray) -> np.ndarray | None:
        from scipy.signal import sosfilt, sosfilt_zi

        if self.zi is None:
            self.zi = sosfilt_zi(self.sos)[:, :, None] * y[0]
        z, self.zi = sosfilt(self.sos, y, axis=0, zi=self.zi)
        out, done = [], 0
        while done < len(z):
            upto = min(done + HOP - self.at % HOP, len(z))
            self.sum = self.sum + (z[done:upto] ** 2).sum(axis=0)
            self.at += upto - done
            done = upto
            if self.at % HOP == 0:
                self.old = [*self.old[-HOPS + 1 :], self.sum]
                self.sum = np.zeros(CHANNELS)
                if len(self.old) == HOPS:
                    out.append(np.sum(self.old, axis=0) / (HOP * HOPS))
        return np.array(out) if out else None


def _brainflow(x: np.ndarray) -> Callable[[], Callable[[int], Any]]:
    def start() -> Callable[[int], Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it imports pkg_resources, which says that it is old
            import brainflow.data_filter  # noqa: F401
        from brainflow.data_filter import DataFilter, FilterTypes, WindowOperations

        columns, n = np.ascontiguousarray(x.T.astype(float)), int(WINDOW * RATE)
        kind, window = FilterTypes.BUTTERWORTH.value, WindowOperations.HANNING.value

        def step(i: int) -> Any:
            end = n + (i * N) % (len(x) - n)
            out = columns[:, end - n : end].copy()
            for c in out:
                DataFilter.perform_bandstop(c, int(RATE), MAINS - 1, MAINS + 1, 2, kind, 0)
                DataFilter.perform_bandpass(c, int(RATE), LOW, HIGH, 4, kind, 0)
                spectrum = DataFilter.get_psd_welch(c, 256, 128, int(RATE), window)
                DataFilter.get_band_power(spectrum, *BAND)
            return out[:, -N:].T

        return step

    return start


def _brainflow_error(x: np.ndarray) -> float | None:
    """BrainFlow's filters on the whole signal against SciPy's of the same designs, both begun at zero."""
    from brainflow.data_filter import DataFilter, FilterTypes
    from scipy.signal import butter, sosfilt

    column = x[:, 0].astype(float)
    theirs = column.copy()
    DataFilter.perform_bandpass(theirs, int(RATE), LOW, HIGH, 4, FilterTypes.BUTTERWORTH.value, 0)
    same = sosfilt(butter(4, (LOW, HIGH), "bandpass", fs=RATE, output="sos"), column)
    return difference(theirs[:, None], same[:, None])


def remote(x: np.ndarray, peer: str, name: str, note: str) -> Remote:
    """A peer in its own environment, given the same sections."""
    from scipy.signal import butter

    sos = sections()
    asked = {"n": N, "rate": RATE, "filters": [sos[:1].tolist(), sos[1:].tolist()], "hop": HOP, "hops": HOPS}
    return Remote(peer, name, x, {**asked, "band_sos": butter(2, BAND, "bandpass", fs=RATE, output="sos").tolist()}, note)


def settled(mine: np.ndarray, reference: np.ndarray) -> tuple[float | None, str]:
    """The error over the last two seconds: how a filter begins is each one's own."""
    return difference(mine[-SETTLED:], reference[-SETTLED:]), ""


def absent() -> Iterator[tuple[str, str]]:
    """Peers that are not here, and how they would be."""
    for name, (said, _) in OTHERS.items():
        if not there(name):
            yield said, "not set up: bcikit bench peers --setup"
