"""What was learnt, as arrays and plain values: estimators of scikit-learn and pyRiemann too, never by pickle."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from ..core.errors import WrongUse, nearest

# The modules whose classes a model may name. Nothing else is ever made from a file.
MODULES = {
    "sklearn": (
        "preprocessing discriminant_analysis linear_model svm pipeline decomposition naive_bayes calibration covariance"
        " feature_selection neighbors neural_network ensemble gaussian_process cross_decomposition cluster dummy isotonic"
        " kernel_approximation manifold multiclass multioutput random_projection"
    ).split(),
    "pyriemann": (
        "estimation tangentspace classification spatialfilters preprocessing transfer channelselection clustering embedding"
        " regression"
    ).split(),
}


@cache
def class_of(name: str) -> type:
    """The class that `sklearn:LinearDiscriminantAnalysis` or `pyriemann:MDM` names. Raises WrongUse."""
    library, _, cls = name.partition(":")
    if library not in MODULES:
        raise WrongUse(f"{name!r} names no library that decoders come from.", f"It can be {', '.join(MODULES)}.")
    known: list[str] = []
    for module in MODULES[library]:
        try:
            found = vars(import_module(f"{library}.{module}"))
        except ImportError:  # of another version
            continue
        if _estimator(found.get(cls), library):
            return found[cls]
        known += [n for n, v in found.items() if _estimator(v, library)]
    raise WrongUse(f"{library} has no estimator {cls!r}.", nearest(cls, sorted(known)) or "See its documentation.")


def packed(value: Any, where: str) -> Any:
    """A deep copy of `value` as arrays and plain values, estimators named by their class. Raises WrongUse for what cannot
    be kept so (trees, functions, kernels' closures)."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return np.ascontiguousarray(value).copy()
    if isinstance(value, np.ndarray) and value.dtype.kind == "U":
        return {"__texts__": value.tolist(), "shape": list(value.shape)}
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return {"__objects__": [packed(v, where) for v in value.ravel()], "shape": list(value.shape)}
    if isinstance(value, np.generic):
        return {"__number__": value.dtype.str, "value": value.item()}
    if isinstance(value, list):
        return [packed(v, where) for v in value]
    if isinstance(value, (tuple, set, frozenset)):
        return {"__tuple__": [packed(v, where) for v in value]}
    if isinstance(value, Mapping):
        return {"__pairs__": [[packed(k, where), packed(v, where)] for k, v in value.items()]}
    cls = type(value)
    library = cls.__module__.partition(".")[0]
    named = f"{library}:{cls.__name__}"
    if library in MODULES and hasattr(value, "__dict__"):
        try:
            known = class_of(named) is cls
        except WrongUse:
            known = False
        if known:
            return {"__class__": named, "vars": {n: packed(v, f"{where}.{n}") for n, v in vars(value).items()}}
    raise WrongUse(
        f"{where} is a {cls.__module__}.{cls.__name__}, which cannot be saved.",
        "A model is arrays, plain values, and estimators of scikit-learn and pyRiemann; never a pickle.",
    )


def unpacked(value: Any) -> Any:
    """The inverse of `packed`. Raises WrongUse where it names a class that is not on the list."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, list):
        return [unpacked(v) for v in value]
    if not isinstance(value, Mapping):
        return value
    if "__class__" in value:
        made: Any = object.__new__(class_of(value["__class__"]))
        vars(made).update({n: unpacked(v) for n, v in value["vars"].items()})
        return made
    if "__texts__" in value:
        return np.array(value["__texts__"], str).reshape(value["shape"])
    if "__objects__" in value:
        items = np.empty(len(value["__objects__"]), object)
        items[:] = [unpacked(v) for v in value["__objects__"]]
        return items.reshape(value["shape"])
    if "__number__" in value:
        return np.dtype(value["__number__"]).type(value["value"])
    if "__tuple__" in value:
        return tuple(unpacked(v) for v in value["__tuple__"])
    if "__pairs__" in value:
        return {unpacked(k): unpacked(v) for k, v in value["__pairs__"]}
    return {k: unpacked(v) for k, v in value.items()}


def _estimator(value: Any, library: str) -> bool:
    mine = isinstance(value, type) and value.__module__.partition(".")[0] == library
    return mine and value.__name__[0] != "_" and hasattr(value, "get_params")
