"""Muscle: what a simulated person clenches is found, its blinks and rhythms are not."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit import WrongUse
from bcikit.acquire.synthetic import Synthetic
from bcikit.core.clock import JumpClock
from bcikit.core.pipeline import Pipeline
from bcikit.core.stream import Channel, Recording, Stream, recording
from bcikit.preprocess.muscle import Muscle


def person(script, seconds=60, seed=0):
    board = Synthetic(n=8, seed=seed, artefacts=False, script=script, channels=("C3", "C4", "T7", "T8", "Fp1", "Fp2", "Pz"))
    board.clock = JumpClock()
    with board:
        s = board.open()
        chunks = []
        while sum(map(len, chunks)) < seconds * 250:
            chunks.append(board.read())
    return Recording(s, tuple(chunks))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_clench_is_found_soon_and_nothing_else(seed):
    source = person(("rest:9.5", "clench:0.5"), seed=seed)
    clenches = [e.index for e in source.events if e.name == "truth:clench"]
    out = Pipeline([Muscle()]).run(source)
    on = [e.index for e in out.events if e.name == "muscle" and e.value == "on"]
    off = [e.index for e in out.events if e.name == "muscle" and e.value == "off"]
    assert len(clenches) >= 5
    found = [any(0 < i - c < 100 for i in on) for c in clenches]
    stray = [i for i in on if not any(0 < i - c < 500 for c in clenches)]
    assert all(found) and len(stray) <= 1 and len(on) - len(off) in (0, 1)
    assert out.data.tobytes() == source.data.tobytes()


def test_blinks_and_closed_eyes_are_no_muscle():
    source = person(("open:5", "blink:2", "blink:3", "closed:5"), 60)
    out = Pipeline([Muscle()]).run(source)
    assert sum(e.value for e in out.events if e.name == "muscle share") < 0.02 * 60


def test_it_blanks_and_tells_the_share():
    source = person(("rest:9.5", "clench:0.5"))
    out = Pipeline([Muscle(blank=True)]).run(source)
    lost = np.isnan(out.data).all(axis=1)
    told = [(e.index, e.value) for e in out.events if e.name == "muscle share"]
    hops = round(0.1 * 250)
    assert [i for i, _ in told] == [10 * hops * k - 1 for k in range(1, len(told) + 1)]
    assert np.isclose(sum(v for _, v in told) * 10 * hops, lost.sum(), atol=hops)
    assert lost.sum() > 5 * 0.3 * 250


def test_a_rate_too_low_for_it_is_refused():
    with pytest.raises(WrongUse, match="muscle:low=55"):
        Muscle().start(Stream("slow", 100.0, (Channel("C3"),)))
    s = Stream("slow", 100.0, (Channel("C3"),))
    Pipeline([Muscle(low=30)]).run(recording(s, np.zeros((500, 1))))
