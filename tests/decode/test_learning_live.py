"""Live, a decoder that goes on learning does so from each trial behind it, as it does when it is evaluated."""

from __future__ import annotations

import json
import signal

import numpy as np
import pytest

from bcikit.acquire.synthetic import Synthetic
from bcikit.cli import main as cli
from bcikit.core.label import SIMULATED
from bcikit.core.parts import Board, Status
from bcikit.core.pipeline import Pipeline
from bcikit.core.stream import Channel, Chunk, Event, Stream, recording
from bcikit.decode._learner import learns
from bcikit.decode._model import load, save
from bcikit.decode.erp.toeplitz_lda import ToeplitzLda
from bcikit.ethics import sandbox
from bcikit.ethics.consent import Consent
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


# -- from one session to the next


class Played(Board):
    """A board that plays these chunks; None among them is a Ctrl-C."""

    def __init__(self, chunks, live=False):
        self.chunks, self.live = list(chunks), live

    def open(self):
        return S.but(label=self.label if self.live else SIMULATED)

    def read(self, timeout=0.1):
        if self.chunks and self.chunks[0] is None:
            signal.raise_signal(signal.SIGINT)
            self.chunks[0] = Chunk(np.zeros((1, 3), np.float32), self.first, 0.0)  # still in hand when it ends
        c = self.chunks.pop(0) if self.chunks else None
        self.first = c.end if c else 0
        return c

    @property
    def status(self):
        return Status("streaming" if self.chunks else "ended")


@pytest.fixture
def days(monkeypatch):
    """Two halves of a recording: days(half, ..., live=...) makes them `--board synthetic`."""
    halves = list(flashes(5, late=12).recut((4000, 10**6)))

    def plug(*chunks, live=False):
        board = Played(chunks or halves[:1], live)
        monkeypatch.setattr(Synthetic, "make", classmethod(lambda cls, _: board))

    plug.halves = halves
    return plug


def stream(*args):
    return cli.main(["stream", "--board", "synthetic", "--no-view", *map(str, args)])


def all_of(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


@pytest.mark.parametrize("update", ["expect", "labels"])
def test_the_next_session_begins_with_what_was_learnt(model, update, days, tmp_path, capfd):
    first, second = days.halves
    before = all_of(model[update])
    days()
    assert stream("--decode", model[update], "--keep", tmp_path / "new") == 0
    assert f"--decode {tmp_path / 'new'}" in capfd.readouterr().err
    assert all_of(model[update]) == before

    def behind(line, *, state=None):
        line.start(S)
        if state:
            line.restore(state)
        return line.step(second).data.tobytes()

    never_stopped = Pipeline(load(model[update]).live())
    never_stopped.start(S)
    never_stopped.step(first)
    state, learned = never_stopped.state(), never_stopped.learned()
    whole = never_stopped.step(second).data.tobytes()
    never_stopped.restore(learned)
    restarted = behind(never_stopped)
    assert behind(Pipeline(load(tmp_path / "new").live())) == restarted != behind(Pipeline(load(model[update]).live()))
    assert behind(Pipeline(load(tmp_path / "new").live()), state=state) == whole, "what is not state was all kept"


def test_a_kept_model_says_whence_it_comes_and_who_shaped_it(model, days, tmp_path):
    days(days.halves[0], live=True)
    Consent().grant("S1", "research", ["train"])
    assert stream("--decode", model["expect"], "--keep", tmp_path / "a", "--subject", "S1") == 0
    days(days.halves[1])
    assert stream("--decode", tmp_path / "a", "--keep", tmp_path / "b") == 0
    old, a, b = (json.loads((f / "model.json").read_text()) for f in (model["expect"], tmp_path / "a", tmp_path / "b"))
    assert a["subjects"] == b["subjects"] == ["S1"] and a["recipe"] == b["recipe"] == old["recipe"]
    assert [h["from"] for h in b["history"]] == [old["sha256"], a["sha256"]]
    assert [h["samples"] for h in b["history"]] == [len(c) for c in days.halves]
    assert [h["subjects"] for h in b["history"]] == [["S1"], []] and b["history"][:1] == a["history"]
    for meant in (old["use"], "for research", "a simulation"):
        assert meant in b["use"]


def test_ctrl_c_loses_nothing(model, days, tmp_path):
    days(days.halves[0], None, days.halves[1])
    assert stream("--decode", model["expect"], "--keep", tmp_path / "new") == 0
    days(days.halves[0])
    assert stream("--decode", model["expect"], "--keep", tmp_path / "same") == 0
    cut_short, same = (load(tmp_path / n).line.learned() for n in ("new", "same"))
    assert repr(cut_short) == repr(same)


def test_a_session_file_keeps_as_well(model, days, tmp_path):
    days()
    file = tmp_path / "session.toml"
    file.write_text(f'[board]\nuse = "synthetic"\n[decoder]\nuse = "model"\nfolder = "{model["expect"]}"\n')
    assert cli.main(["run", str(file), "--keep", str(tmp_path / "new")]) == 0
    days()
    assert stream("--decode", model["expect"], "--keep", tmp_path / "same") == 0
    assert (tmp_path / "new" / "arrays.safetensors").read_bytes() == (tmp_path / "same" / "arrays.safetensors").read_bytes()


@pytest.mark.parametrize(
    "update, more, said",
    [
        ("none", (), "No model in this line learns"),
        ("expect", ("--decode-every", 0.1), "No model in this line learns"),
        ("expect", ("--sandbox",), "does not leave it"),
    ],
)
def test_where_nothing_is_learnt_there_is_nothing_to_keep(model, days, tmp_path, capfd, update, more, said):
    if "--sandbox" in more and (why := sandbox.available()):
        pytest.skip(f"left out: {why}")
    days()
    assert stream("--decode", model[update], "--keep", tmp_path / "new", *more) == 2
    assert said in capfd.readouterr().err and not (tmp_path / "new").exists()


def test_no_folder_is_written_over_or_left_empty(model, days, tmp_path, capfd, monkeypatch):
    days()
    assert stream("--decode", model["expect"], "--keep", model["none"]) == 4
    assert "exists" in capfd.readouterr().err
    (tmp_path / "file").write_text("")
    assert stream("--decode", model["expect"], "--keep", tmp_path / "file" / "new") == 4
    days(days.halves[0].cut(0, RATE)[0])
    assert stream("--decode", model["expect"], "--keep", tmp_path / "new") == 0, "nothing came"
    days()
    monkeypatch.setattr(ToeplitzLda, "refit", lambda self: 1 / 0)
    assert stream("--decode", model["expect"], "--keep", tmp_path / "new") == 1
    assert not (tmp_path / "new").exists()


def test_who_takes_it_back_while_it_runs_is_not_in_what_is_kept(model, days, tmp_path, capfd, monkeypatch):
    Consent().grant("S1", "research", ["train"])
    days(*days.halves, live=True)
    adapt = ToeplitzLda.adapt
    monkeypatch.setattr(ToeplitzLda, "adapt", lambda self, event: (Consent().revoke("S1"), adapt(self, event))[1])
    assert stream("--decode", model["expect"], "--keep", tmp_path / "new", "--subject", "S1") == 3
    assert "S1" in capfd.readouterr().err and not (tmp_path / "new").exists()
