"""ezmsg's side of the benchmarks, run by the Python of its own virtual environment; it imports nothing of bcikit.

On stdin a line of JSON says the work; then come lines: `first N`, `turn SECONDS`, `graph SECONDS` or `paced SECONDS`. Each
is answered on stdout, which is for the answers alone, by the shape of an array in a line, and its bytes (float64).
"""

import asyncio
import json
import os
import sys
import time
import warnings

OUT = os.fdopen(os.dup(1), "wb")
os.environ["EZMSG_LOGLEVEL"] = "WARNING"
os.dup2(2, 1)  # whatever ezmsg prints

import ezmsg.core as ez  # noqa: E402
import numpy as np  # noqa: E402
from ezmsg.sigproc.affinetransform import CommonRereferenceSettings, CommonRereferenceTransformer  # noqa: E402
from ezmsg.sigproc.aggregate import AggregationFunction  # noqa: E402
from ezmsg.sigproc.binned_aggregate import BinnedAggregateSettings, BinnedAggregateTransformer  # noqa: E402
from ezmsg.sigproc.butterworthfilter import ButterworthFilterSettings, ButterworthFilterTransformer  # noqa: E402
from ezmsg.util.messages.axisarray import AxisArray  # noqa: E402

warnings.simplefilter("ignore")


class Chain:
    """The same features by ezmsg's own transformers, called in this process."""

    def __init__(self, work):
        from ezmsg.event.binned import BinnedEventAggregator, BinnedEventAggregatorSettings
        from ezmsg.event.peak import OutputFormat, ThresholdCrossingTransformer, ThresholdSettings

        self.x = np.load(work["input"], mmap_mode="r")
        self.scale, self.n, self.rate = np.float32(work["scale"]), work["n"], work["rate"]
        fractional = {"fractional": False, "bin_duration": work["bin_s"]}
        self.car = CommonRereferenceTransformer(CommonRereferenceSettings(mode="mean", axis="ch"))
        low, high = work["band"]
        self.filter = ButterworthFilterTransformer(
            ButterworthFilterSettings(order=work["order"], cuton=low, cutoff=high, coef_type="sos", axis="time")
        )
        self.cross = ThresholdCrossingTransformer(
            ThresholdSettings(
                threshold=work["threshold"],
                refrac_dur=work["refractory_s"],
                max_peak_dur=1.0,
                output_format=OutputFormat.DENSE,
            )
        )
        self.count = BinnedEventAggregator(BinnedEventAggregatorSettings(scale_output=False, **fractional))
        self.mean = BinnedAggregateTransformer(BinnedAggregateSettings(operation=AggregationFunction.MEAN, **fractional))

    def message(self, i):
        at = i * self.n % len(self.x)
        data = self.x[at : at + self.n] * self.scale  # ezmsg's filters want floats
        axes = {"time": AxisArray.TimeAxis(fs=self.rate, offset=i * self.n / self.rate)}
        return AxisArray(data, dims=["time", "ch"], axes=axes, key="bench")

    def features(self, message):
        y = self.filter(self.car(message))
        counts = self.count(self.cross(y))
        power = self.mean(AxisArray(y.data**2, dims=y.dims, axes=y.axes, key=y.key))
        if len(counts.data):
            return np.concatenate([counts.data, power.data], axis=1)
        return None

    def step(self, i):
        return self.features(self.message(i))


class PlayedSettings(ez.Settings):
    work: dict
    seconds: float
    paced: bool


class Played(ez.Unit):
    """The same messages, as fast as they are taken or each when its newest sample is due."""

    SETTINGS = PlayedSettings
    OUTPUT = ez.OutputStream(AxisArray)

    async def initialize(self):
        self.chain = Chain(self.SETTINGS.work)

    @ez.publisher(OUTPUT)
    async def play(self):
        n, rate = self.chain.n, self.chain.rate
        for i in range(int(self.SETTINGS.seconds * rate / n)):
            message = self.chain.message(i)
            if self.SETTINGS.paced:
                due = BEGIN + (i + 1) * n / rate
                while (left := due - time.monotonic()) > 0:
                    await asyncio.sleep(left)
            yield self.OUTPUT, message
        yield self.OUTPUT, self.chain.message(i + 1)  # so that the last bin closes


class Squares(ez.Unit):
    INPUT, OUTPUT = ez.InputStream(AxisArray), ez.OutputStream(AxisArray)

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    async def square(self, message: AxisArray):
        yield self.OUTPUT, AxisArray(message.data**2, dims=message.dims, axes=message.axes, key=message.key)


class LastSettings(ez.Settings):
    bins: int
    bin_s: float
    kinds: int  # of feature


