"""How good each channel is, judged where it is still true: on the board's own stream, before any filter hides a rail."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.parts import Sink
from ..core.stream import Chunk, Stream
from ._signal import Signal

JUDGED = ("eeg", "ecog", "emg", "eog", "ecg")


class Watch(Sink):
    """Stands on the board, beside a view that stands further on."""

    kind = "view"

    def open(self, s: Stream, permit: Any) -> None:
        super().open(s, permit)
        self.signal = Signal(s)

    def send(self, c: Chunk) -> None:
        self.signal.take(c)

    def quality(self) -> dict[str, str]:
        """{channel: good, flat, railed, noisy, mains, or missing}; '' for channels that are no biosignal."""
        return quality(self.signal)


def quality(signal: Signal) -> dict[str, str]:
    """{channel: what is to be said of its newest two seconds}."""
    x = signal.newest()
    if x is None:
        return dict.fromkeys(signal.stream.names, "")
    return {
        c.name: _word(x[:, i], signal.stream.rate) if c.kind in JUDGED else "" for i, c in enumerate(signal.stream.channels)
    }


def _word(x: np.ndarray, rate: float) -> str:
    x = x[np.isfinite(x)]
    if len(x) < rate / 4:
        return "missing"
    extreme = np.abs(x).max()
    if extreme > 1e3 and (np.abs(x) >= extreme * 0.9999).mean() > 0.1:
        return "railed"
    x = x - x.mean()
    rms = x.std()
    if rms < 0.05:
        return "flat"
    power = np.abs(np.fft.rfft(x * np.hanning(len(x)))) ** 2
    hz = np.fft.rfftfreq(len(x), 1 / rate)
    brain = power[(hz >= 1) & (hz < 45)].sum()
    mains = max(power[(hz >= f - 1) & (hz <= f + 1)].sum() for f in (50, 60))
    if mains > brain:
        return "mains"
    return "noisy" if rms > 200 else "good"
