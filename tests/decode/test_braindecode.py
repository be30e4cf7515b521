"""Networks of Braindecode by name: as `braindecode.models` asks to be made, by a stand-in where it is not installed."""

from __future__ import annotations

import sys
import types
from importlib.util import find_spec

import numpy as np
import pytest

from bcikit.core.errors import WrongUse
from bcikit.core.pipeline import Pipeline
from bcikit.core.stream import Channel, Stream
from bcikit.decode import _model
from bcikit.decode.deep import _network
from bcikit.decode.deep.braindecode import Braindecode
from bcikit.decode.estimator import named

pytestmark = pytest.mark.skipif(bool(_network.missing()), reason="left out: torch and onnx are not installed (extra deep)")
S = Stream("simulated", 100.0, tuple(map(Channel, ("C3", "Cz", "C4", "Pz"))))


def rhythms(trials=120, seed=0):
    """Simulated: (trials, channels, lags), labels: a rhythm of 10 Hz on the first or on the second channel."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(trials) % 2)
    X = rng.normal(0, 10, (trials, 4, 100))
    X[np.arange(trials), y] += 20 * np.sin(2 * np.pi * np.arange(100) / 10 + rng.uniform(0, 2 * np.pi, (trials, 1)))
    return X, np.array(["left", "right"])[y]


def library():
    """A module with what Braindecode's networks are like: they add the axis themselves, hold weights that are made of others
    (of bounded norm), reckon on weights as they step, and speak up where they were told too little."""
    import torch
    from torch import nn
    from torch.nn.utils import parametrize

    class Bounded(nn.Module):
        def forward(self, w):
            return w.renorm(2, 0, 1.0)

    class Small(nn.Module):
        def __init__(self, n_chans=None, n_outputs=None, chs_info=None, n_times=None, sfreq=None, filters=8):
            super().__init__()
            if (n_chans, n_times, sfreq) != (4, 100, 100.0):
                raise ValueError("told wrongly")
            self.told = chs_info
            self.time, self.space = nn.Conv2d(1, filters, (1, 11)), nn.Conv2d(filters, filters, (n_chans, 1), bias=False)
            self.norm, self.last = nn.BatchNorm2d(filters), nn.Linear(filters, n_outputs)
            parametrize.register_parametrization(self.last, "weight", Bounded())

        @property
        def chs_info(self):
            if self.told is None:
                raise ValueError("chs_info not specified.")
            return self.told

        def forward(self, x):
            bias = self.space.weight.squeeze().sum(-1).mm(self.time.bias.unsqueeze(-1)).squeeze()
            y = torch.nn.functional.conv2d(self.time(x[:, None]), self.space.weight) + bias[None, :, None, None]
            return self.last(torch.log(self.norm(y).square().mean(dim=(2, 3)) + 1e-6))

    class Spectral(Small):
        def forward(self, x):
            return super().forward(torch.fft.irfft(torch.fft.rfft(x), n=x.shape[-1]))

    return types.SimpleNamespace(Small=Small, Spectral=Spectral)


@pytest.fixture
def stand_in(monkeypatch):
    monkeypatch.setitem(sys.modules, "braindecode", types.SimpleNamespace(models=library()))


def test_it_learns_by_name_and_runs_without_the_library(stand_in, tmp_path, monkeypatch):
    X, y = rhythms()
    decoder = named("braindecode:Small(filters=4)").set_params(rounds=40, pace=0.02)
    assert isinstance(decoder, Braindecode) and decoder.model == "Small(filters=4)"
    decoder.fit(X[:80], y[:80], stream=S)
    assert decoder.score(X[80:], y[80:]) >= 0.9
    folder = _model.save(tmp_path / "m", Pipeline([decoder]), S, {"labels": ["left", "right"]})
    for gone in ("braindecode", "torch", "onnx"):
        monkeypatch.setitem(sys.modules, gone, None)
    np.testing.assert_array_equal(_model.load(folder).decoder.predict_proba(X[80:]), decoder.predict_proba(X[80:]))


@pytest.mark.parametrize(
    "text, said",
    [
        ("braindecode:Smal", r"no network 'Smal'.*\n.*'Small'"),
        ("braindecode:Small(depth=3)", r"Small cannot be made .*\n.*depth"),
        ("braindecode:Spectral", r"cannot be kept as ONNX.*\n.*fft"),
    ],
)
def test_what_cannot_be_is_said(stand_in, text, said):
    X, y = rhythms(20)
    with pytest.raises(WrongUse, match=said):
        named(text).set_params(rounds=1).fit(X, y, stream=S)


def test_where_the_library_is_missing_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "braindecode", None)
    X, y = rhythms(20)
    with pytest.raises(WrongUse, match="pip install braindecode"):
        named("braindecode:EEGNet").fit(X, y, stream=S)


@pytest.mark.skipif(find_spec("braindecode") is None, reason="left out: Braindecode is not installed")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["EEGNet", "ShallowFBCSPNet", "Deep4Net", "ATCNet"])
def test_its_own_networks(name):
    X, y = rhythms(40)
    decoder = named(f"braindecode:{name}").set_params(rounds=2).fit(X, y, stream=S)
    assert decoder.predict_proba(X).shape == (40, 2)
