"""What decoders that weigh features share: weights of every class, and probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np


def linear(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """(classes, features) weights and (classes,) biases of one of scikit-learn's linear classifiers, which of two classes
    weighs one."""
    W, b = model.coef_, model.intercept_
    return (np.vstack([-W, W]) / 2, np.r_[-b, b] / 2) if len(W) == 1 else (W, b)


def softmax(z: np.ndarray) -> np.ndarray:
    """(..., classes) log odds -> probabilities."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
