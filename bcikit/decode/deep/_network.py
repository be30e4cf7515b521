"""Convolutional networks as decoders: trained by torch, kept as ONNX, stepped by onnxruntime (the extra `deep`)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np

from ...core.errors import WrongUse
from ...core.parts import Setting, Stage
from ...core.stream import Stream
from ...preprocess.bandpass import Bandpass
from .._decoder import Decoder, trained
from .._folds import folds

if TYPE_CHECKING:
    import torch

NEEDS = ("torch", "onnx", "onnxruntime")
NEAR = 1e-5  # what runs is what torch trained


def missing() -> list[str]:
    """The libraries of the extra `deep` that are not here."""
    return [name for name in NEEDS if find_spec(name) is None]


@dataclass(eq=False)
class Network(Decoder):
    """An author says which `layers` it has; trials are (channels, lags).

    Each channel is divided by its standard deviation over the training trials, their mean taken off. Adam on the cross
    entropy, classes balanced; training stops where trials left out have not got better for `patience` rounds, and the
    best weights are kept. Left out are whole runs where there are several, else the last fifth of each class: never
    neighbours in time of what it learns from. A seed gives the same network on the same machine, and torch's global
    generator is left as it was.

    The network, scaling and softmax are in `network_`, the bytes of an ONNX file (opset 17) that says what torch says within
    1e-5: no torch is needed to run. Raises WrongUse where a library of the extra is missing, trials are too short or too
    few, or ONNX cannot hold the network.
    """

    exempt = {  # noqa: RUF012
        **Decoder.exempt,
        "setting rounds": "few are enough for an example; tests/decode/test_deep.py changes it",
        "setting patience": "few rounds are enough for an example; tests/decode/test_deep.py changes it",
    }

    pace: Annotated[float, Setting("of learning (Adam's)", low=1e-5, high=0.1)] = 1e-3
    batch: Annotated[int, Setting("trials from one step of learning to the next", low=2, high=4096)] = 32
    rounds: Annotated[int, Setting("of learning, at most", low=1, high=10_000)] = 300
    patience: Annotated[int, Setting("rounds without getting better after which it stops", low=1)] = 50
    rate: Annotated[float, Setting("of the samples of a trial, where `fit` is not told the stream", "Hz", low=0)] = 0.0
    seed: Annotated[int, Setting("of weights, order and dropout", low=0, high=2**31 - 1)] = 0

    # -- what an author writes

    def layers(self, channels: int, lags: int, classes: int, rate: float) -> torch.nn.Sequential:
        """From (trials, 1, channels, lags) to (trials, classes), before the softmax. Raises WrongUse for short trials."""
        raise NotImplementedError

    def bound(self, layers: torch.nn.Sequential) -> None:
        """Bound the weights, in place; called behind every step."""

    # -- the same for all

    def before(self) -> list[Stage]:
        return [Bandpass(low=1.0, high=40.0, order=2)]

    def learn(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> None:
        if lacks := missing():
            raise WrongUse(
                f"{self.part_name()} is trained with {', '.join(lacks)}, which is not installed.",
                do="pip install 'bcikit[deep]'",
            )
        rate = float(self.rate_ or self.rate)
        if X.ndim != 3 or not rate:
            raise WrongUse(
                f"{self.part_name()} needs to know the rate of what trials were cut from.",
                do="fit(X, y, stream=...) or the setting rate=..., with X (trials, channels, lags).",
            )
        left_out = list(folds(y, groups))
        if not left_out:
            raise WrongUse(f"{self.part_name()} needs two trials of each class, or two runs that hold all classes.")
        import torch

        threads = torch.get_num_threads()
        with torch.random.fork_rng(devices=[]):
            torch.set_num_threads(1)  # sums do not depend on how many cores there are
            try:
                torch.manual_seed(self.seed)
                layers = self.layers(X.shape[1], X.shape[2], len(self.classes_), rate)
                whole = torch.nn.Sequential(_scaling(X), layers, torch.nn.Softmax(dim=1))
                trials = torch.tensor(X, dtype=torch.float32)[:, None]
                self._trained(whole, trials, torch.tensor(y), left_out[-1])
                self.network_ = np.frombuffer(_exported(whole.eval(), trials[:1]), np.uint8)
                with torch.no_grad():
                    self._checked(trials[:1].numpy(), whole(trials[:1]).numpy())
            finally:
                torch.set_num_threads(threads)

    def _trained(self, whole: torch.nn.Sequential, X: torch.Tensor, y: torch.Tensor, out: np.ndarray) -> None:
        import torch

        scaling, layers = whole[0], whole[1]
        assert isinstance(layers, torch.nn.Sequential)
        X = scaling(X)
        test, train = torch.tensor(np.flatnonzero(out)), torch.tensor(np.flatnonzero(~out))
        count = torch.bincount(y[train], minlength=len(self.classes_)).float()
        loss = torch.nn.CrossEntropyLoss(weight=len(train) / (len(count) * count))
        steps = torch.optim.Adam(layers.parameters(), lr=self.pace)
        best, kept, since = np.inf, layers.state_dict(), 0
        for _ in range(self.rounds):
            layers.train()
            order = train[torch.randperm(len(train))]
            for some in order.tensor_split(max(round(len(order) / self.batch), 1)):
                steps.zero_grad()
                loss(layers(X[some]), y[some]).backward()
                steps.step()
                self.bound(layers)
            layers.eval()
            with torch.no_grad():
                now = float(loss(layers(X[test]), y[test]))
            since += 1
            if now < best:
                best, since = now, 0
                kept = {name: value.clone() for name, value in layers.state_dict().items()}
            if since >= self.patience:
                break
        layers.load_state_dict(kept)

    def _checked(self, trial: np.ndarray, wanted: np.ndarray) -> None:
        """Raises WrongUse where what was kept does not say of this trial (1, 1, channels, lags) what torch says."""
        try:
            off = float(np.abs(session(self.network_, self.part_name())(None, {"trials": trial})[0] - wanted).max())
        except Exception as error:  # onnxruntime's, of its own many kinds
            raise WrongUse("This network cannot be run by onnxruntime.", str(error)[:200]) from None
        if not off <= NEAR:
            raise WrongUse("Kept as ONNX, this network is another.", f"It is {off:.2g} off what torch says.")

    # -- the stage

    def prepare(self, s: Stream) -> None:
        self.ask = session(self.network_, self.part_name())

    def decide(self, x: np.ndarray) -> np.ndarray:
        return self.ask(None, {"trials": x[None, None].astype(np.float32)})[0][0].astype(float)

    @classmethod
    def small(cls) -> Self:
        """Settings for trials of 64 lags, which learn fast: for the laws."""
        return cls(rate=64.0, rounds=15, patience=5, pace=0.02)

    @classmethod
    def examples(cls) -> Iterator[Any]:
        if not missing():  # else there is nothing to try: tests/decode/test_deep.py tells
            yield trained(cls.small(), shape=(3, 64))


def _scaling(X: np.ndarray) -> torch.nn.Module:
    """Each channel less its mean over the trials, in standard deviations, as a layer without weights to learn."""
    import torch

    mean, sd = X.mean(axis=(0, 2)), np.maximum(X.std(axis=(0, 2)), 1e-12)

    class Scaling(torch.nn.Module):
        mean: torch.Tensor
        sd: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32)[:, None])
            self.register_buffer("sd", torch.tensor(sd, dtype=torch.float32)[:, None])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x - self.mean) / self.sd

    return Scaling()


def _exported(whole: torch.nn.Module, trial: torch.Tensor) -> bytes:
    """The network, in evaluation, as the bytes of an ONNX file that takes one trial like this (1, 1, channels, lags).
    Weights that it makes of others (of bounded norm, say) are as they are now. Raises WrongUse where ONNX has no word for
    what it does."""
    import torch
    from torch.nn.utils import parametrize

    for module in list(whole.modules()):
        for name in list(getattr(module, "parametrizations", ())):
            parametrize.remove_parametrizations(module, name)
    file: Any = BytesIO()  # which the exporter's type hints forget
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the newer exporter needs a further library, for the same graph
        try:
            frozen = torch.jit.freeze(torch.jit.trace(whole, trial))
            torch.onnx.export(
                frozen,
                (trial,),
                file,
                dynamo=False,
                opset_version=17,
                input_names=["trials"],
                output_names=["probabilities"],
            )
        except RuntimeError as error:
            raise WrongUse("This network cannot be kept as ONNX.", str(error).splitlines()[0][:200]) from None
    return file.getvalue()


def session(network: np.ndarray, name: str) -> Callable[..., Any]:
    """What runs the bytes of an ONNX file. name: of the part, for what is told. Raises WrongUse where they cannot be run."""
    try:
        import onnxruntime
    except ImportError:
        raise WrongUse(f"{name} runs on onnxruntime.", do="pip install 'bcikit[deep]'") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # the loop's own thread, and the same sums
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(network.tobytes(), options, ["CPUExecutionProvider"]).run
    except Exception as error:  # of its own many kinds
        raise WrongUse(f"{name} holds no network that can be run.", str(error)[:200]) from None
