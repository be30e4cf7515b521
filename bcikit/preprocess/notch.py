"""Takes out the mains and its harmonics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from .. import kernels
from ..core.parts import Setting, Stage
from ..core.stream import Stream
from ._design import notch, notch_gain
from ._filter import Filter
from ._reporting import Reporting
from ._signals import CHANNELS, below_nyquist, noted

LOOK_S = 0.1  # how often the frequency is corrected
PULL = 0.25  # by how much of what was seen
TOLD = 10  # looks from one telling to the next


@dataclass(eq=False)
class Notch(Reporting, Filter):
    """Notches at the mains and its multiples, causal. (samples, channels) in and out, same unit.

    With `follow` = 0 the notches stand still: SciPy's `iirnotch`, one after the other. With `follow` > 0 the same notches
    are steered: each is a canceller with a cosine and a sine as references (Widrow et al., Adaptive noise cancelling, Proc.
    IEEE 63, 1975), which at a fixed frequency equals that notch (Glover, Adaptive noise cancelling applied to sinusoidal
    interferences, IEEE Trans. ASSP 25, 1977); every 0.1 s their frequency is corrected by how the mains' phase has turned
    since, in all channels together, up to `follow` Hz from `mains`. Then an event `mains` every second tells what was taken:
    its amplitude (peak, mean over channels, in the unit of the stream) and its frequency, as "3.1 at 49.98 Hz".
    The stated delay is the group delay at half the mains frequency. Where the mains is not below half the stream's rate
    nothing can be taken out: the samples pass as they are, and `info["notes"]` says so.
    """

    mains: Annotated[float, Setting("frequency of the mains", "Hz", low=1)] = 50.0
    harmonics: Annotated[int, Setting("multiples taken out, the mains included, below half the rate", low=1, high=16)] = 3
    width: Annotated[float, Setting("width of each notch, -3 dB", "Hz", low=0.01, high=20)] = 2.0
    follow: Annotated[float, Setting("how far the mains may drift and is followed; 0 for not", "Hz", low=0, high=5)] = 0.0
    channels: Annotated[tuple[str, ...], Setting(CHANNELS)] = ()

    def sections(self, s: Stream) -> tuple[np.ndarray, float]:
        below_nyquist(s, "notch", width=self.width)
        self.multiples = np.arange(1, self.harmonics + 1)
        self.multiples = self.multiples[self.multiples * (self.mains + self.follow) < s.rate / 2]
        sections = [notch(m * self.mains, self.width, s.rate) for m in self.multiples]
        return np.concatenate([*sections, np.empty((0, 5))]), self.mains / 2

    def setup(self, s: Stream) -> Stream:
        out = super().setup(s)
        if not len(self.multiples):
            return noted(out, f"notch: at {s.rate:g} Hz the mains ({self.mains:g} Hz) cannot be seen; nothing is taken out")
        if self.follow:
            self.gain = notch_gain(self.width, s.rate)
            self.hop = max(round(LOOK_S * s.rate), 1)
            self.rate = s.rate
            self.settle += 10 * LOOK_S / PULL
            self._state[:] = 0.0  # (multiples, cosine and sine, channels): what of them is in the signal
            self._base = np.zeros(len(self.columns))  # first good value of each channel
            self._hertz = self.mains  # the mains' frequency, as it seems
            self._phase = 0.0  # radians, at the begin of this look
            self._at = 0  # samples since then
            self._was = np.zeros((2, len(self.columns)))  # the mains in the signal at the last look
            self._refs = self._references()
            self._looks = self._done = 0  # looks, and samples
        return out

    def prime(self, columns: np.ndarray, values: np.ndarray) -> None:
        if self.follow and len(self.multiples):
            self._base[columns] = values
        else:
            super().prime(columns, values)

    def run(self, x: np.ndarray) -> np.ndarray:
        if not self.follow or not len(self.multiples):
            return super().run(x)
        pieces: list[np.ndarray] = []
        at = 0
        while at < len(x) or not pieces:
            n = min(len(x) - at, self.hop - self._at)
            refs = self._refs[self._at : self._at + n]
            pieces.append(kernels.steered(x[at : at + n], refs, self._state, self._base, self.gain))
            at, self._at, self._done = at + n, self._at + n, self._done + n
            if self._at == self.hop:
                self._look()
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _references(self) -> np.ndarray:
        """(hop, multiples, 2): cosine and sine of each multiple for the samples up to the next look."""
        turned = self._phase + 2 * np.pi * self._hertz / self.rate * np.arange(self.hop)
        angle = np.multiply.outer(turned, self.multiples)
        return np.stack([np.cos(angle), np.sin(angle)], axis=-1)

    def _look(self) -> None:
        """Correct the frequency by the angle that the mains has turned against the references since the last look."""
        now, was = self._state[0], self._was
        turned = np.arctan2((was[1] * now[0] - was[0] * now[1]).sum(), (was * now).sum())
        self._phase = (self._phase + 2 * np.pi * self._hertz * self.hop / self.rate) % (2 * np.pi)
        hertz = self._hertz + PULL * float(turned) * self.rate / (2 * np.pi * self.hop)
        self._hertz = min(max(hertz, self.mains - self.follow), self.mains + self.follow)
        self._was = now.copy()
        self._at = 0
        self._looks += 1
        if self._looks % TOLD == 0:
            index, peak = (self._begin or 0) + self._done - 1, float(np.hypot(*now).mean())
            self.tell(index, "mains", f"{peak:.3g} at {self._hertz:.2f} Hz")
        self._refs = self._references()

    @classmethod
    def examples(cls) -> Iterator[Stage]:
        yield cls()
        yield cls(follow=0.5)
        yield cls(mains=60, width=1, channels=("C3", "accel z"))
