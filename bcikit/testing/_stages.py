"""The laws of stages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.errors import BciError
from ..core.label import DECLASSIFIERS, Label, Level
from ..core.parts import settings_of
from ..core.pipeline import Pipeline, build
from ..core.stream import Chunk, Recording, Stream
from ._case import Case

CUTS: tuple[tuple[int, ...], ...] = ((1,) * 40 + (7, 64, 0, 3, 250), (0, 3, 500, 0, 1), (33,) * 200)


def _bytes(r: Recording) -> bytes:
    return r.data.tobytes()


def _events(r: Recording) -> list[tuple]:
    return sorted((e.index, e.name, repr(e.value), e.uncertainty) for e in r.events)


def _same(a: Recording, b: Recording, what: str) -> None:
    assert a.stream == b.stream, f"{what}: the streams differ"
    assert a.data.shape == b.data.shape, f"{what}: {a.data.shape} and {b.data.shape} samples"
    assert _bytes(a) == _bytes(b), f"{what}: bytes differ, first at row {_first_difference(a.data, b.data)}"
    assert _events(a) == _events(b), f"{what}: events differ"


def _first_difference(a: np.ndarray, b: np.ndarray) -> int:
    rows = np.flatnonzero([x.tobytes() != y.tobytes() for x, y in zip(a, b, strict=True)])
    return int(rows[0]) if len(rows) else -1


# -- the laws of stages


def any_cut_same_bytes(case: Case, cuts: Sequence[int] | None = None) -> None:
    """1. Data, `first` and events are the same at any cut; `time` to one input sample."""
    whole = case.run()
    period = 1 / case.input.stream.rate if case.input.stream.rate else 0.0
    for cut in CUTS if cuts is None else [cuts]:
        pieces = case.run(cuts=cut)
        _same(whole, pieces, f"cut {list(cut)[:8]}")
        assert np.array_equal(whole.index, pieces.index), "the indices depend on the cut"
        if whole.stream.rate:
            assert np.allclose(whole.time, pieces.time, rtol=0, atol=period * 1.01), "the times depend on the cut"


def causal(case: Case) -> None:
    """2. Output up to a sample depends on input up to it alone; the stream's own delay is added to what it had."""
    whole = case.run()
    older = case.fresh().start(case.input.stream.but(delay=case.input.stream.delay + 1))
    assert np.isclose(older.delay - whole.stream.delay, 1), "the delay that the input had is lost"
    n = len(case.input.data)
    for t in (n // 3, n // 2, n - 2):
        other = case.input.data.copy()
        other[t + 1 :] = -3.0 * other[t + 1 :] + 40.0
        events = tuple(e for e in case.input.events if e.index <= t)
        changed = replace(case.input, chunks=(replace(case.input.chunks[0], data=other, events=events),))
        known = case.run(cuts=(t + 1,)).chunks[0]
        got = case.run(source=changed).data[: len(known)]
        assert got.tobytes() == whole.data[: len(known)].tobytes(), f"output up to sample {t} depends on later input"


def keeps_its_hands_off(case: Case) -> None:
    """3. The input is not changed, and nothing of it, nor of an output, is kept by reference."""
    clean = case.run(cuts=(50,) * 9)
    stage = case.line()
    stage.start(case.input.stream)
    kept: list[tuple[np.ndarray, np.ndarray]] = []
    for c in case.input.recut((50,) * 9):
        buffer = c.data.copy()
        out = stage.step(Chunk(buffer, c.first, c.time, c.events))
        assert np.array_equal(buffer, c.data, equal_nan=True), "the input was changed in place"
        assert not np.shares_memory(out.data, buffer), "the output is a view of the input"
        kept.append((out.data, out.data.copy()))
        buffer[...] = 1e6 if buffer.dtype.kind == "f" else 32000  # what is kept by reference shows in what follows
        for now, before in kept:
            assert now.tobytes() == before.tobytes(), "an output changed after it was given"
    got = np.concatenate([before for _, before in kept])
    assert got.tobytes() == _bytes(clean), "the input is kept by reference"


def restart_is_fresh(case: Case) -> None:
    """4. After `start` no trace of earlier data is left but in what was learnt; two instances share nothing."""
    clean = case.run()
    stage = case.fresh()
    case.run(stage, source=_other(case.input))
    stage.restore(case.stage.learned())
    _same(clean, case.run(stage), "after a restart")
    one, two = case.line(), case.line()
    one.start(case.input.stream)
    two.start(case.input.stream)
    outs = []
    for a, b in zip(case.input.recut((99,) * 5), _other(case.input).recut((99,) * 5), strict=True):
        outs.append(one.step(a).data)
        two.step(b)
    assert np.concatenate(outs).tobytes() == _bytes(clean), "two instances share state"


def _other(r: Recording) -> Recording:
    return replace(r, chunks=tuple(replace(c, data=(c.data[::-1] * -2).astype(c.data.dtype)) for c in r.chunks))


def saves_and_loads(case: Case, at: int | None = None) -> None:
    """5. Saved and loaded at any cut, as plain values and arrays, it goes on with the same bytes."""
    clean = case.run()
    n = len(case.input.data)
    for cut in (0, 1, n // 2, n - 3) if at is None else (at % n,):
        first = case.line()
        first.start(case.input.stream)
        head, tail = case.input.chunks[0].cut(cut, case.input.stream.rate)
        a = first.step(head)
        state, learnt = first.state(), first.learned()
        first.step(tail)  # what goes on must not reach what was saved
        state, learnt = _through_a_file(state), _through_a_file(learnt)
        second = case.line()
        second.start(case.input.stream)
        second.restore(learnt)
        second.restore(state)
        b = second.step(tail)
        got = np.concatenate([a.data, b.data])
        assert got.tobytes() == _bytes(clean), f"saved and loaded at {cut}, it goes on differently"
        assert b.first == a.end, f"saved and loaded at {cut}, the index is lost"


def _through_a_file(kept: dict[str, Any]) -> Any:
    """As a file would keep it: arrays as bytes, the rest as JSON."""
    arrays: list[np.ndarray] = []

    def out(v: Any) -> Any:
        if isinstance(v, np.ndarray):
            arrays.append(v.copy())
            return {"__array__": len(arrays) - 1}
        if isinstance(v, dict):
            return {k: out(x) for k, x in v.items()}
        return [out(x) for x in v] if isinstance(v, (list, tuple)) else v

    def back(v: Any) -> Any:
        if isinstance(v, dict):
            return arrays[v["__array__"]] if "__array__" in v else {k: back(x) for k, x in v.items()}
        return [back(x) for x in v] if isinstance(v, list) else v

    return back(json.loads(json.dumps(out(kept))))


def indices_and_times(case: Case) -> None:
    """6. Indices follow each other, lie on the grid, and are the same wherever the stage began; no event is lost, moved or
    doubled by a cut or a gap; times are those of the newest sample used."""
    stage = case.fresh()
    out = case.run(stage, cuts=(10, 1, 0, 77, 13, 1, 1))
    ends = [c.end for c in out.chunks]
    assert [c.first for c in out.chunks[1:]] == ends[:-1], "output chunks do not follow each other"
    rate = case.input.stream.rate
    if rate and out.stream.rate and len(out.data):
        last = out.chunks[-1]
        used = stage.grid.off + (out.index[-1]) * stage.grid.p // stage.grid.q
        newest = case.input.time[used]
        assert abs(float(np.max(last.time)) - newest) <= 1.01 / rate, "`time` is not that of the newest sample used"
        assert np.isclose(out.stream.rate, rate * stage.grid.q / stage.grid.p), "the rate is not that of the grid"
    asked = sorted((stage.grid.place(e.index), e.name) for e in case.input.events)
    got = sorted((e.index, e.name) for e in out.events)
    missing = [e for e in asked if e not in got]
    assert not missing, f"events lost or moved: {missing[:3]}"
    assert len([e for e in got if e in asked]) == len(asked), "an event is doubled"
    skip = 137  # began later: the same indices
    late = case.input.chunks[0].cut(skip, rate)[1]
    later = case.fresh()
    later.start(case.input.stream)
    piece = later.step(late)
    assert piece.first >= stage.grid.first_at(skip) and piece.end == out.chunks[-1].end, (
        "indices count from a start, not the axis"
    )
    line = Pipeline([case.fresh()])
    line.start(case.input.stream)
    c = case.input.chunks[0]
    a, rest = c.cut(200, rate)
    _, b = rest.cut(100, rate)
    first, second = line.step(a), line.step(b)
    assert second.first >= first.end, "an index went back behind a gap"
    assert [e.name for e in second.events].count("gap") == 1, "a gap passed without an event"
    assert second.end == out.chunks[-1].end, "a gap moved the indices"


def step_never_learns(case: Case) -> None:
    """6b. What was learnt changes in `fit` and `adapt` alone: a statistic of the signal is state."""
    stage = case.fresh()
    before = repr(stage.learned())
    stage.start(case.input.stream)
    for c in case.input.recut((100,) * 20):
        stage.step(c)
    assert repr(stage.learned()) == before, "`step` learns"


def faults_leave_no_trace(case: Case) -> None:
    """7. NaN, Inf, a rail or a flat line leaves nothing in any channel past `settle` seconds; NaN is not spread."""
    rate = case.input.stream.rate
    if not rate or case.input.data.ndim != 2:
        return
    clean = case.run()
    x = case.input.data
    column = min(1, x.shape[1] - 1)
    at, length = round(1.0 * rate), round(0.2 * rate)
    scale = float(np.nanstd(clean.data.astype(float), axis=0).max()) or 1.0
    for name, value in {"NaN": np.nan, "Inf": np.inf, "-Inf": -np.inf, "a rail": 187500.0, "a flat line": 0.0}.items():
        if x.dtype.kind == "i":
            if not np.isfinite(value):
                continue  # the board's integers have none
            value = min(value, np.iinfo(x.dtype).max)
        bad = x.copy()
        bad[at : at + length, column] = value
        stage = case.fresh()
        source = replace(case.input, chunks=(replace(case.input.chunks[0], data=bad),))
        out = case.run(stage, source=source)
        after = stage.grid.first_at(at + length + round(stage.settle * rate)) - (out.chunks[0].first)
        assert after < len(out.data), f"the input is too short to see {name} pass: settle is {stage.settle} s"
        assert np.isfinite(out.data[after:]).all(), f"{name} leaves NaN behind"
        far = np.abs(out.data[after:].astype(float) - clean.data[after:]).max()
        assert far <= 1e-2 * scale, f"{name} leaves a trace of {far:.3g} (of {scale:.3g}) after {stage.settle} s"
        if out.data.shape == x.shape and value != value:
            others, unspoilt = np.delete(out.data, column, axis=1), np.delete(clean.data, column, axis=1)
            assert (np.isfinite(others) | ~np.isfinite(unspoilt)).all(), f"{name} reaches other channels"


def label_is_kept(case: Case) -> None:
    """8. The output's label is at least as strict as the input's, but for the registered declassifiers."""
    for level in Level:
        label = Label(level, frozenset({"x"}), frozenset({"S1"}), frozenset({"research"}), 1e9)
        out = case.fresh().start(case.input.stream.but(label=label)).label
        lowest = max(level, DECLASSIFIERS.get(type(case.stage).__module__, level))
        assert out.level <= lowest, f"{level.name} became {out.level.name}"
        assert out.subjects >= label.subjects and out.inferences >= label.inferences, "the label lost subjects or inferences"
        assert out.purposes <= label.purposes, "the label won purposes"
        assert out.expires is not None and out.expires <= 1e9, "the label lost its expiry"
        assert not out.simulated, "the label says simulated"


def bounded(case: Case) -> None:
    """9. What is kept does not grow with the length of the stream."""
    sizes = []
    stage = case.fresh()
    stage.start(case.input.stream)
    c = case.input.chunks[0]
    for lap in range(6):
        for piece in replace(case.input, chunks=(replace(c, first=lap * len(c), events=()),)).recut((25,) * 200):
            stage.step(piece)
        sizes.append(_size(stage.state()))
    assert sizes[-1] <= sizes[1] * 1.05 + 64, f"the state grows: {sizes} bytes"


def _size(v: Any) -> int:
    if isinstance(v, np.ndarray):
        return v.nbytes
    if isinstance(v, dict):
        return sum(_size(x) for x in v.values())
    return sum(_size(x) for x in v) if isinstance(v, (list, tuple)) else 8


def recipe_round_trips(case: Case) -> None:
    """10a. The recipe, through JSON, makes a stage with the same output."""
    if not case.installed:
        return
    twin = build(json.loads(json.dumps(case.stage.recipe())))
    twin.restore(case.stage.learned())
    _same(case.run(), case.run(twin), "made from its recipe")


def every_setting_matters(case: Case) -> None:
    """10b. Each setting, changed to some other allowed value, changes some output."""
    clean = case.run()
    fields = settings_of(type(case.stage))
    for name, field in fields.items():
        if f"setting {name}" in case.stage.exempt:
            continue
        seen = False
        of_examples = [getattr(e[0] if isinstance(e, tuple) else e, name) for e in type(case.stage).examples()]
        now = getattr(case.stage, name)
        for value in (*_others(field, now, case.input.stream), *(v for v in of_examples if v != now)):
            try:
                twin = type(case.stage)(**{**case.stage.settings(), name: value})
                twin.restore(case.stage.learned())
                out = case.run(twin)
            except BciError:
                continue
            if _bytes(out) != _bytes(clean) or out.stream != clean.stream or _events(out) != _events(clean):
                seen = True
                break
        assert seen, f"no value of {name} changes anything"


def _others(field: Any, now: Any, stream: Stream) -> Iterator[Any]:
    """Other values a setting may have."""
    if field.about.choices:
        yield from (c for c in field.about.choices if c != now)
        if isinstance(now, tuple):
            yield from ((c,) for c in field.about.choices if (c,) != now)
    if isinstance(now, bool):
        yield not now
    elif isinstance(now, (int, float)):
        for value in (now * 2, now * 0.5, now * 1.3, now + 1, now * 10, now * 0.01, now + 5):
            yield type(now)(value)
    elif isinstance(now, tuple) and now and all(isinstance(v, (int, float)) for v in now):
        yield tuple(v * 1.3 for v in now)
        yield now[:-1]
    elif not field.about.choices or now is None:
        yield from (1.0, 5.0, 20.0)
        yield from ((n,) for n in stream.names[:2])
        yield stream.names[-1]
        yield ("-".join(stream.names[2:4]),)


STAGE_LAWS: dict[str, Callable[[Case], None]] = {
    law.__name__: law
    for law in (
        any_cut_same_bytes,
        causal,
        keeps_its_hands_off,
        restart_is_fresh,
        saves_and_loads,
        indices_and_times,
        step_never_learns,
        faults_leave_no_trace,
        label_is_kept,
        bounded,
        recipe_round_trips,
        every_setting_matters,
    )
}
