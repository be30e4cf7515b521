"""What every decoder is: a stage on trials that is also a scikit-learn classifier.

An author writes `learn(X, y)`, which sets attributes ending in `_`, and `decide(x)`, the probabilities of the classes for
one trial; `prepare(s)` where there is state of the stream (a running mean: `self._mean = ...`). The base class keeps the
rest: labels, checks, scikit-learn's methods, saving, and that `predict_proba` is `step`.

    decoder = Mine().fit(X, y, stream=s)       # X (trials, channels, lags), y any labels, s what the trials are cut from
    decoder.predict(X), decoder.predict_proba(X)
    Pipeline([Bandpass(), Epoch(), decoder])   # the same, live
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from ..core.errors import WrongUse, nearest
from ..core.label import SIMULATED
from ..core.parts import Stage
from ..core.stream import Channel, Recording, Stream, recording
from ._kept import packed, unpacked


class Decoder(Stage):
    """(trials, channels, lags) or (trials, features) in; (trials, classes) out, probabilities, whose channels are named like
    the classes. Behind `window` it decodes continuously, behind `epoch` once for each event. A trial with NaN gives NaN.

    Learnt: classes_ (sorted labels), shape_ of a trial, and of what the trials were cut from, where `fit` was told:
    rate_ (Hz, else None) and names_ (channels, else empty). paradigm: which data it is for (mi, ssvep, p300, ...).
    before(): the stages it wants in front of the cutting of trials, where the user names none.
    """

    holds = False
    exempt = {  # noqa: RUF012
        "every_setting_matters": "settings say how it learns; tests/decode/test_decoders.py trains it with each anew",
    }
    paradigm: ClassVar[str] = ""
    _estimator_type = "classifier"
    classes_: np.ndarray
    shape_: tuple[int, ...]
    rate_: float | None
    names_: tuple[str, ...]

    # -- what an author writes

    def learn(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> None:
        """X (trials, *shape) finite floats, in the order recorded; y (trials,) indices into `classes_`; groups (trials,)
        whose trial it is and of which run: equal numbers for one run."""
        raise NotImplementedError(f"{type(self).__name__} has no learn()")

    def decide(self, x: np.ndarray) -> np.ndarray:
        """One trial (*shape) -> (classes,) probabilities. May use and change the state of the stream; never learns."""
        raise NotImplementedError(f"{type(self).__name__} has no decide()")

    def prepare(self, s: Stream) -> None:
        """Make the state of the stream (`_name`) and what is derived from settings and what was learnt."""

    def before(self) -> list[Stage]:
        """The causal stages it wants in front of the cutting of trials."""
        return []

    def behind(self) -> list[Stage]:
        """The stages it wants between the cutting of trials and itself: what is learnt of no other trial, so that it is
        done once for all that train on it."""
        return []

    # -- scikit-learn

    def fit(self, X: Any, y: Any, *, stream: Stream | None = None, groups: Any = None) -> Self:
        """X (trials, channels, lags) or (trials, features); y (trials,) labels. stream: what the trials were cut from, for
        its rate and the names of its channels. groups: of each trial, its run. Trials with NaN are left out.
        Raises WrongUse where they do not fit together, there are fewer than two classes, or nothing can be learnt."""
        X, y = np.asarray(X), np.asarray(y)
        if X.ndim < 2 or y.shape != (len(X),) or X.dtype.kind not in "biuf" or not all(X.shape[1:]):
            raise WrongUse(f"{self.part_name()} cannot learn from {X.shape} trials ({X.dtype}) with {y.shape} labels.")
        groups = np.zeros(len(X), int) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
        whole = np.isfinite(X).all(axis=tuple(range(1, X.ndim)))
        X, y, groups = np.asarray(X[whole], float), y[whole], groups[whole]
        for name in [n for n in vars(self) if n.endswith("_") and n[0] != "_"]:
            delattr(self, name)
        try:
            classes = np.unique(y)
        except TypeError:
            raise WrongUse(f"{self.part_name()} cannot sort labels of several kinds.", do="Write all as text.") from None
        if len(classes) < 2:
            raise WrongUse(
                f"{self.part_name()} cannot learn from trials of one class.",
                f"It was given {len(y)} trials" + (f", all {classes[0]!s}." if len(y) else "."),
            )
        self.classes_, self.shape_ = classes, X.shape[1:]
        self.rate_ = float(stream.rate) if stream else None
        self.names_ = stream.names if stream else ()
        try:
            with warnings.catch_warnings():  # scikit-learn's, of few trials and convergence: the score tells
                warnings.simplefilter("ignore", UserWarning)
                self.learn(X, np.searchsorted(classes, y), groups)
            if not np.isfinite(self.predict_proba(X[:1])).all():
                raise FloatingPointError("What it learnt has no value for a trial that it learnt from.")
        except (ValueError, ArithmeticError, IndexError) as error:  # the methods' own words for data that hold nothing
            del self.classes_
            raise WrongUse(
                f"{self.part_name()} can learn nothing from these {len(X)} trials of shape {self.shape_}.",
                " ".join(str(error).split())[:200] or type(error).__name__,
                "Are there several trials of each class, and is there a signal in them, in µV?",
            ) from error
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """(trials, classes): what `step` gives for these trials in this order, from a fresh start."""
        X = np.asarray(X)
        twin = copy.copy(self)
        names = self.names_ if X.ndim > 1 and len(getattr(self, "names_", ())) == X.shape[1] else None
        channels = tuple(Channel(n) for n in names or map(str, range(X.shape[1])))
        twin.start(Stream("trials", 0.0, channels, X.shape[1:]))
        return twin.probabilities(X)

    def predict(self, X: Any) -> np.ndarray:
        """(trials,) the most probable label of each."""
        return self.classes_[np.argmax(self.predict_proba(X), axis=1)]

    def score(self, X: Any, y: Any) -> float:
        """The share of trials told right."""
        return float(np.mean(self.predict(X) == np.asarray(y)))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return self.settings()

    def set_params(self, **params: Any) -> Self:
        for name, value in type(self).make({**self.settings(), **params}).settings().items():
            setattr(self, name, value)
        return self

    def __sklearn_clone__(self) -> Self:
        return type(self)(**self.settings())

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "classes_")

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        takes = InputTags(two_d_array=True, three_d_array=True)
        return Tags("classifier", TargetTags(required=True), None, ClassifierTags(), None, input_tags=takes)

    # -- the stage

    def setup(self, s: Stream) -> Stream:
        if not hasattr(self, "classes_"):
            raise WrongUse(
                f"{self.part_name()} has learnt nothing yet.",
                do="`bcikit train` makes a model; in Python it is decoder.fit(X, y).",
            )
        if s.shape != tuple(self.shape_):
            raise WrongUse(
                f"{self.part_name()} learnt from trials of shape {tuple(self.shape_)}; those of {s.name} are {s.shape}.",
                "They differ in channels or in length.",
            )
        if self.names_ and s.names != tuple(self.names_) and s.names != tuple(map(str, range(len(s.names)))):
            wrong = next(i for i, (a, b) in enumerate(zip(s.names, self.names_, strict=True)) if a != b)
            raise WrongUse(
                f"{self.part_name()} learnt from other channels: its number {wrong + 1} is {self.names_[wrong]},"
                f" here it is {s.names[wrong]}.",
                nearest(self.names_[wrong], list(s.names)),
                "Put pick:channels=... with the model's channels before it.",
            )
        self.prepare(s)
        labels = tuple(str(c) for c in self.classes_)
        channels = tuple(Channel(c, "probability", "") for c in labels)
        return s.but(channels=channels, shape=(len(labels),), alphabet=labels)

    def rows(self, x: np.ndarray) -> np.ndarray:
        return self.probabilities(x).astype(np.float32)

    def probabilities(self, X: np.ndarray) -> np.ndarray:
        """`decide`, trial by trial."""
        y = np.full((len(X), len(self.classes_)), np.nan)
        for row, x in zip(y, X, strict=True):
            if np.isfinite(x).all():
                row[:] = self.decide(np.asarray(x, float))
        return y

    def gap(self, seconds: float) -> None:
        """Trials are whole or NaN: what is known of earlier ones stays."""

    def learned(self) -> dict[str, Any]:
        mine = {n: v for n, v in vars(self).items() if n[-1] == "_" and n[0] != "_"}
        return {n: packed(v, f"{self.part_name()}.{n}") for n, v in mine.items()}

    def restore(self, kept: Mapping[str, Any]) -> None:
        super().restore({n: v for n, v in kept.items() if n[0] == "_"})
        for name, value in kept.items():
            if name[0] != "_":
                setattr(self, name, unpacked(value))


def trained(
    decoder: Decoder, shape: tuple[int, ...] = (3, 12), classes: int = 2, seed: int = 0
) -> tuple[Decoder, Recording]:
    """An example for the laws, simulated: (the decoder, which learnt from 20 trials a class, a recording of 320 more).
    In class k, channel k has more power and an offset."""
    rng = np.random.default_rng(seed)
    y = np.arange(20 * classes + 320) % classes
    X = rng.normal(0, 5, (len(y), *shape))
    for k in range(classes):
        X[y == k, k] = X[y == k, k] * 3 + 4
    n = 20 * classes
    decoder.fit(X[:n], np.array([f"class {k}" for k in range(classes)])[y[:n]])
    channels = tuple(Channel(str(i)) for i in range(shape[0]))
    return decoder, recording(Stream("simulated trials", 0.0, channels, shape, label=SIMULATED), rng.permutation(X[n:]))
