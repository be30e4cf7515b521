"""A simulated person at an EEG amplifier: what the electrodes would show, sample by sample, and the truth about it.

The person does what it is told (`plan`): acts are

    rest, left, right, both, feet      imagines a movement (or ends whatever it does)
    flicker:HZ                         looks at a light that flickers
    open, closed                       the eyes
    blink, clench, pop, pop:CHANNEL    blinks, clenches the jaw; an electrode loses contact for a moment
    flash:target, flash:other          sees a flash, one it waits for or another

Everything is counted in samples from 0 and drawn from one seed: the same seed and acts give the same bytes, however many
samples are asked for at a time. Amplitudes are in µV against linked ears, all from `facts.py`.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..core.errors import WrongUse, nearest
from ..core.stream import Event
from ..files.montage import TEN_TWENTY
from .facts import fact
from .head import CORTEX, DEEP, MUSCLE, below, eyes, topography
from .noise import Coloured, Rhythms, recur

ACTS = (*"rest left right both feet open closed blink clench pop".split(), "flash:target", "flash:other", "flicker:HZ")
IMAGERY = ("left", "right", "both", "feet")
BY_ITSELF = ("~blink", "~clench", "~pop")  # come, and come again
INTERNAL = (*BY_ITSELF, "~settled")
CORTICAL = 32  # sources of the shared background
# one oscillation each: what sets its size, the peak, the electrode above it
RHYTHMS = (
    ("alpha", "alpha_hz", "O1"),
    ("alpha", "alpha_hz", "O2"),
    ("mu left", "mu_hz", "C3"),
    ("mu right", "mu_hz", "C4"),
    ("beta left", "beta_hz", "C3"),
    ("beta right", "beta_hz", "C4"),
    ("beta feet", "beta_hz", "Cz"),
)
GAINS = ("alpha", "mu left", "mu right", "beta left", "beta right", "beta feet", "ssvep")
SIDES = ("left", "right", "feet")
HARMONICS = np.arange(1, 4)


def check(act: str, names: Sequence[str], rate: float) -> None:
    """Raises WrongUse unless `act` is something a person with these electrodes can do."""
    head, _, tail = act.partition(":")
    if head == "flicker":
        try:
            hz = float(tail)
        except ValueError:
            hz = float("nan")
        if not 1 <= hz <= rate / 2:
            raise WrongUse(
                f"The simulated person cannot look at {act!r}.", f"flicker:HZ takes 1 to {rate / 2:g}: flicker:12."
            )
    elif head == "pop" and tail:
        if tail not in names:
            raise WrongUse(f"No electrode {tail!r} can pop.", f"There are {', '.join(names)}.")
    elif act not in ACTS:
        raise WrongUse(f"The simulated person cannot do {act!r}.", f"It can {', '.join(ACTS)}.", nearest(act, list(ACTS)))


@dataclass(frozen=True)
class Burst:
    """A wave (samples,) that begins at a sample, seen at each electrode with a weight (channels,)."""

    first: int
    wave: np.ndarray
    weights: np.ndarray

    @property
    def end(self) -> int:
        return self.first + len(self.wave)


class Person:
    """names: electrodes, spelled as in the montage. mains: 50 or 60 Hz, 0 for none. bad: an electrode without good
    contact. amplitude: times everything that is of the person. artefacts: whether blinks, clenches and pops come by
    themselves. lapse: probability that an imagery, a flicker or a flash that is waited for is missed; the truth then says
    `lapse`. session: another sitting of the same person, who has the same head and other noise. hands: times the rhythms
    that imagining a movement takes away."""

    def __init__(
        self,
        names: Sequence[str],
        rate: float,
        seed: int = 0,
        mains: float = 50.0,
        bad: str | None = None,
        amplitude: float = 1.0,
        artefacts: bool = True,
        lapse: float = 0.0,
        session: int = 0,
        hands: float = 1.0,
    ) -> None:
        self.names, self.rate, self.mains = tuple(names), rate, mains
        self.at = 0  # the sample to come
        self.intention, self.eyes = "rest", "open"
        head, now = np.random.default_rng([seed, 0]), [session] if session else []
        back, waves, contact, self._fate, self._chance, self._elsewhere = (
            np.random.default_rng([seed, k, *now]) for k in range(1, 7)
        )
        self._lapse = lapse
        n = len(self.names)
        person = np.full(n, amplitude)
        noisy = np.full(n, fact("contact") * np.sqrt(rate / 250.0))
        wander = np.full(n, fact("drift"))
        if bad is not None:
            k = self.names.index(bad)
            person[k] *= fact("bad_brain")
            noisy[k] *= fact("bad_contact")
            wander[k] *= fact("bad_drift")
        self._person, self._noisy = person, noisy
        # the brain: background sources, rhythms, the response to flicker: rows of one matrix, and the mains line below
        own = np.sqrt(1 - fact("shared")) * fact("background")
        self._background = Coloured(rate, CORTICAL + n, fact("exponent"), back)
        self._own = own * person
        peaks = np.array([fact(peak) for _, peak, _ in RHYTHMS])
        self._rhythms = Rhythms(rate, peaks, fact("width_hz"), waves)
        self._gain_of = [GAINS.index(name) for name, _, _ in RHYTHMS]
        self._hands = hands
        brain = np.vstack([self._sources(head), self._rhythm_maps(), self._ssvep_map()]) * person
        self._seen = {
            "blink": _scaled(eyes, self.names, "Fp1", "Fp2") * person,
            "T7": _scaled(partial(below, electrode="T7", depth=MUSCLE), self.names, "T7") * person,
            "T8": _scaled(partial(below, electrode="T8", depth=MUSCLE), self.names, "T8") * person,
            "n1": _scaled(_occipital, self.names, "O1", "O2") * person,
            "p300": _scaled(partial(below, electrode="Pz", depth=DEEP), self.names, "Pz") * person,
        }
        # the electrodes
        self._contact = contact
        stay = np.exp(-1 / (fact("drift_s") * rate))
        self._stay, self._push = np.full(n, stay), wander * np.sqrt(1 - stay**2)
        self._offset = np.zeros(n)
        self._harmonics = HARMONICS[: max(0, int(np.ceil(rate / 2 / mains)) - 1)] if mains else HARMONICS[:0]
        self._mix = np.vstack([brain, self._mains_maps(head, bad)])
        # what changes
        self._gain = self._target = np.array([fact("alpha_open"), 1, 1, 1, 1, 1, 0])
        slow = np.array([fact("block_s"), *[fact("erd_s")] * 5, fact("block_s")])
        self._keep = np.exp(-1 / (slow * rate))
        self._flicker_hz = 0.0
        self._bursts: list[Burst] = []
        self._plan: list[tuple[int, int, str]] = []  # sample, order of asking, act; sorted
        self._asked = 0
        if artefacts:
            for act in BY_ITSELF:
                self._put(self._next(act), act)

    # -- what the person is asked to do

    def plan(self, index: int, act: str) -> int:
        """Do something at a sample, or at the next one to come if that is past; gives the sample. Raises WrongUse for an
        act that is none."""
        check(act, self.names, self.rate)
        return self._put(index, act)

    def _put(self, index: int, act: str) -> int:
        index = max(index, self.at)
        bisect.insort(self._plan, (index, self._asked, act))
        self._asked += 1
        return index

    def forget(self) -> None:
        """Drop what was asked for and has not begun."""
        self._plan = [p for p in self._plan if p[2] in INTERNAL]

    # -- what the electrodes show

    def samples(self, n: int) -> tuple[np.ndarray, list[Event]]:
        """The next n samples (n, channels) in µV, float32, and the truth about them."""
        pieces, events = [], []
        end = self.at + n
        while self.at < end:
            while self._plan and self._plan[0][0] <= self.at:
                events += self._do(self._plan.pop(0)[2])
            until = min(end, self._plan[0][0]) if self._plan else end
            pieces.append(self._rows(until - self.at))
        data = np.concatenate(pieces) if pieces else np.empty((0, len(self.names)))
        return data.astype(np.float32), events

    def _rows(self, n: int) -> np.ndarray:
        """n samples in which nothing new begins."""
        index = np.arange(self.at, self.at + n)
        back = self._background.rows(n)
        gains = recur(self._keep, self._gain, np.broadcast_to((1 - self._keep) * self._target, (n, len(GAINS))))
        self._gain = gains[-1].copy()
        rhythms = self._rhythms.rows(n) * gains[:, self._gain_of]
        turns = self._flicker_hz / self.rate * index % 1.0 - self._flicker_hz * fact("ssvep_s")
        heard = HARMONICS * self._flicker_hz < 0.45 * self.rate
        flicker = np.sin(2 * np.pi * HARMONICS * turns[:, None]) * heard * gains[:, -1:]
        line = 2 * np.pi * self._harmonics * self._line_turns(index)[:, None]
        sources = np.concatenate([back[:, :CORTICAL], rhythms, flicker, np.cos(line), np.sin(line)], axis=1)
        out = (sources[:, :, None] * self._mix).sum(axis=1)
        white = self._contact.standard_normal((n, 2, len(self.names)))
        drift = recur(self._stay, self._offset, white[:, 0] * self._push)
        self._offset = drift[-1].copy()
        out += back[:, CORTICAL:] * self._own + drift + white[:, 1] * self._noisy
        self._add_bursts(out, self.at)
        self.at += n
        return out

    def _add_bursts(self, out: np.ndarray, first: int) -> None:
        end = first + len(out)
        for b in self._bursts:
            a, z = max(b.first, first), min(b.end, end)
            if a < z:
                out[a - first : z - first] += b.wave[a - b.first : z - b.first, None] * b.weights
        self._bursts = [b for b in self._bursts if b.end > end]

    # -- what happens when

    def _do(self, act: str) -> list[Event]:
        head, _, tail = act.lstrip("~").partition(":")
        if (head in (*IMAGERY, "flicker") or act == "flash:target") and self._elsewhere.random() < self._lapse:
            return [*self._tell("lapse", act), *self._do("flash:other" if head == "flash" else "rest")]
        if act in BY_ITSELF:
            self._put(self.at + self._next(act), act)
            if head == "blink" and self.eyes == "closed":
                return []
        match head:
            case "open" | "closed":
                self.eyes = head
                self._aim(alpha=1.0 if head == "closed" else fact("alpha_open"))
                self._look()
                return self._tell("eyes", head)
            case "settled":
                if self.intention not in IMAGERY:
                    self._aim(**{f"beta {side}": 1.0 for side in SIDES})
                return []
            case "blink":
                self._burst(self._hump(), "blink")
                return self._tell("blink")
            case "clench":
                for side in ("T7", "T8"):
                    self._burst(self._muscle(), side)
                return self._tell("clench")
            case "pop":
                return self._pop(tail or self.names[int(self._chance.integers(len(self.names)))])
            case "flash":
                return self._flash(tail)
        return self._intend(head, act)

    def _tell(self, name: str, value: Any = None) -> list[Event]:
        return [Event(self.at, f"truth:{name}", value)]

    def _intend(self, head: str, act: str) -> list[Event]:
        before, self.intention = self.intention, act
        if head == "flicker":
            self._flicker_hz = float(act.partition(":")[2])
        power = {name: 1.0 for name in GAINS if name[:2] in ("mu", "be")}
        if head in IMAGERY:
            opposite, same = np.array([fact("erd"), fact("erd_same")]) + fact("erd_spread") * self._chance.standard_normal(2)
            left = 1 - np.clip(same, -0.5, 0.95), 1 - np.clip(opposite, 0, 0.95)  # over the left and the right hand area
            sides = {"left": (*left, 1), "right": (*left[::-1], 1), "both": (left[1], left[1], 1), "feet": (1, 1, left[1])}
            power.update({name: sides[head][SIDES.index(name.split()[1])] for name in power})
        elif before in IMAGERY:
            sides_before = {"left": ["right"], "right": ["left"], "both": ["left", "right"], "feet": ["feet"]}[before]
            power.update({f"beta {side}": 1 + fact("rebound") for side in sides_before})
            self._put(self.at + round(fact("rebound_s") * self.rate), "~settled")
        self._aim(**{name: float(np.sqrt(p)) for name, p in power.items()})
        self._look()
        return self._tell("intention", act)

    def _look(self) -> None:
        looks = self.intention.startswith("flicker") and self.eyes == "open"
        self._aim(ssvep=min(1.0, 10 / self._flicker_hz) if looks else 0.0)

    def _aim(self, **gains: float) -> None:
        self._target = self._target.copy()
        for name, value in gains.items():
            self._target[GAINS.index(name)] = value

    def _flash(self, kind: str) -> list[Event]:
        if self.eyes == "open":
            self._burst(self._bump("n1"), "n1")
            if kind == "target":
                late, more = self._chance.standard_normal(2)
                wave = self._bump("p300", fact("p300_jitter_s") * late)
                self._burst(max(0.0, 1 + fact("p300_spread") * more) * wave, "p300")
        return self._tell("flash", kind)

    def _pop(self, name: str) -> list[Event]:
        t = np.arange(round(6 * fact("pop_s") * self.rate)) / self.rate
        sign = 1 if self._chance.random() < 0.5 else -1
        only = np.array([float(e == name) for e in self.names])
        self._bursts.append(Burst(self.at, sign * fact("pop") * np.exp(-t / fact("pop_s")), only))
        return self._tell("pop", name)

    def _burst(self, wave: np.ndarray, seen: str) -> None:
        self._bursts.append(Burst(self.at, wave, self._seen[seen]))

    def _next(self, act: str) -> int:
        """Samples until something happens by itself again."""
        mean = 60 / fact(f"{act[1:]}_rate")
        wait = np.exp(0.6 * self._fate.standard_normal() - 0.18) if act == "~blink" else self._fate.exponential()
        return max(1, round(mean * wait * self.rate))

    # -- shapes

    def _bump(self, name: str, later: float = 0.0) -> np.ndarray:
        at, width = fact(f"{name}_s") + later, fact(f"{name}_width_s")
        t = np.arange(round((at + 4 * width) * self.rate)) / self.rate
        return fact(name) * np.exp(-0.5 * ((t - at) / width) ** 2)

    def _hump(self) -> np.ndarray:
        n = round(fact("blink_s") * self.rate)
        return fact("blink") * np.sin(np.pi * (np.arange(n) / n) ** 0.7) ** 2  # the lid closes faster than it opens

    def _muscle(self) -> np.ndarray:
        n = round(fact("clench_s") * self.rate)
        spectrum = np.fft.rfft(self._chance.standard_normal(n))
        hz = np.fft.rfftfreq(n, 1 / self.rate)
        spectrum[(hz < fact("clench_low_hz")) | (hz > fact("clench_high_hz"))] = 0
        wave = np.fft.irfft(spectrum, n)
        return fact("clench") * wave / np.sqrt(np.mean(wave**2)) * np.clip(4 * np.hanning(n), 0, 1)

    # -- maps

    def _sources(self, rng: np.random.Generator) -> np.ndarray:
        """(CORTICAL, channels): dipoles anywhere in the upper half of the cortex, in any direction."""
        places = rng.standard_normal((CORTICAL, 3))
        places[:, 2] = np.abs(places[:, 2]) - 0.3
        places *= CORTEX / np.linalg.norm(places, axis=1, keepdims=True)
        moments = rng.standard_normal((CORTICAL, 3)) + 2 * places / CORTEX  # gyri are seen better than sulci
        size = fact("background") * np.sqrt(fact("shared"))

        def seen(names: Sequence[str]) -> np.ndarray:
            return np.array([topography(names, p, m) for p, m in zip(places, moments, strict=True)])

        return size * seen(self.names) / np.sqrt((seen(TEN_TWENTY) ** 2).sum(axis=0).mean())

    def _rhythm_maps(self) -> np.ndarray:
        maps = []
        for name, _, electrode in RHYTHMS:
            kind, around = name.split()[0], ("O1", "O2") if name == "alpha" else (electrode,)
            others = [e for n, _, e in RHYTHMS if n == name]
            power = sum(np.mean(below(around, e) ** 2) for e in others)  # of all sources of this rhythm, where it is stated
            size = fact(kind) * (1.0 if name == "alpha" else self._hands)
            maps.append(size * below(self.names, electrode) / np.sqrt(power))
        return np.array(maps)

    def _ssvep_map(self) -> np.ndarray:
        one = fact("ssvep") * _scaled(_occipital, self.names, "O1", "O2")
        return np.array([one, fact("ssvep_2") * one, fact("ssvep_3") * one])

    def _mains_maps(self, rng: np.random.Generator, bad: str | None) -> np.ndarray:
        """(2 x harmonics, channels): what an electrode has of the cosine, then of the sine, of each."""
        size = fact("mains") * rng.uniform(0.5, 1.5, len(self.names))
        angle = 2 * np.pi * (rng.random() + 0.1 * rng.standard_normal(len(self.names)))
        if bad is not None:
            size[self.names.index(bad)] *= fact("bad_mains")
        size = size * np.array([1.0, fact("mains_2"), fact("mains_3")])[: len(self._harmonics), None]
        angle = self._harmonics[:, None] * angle
        return np.vstack([size * np.cos(angle), size * np.sin(angle)])

    def _line_turns(self, index: np.ndarray) -> np.ndarray:
        """Phase of the line in turns; it wanders slowly about its frequency."""
        minute = index / (60.0 * self.rate) % 1.0
        return self.mains / self.rate * index % 1.0 + fact("mains_hz") * 60 / (2 * np.pi) * np.sin(2 * np.pi * minute)


def _occipital(names: Sequence[str]) -> np.ndarray:
    return below(names, "O1") + below(names, "O2")


def _scaled(seen: Callable[[Sequence[str]], np.ndarray], names: Sequence[str], *peak: str) -> np.ndarray:
    """A topography that is 1, on average, at the electrodes where its amplitude is stated."""
    return seen(names) / seen(peak).mean()
