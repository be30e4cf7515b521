"""What the electrodes of an implant show, in counts, at the full rate: spikes, noise, field potentials, artefacts.

Everything is counted in ticks of a millisecond from 0 and drawn from one seed: the same seed and intentions give the same
bytes, however many ticks are asked for at a time. Sizes are from `implant_facts.py`. The noise is white: from a stretch
rendered beforehand, a millisecond at a time from a place given by chance; spikes are added where they fall.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.stream import Event
from .arrays import SURFACE, electrodes
from .electrodes import impedances, thermal
from .implant_facts import fact
from .neurons import TICK_S, Neurons
from .noise import Coloured

TILE = {"utah": 96, "threads": 16, "films": 1024}  # electrodes that lie near each other
BAND_HZ = 4750.0  # width of the band in which noise is stated
POOL = 16_000_000  # values of noise rendered beforehand
FIELDS = 16  # sources of the field potential
LONG_S, BEFORE_S = 0.0025, 0.0005  # a spike's wave, and its part before the trough
FAINT = 0.03  # what is smaller, to the largest electrode, is left out


@dataclass(frozen=True)
class Faults:
    """Which electrodes are `dead` and `noisy`, as columns."""

    dead: np.ndarray
    noisy: np.ndarray


class Broadband:
    """array: utah, threads or films. mains: Hz, 0 for none. dead, noisy: parts of the electrodes. movement: artefacts a
    minute. stimulation: pulses a second, by the first electrode. day: so many nights have changed the impedances, and the
    noise with them. After it is made: `places` (n, 3) m, `impedance` (n) ohm, `neurons`, `home` (units, 3) m, `peaks`
    (units) µV at the nearest electrode, `nearest` (units), `faults`."""

    def __init__(
        self,
        array: str,
        n: int,
        rate: float,
        dims: int = 2,
        seed: int = 0,
        mains: float = 50.0,
        dead: float = 0.0,
        noisy: float = 0.0,
        movement: float = 0.0,
        stimulation: float = 0.0,
        day: int = 0,
    ) -> None:
        self.n, self.rate, self.mains, self.movement, self.stimulation = n, rate, mains, movement, stimulation
        self.places = electrodes(array, n)
        made, field, self._common, self._draw, self._moves, pool = (np.random.default_rng([seed, 20 + k]) for k in range(6))
        mixed = made.permutation(n)
        ends = round(dead * n), round(dead * n) + round(noisy * n)
        self.faults = Faults(np.sort(mixed[: ends[0]]), np.sort(mixed[ends[0] : ends[1]]))
        self._alive = np.ones(n)
        self._alive[self.faults.dead] = 0
        surface = array in SURFACE
        units = max(1, round(n * fact("units_surface" if surface else "units")))
        self.neurons = Neurons(units, rate, dims, seed)
        self.tick_rows = self.neurons.per_tick
        self._make_units(made, units, TILE[array], surface)
        self.impedance = impedances(n, seed, day)
        self._make_noise(pool, thermal(self.impedance, BAND_HZ) - thermal(impedances(n, seed, 0), BAND_HZ))
        self._maps = self._make_maps(made, field).astype(np.float32)
        near = np.linalg.norm(self.places - self.places[0], axis=1)
        self._pulsed = fact("pulse") * 1e-3 / np.maximum(near, 0.25e-3) / fact("scale") * self._alive
        self._ahead = np.zeros((self._waves.shape[1], n), np.int16)  # what spikes leave for the rows to come
        self._move_at = self._wait()

    @property
    def at(self) -> int:
        """The sample to come."""
        return self.neurons.tick * self.tick_rows

    # -- making it

    def _make_units(self, rng: np.random.Generator, units: int, tile: int, surface: bool) -> None:
        """Where the units are, and what a spike of each looks like at each electrode near it."""
        self.nearest = rng.integers(0, self.n, units)
        way = rng.standard_normal((units, 3))
        away = fact("near") * rng.gamma(9.0, 1 / 9, units)
        self.home = self.places[self.nearest] + way / np.linalg.norm(way, axis=1, keepdims=True) * away[:, None]
        median = fact("peak") * (fact("peak_surface") if surface else 1.0)
        peaks = median * np.exp(fact("peak_spread") * rng.standard_normal(units))
        self.peaks = np.minimum(peaks, fact("peak_most"))
        t = np.arange(round(LONG_S * self.rate)) / self.rate - BEFORE_S
        self.before = round(BEFORE_S * self.rate)
        hump_at = fact("trough_to_peak_s") * rng.uniform(0.6, 1.4, units)[:, None]
        shape = fact("hump") * np.exp(-0.5 * ((t - hump_at) / (0.4 * hump_at)) ** 2) - np.exp(
            -0.5 * (t / fact("trough_s")) ** 2
        )
        shape /= -shape.min(axis=1, keepdims=True)
        shape[:, -10:] *= np.linspace(1, 0, 10)
        who, where, sizes = [], [], []
        for first in range(0, self.n, tile):
            mine = np.flatnonzero(self.nearest // tile == first // tile)
            columns = np.arange(first, min(first + tile, self.n))
            r = np.linalg.norm(self.home[mine, None] - self.places[None, columns], axis=2)
            falls = 1 / (1 + (r / fact("reach")) ** 2)
            falls /= falls.max(axis=1, keepdims=True, initial=1e-30)
            unit, column = np.nonzero((falls > FAINT) & (self._alive[columns] > 0))
            who.append(mine[unit])
            where.append(columns[column])
            sizes.append(falls[unit, column])
        unit = np.concatenate(who)
        order = np.argsort(unit, kind="stable")
        unit, self._columns = unit[order], np.concatenate(where)[order]
        size = np.concatenate(sizes)[order] * self.peaks[unit] / fact("scale")
        self._waves = np.rint(shape[unit] * size[:, None]).astype(np.int16)
        self._pairs = np.searchsorted(unit, np.arange(units + 1))

    def seen(self, unit: int) -> tuple[np.ndarray, np.ndarray]:
        """Columns at which a unit's spikes are seen, and their waves (columns, samples) in µV; the trough lies at sample
        `before`."""
        a, z = self._pairs[unit : unit + 2]
        return self._columns[a:z], self._waves[a:z] * fact("scale")

    def _make_noise(self, rng: np.random.Generator, more: np.ndarray) -> None:
        """more (n): µV² in the band that the impedance of this day brings, beside that of the first."""
        whole = np.sqrt(self.rate / 2 / BAND_HZ)
        own = fact("noise") * np.exp(fact("noise_spread") * rng.standard_normal(self.n))
        own = np.sqrt(np.maximum(own * own + more, fact("noise_dead") ** 2))
        own[self.faults.noisy] *= fact("noise_bad")
        own *= whole
        own[self.faults.dead] = fact("noise_dead")
        self.noise = own / whole  # µV rms in the band
        rows = min(round(2 * self.rate), POOL // self.n)
        pool = rng.standard_normal((rows, self.n), np.float32)
        pool *= (own / fact("scale")).astype(np.float32)
        self._pool = np.rint(pool, out=pool).astype(np.int16)

    def _make_maps(self, rng: np.random.Generator, field: np.random.Generator) -> np.ndarray:
        """(sources, n): fields, mains, its third harmonic, the reference's noise, movement; counts."""
        self._fields = Coloured(1 / TICK_S, FIELDS, fact("lfp_exponent"), field)
        self._field = self._fields.rows(1)[0]
        middle = self.places[rng.integers(0, self.n, FIELDS)]
        r = np.linalg.norm(middle[:, None] - self.places[None], axis=2)
        lfp = np.exp(-0.5 * (r / fact("lfp_reach")) ** 2) + 0.1
        lfp *= fact("lfp") / np.linalg.norm(lfp, axis=0)
        line = fact("mains") * (1 + 0.2 * rng.uniform(-1, 1, (1, self.n)))
        common = np.full((1, self.n), fact("common") * np.sqrt(self.rate / 2 / BAND_HZ))
        moved = fact("movement") * (1 + 0.1 * rng.standard_normal((1, self.n)))
        return np.concatenate([lfp, line, line * fact("mains_3"), common, moved]) * self._alive / fact("scale")

    # -- rendering it

    def ticks(self, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Event]]:
        """The next `count` ms: counts (samples, n) int16; the sample of the trough and the unit of each spike that began in
        them; and what happened: `stimulation` at each pulse, `truth:movement`."""
        first, p = self.at, self.tick_rows
        rows = count * p
        spiked, unit = self.neurons.spikes(count)
        buffer = np.empty((rows + len(self._ahead), self.n), np.int16)
        sources, events = self._sources(first, count)
        scratch = np.empty((p, self.n), np.float32)
        for k, start in enumerate(self._draw.integers(0, len(self._pool) - p + 1, count).tolist()):
            piece = buffer[k * p : (k + 1) * p]
            np.matmul(sources[k], self._maps, out=scratch)
            np.copyto(piece, scratch, casting="unsafe")
            piece += self._pool[start : start + p]
        buffer[rows:] = 0
        long = len(self._ahead)
        buffer[:long] += self._ahead
        self._add(buffer, spiked - first, unit)
        self._ahead = buffer[rows:].copy()
        data = buffer[:rows]
        if self.stimulation:
            events += self._stimulate(data, first)
        return data, spiked + self.before, unit, sorted(events, key=lambda e: e.index)

    def _add(self, buffer: np.ndarray, row: np.ndarray, unit: np.ndarray) -> None:
        """The waves of spikes that begin at these rows, at all electrodes near the unit."""
        begin, many = self._pairs[unit], self._pairs[unit + 1] - self._pairs[unit]
        pair = np.repeat(begin - np.cumsum(many) + many, many) + np.arange(many.sum())
        at = np.repeat(row, many) * self.n + self._columns[pair]
        places = at[:, None] + np.arange(self._waves.shape[1]) * self.n
        np.add.at(buffer.reshape(-1), places.reshape(-1), self._waves[pair].reshape(-1))

    def _sources(self, first: int, count: int) -> tuple[np.ndarray, list[Event]]:
        """(ticks, rows of a tick, sources): fields by a line between ticks, the others at the full rate."""
        p, events = self.tick_rows, []
        out = np.zeros((count, p, len(self._maps)), np.float32)
        fields = np.concatenate([self._field[None], self._fields.rows(count)])
        part = (np.arange(p) / p)[:, None]
        out[:, :, :FIELDS] = fields[:-1, None] * (1 - part) + fields[1:, None] * part
        self._field = fields[-1]
        index = np.arange(first, first + count * p).reshape(count, p)
        turn = 2 * np.pi * (self.mains / self.rate * index % 1.0)
        if self.mains:
            out[:, :, FIELDS], out[:, :, FIELDS + 1] = np.sin(turn), np.sin(3 * turn)
        out[:, :, FIELDS + 2] = self._common.standard_normal((count, p))
        length = fact("movement_s") * self.rate
        while self._move_at is not None and self._move_at < first + count * p:
            since = (index - self._move_at) / length
            hump = np.where((since >= 0) & (since <= 1), np.sin(np.pi * np.clip(since, 0, 1)) ** 2, 0.0)
            out[:, :, FIELDS + 3] += hump * np.sin(2 * np.pi * fact("movement_hz") * fact("movement_s") * since)
            if self._move_at >= first:
                events.append(Event(self._move_at, "truth:movement"))
            if since[-1, -1] < 1:
                break
            self._move_at = self._wait(self._move_at + int(np.ceil(length)) + 1)
        return out, events

    def _wait(self, after: int = 0) -> int | None:
        """The sample at which the next movement begins."""
        if not self.movement:
            return None
        return after + int(np.ceil(self._moves.exponential(60 / self.movement) * self.rate))

    def _stimulate(self, data: np.ndarray, first: int) -> list[Event]:
        """Pulses of two phases and what they leave, added to data in place; it saturates at the rails."""
        phase, tail = round(fact("pulse_s") * self.rate), fact("pulse_tail_s") * self.rate
        k = np.arange(int(7 * tail))
        fading = np.where(k < 2 * phase, np.where(k < phase, -1.0, 1.0), 0.3 * np.exp(-(k - 2 * phase) / tail))
        period, end, events = self.rate / self.stimulation, first + len(data), []
        for pulse in range(max(0, int((first - len(k)) / period)), int(end / period) + 2):
            at = round(pulse * period)
            a, z = max(at, first), min(at + len(k), end)
            if a >= z:
                continue
            if a == at:
                events.append(Event(at, "stimulation"))
            piece = data[a - first : z - first]
            sum_ = piece + np.rint(fading[a - at : z - at, None] * self._pulsed).astype(np.int32)
            piece[...] = np.clip(sum_, -32768, 32767)
        return events
