"""Movement from neural activity by a recurrent network on the newest bins: trained by torch, stepped by onnxruntime."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Annotated, Any, ClassVar, Self

import numpy as np

from ...core.errors import WrongUse
from ...core.parts import Setting, Stage
from ...core.stream import Channel, Stream
from ..deep._network import missing, session
from .kalman import _reaches

FAR = 5.0  # standard deviations at which counts are cut


@dataclass(eq=False)
class Gru(Stage):
    """A layer of gated recurrent units runs over this bin and the `lags` - 1 before it, from rest; what it ends with is read
    out linearly. So nothing older than that leaves a trace.

    Input (bins, channels): counts or power, one row a bin; output (bins, outputs) in the unit of the Y it was fitted to; no
    delay of its own. Before the first bin, and behind a gap, the channels are taken at their means, and so is NaN. The
    network is in `network_`, the bytes of an ONNX file (opset 17): no torch is needed to run. Raises WrongUse where it was
    not fitted, the stream has other channels, or a library of the extra `deep` is missing.

    Source: K. Cho et al., EMNLP 2014, 1724-1734, doi:10.3115/v1/D14-1179; networks of this kind on motor cortex: D. Sussillo
    et al., J. Neural Eng. 9:026027, 2012, doi:10.1088/1741-2560/9/2/026027.
    """

    exempt: ClassVar = {
        f"setting {n}": "it acts in fit" for n in ("lags", "units", "dropout", "pace", "batch", "rounds", "seed")
    }

    channels: Annotated[tuple[str, ...], Setting("channels or kinds that are decoded; none named: all")] = ()
    outputs: Annotated[tuple[str, ...], Setting("names of what is told, in the order of Y")] = ("x", "y")
    kind: Annotated[str, Setting("kind of the channels that come out")] = "velocity"
    unit: Annotated[str, Setting("their unit")] = "m/s"
    lags: Annotated[int, Setting("bins that are looked at: this one and those before it", low=1, high=1000)] = 12
    units: Annotated[int, Setting("of the layer", low=1, high=4096)] = 64
    dropout: Annotated[float, Setting("share of channels that a round of learning does without", low=0, high=0.9)] = 0.3
    pace: Annotated[float, Setting("of learning (Adam's)", low=1e-5, high=0.1)] = 2e-3
    batch: Annotated[int, Setting("bins from one step of learning to the next", low=2, high=4096)] = 128
    rounds: Annotated[int, Setting("of learning", low=1, high=10_000)] = 15
    seed: Annotated[int, Setting("of weights, order and dropout", low=0, high=2**31 - 1)] = 0

    def fit(self, X: Any, Y: Any, runs: Any = None) -> Self:
        """X (bins, channels) and the movement Y (bins, outputs) of the same bins. runs (bins): a number for each stretch; no
        bin looks back across its border. Bins with NaN in Y are left out; NaN in X is the mean. A seed gives the same
        network on the same machine, and torch's global generator is left as it was. Raises WrongUse where too little is
        left or torch is missing."""
        X, Y = np.asarray(X, float), np.asarray(Y, float)
        if X.ndim != 2 or Y.shape != (len(X), len(self.outputs)):
            what = f"gru cannot learn from X {X.shape} and Y {Y.shape}."
            raise WrongUse(what, f"X is (bins, channels), Y (bins, {len(self.outputs)}): a column for each of outputs.")
        known = np.isfinite(Y).all(axis=1)
        if known.sum() < self.batch:
            raise WrongUse(f"gru cannot learn from {known.sum()} bins with a known movement.")
        if lacks := missing():
            raise WrongUse(f"gru is trained with {', '.join(lacks)}, not installed.", do="pip install 'bcikit[deep]'")
        self.mean_, spread = np.nanmean(X, axis=0), np.nanstd(X, axis=0)
        self.spread_ = np.where(spread > 1e-9, spread, np.inf)
        self.lags_, self.y_mean_, self.y_spread_ = self.lags, Y[known].mean(axis=0), np.maximum(Y[known].std(axis=0), 1e-12)
        F, at = self._seen(X), np.arange(len(X))[:, None] + np.arange(1 - self.lags, 1)
        runs = np.zeros(len(X)) if runs is None else np.asarray(runs)
        begins = np.flatnonzero(np.diff(runs, prepend=runs[0] - 1) != 0)
        first = begins[np.searchsorted(begins, np.arange(len(X)), side="right") - 1]
        seen = np.where((at >= first[:, None])[..., None], F[np.maximum(at, 0)], np.float32(0))
        y = ((Y - self.y_mean_) / self.y_spread_).astype(np.float32)
        self.network_ = np.frombuffer(self._trained(seen[known], y[known]), np.uint8)
        return self

    def _trained(self, seen: np.ndarray, y: np.ndarray) -> bytes:
        """seen (bins, lags, channels) and y (bins, outputs), standardised: the network's ONNX file."""
        import torch

        class Layers(torch.nn.Module):
            def __init__(self, channels: int, units: int, outputs: int, dropout: float) -> None:
                super().__init__()
                self.less = torch.nn.Dropout(dropout)
                self.layer = torch.nn.GRU(channels, units, batch_first=True)
                self.read = torch.nn.Linear(units, outputs)

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                told: torch.Tensor = self.read(self.layer(self.less(x))[0][:, -1])
                return told

        threads = torch.get_num_threads()
        with torch.random.fork_rng(devices=[]):
            torch.set_num_threads(1)  # sums do not depend on how many cores there are
            try:
                torch.manual_seed(self.seed)
                net = Layers(seen.shape[2], self.units, y.shape[1], self.dropout)
                X, want = torch.tensor(seen), torch.tensor(y)
                steps = torch.optim.Adam(net.parameters(), lr=self.pace)
                slower = torch.optim.lr_scheduler.CosineAnnealingLR(steps, self.rounds)
                for _ in range(self.rounds):
                    for some in torch.randperm(len(X)).split(self.batch):
                        steps.zero_grad()
                        torch.nn.functional.mse_loss(net(X[some]), want[some]).backward()
                        steps.step()
                    slower.step()
                return _exported(net.eval(), seen.shape[1:])
            finally:
                torch.set_num_threads(threads)

    def predict(self, X: Any, runs: Any = None) -> np.ndarray:
        """(bins, outputs), float64, of X (bins, channels), from rest in each run: what `step` gives."""
        self._ready()
        X = np.asarray(X, float)
        if X.ndim != 2 or X.shape[1] != len(self.mean_):
            raise WrongUse(f"gru was fitted to {len(self.mean_)} channels; X is {X.shape}.")
        runs = np.zeros(len(X)) if runs is None else np.asarray(runs)
        cuts = np.flatnonzero(np.diff(runs) != 0) + 1
        return np.concatenate([self._told(self._rest(), part)[0] for part in np.split(self._seen(X), cuts)])

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The settings, as scikit-learn asks for them."""
        return self.settings()

    # -- the stage

    def _ready(self) -> None:
        if not hasattr(self, "network_"):
            raise WrongUse("gru was not fitted.", do="Call fit(X, Y) first, or restore what was learnt.")
        if len(self.outputs) != len(self.y_mean_):
            raise WrongUse(f"gru was fitted to {len(self.y_mean_)} outputs; {len(self.outputs)} are named.")
        self.ask = session(self.network_, "gru")

    def _seen(self, x: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            z = (np.where(np.isfinite(x), x, self.mean_) - self.mean_) / self.spread_
        return np.clip(z, -FAR, FAR).astype(np.float32)

    def _rest(self) -> np.ndarray:
        return np.zeros((self.lags_ - 1, len(self.mean_)), np.float32)

    def _told(self, past: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The outputs of rows x behind `past`, oldest first, one row after the other; and the past of the row to come."""
        x = np.concatenate([past, x])
        n = len(x) - len(past)
        out = np.empty((n, len(self.y_mean_)))
        for k in range(n):
            out[k] = self.ask(None, {"bins": x[None, k : k + self.lags_]})[0][0]
        return out * self.y_spread_ + self.y_mean_, x[n:].copy()

    def setup(self, s: Stream) -> Stream:
        self._ready()
        self.columns = s.pick(self.channels) if self.channels else list(range(len(s.channels)))
        if len(s.shape) != 1 or len(self.columns) != len(self.mean_):
            raise WrongUse(
                f"gru was fitted to {len(self.mean_)} channels; {s.name} has {len(self.columns)}, shape {s.shape}.",
                do="Fit it to what comes out of the same stages.",
            )
        self.settle = self.lags_ / s.rate if s.rate else 0.0
        self._past = self._rest()
        channels = tuple(Channel(name, self.kind, self.unit) for name in self.outputs)
        return s.but(name=f"{self.kind} from {s.name}", channels=channels, scale=None)

    def rows(self, x: np.ndarray) -> np.ndarray:
        y, self._past = self._told(self._past, self._seen(x[:, self.columns].astype(float)))
        return y.astype(np.float32)

    @classmethod
    def examples(cls) -> Iterator[Any]:
        if missing():  # else there is nothing to try
            return
        counts, movement = _reaches()
        position = cls(channels=("u0", "u2", "u5"), kind="position", unit="m", lags=4, units=4, rounds=2)
        yield position.fit(counts.data[:, [0, 2, 5]], movement), counts
        newest = cls(channels=("u1", "u3", "u4"), outputs=("vx", "vy"), lags=1, units=4, rounds=2)
        yield newest.fit(counts.data[:, [1, 3, 4]], movement), counts


def _exported(net: Any, shape: tuple[int, ...]) -> bytes:
    """(lags, channels): the network, in evaluation, as the bytes of an ONNX file."""
    import torch

    file: Any = BytesIO()  # which the exporter's type hints forget
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the newer exporter needs a further library, for the same graph
        torch.onnx.export(
            net,
            (torch.zeros(1, *shape),),
            file,
            dynamo=False,
            opset_version=17,
            input_names=["bins"],
            output_names=["movement"],
        )
    return bytes(file.getvalue())
