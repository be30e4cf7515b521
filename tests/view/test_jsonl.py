"""JSON lines on a clock that jumps: one a second, one at a change of state, one at the end; and what each number is."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np

from bcikit import Pipeline, Stage, Status
from bcikit.acquire.synthetic import Synthetic
from bcikit.core.clock import JumpClock
from bcikit.core.loop import Loop
from bcikit.core.parts import Report
from bcikit.testing import OpenGate, noise
from bcikit.view._watch import Watch
from bcikit.view.jsonl import Jsonl


def test_a_line_a_second_and_one_at_the_end():
    view = Jsonl()
    view.out = io.StringIO()
    loop = Loop(Synthetic(seed=3), None, OpenGate(), JumpClock())
    loop.add(view)
    loop.run(10)
    lines = [json.loads(line) for line in view.out.getvalue().splitlines()]
    assert [int(line["time_s"]) for line in lines] == [*range(10), 9]
    assert lines[-1] == {**lines[-1], "exit": 0, "samples": 2500, "lost": 0, "state": "ended"}


def test_rms_is_that_of_the_newest_second_about_its_mean():
    source = noise(3.0)
    view = opened(source)
    line = view.line(report())
    for i, channel in enumerate(line["channels"]):
        assert abs(channel["rms"] / source.data[-250:, i].astype(float).std() - 1) < 1e-5
        assert (channel["name"], channel["unit"]) == (source.stream.channels[i].name, source.stream.channels[i].unit)


def opened(source):
    view = Jsonl()
    view.out = io.StringIO()
    permit = OpenGate().open(view, source.stream)
    for c in source.chunks:
        permit.send(c)
    return view


def report(**changes):
    return replace(Report(1.0, Status("streaming", 0.01, 250.0), 100, (1.0, 2.0), (0.5, 1.0), {}), **changes)


def test_what_is_not_known_is_null_and_the_line_is_strict_json():
    nan = float("nan")
    view = opened(replace(noise(1.0), chunks=()))
    view.pulse(report(status=Status(), latency_ms=(nan, nan), arrival_ms=(nan, float("inf"))))

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    line = json.loads(view.out.getvalue(), parse_constant=refuse)
    assert line["state"] == "connecting" and line["rate_hz"] is line["age_s"] is line["clock_ms"] is None
    assert line["latency_ms"] == {"p50": None, "p99": None} and line["channels"][0]["rms"] is None and "exit" not in line


def test_a_change_of_state_is_told_at_once():
    view = opened(noise(1.0))
    for time_s, state in [
        (0.1, "streaming"),
        (0.2, "streaming"),
        (0.3, "stale"),
        (0.35, "stale"),
        (0.4, "streaming"),
        (1.0, "streaming"),
    ]:
        view.pulse(report(time_s=time_s, status=Status(state)))
    said = [json.loads(line) for line in view.out.getvalue().splitlines()]
    assert [(line["time_s"], line["state"]) for line in said] == [
        (0.1, "streaming"), (0.3, "stale"), (0.4, "streaming"), (1.0, "streaming"),
    ]  # fmt: skip


def test_a_rail_is_told_though_a_filter_behind_it_hides_it():
    class Away(Stage):  # as a highpass does
        def rows(self, x):
            return x - x.mean(axis=1, keepdims=True) * np.float32(0) - np.float32(x[0])

    source = noise(3.0)
    x = source.data.copy()
    x[:, 2] = 187500.0
    view, watch = Jsonl(), Watch()
    gate = OpenGate()
    line = Pipeline([Away()])
    out = gate.open(view, line.start(source.stream))
    raw = gate.open(watch, source.stream)
    chunk = source.chunks[0].but(data=x)
    raw.send(chunk)
    out.send(line.step(chunk))
    words = [c["quality"] for c in view.line(report())["channels"]]
    assert words[2] != "railed"
    view.watch = watch
    words = [c["quality"] for c in view.line(report())["channels"]]
    assert words[2] == "railed" and "railed" not in words[:2]


def test_the_stated_rate_is_the_boards_where_the_line_tells_more_rarely():
    source, view, watch = noise(1.0), Jsonl(), Watch()
    gate = OpenGate()
    gate.open(view, source.stream.but(rate=2.0))
    assert view.line(report())["rate_nominal_hz"] == 2.0
    view.watch = watch
    gate.open(watch, source.stream)
    assert view.line(report())["rate_nominal_hz"] == source.stream.rate
