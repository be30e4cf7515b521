"""The laws, applied to every part that is found; no part is named here."""

from __future__ import annotations

import os
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bcikit.core.find import parts
from bcikit.testing import BOARD_LAWS, SINK_LAWS, STAGE_LAWS, cases

SOAK = bool(os.environ.get("BCIKIT_SOAK"))
STAGES = [case for cls in parts("stage").values() for case in cases(cls)]


def makers(kind):
    """(name, (function that makes a fresh part, the input it brings)) for every example of every part of a kind."""
    for name, cls in parts(kind).items():
        for i, example in enumerate(cls.examples()):
            example, source = example if isinstance(example, tuple) else (example, None)
            yield f"{name}-{i}", (partial(type(example), **example.settings()), source)


BOARDS = {name: make for name, (make, _) in makers("board")}
SINKS = dict(makers("sink"))


def exempt(part, law):
    """A part that cannot keep a law has said so, with the reason; the test shows it."""
    if reason := part.exempt.get(law):
        pytest.skip(f"{part.part_name()} declares: {reason}")


@pytest.mark.parametrize("law", STAGE_LAWS)
@pytest.mark.parametrize("case", STAGES, ids=lambda c: c.name)
def test_stage(case, law):
    exempt(case.stage, law)
    STAGE_LAWS[law](case)


@pytest.mark.parametrize("case", STAGES, ids=lambda c: c.name)
@settings(max_examples=200 if SOAK else 12, deadline=None, suppress_health_check=list(HealthCheck))
@given(cuts=st.lists(st.one_of(st.integers(0, 9), st.integers(0, 700)), max_size=60))
def test_any_cut_that_hypothesis_finds(case, cuts):
    exempt(case.stage, "any_cut_same_bytes")
    STAGE_LAWS["any_cut_same_bytes"](case, cuts)


@pytest.mark.parametrize("case", STAGES, ids=lambda c: c.name)
@settings(max_examples=60 if SOAK else 4, deadline=None, suppress_health_check=list(HealthCheck))
@given(at=st.integers(0, 10_000))
def test_saved_at_any_place_that_hypothesis_finds(case, at):
    exempt(case.stage, "saves_and_loads")
    STAGE_LAWS["saves_and_loads"](case, at)


@pytest.mark.parametrize("law", BOARD_LAWS)
@pytest.mark.parametrize("make", BOARDS.values(), ids=BOARDS)
def test_board(make, law):
    BOARD_LAWS[law](make)


@pytest.mark.parametrize("law", SINK_LAWS)
@pytest.mark.parametrize("make, source", SINKS.values(), ids=SINKS)
def test_sink(make, source, law):
    SINK_LAWS[law](make, source)