class Last(ez.Unit):
    """Both kinds of feature; notes when the later one of each bin has come."""

    SETTINGS = LastSettings
    COUNTS, POWER = ez.InputStream(AxisArray), ez.InputStream(AxisArray)

    async def initialize(self):
        self.seen, self.came = {}, []

    def note(self, message):
        axis = message.axes["time"]
        for k in range(len(message.data)):
            bin_ = round((axis.offset + k * axis.gain) / self.SETTINGS.bin_s)
            self.seen[bin_] = self.seen.get(bin_, 0) + 1
            if self.seen[bin_] == self.SETTINGS.kinds:
                CAME.append((bin_, time.monotonic()))
                if len(CAME) >= self.SETTINGS.bins:
                    raise ez.NormalTermination

    @ez.subscriber(COUNTS)
    async def counts(self, message: AxisArray):
        self.note(message)

    @ez.subscriber(POWER)
    async def power(self, message: AxisArray):
        self.note(message)


BEGIN = 0.0
CAME: list[tuple[int, float]] = []


def graph(work, seconds, paced):
    """(bins, 2): which bin, and how many seconds after the start its features were there; in one process. Paced it has the
    bandpass and its power alone: with all of it, it does not keep up with 256 channels everywhere."""
    global BEGIN
    from ezmsg.event.binned import BinnedEventAggregatorUnit
    from ezmsg.event.peak import ThresholdCrossing
    from ezmsg.sigproc.affinetransform import CommonRereference
    from ezmsg.sigproc.binned_aggregate import BinnedAggregate
    from ezmsg.sigproc.butterworthfilter import ButterworthFilter

    CAME.clear()
    one = Chain(work)
    parts = {
        "SOURCE": Played(PlayedSettings(work, seconds, paced)),
        "CAR": CommonRereference(one.car.settings),
        "FILTER": ButterworthFilter(one.filter.settings),
        "CROSS": ThresholdCrossing(one.cross.settings),
        "COUNT": BinnedEventAggregatorUnit(one.count.settings),
        "SQUARE": Squares(),
        "MEAN": BinnedAggregate(one.mean.settings),
        "LAST": Last(LastSettings(int(seconds / work["bin_s"]) - 1, work["bin_s"], 1 if paced else 2)),
    }
    p = parts
    wires = [
        (p["FILTER"].OUTPUT_SIGNAL, p["SQUARE"].INPUT),
        (p["SQUARE"].OUTPUT, p["MEAN"].INPUT_SIGNAL),
        (p["MEAN"].OUTPUT_SIGNAL, p["LAST"].POWER),
    ]
    if paced:
        wires.append((p["SOURCE"].OUTPUT, p["FILTER"].INPUT_SIGNAL))
        parts = {n: part for n, part in p.items() if n not in ("CAR", "CROSS", "COUNT")}
    else:
        wires += [
            (p["SOURCE"].OUTPUT, p["CAR"].INPUT_SIGNAL),
            (p["CAR"].OUTPUT_SIGNAL, p["FILTER"].INPUT_SIGNAL),
            (p["FILTER"].OUTPUT_SIGNAL, p["CROSS"].INPUT_SIGNAL),
            (p["CROSS"].OUTPUT_SIGNAL, p["COUNT"].INPUT_SIGNAL),
            (p["COUNT"].OUTPUT_SIGNAL, p["LAST"].COUNTS),
        ]
    BEGIN = time.monotonic() + (2.0 if paced else 0.0)  # the graph needs a while to stand
    ez.run(components=parts, connections=tuple(wires), force_single_process=True)
    return np.array([(k, t - BEGIN) for k, t in CAME])


def answer(array):
    array = np.ascontiguousarray(array, float)
    OUT.write(f"{json.dumps(list(array.shape))}\n".encode() + array.tobytes())
    OUT.flush()


def main():
    work = json.loads(sys.stdin.readline())
    chain, at = Chain(work), 0
    for line in sys.stdin:
        what, number = line.split()
        if what == "first":
            chain, at = Chain(work), 0
            rows = [y for y in map(chain.step, range(int(number))) if y is not None]
            answer(np.concatenate(rows))
            chain = Chain(work)
        elif what == "turn":
            took, now = [], time.perf_counter
            end = now() + float(number)
            while True:
                t0 = now()
                chain.step(at)
                t1 = now()
                at += 1
                took.append(t1 - t0)
                if t1 >= end:
                    break
            answer(took)
        elif what in ("graph", "paced"):
            answer(graph(work, float(number), what == "paced"))


if __name__ == "__main__":
    main()
