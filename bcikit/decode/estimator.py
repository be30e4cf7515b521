"""Any estimator of scikit-learn or pyRiemann, or several in a row, as a decoder."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ..core.errors import WrongUse
from ..core.find import parse
from ..core.parts import Setting
from ._decoder import Decoder, trained
from ._kept import MODULES, class_of
from ._linear import softmax

SPD = ("classification", "clustering", "embedding", "regression", "tangentspace")  # modules of pyRiemann that take matrices


@dataclass(eq=False)
class Estimator(Decoder):
    """Trials (channels, lags) through a chain of estimators, trained together, stepped trial by trial.

    Each is `library:Class`, with settings in brackets: `sklearn:LinearDiscriminantAnalysis(solver=lsqr,shrinkage=auto)`.
    Before one of pyRiemann that takes covariance matrices, OAS covariances are taken of the trials; before one of
    scikit-learn, trials are laid out as vectors. Where the last gives no probabilities, its decision function goes
    through a softmax, and else its answer is taken as certain.
    Raises WrongUse for an unknown class or setting.
    """

    exempt = {**Decoder.exempt, "setting seed": "only some estimators draw numbers"}  # noqa: RUF012

    chain: Annotated[tuple[str, ...], Setting("estimators in a row: LIBRARY:CLASS or LIBRARY:CLASS(SETTING=VALUE)")] = (
        "pyriemann:MDM",
    )
    seed: Annotated[int, Setting("of those that draw numbers", low=0)] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.chain:
            raise WrongUse("estimator:chain names no estimator.", "It can be pyriemann:MDM, sklearn:SVC, ...")

    def learn(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> None:
        links = [_made(text, self.seed) for text in self.chain]
        first = type(links[0]).__module__.split(".")
        if X.ndim == 3 and first[0] == "pyriemann" and first[1] in SPD:
            links.insert(0, _made("pyriemann:Covariances(estimator=oas)", self.seed))
        *before, last = links
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # convergence and the like: the score tells
            for link in before:
                X = _flat(link, X)
                X = link.fit_transform(X, y) if hasattr(link, "fit_transform") else link.fit(X, y).transform(X)
            last.fit(_flat(last, X), y)
        self.links_ = links

    def decide(self, x: np.ndarray) -> np.ndarray:
        X = x[None]
        *before, last = self.links_
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for link in before:
                X = link.transform(_flat(link, X))
            X = _flat(last, X)
            if hasattr(last, "predict_proba"):
                return last.predict_proba(X)[0]
            if hasattr(last, "decision_function"):
                d = np.ravel(last.decision_function(X))
                return softmax(np.array([-d[0], d[0]]) / 2 if len(d) == 1 else d)
            return np.eye(len(self.classes_))[int(last.predict(X)[0])]

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield trained(cls(chain=("pyriemann:Covariances(estimator=scm)", "pyriemann:MDM(metric=euclid)")))
        yield trained(cls(chain=("sklearn:StandardScaler", "sklearn:LogisticRegression(C=0.1)")))


def named(text: str) -> Decoder:
    """A decoder from the command line's text: a name with settings, estimators (`pyriemann:MDM`), several joined by +, or a
    network of Braindecode. Raises WrongUse for a stage that is none."""
    library, _, rest = text.partition(":")
    if library in MODULES:
        return Estimator(chain=tuple(text.split("+")))
    if library == "braindecode" and rest and "=" not in rest.partition("(")[0]:
        from .deep.braindecode import Braindecode

        return Braindecode(model=rest)
    made = parse("stage", text)
    if not isinstance(made, Decoder):
        raise WrongUse(f"{made.part_name()} is a stage, but not one that learns.", do="`bcikit stages` lists all.")
    return made


def _flat(link: Any, X: np.ndarray) -> np.ndarray:
    return X.reshape(len(X), -1) if type(link).__module__.startswith("sklearn") else X


def _made(text: str, seed: int) -> Any:
    """An estimator from `library:Class(setting=value,...)`."""
    name, settings = call(text)
    cls = class_of(name)
    try:
        made: Any = cls(**settings)
    except TypeError as error:
        raise WrongUse(f"{text} cannot be made.", f"{error}.") from None
    if "random_state" in made.get_params(deep=False) and "random_state" not in settings:
        made.set_params(random_state=seed)
    return made


def call(text: str) -> tuple[str, dict[str, Any]]:
    """`Name(setting=value,...)` -> its name and settings; values as Python writes them, or bare texts. Raises WrongUse."""
    found = re.fullmatch(r"\s*([\w:]+)\s*(?:\((.*)\))?\s*", text)
    if not found:
        raise WrongUse(f"{text!r} names no estimator.", do="Write it as pyriemann:MDM or sklearn:SVC(C=0.5).")
    settings: dict[str, Any] = {}
    for item in filter(None, (found[2] or "").split(",")):
        key, _, value = (part.strip() for part in item.partition("="))
        try:
            settings[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            settings[key] = value
    return found[1], settings
