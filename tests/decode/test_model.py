"""A model's folder: the same bytes from it, and a word for whatever is wrong with it or with the stream."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from bcikit.core.errors import BciError, FileTrouble, WrongUse
from bcikit.core.pipeline import Pipeline, build
from bcikit.core.stream import Channel, Event, Stream, recording
from bcikit.decode._model import fingerprint, load, note, save
from bcikit.decode.estimator import Estimator
from bcikit.ethics import sandbox
from bcikit.preprocess.bandpass import Bandpass
from bcikit.preprocess.epoch import Epoch
from bcikit.preprocess.pick import Pick
from bcikit.preprocess.rename import Rename
from bcikit.preprocess.resample import Resample

RATE = 100.0
S = Stream("simulated", RATE, tuple(Channel(n) for n in ("C3", "C4", "Cz", "accel")))


def played(n=24, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (100 * n + 200, 4)).astype(np.float32)
    events = []
    for k in range(n):
        at = 100 + 100 * k
        x[at : at + 60, k % 2] += 6 * np.sin(2 * np.pi * 15 * np.arange(60) / RATE)
        events.append(Event(at, "cue", ("left", "right")[k % 2]))
    return recording(S, x, events)


@pytest.fixture
def model(tmp_path):
    front = [Pick(channels=("C3", "C4", "Cz")), Bandpass(low=8, high=30, order=2)]
    epoch = Epoch(events=("cue=left:left", "cue=right:right"), length=0.6)
    out = Pipeline([*front, epoch]).run(played())
    y = [e.name for e in out.events]
    decoder = Estimator(chain=("pyriemann:TangentSpace", "sklearn:LogisticRegression"))
    decoder.fit(out.data, y, stream=S.but(channels=S.channels[:3]))
    line = Pipeline([*front, epoch, decoder])
    folder = save(tmp_path / "model", line, S.but(channels=S.channels[:3]), {"labels": ["left", "right"], "subjects": []})
    return folder, line


def test_from_the_folder_it_says_the_same_bytes(model):
    folder, line = model
    wanted = line.run(played(seed=1))
    got = Pipeline(load(folder).live()).run(played(seed=1), sizes=iter([9, 0, 130] * 1000))
    assert got.data.tobytes() == wanted.data.tobytes() and got.stream == wanted.stream
    said = [got.stream.alphabet[k] for k in got.data.argmax(axis=1)]
    assert said == [e.name for e in got.events]
    assert sorted(p.name for p in folder.iterdir()) == ["arrays.safetensors", "model.json"]


def test_continuously_it_tells_what_goes_on(model):
    out = Pipeline(load(model[0]).live(every=0.2)).run(played(seed=2))
    assert out.stream.rate == 5 and out.data.shape[1] == 2
    assert np.isfinite(out.data).all()


@pytest.mark.parametrize("name", ["model", "sandbox"])
def test_as_a_stage_of_a_session_and_in_the_sandbox_it_says_the_same(model, name):
    if name == "sandbox" and (why := sandbox.available()):
        pytest.skip(f"left out: {why}")
    folder, line = model
    table = {"stage": "model", "folder": str(folder)}
    stage = build(table if name == "model" else {"stage": "sandbox", "line": [table]})
    assert build(stage.recipe()).recipe() == stage.recipe()
    got = Pipeline([stage]).run(played(seed=1), sizes=iter([9, 0, 130] * 1000))
    assert got.data.tobytes() == line.run(played(seed=1)).data.tobytes()


@pytest.mark.parametrize(
    "stream, said",
    [
        (S.but(rate=250.0), "trained at 100 Hz"),
        (S.but(channels=(Channel("C3"), Channel("Fz"), Channel("Cz"))), "needs the channels C4"),
    ],
)
def test_another_rate_or_montage_is_refused(model, stream, said):
    with pytest.raises(WrongUse, match=said):
        Pipeline(load(model[0]).live()).start(stream)


def test_a_rate_that_is_rounded_and_more_channels_in_another_order_will_do(model):
    Pipeline(load(model[0]).live()).start(S.but(rate=100.2, channels=S.channels[::-1]))


def test_channels_are_mapped_and_a_rate_is_made_where_one_says_so(model):
    theirs = tuple(Channel(n) for n in ("1", "2", "3", "accel"))
    front = [Rename(channels=("1:C3", "2:C4", "3:Cz")), Resample(rate=100)]
    with pytest.raises(WrongUse, match=r"--stage rename:channels=1:C3\+"):
        Pipeline(load(model[0]).live()).start(S.but(channels=theirs))
    out = Pipeline([*front, *load(model[0]).live()]).start(S.but(rate=250.0, channels=theirs))
    assert out.names == ("left", "right")


def test_how_good_it_is_stands_in_the_folder(model):
    note(model[0], {"metric": "accuracy", "mean": 0.9})
    assert load(model[0]).about["metrics"] == {"metric": "accuracy", "mean": 0.9}


def change(folder, **more):
    """As somebody would who means harm, and makes the fingerprint anew."""
    path = folder / "model.json"
    said = json.loads(path.read_text()) | more
    path.write_text(json.dumps({**said, "sha256": fingerprint(said, (folder / "arrays.safetensors").read_bytes())}))


def numbers(value, at=()):
    """Where the numbers stand."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from numbers(value[key], (*at, key))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield at


def test_no_number_that_decides_changes_unseen(model):
    path = model[0] / "model.json"
    said = json.loads(path.read_text())
    places = [(part, *at) for part in ("recipe", "learned", "rate_hz", "channels") for at in numbers(said[part])]
    assert len(places) > 5
    for *way, last in places:
        told = json.loads(path.read_text())
        within = told
        for key in way:
            within = within[key]
        within[last] += 1
        (other := model[0].parent / "other").mkdir(exist_ok=True)
        shutil.copy(model[0] / "arrays.safetensors", other)
        (other / "model.json").write_text(json.dumps(told))
        with pytest.raises(FileTrouble, match="not what was written"):
            load(other)


@pytest.mark.parametrize(
    "damage",
    [
        lambda f: (f / "model.json").write_text("{"),
        lambda f: (f / "model.json").unlink(),
        lambda f: (f / "arrays.safetensors").unlink(),
        lambda f: (f / "arrays.safetensors").write_bytes((f / "arrays.safetensors").read_bytes()[:-1]),
        lambda f: change(f, learned={}),
        lambda f: change(f, learned={"stages": [{}, {}, {}, {"links_": [{"__class__": "os:system", "vars": {}}]}]}),
        lambda f: change(f, learned=[]),
        lambda f: change(f, recipe={"stage": "pipeline", "stages": [{"stage": "bandpass"}]}),
        lambda f: change(f, recipe={"stage": "nothing"}),
        lambda f: change(f, format=99),
        shutil.rmtree,
    ],
)
def test_a_damaged_folder_is_told(model, damage):
    damage(model[0])
    with pytest.raises(BciError) as told:
        load(model[0])
    assert len(str(told.value).splitlines()) <= 3


def test_a_folder_that_cannot_be_written_is_told(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileTrouble, match="cannot be written"):
        save(tmp_path / "file" / "model", model[1], S, {})
