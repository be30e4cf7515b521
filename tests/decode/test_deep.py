"""The networks: what runs is what was trained, and is kept as it is; they learn, stop early, and a seed repeats them."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from bcikit.core.errors import WrongUse
from bcikit.core.find import parts
from bcikit.core.pipeline import Pipeline
from bcikit.decode import _model
from bcikit.decode._decoder import trained
from bcikit.decode.deep import _network
from bcikit.decode.deep._network import Network

NETWORKS = {name: cls for name, cls in parts("stage").items() if issubclass(cls, Network) and name != "braindecode"}
HERE = pytest.mark.skipif(bool(_network.missing()), reason="left out: torch and onnx are not installed (the extra deep)")


def rhythms(trials=120, hz=10.0, rate=100.0, seed=0):
    """Simulated: (trials, channels, lags), labels: a rhythm of any phase on the first or on the second channel."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(trials) % 2)
    t = np.arange(100) / rate
    X = rng.normal(0, 1, (trials, 4, 100))
    X[np.arange(trials), y] += 2 * np.sin(2 * np.pi * hz * t + rng.uniform(0, 2 * np.pi, (trials, 1)))
    return X * 10, np.array(["left", "right"])[y]


@HERE
@pytest.mark.parametrize("name", NETWORKS)
def test_what_runs_is_what_torch_trained(name, monkeypatch):
    import torch

    wholes = []
    exported = _network._exported
    monkeypatch.setattr(_network, "_exported", lambda whole, trial: (wholes.append(whole), exported(whole, trial))[1])
    X, y = rhythms(60)
    decoder = NETWORKS[name](rate=100.0, rounds=5).fit(X, y)
    with torch.no_grad():
        p = wholes[0](torch.tensor(X, dtype=torch.float32)[:, None]).numpy()
    np.testing.assert_allclose(decoder.predict_proba(X), p, rtol=0, atol=1e-5)


@HERE
@pytest.mark.parametrize("name", NETWORKS)
def test_rhythms_are_told_apart_in_trials_never_seen(name):
    X, y = rhythms(200)
    decoder = NETWORKS[name](rate=100.0, rounds=40, pace=0.005).fit(X[:120], y[:120])
    assert decoder.score(X[120:], y[120:]) >= 0.9


@HERE
def test_a_seed_gives_the_same_bytes_and_leaves_torch_as_it_was():
    import torch

    X, y = rhythms(40)
    cls = NETWORKS["eegnet"]
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    networks = [cls(rate=100.0, rounds=3, seed=s).fit(X, y).network_.tobytes() for s in (1, 1, 2)]
    assert torch.equal(torch.rand(3), expected)
    assert networks[0] == networks[1] != networks[2]


@HERE
def test_it_stops_on_runs_that_it_does_not_learn_from(monkeypatch):
    X, y = rhythms(60)
    groups = np.repeat([3, 4, 5], 20)
    seen = []
    monkeypatch.setattr(Network, "_trained", lambda self, whole, X, y, out: seen.append(out))
    cls = NETWORKS["eegnet"]
    cls(rate=100.0).fit(X, y, groups=groups)
    assert {tuple(np.unique(groups[seen[0]]))} == {(5,)} and seen[0].sum() == 20
    cls(rate=100.0).fit(X, y)
    out = np.flatnonzero(seen[1])
    assert len(out) == 12 and out.min() > 40, "the last of each class"


@HERE
def test_the_best_round_is_kept_and_patience_ends_it(monkeypatch):
    """Labels at random: nothing gets better for long, so many rounds more change nothing."""
    X, y = rhythms(60)
    y = np.random.default_rng(1).permutation(y)
    cls = NETWORKS["eegnet"]
    after = [cls(rate=100.0, rounds=n, patience=3, pace=0.01).fit(X, y).network_.tobytes() for n in range(1, 16)]
    best = after.index(after[-1])
    assert after[best:] == [after[-1]] * (15 - best) and best <= 11, "worse rounds behind the best change nothing"
    assert cls(rate=100.0, rounds=10_000, patience=3, pace=0.01).fit(X, y).network_.tobytes() == after[-1] != after[0]
    assert cls(rate=100.0, rounds=best + 1, patience=1, pace=0.01).fit(X, y).network_.tobytes() in after[: best + 1]


@HERE
@pytest.mark.parametrize("name", NETWORKS)
def test_a_saved_network_needs_no_torch(name, tmp_path, monkeypatch):
    decoder, source = trained(NETWORKS[name].small(), shape=(3, 64))
    decoder.rate_ = 64.0
    folder = _model.save(tmp_path / "m", Pipeline([decoder]), source.stream, {"labels": ["class 0", "class 1"]})
    for library in ("torch", "onnx"):
        monkeypatch.setitem(sys.modules, library, None)
    back = _model.load(folder).decoder
    assert back.network_.tobytes() == decoder.network_.tobytes()
    np.testing.assert_array_equal(back.predict_proba(source.data[:9]), decoder.predict_proba(source.data[:9]))
    back.network_ = back.network_[:100]
    with pytest.raises(WrongUse, match="no network that can be run"):
        back.predict(source.data[:2])


@pytest.mark.parametrize("name", NETWORKS)
def test_without_the_extra_it_says_what_is_missing_and_brings_no_example(name, monkeypatch):
    monkeypatch.setattr(_network, "find_spec", lambda library: None)
    X, y = rhythms(20)
    assert list(NETWORKS[name].examples()) == []
    with pytest.raises(WrongUse, match="torch, onnx, onnxruntime") as error:
        NETWORKS[name](rate=100.0).fit(X, y)
    assert "bcikit[deep]" in error.value.do


@HERE
@pytest.mark.parametrize("name", NETWORKS)
def test_trials_that_do_not_do_are_refused(name):
    X, y = rhythms(20)
    with pytest.raises(WrongUse, match="rate"):
        NETWORKS[name]().fit(X, y)
    with pytest.raises(WrongUse, match="trials of"):
        NETWORKS[name](rate=100.0).fit(X[..., :20], y)
    with pytest.raises(WrongUse, match="two trials of each class"):
        NETWORKS[name](rate=100.0).fit(X[:2], ["a", "b"])


@HERE
def test_the_norms_of_eegnets_weights_are_bounded():
    import onnx

    X, y = rhythms(60)
    decoder = NETWORKS["eegnet"](rate=100.0, rounds=10, pace=0.05).fit(X, y)
    graph = onnx.load_from_string(decoder.network_.tobytes()).graph
    weights = [onnx.numpy_helper.to_array(w) for w in graph.initializer]
    weights += [onnx.numpy_helper.to_array(a.t) for n in graph.node if n.op_type == "Constant" for a in n.attribute]
    last = next(w for w in weights if sorted(w.shape) == [2, weights_of_last(decoder)])
    assert 0 < np.linalg.norm(last, axis=last.shape.index(weights_of_last(decoder))).max() <= 0.25 + 1e-6


def weights_of_last(decoder):
    """16 features for each quarter of a second of the trial."""
    return 16 * (decoder.shape_[1] // round(100 / 32) // 8)
