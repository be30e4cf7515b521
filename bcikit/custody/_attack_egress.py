"""Getting a person's signal out: past what was granted, inside of what was granted, beside the Gate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..core.errors import BciError, NotConsented
from ..core.label import SIMULATED, UNLABELLED, Label, Level
from ..core.stream import Chunk, Event, Stream
from ..ethics import sandbox
from ..ethics.meter import WINDOW_S
from ._shut_in import TRIES, tried
from .attack import S1, Field, Out, case, decisions, raw_stream, sent

CAP = 100.0  # bits a second, of the default policy


def _refused(f: Field, stream: Stream, kind: str = "lsl", purpose: str = "research") -> str:
    """Open and send; how many numbers got through."""
    out = Out(kind)
    try:
        permit = f.open(out, stream, purpose)
        permit.send(f.raw())
    except BciError:
        return ""
    return f"{out.told} numbers" if out.told else ""


for _kind in ("lsl", "network", "export", "model"):

    @case("egress", f"raw signals to {_kind}, with a grant for local sinks alone")
    def _(f: Field, kind: str = _kind) -> str:
        f.allow("view", "record", "effector", "train")
        return _refused(f, raw_stream(), kind)

    @case("egress", f"raw signals to {_kind}, with a grant for decisions alone")
    def _(f: Field, kind: str = _kind) -> str:
        f.allow(kind, level="DECISION")
        return _refused(f, raw_stream(), kind)


@case("egress", "raw signals called decisions, in slices of one sample")
def _(f: Field) -> str:
    f.allow("lsl", level="DECISION")
    c = f.raw(20)
    _out, permit = sent(f, decisions((), 0.0, 4), [Chunk(c.data[i : i + 1], i, i / 250) for i in range(len(c))])
    bits = permit._meter.bits if permit._meter else float("nan")
    return "" if bits <= CAP * WINDOW_S else f"{bits:.0f} bits in less than {WINDOW_S:g} s"


@case("egress", "raw signals rescaled into the range of an alphabet")
def _(f: Field) -> str:
    f.allow("lsl", level="DECISION")
    c = f.raw(20)
    x = (c.data - c.data.min()) / np.ptp(c.data)
    out, _permit = sent(f, decisions(columns=4), [Chunk(x[i : i + 25], i, i / 250) for i in range(0, len(x), 25)])
    return f"{out.told} numbers" if out.told else ""


@case("egress", "raw signals as bits of words, one after the other")
def _(f: Field) -> str:
    f.allow("lsl", level="DECISION")
    bits = np.unpackbits(f.raw(4).data.copy().view(np.uint8))
    rows = bits.astype(np.float32).reshape(-1, 1)
    out, _permit = sent(f, decisions(), [Chunk(rows[i : i + 100], i, i / 10) for i in range(0, len(rows), 100)])
    return "" if out.told <= CAP * WINDOW_S else f"{out.told} bits in less than {WINDOW_S:g} s"


@case("egress", "a payload in the NaNs of a decision")
def _(f: Field) -> str:
    f.allow("lsl", level="DECISION")
    x = np.full((100, 1), np.nan, np.float32)
    x.view(np.uint32)[:] |= np.arange(1, 101, dtype=np.uint32)[:, None]
    out, _permit = sent(f, decisions(), [Chunk(x, 0, 0.0)])
    return f"{out.told} numbers" if out.told else ""


@case("egress", "text in the events of a decision")
def _(f: Field) -> str:
    f.allow("lsl", level="DECISION")
    event = Event(0, f.raw().data.tobytes().hex(), "and in its value")
    out, _permit = sent(f, decisions(), [Chunk(np.zeros((1, 1), np.float32), 0, 0.0, (event,))])
    return "events" if any(c.events for c in out.got) else ""


@case("egress", "numbers in the times of decisions")
def _(f: Field) -> str:
    f.allow("lsl", level="DECISION")
    times = f.rng.integers(0, 2**50, 2000) / 1000
    out, permit = sent(
        f, decisions(rate=0.0), [Chunk(np.ones((1, 1), np.float32), i, float(t)) for i, t in enumerate(times)]
    )
    return "" if permit._meter and permit._meter.bits <= CAP * WINDOW_S else f"{len(out.got)} times"


@case("egress", "numbers in the indices of decisions")
def _(f: Field) -> str:
    f.allow("lsl", level="DECISION")
    firsts = f.rng.integers(0, 2**60, 2000)
    out, permit = sent(f, decisions(), [Chunk(np.ones((1, 1), np.float32), int(i), 0.0) for i in firsts])
    return "" if permit._meter and permit._meter.bits <= CAP * WINDOW_S else f"{len(out.got)} indices"


@case("egress", "a chunk of another shape than the stream's")
def _(f: Field) -> str:
    f.allow("lsl", level="DECISION")
    out, _permit = sent(f, decisions(), [Chunk(np.zeros((9, 64), np.float32), 0, 0.0)])
    return f"{out.told} numbers" if out.told else ""


@case("egress", "the label of somebody live taken off")
def _(f: Field) -> str:
    f.allow("lsl")
    return _refused(f, raw_stream(UNLABELLED)) or _refused(f, raw_stream(UNLABELLED), "view")


@case("egress", "somebody called simulated, and named")
def _(f: Field) -> str:
    return _refused(f, raw_stream(replace(S1, simulated=True)))


for _name, _said in (("a text", "yes"), ("a number", 1), ("an object that is everything", object())):

    @case("egress", f"simulated said as {_name}")
    def _(f: Field, said: object = _said) -> str:
        return _refused(f, raw_stream(replace(Label(), simulated=said)))  # type: ignore[arg-type]


@case("egress", "data of two people, of whom one allowed it")
def _(f: Field) -> str:
    f.allow("lsl")
    other = Label(subjects=frozenset({"S2"}), purposes=frozenset({"research"}))
    return _refused(f, raw_stream(S1.join(other)))


@case("egress", "data of somebody joined with simulated ones")
def _(f: Field) -> str:
    return _refused(f, raw_stream(S1.join(SIMULATED)))


@case("egress", "a recording of somebody, to the network")
def _(f: Field) -> str:
    return _refused(f, raw_stream(replace(S1, recorded=True)))


@case("egress", "a purpose that was not granted")
def _(f: Field) -> str:
    f.allow("lsl")
    return _refused(f, raw_stream(replace(S1, purposes=frozenset({"research", "education"}))), purpose="education")


@case("egress", "a purpose that does not exist")
def _(f: Field) -> str:
    f.allow("lsl")
    return _refused(f, raw_stream(), purpose="everything")


@case("egress", "the kind of a sink changed after it was opened")
def _(f: Field) -> str:
    f.allow("view")
    out = Out("view")
    permit = f.open(out, raw_stream())
    out.kind = "network"  # type: ignore[misc]
    f.consent.revoke("S1", sinks=["view"])
    try:
        permit.send(f.raw())
    except BciError:
        return ""
    return f"{out.told} numbers"


@case("egress", "a sink opened without the Gate")
def _(f: Field) -> str:
    out = Out()
    out.open(raw_stream(), object())
    return "it opened"


@case("egress", "a sink opened with the permit of another")
def _(f: Field) -> str:
    f.allow("view")
    permit = f.open(Out("view"), raw_stream())
    Out("lsl").open(raw_stream(), permit)
    return "it opened"


@case("egress", "a name and samples in the audit")
def _(f: Field) -> str:
    f.allow("view")
    _out, permit = sent(f, raw_stream(), [Chunk(np.full((5, 4), 123.25, np.float32), 0, 0.0)], "view")
    permit.close()
    text = b"".join(p.read_bytes() for p in [f.home / "audit.jsonl", *(f.home / "sends").iterdir()])
    return "a name or a sample" if b"S1" in text or b"123.25" in text or np.float32(123.25).tobytes() in text else ""


@case("egress", "samples in the message of an exception")
def _(f: Field) -> str:
    try:
        f.open(Out(), raw_stream())
    except NotConsented as error:
        return "numbers" if any(ch.isdigit() for ch in str(error).replace("S1", "")) else ""
    return "it opened"


@case("egress", "a hostile stage that says its output is less raw")
def _(f: Field) -> str:
    from ..core.parts import Stage

    class Liar(Stage):
        def setup(self, s: Stream) -> Stream:
            return s.but(label=replace(s.label, level=Level.AGGREGATE))

    Liar().start(raw_stream())
    return "it started"


def _shut_in(f: Field, name: str) -> str:
    """One of the tries from inside the sandbox; all are run once, and remembered."""
    if not _results:
        if why := sandbox.available():
            return f"there is no sandbox: {why}"
        f.allow("view")
        missing, got = tried(f.home, f.folder)
        _results.update(got, **({"the sandbox": f"got through: lacks {missing}"} if missing else {}))
    far = _results.get(name, "got through: it was not tried")
    return "" if far.startswith("refused") else far


_results: dict[str, str] = {}
for _name in TRIES:

    @case("tier 2", f"from the sandbox: {_name}")
    def _(f: Field, name: str = _name) -> str:
        return _shut_in(f, name)


@case("tier 2", "from the sandbox: an effect outside, or a part of it missing")
def _(f: Field) -> str:
    _shut_in(f, "")
    return "; ".join(v for k, v in _results.items() if k in ("an effect outside", "the sandbox", "all"))
