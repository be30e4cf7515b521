"""A stream of the Lab Streaming Layer: signals or markers that another program sends over the network."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any

import numpy as np

from ..core.clock import WallClock
from ..core.errors import BciError, DeviceTrouble, WrongUse
from ..core.parts import Board, Setting, Status
from ..core.stream import Channel, Chunk, Event, Stream
from . import _lsl
from ._lsl import Described
from ._stamps import Stamps

BUFFER_S = 5  # what liblsl holds for a loop that stalls; more would only be older
MARKERS_HELD = 360  # x100 samples of an irregular stream: there a loss could not be seen
STRINGS_AT_ONCE = 64
COMPARE_S = 0.5  # how often the clocks' offset is looked up (liblsl measures it every 2 s)
LISTEN_S = 1.0  # at opening: for the clocks' offset, and to see how the stamps lie
SOUGHT_S = 0.2  # one round of looking for a sender that went away
SILENT_S = 2.0  # without a closed connection: then a sender that was started anew is looked for
DOMAIN_S = 30.0  # stamps farther from now are not of LSL's clock
RATE_OFF = 0.005
MOST_HZ = 1e6


@dataclass(eq=False)
class Lsl(Board):
    """Receives one stream, chosen by name, type or source_id (all given must match exactly one stream), or by address.

    Times are the sender's stamps, corrected for the difference of the two clocks (its uncertainty is `status.clock_s`) and
    dejittered by a line along the earliest of them. The stamps themselves are kept: where they jitter or come in bursts
    with one stamp, a channel `stamp` (seconds; the stamp minus the time of its row) is added. A sender that dies is found
    again by itself; what is missing shows as a jump of `first`, estimated from the stamps. What comes back with other
    channels or another rate is refused.

    Markers (streams of text, or irregular ones of type Markers) become events, named by their text or number; of several
    channels the first names it and the others are its value.
    """

    name: Annotated[str | None, Setting("name of the stream")] = None
    type: Annotated[str | None, Setting("content type of the stream, as EEG or Markers")] = None
    source_id: Annotated[str | None, Setting("the sender's own identifier of the stream")] = None
    address: Annotated[str | None, Setting("HOST or HOST:PORT of the sender, where discovery fails")] = None
    wait_s: Annotated[float, Setting("how long to look for the stream", "s", low=0.1, high=600)] = 5.0
    stale_s: Annotated[float, Setting("silence after which the stream is called stale", "s", low=0.05, high=60)] = 0.25
    stamps: Annotated[
        str, Setting("keep the sender's stamps as a channel; auto: where they jitter", choices=("auto", "always", "never"))
    ] = "auto"
    max_channels: Annotated[int, Setting("more are refused", low=1)] = 4096
    max_metadata: Annotated[int, Setting("longer metadata are refused", "bytes", low=1000)] = 1_000_000

    @classmethod
    def examples(cls) -> Iterator[Board]:
        """None: it needs a sender. tests/acquire/test_lsl.py has them, in other processes."""
        return iter(())

    def open(self) -> Stream:
        if not isinstance(self.clock, WallClock):
            raise WrongUse("lsl receives from the real world.", "It runs on the wall clock only.")
        self.close()
        self._inlet: Any = None
        self._stopping = threading.Event()
        self._seeker: threading.Thread | None = None
        self._found: deque[tuple[Any, Described, Any] | BciError] = deque()
        self._ready: deque[Chunk] = deque()
        self._shift, self._apart = 0.0, math.inf
        self._odd, self._notes = 0, dict[str, str]()
        self._newest, self._count, self._strange = math.nan, 0, False
        self._intervals: deque[float] = deque([0.0], maxlen=9)
        wanted = _lsl.Wanted(self.name, self.type, self.source_id, self.address)
        if wanted == _lsl.Wanted():
            self._notes["choice"] = "the only stream there was"
        self._domain = _lsl.offset(self.clock)
        info = wanted.one(self.wait_s)
        try:
            self._inlet, self.described, self._info = self._connect(info, self.wait_s)
        except OSError as error:
            raise DeviceTrouble(f"The LSL stream {info.name()!r} was seen but cannot be received.", str(error),
                                "Is a firewall between? The sender's TCP ports begin at 16572.") from error  # fmt: skip
        d = self.described
        # what is sought after a loss: the same source, wherever it is then
        named = _lsl.Wanted(d.name, d.type, None, self.address)
        self._wanted = _lsl.Wanted(source_id=d.source_id, address=self.address) if d.source_id else named
        self._notes |= {f"said {i}": note for i, note in enumerate(d.notes)}
        self.marks = d.format == "string" or (not d.rate and d.type.lower() in ("markers", "marker", "events", "stim"))
        self._axis = Stamps(d.rate) if d.rate else None
        self._began = self._arrived = self.clock.now()
        self._compared = -math.inf
        return self._described(d)

    def _described(self, d: Described) -> Stream:
        """The description of what will be given, after listening to how the stamps lie."""
        self._compare(LISTEN_S)
        how, early = "", self._pull(0.0)
        if early is not None:
            self._check_domain(early[1])
            how = self._how(early[1], d.rate) if d.rate and not self._strange else ""
        if how:
            self._notes["stamps"] = how
        self.kept = bool(d.rate) and (self.stamps == "always" or (self.stamps == "auto" and how != "")) and not self._strange
        channels = tuple(Channel(c.name, "marker", "") for c in d.channels) if self.marks else d.channels
        if self.kept:
            names = {c.name for c in channels}
            own = next(n for n in ("stamp", *(f"stamp-{i}" for i in range(2, len(names) + 3))) if n not in names)
            channels = (*channels, Channel(own, "stamp", "s"))
        self._factor = None if set(d.scale) == {1.0} or d.format == "string" else np.array(d.scale, np.float32)
        facts = {"source_id": d.source_id, "host": d.hostname, "type": d.type, "format": d.format, "stamps": how or "exact",
                 "correction_s": self._shift, "correction_uncertainty_s": self._apart}  # fmt: skip
        self.stream = Stream(d.name, d.rate, channels, label=self.label, info=MappingProxyType({"lsl": facts}))
        if early is not None:
            self._take(*early)
        return self.stream

    # -- reading

    def read(self, timeout: float = 0.1) -> Chunk | None:
        if not hasattr(self, "_began"):
            raise WrongUse("lsl is not open.", do="Call open() first.")
        if self._stopping.is_set():
            return None
        if not self._ready:
            if self._inlet is None:
                self._seek()
            self._reconnected(timeout if self._inlet is None else 0.0)
            if self._inlet is not None:
                self._compare()
                if (got := self._pull(min(timeout, self._until_stale()))) is not None:
                    self._take(*got)
                elif self._axis is not None and self.clock.now() - self._arrived > SILENT_S:
                    self._seek()
        return self._ready.popleft() if self._ready else None

    def _until_stale(self) -> float:
        """Seconds until silence is to be told; no wait goes beyond that moment."""
        left = self._arrived + self._patience - self.clock.now() + 0.001
        return left if left > 0 and self._axis is not None else math.inf

    @property
    def _patience(self) -> float:
        return max(self.stale_s, 2 * float(np.median(self._intervals)))

    def _pull(self, timeout: float) -> tuple[Any, np.ndarray] | None:
        """All that has come: (values (n, channels), the sender's stamps), or None."""
        lost = _lsl.library().util.LostError
        parts: list[tuple[Any, np.ndarray]] = []
        try:
            strings = self.described.format == "string"
            got = self._inlet.pull_chunk(timeout, max_samples=1, as_numpy=True)
            while len(got[1]):
                parts.append(got)
                left = STRINGS_AT_ONCE if strings else self._inlet.samples_available()
                if not left:
                    break
                got = self._inlet.pull_chunk(0.0, max_samples=left, as_numpy=True)
        except lost:
            self._inlet = None
        if not parts:
            return None
        return np.concatenate([x for x, _ in parts]), np.concatenate([t for _, t in parts])

    def _take(self, values: Any, stamps: np.ndarray) -> None:
        """Turn samples into chunks: index, time, unit, events."""
        now = self.clock.now()
        if self._count:
            self._intervals.append(now - self._arrived)
        self._arrived = now
        self._count += len(stamps)
        if self._strange:
            stamps = np.full(len(stamps), now - self._shift)
        x = self._numbers(values)
        if self._axis is None:
            self._odd += int((np.diff(stamps) < 0).sum())
            first = self._count - len(stamps)
            times = stamps + self._shift
            self._newest = float(np.fmax(self._newest, times.max()))
            self._ready.append(Chunk(x, first, times, self._events(values, first)))
            return
        index = self._axis.place(stamps, self._shift, now)
        for rows in np.split(np.arange(len(index)), np.flatnonzero(np.diff(index) > 1) + 1):
            last = int(index[rows[-1]])
            self._newest = float(np.fmax(self._newest, self._axis.clock.time_of(last)))
            data = np.ascontiguousarray(x[rows])
            if self.kept:
                at = self._newest - (last - index[rows]) / self.stream.rate
                data = np.column_stack([data, (stamps[rows] + self._shift - at).astype(np.float32)])
            events = self._events(values[rows[0] : rows[-1] + 1], int(index[rows[0]]))
            self._ready.append(Chunk(data, int(index[rows[0]]), self._newest, events))

    def _numbers(self, values: Any) -> np.ndarray:
        """float32 in the channels' units; text that is no number is NaN."""
        if values.dtype == object:
            return np.array([[_number(v) for v in row] for row in values], np.float32).reshape(values.shape)
        with np.errstate(over="ignore"):
            x = np.ascontiguousarray(values, np.float32)
        if values.dtype.kind == "i" and values.dtype.itemsize > 2 and (x.astype(np.float64) != values).any():
            self._notes["rounded"] = f"{self.described.format} values beyond 2^24 are rounded"
        return x if self._factor is None else x * self._factor

    def _events(self, values: Any, first: int) -> tuple[Event, ...]:
        if not self.marks:
            return ()
        events = []
        for i, row in enumerate(values):
            texts = [v.decode("utf-8", "replace") if isinstance(v, bytes) else f"{v:g}" for v in row]
            if texts := [t for t in texts if t]:
                events.append(Event(first + i, texts[0], " ".join(texts[1:]) or None, self._apart))
        return tuple(events)

    # -- stamps and clocks

    def _compare(self, wait: float = 0.0) -> None:
        """Renew the offset between the sender's clock and ours."""
        now = self.clock.now()
        if self._inlet is None or now - self._compared < COMPARE_S:
            return
        self._compared = now
        if (c := _lsl.correction(self._inlet, wait)) is not None:
            self._notes.pop("offset", None)
            if not self._strange:
                self._shift = c[0] + self._domain
            self._apart = c[1]
        elif math.isinf(self._apart):
            self._notes["offset"] = "the sender does not answer for its clock: times are as it stamped them"

    def _check_domain(self, stamps: np.ndarray) -> None:
        """Stamps of another clock than LSL's, or in another unit, cannot be corrected: arrival is the time then."""
        away = self.clock.now() - float(stamps[-1] + self._shift)
        if not abs(away) < DOMAIN_S:
            self._strange, self._shift = True, self._domain
            self._notes["stamps"] = f"stamps lie {away:.3g} s from now: not LSL's clock; times are those of arrival"

    @staticmethod
    def _how(stamps: np.ndarray, rate: float) -> str:
        """'' for stamps on a grid, else how they lie."""
        steps = np.diff(stamps) * rate
        if len(steps) < 8 or np.mean(np.abs(steps - np.maximum(np.rint(steps), 1)) < 0.05) > 0.98:
            return ""
        ends = np.flatnonzero(np.abs(steps) >= 0.1)  # of bursts; within one the stamps are the same
        if len(ends) < len(steps) / 2:
            length = np.median(np.diff(ends)) if len(ends) > 1 else len(steps)
            return f"bursts of about {length:.0f} samples bear one stamp: dejittered"
        return f"stamps jitter by {np.std(steps) / rate * 1000:.3g} ms: dejittered"

    # -- losing and finding

    def _connect(self, info: Any, wait: float) -> tuple[Any, Described, Any]:
        """An inlet that receives, what its stream is, and liblsl's words for it. Raises OSError where that fails."""
        lsl = _lsl.library()
        if not 0 < info.channel_count() <= self.max_channels:  # before anything of that size is reserved
            raise DeviceTrouble(f"The LSL stream {info.name()!r} has {info.channel_count()} channels.",
                                f"At most {self.max_channels} are taken (max_channels).")  # fmt: skip
        if not 0 <= info.nominal_srate() <= MOST_HZ:
            raise DeviceTrouble(f"The LSL stream {info.name()!r} says it has {info.nominal_srate():g} Hz.",
                                "That cannot be: its sender is at fault.")  # fmt: skip
        try:
            inlet = lsl.StreamInlet(info, BUFFER_S if info.nominal_srate() else MARKERS_HELD, 0, False)
        except RuntimeError as error:
            raise OSError(str(error)) from error
        described = _lsl.describe(inlet, wait, self.max_metadata, self.max_channels)
        try:
            inlet.open_stream(wait)
        except (lsl.util.TimeoutError, lsl.util.LostError) as error:
            raise OSError(str(error)) from error
        return inlet, described, info

    def _seek(self) -> None:
        if self._seeker is None and not self._stopping.is_set():
            self._seeker = threading.Thread(target=self._look, name="bcikit-lsl", daemon=True)
            self._seeker.start()

    def _look(self) -> None:
        """In a thread: until the source is there again (or its successor, where a silent connection still stands)."""
        while not self._stopping.is_set():
            began = self.clock.now()
            gone = self._inlet is None
            if not gone and began - self._arrived < SILENT_S:
                return
            try:
                infos = self._wanted.look(SOUGHT_S, at_once=True)[0]
                new = [i for i in infos if gone or i.uid() != self._info.uid()]
                if len(new) == 1:
                    inlet, described, info = self._connect(new[0], LISTEN_S)
                    if info.hostname() != self._info.hostname() or info.created_at() < self._info.created_at():
                        _lsl.correction(inlet, LISTEN_S)  # another clock: its offset must be known first
                    self._found.append((inlet, described, info))
                    return
            except OSError:
                pass
            except BciError as error:
                self._found.append(error)
                return
            self._stopping.wait(max(SOUGHT_S / 4, SOUGHT_S - (self.clock.now() - began)))

    def _reconnected(self, timeout: float) -> None:
        """Take over what the seeker found. Raises DeviceTrouble where it is another stream than before."""
        if self._seeker is None:
            return
        self._seeker.join(timeout)
        if self._seeker.is_alive():
            return
        self._seeker = None
        if not self._found:
            return
        found = self._found.popleft()
        if isinstance(found, BciError):
            self.close()
            raise found
        inlet, described, info = found
        if other := described.same_as(self.described):
            self.close()
            raise DeviceTrouble(f"The LSL stream {self.described.name!r} came back with {other}.",
                                "Its sender was started anew with other settings.",
                                "Restore them, or start again with the new ones.")  # fmt: skip
        self._inlet, self._info, self._compared = inlet, info, -math.inf
        if self._axis is not None:
            self._axis.resume()

    def close(self) -> None:
        if not hasattr(self, "_stopping"):
            return
        self._stopping.set()
        if self._seeker is not None:
            self._seeker.join()
        self._seeker = self._inlet = None
        self._found.clear()

    # -- telling

    @property
    def status(self) -> Status:
        if not hasattr(self, "_began"):
            return Status()
        now, axis = self.clock.now(), self._axis
        silent, stale = now - self._arrived, self._patience
        if self._stopping.is_set():
            state = "ended"
        elif self._inlet is None and (axis is None or silent > 2 * stale):
            state = "reconnecting"
        else:
            state = "stale" if axis is not None and silent > stale else "streaming"
        if axis is None:
            return Status(state, now - self._newest, math.nan, 0, self._apart, self._note())
        clock = axis.clock
        rate = clock.rate_hz if clock.newest is not None and clock.rate_error < RATE_OFF / 3 else math.nan
        apart = math.hypot(self._apart, clock.uncertainty_s)
        return Status(state, now - self._newest, rate, axis.lost, apart, self._note(rate))

    def _note(self, rate: float = math.nan) -> str:
        said = []
        if self.described.rate and abs(rate / self.described.rate - 1) > RATE_OFF:
            said.append(f"{rate:.2f} Hz measured, the sender says {self.described.rate:g} Hz")
        if odd := self._odd + (self._axis.odd if self._axis else 0):
            said.append(f"{odd} stamps repeated, went back or cannot be")
        return "; ".join((*self._notes.values(), *said))

    def index_of(self, time: float) -> tuple[float, float]:
        if not hasattr(self, "_began"):
            raise WrongUse("A mark cannot be placed before the board is open.")
        if self._axis is None:
            return float(self._count), math.inf
        index, uncertainty = self._axis.clock.index_of(time)
        return index, math.hypot(uncertainty, self._apart)


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
