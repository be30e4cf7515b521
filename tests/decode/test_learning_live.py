"""Live, a decoder that goes on learning does so from each trial behind it, as it does when it is evaluated."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit.core.pipeline import Pipeline
from bcikit.core.stream import Channel, Event, Stream, recording
from bcikit.decode._model import load, save
from bcikit.decode._taught import learns
from bcikit.decode.erp.toeplitz_lda import ToeplitzLda
from bcikit.evaluate.data import cut
from bcikit.evaluate.protocols import stepping
from bcikit.preprocess.epoch import Epoch
from bcikit.preprocess.pick import Pick

RATE, APART, N = 128.0, 32, 240
S = Stream("simulated", RATE, tuple(map(Channel, ("Fz", "Cz", "Pz"))))
KINDS = ("target", "other")


def flashes(seed, late=0, name="{kind}"):
    """A recording of overlapping trials: every third flash has a wave, `late` samples later than usual."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (APART * (N + 6), 3))
    events = []
    for k in range(N):
        kind, at = KINDS[k % 3 != 0], 20 + APART * k
        events.append(Event(at, *name.format(kind=kind, letter="ABC"[k % 3]).split("=")))
        if kind == "target":
            x[at + 30 + late : at + 60 + late] += np.hanning(30)[:, None] * [1.5, 2.5, 1.0]
    return recording(S, x, events)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Learns by itself, or as told: {update: folder}."""
    stages = [Pick(channels=S.names), Epoch(events=KINDS, length=0.8)]
    X, y, s = cut(stages, flashes(1))
    Z, z, _ = cut(stages, flashes(2, late=3))
    folders = {}
    for update in ("none", "expect", "labels"):
        decoder = ToeplitzLda(update=update, every=5, trust=20)
        decoder.fit(np.concatenate([X, Z]), np.concatenate([y, z]), stream=s, groups=np.repeat([0, 1], N))
        folders[update] = save(
            tmp_path_factory.mktemp("m") / update, Pipeline([*stages, decoder]), S, {"labels": list(KINDS)}
        )
    return folders


@pytest.mark.parametrize("update, feedback", [("expect", False), ("labels", True)])
def test_it_says_live_what_it_says_when_it_is_evaluated(model, update, feedback):
    its, source = load(model[update]), flashes(5, late=12)
    told = cut(its.line.stages[:-1], source)
    wanted = stepping(its.decoder, told, np.arange(N), feedback).data
    live = Pipeline(its.live())
    out = live.run(source, sizes=(7, 0, 130, 33, 512) * 99)
    assert out.data.tobytes() == wanted.tobytes()
    assert out.data.tobytes() != Pipeline(load(model["none"]).live()).run(source).data.tobytes()
    assert [e.name for e in out.events] == [KINDS[k % 3 != 0] for k in range(N)], "what teaches stays within"
    assert live.stages[-1].part_name() == "toeplitz_lda"
    assert learns(live.stages) and not learns(load(model["none"]).live()) and not learns(its.live(every=0.1))


@pytest.mark.parametrize("meaning", ["{c}", "trial"])
def test_flashes_whose_meaning_nobody_knows_teach_as_well(model, meaning):
    stages = load(model["expect"]).live()
    events = tuple(f"flash {c}:{meaning.format(c=c)}" for c in "ABC")
    stages[1] = Epoch(**{**stages[1].settings(), "events": events})
    out = Pipeline(stages).run(flashes(5, late=12, name="flash {letter}"), sizes=(7, 0, 130, 33, 512) * 99)
    known = Pipeline(load(model["expect"]).live()).run(flashes(5, late=12))
    assert out.data.tobytes() == known.data.tobytes()
    assert [e.index for e in out.events] == list(range(N))


def test_saved_on_the_way_it_goes_on_with_the_same_bytes(model):
    source = flashes(5, late=12)
    whole = Pipeline(load(model["expect"]).live()).run(source).data
    first, second = source.recut((4000, 10**6))
    line, twin = Pipeline(load(model["expect"]).live()), Pipeline(load(model["expect"]).live())
    line.start(S), twin.start(S)
    head = line.step(first).data
    twin.restore(line.learned())
    twin.restore(line.state())
    assert np.concatenate([head, twin.step(second).data]).tobytes() == whole.tobytes()


def test_where_nobody_tells_when_a_trial_is_over_it_learns_nothing(model):
    out, fixed = (Pipeline(load(model[u]).live(every=0.1)).run(flashes(5)).data for u in ("labels", "none"))
    np.testing.assert_allclose(out, fixed, atol=1e-6)
