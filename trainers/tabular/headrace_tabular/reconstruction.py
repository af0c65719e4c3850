# SPDX-License-Identifier: Apache-2.0
"""Principal components of the features, by which monitoring sees that they no longer go together as they did.

NannyML's data reconstruction drift: each row is standardised, laid on the components that explain 65 % of the variance, and its
distance from them is its reconstruction error. It moves when relations between features change, though each looks as before.
"""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from .data import Part
from .reference_windows import Windows
from .spec import Spec

EXPLAINED = 0.65
# Of components and standard deviations that shall mean something.
LEAST_ROWS = 200
LEAST_ROWS_A_FEATURE = 10
# Bounds the profile (half a megabyte of components) and what monitoring pays for each row.
MOST_FEATURES = 200
_BLOCK = 50_000


def reconstruction(spec: Spec, training: Part, windows: Windows) -> dict | None:
    """None with too few rows, more than 200 features, or fewer than two that change.

    Parallel by feature: `imputed` stands for a missing value (the mean; of a boolean the more frequent value), then `means` and
    `deviations` (ddof 0; 1 of a constant) standardise. `components` are rows, unit length. `window_errors` are the sums of the
    errors of the rows of each window of the training part, so that windows add up.
    """
    rows, width = training.features.shape
    if not 2 <= width <= MOST_FEATURES or rows < max(LEAST_ROWS, LEAST_ROWS_A_FEATURE * width):
        return None
    is_boolean = np.array([feature.type.startswith("bool") for feature in spec.features])
    with threadpool_limits(1):  # more would add up in another order, and give other bytes
        fitted = fit(training.features, is_boolean)
        if fitted is None:
            return None
        errors = np.concatenate([fitted.errors(block) for block in _blocks(training.features)])
    return {
        "part": "training",
        "features": list(spec.feature_names),
        "imputed": fitted.imputed.tolist(),
        "means": fitted.means.tolist(),
        "deviations": fitted.deviations.tolist(),
        "components": fitted.components.tolist(),
        "explained": fitted.explained,
        "window_errors": windows.sums(errors),
    }


class Fitted:
    def __init__(self, imputed: np.ndarray, means: np.ndarray, covariance: np.ndarray, rows: int):
        self.imputed = imputed
        self.means = means
        variances = np.diag(covariance)
        # scikit-learn's rule: what rounding alone may have made is a constant.
        constant = variances <= rows * np.finfo(np.float64).eps * variances + (rows * means * np.finfo(np.float64).eps) ** 2
        self.deviations = np.where(constant, 1.0, np.sqrt(variances))
        correlation = np.where(np.outer(~constant, ~constant), covariance / np.outer(self.deviations, self.deviations), 0.0)
        values, vectors = np.linalg.eigh(correlation)
        shares = np.cumsum(values[::-1]) / max(values.sum(), np.finfo(np.float64).tiny)
        self.changing = int((~constant).sum())
        # As scikit-learn's PCA, but never as many as there are features that change: all of them reconstruct everything.
        kept = min(int(np.searchsorted(shares, EXPLAINED, side="right")) + 1, self.changing - 1)
        self.components = vectors.T[::-1][: max(kept, 0)]
        self.explained = float(shares[kept - 1]) if kept > 0 else 0.0

    def errors(self, features: np.ndarray) -> np.ndarray:
        """The reconstruction error of each row; NaN is missing."""
        scaled = (_filled(features, self.imputed) - self.means) / self.deviations
        return np.linalg.norm(scaled - (scaled @ self.components.T) @ self.components, axis=1)


def fit(features: np.ndarray, is_boolean: np.ndarray) -> Fitted | None:
    """In blocks of rows: no copy of the whole. Every feature has a value; None when fewer than two change."""
    rows, width = features.shape
    sums, present = np.zeros(width), np.zeros(width)
    for block in _blocks(features):
        known = ~np.isnan(block)
        present += known.sum(axis=0)
        sums += np.where(known, block, 0).astype(np.float64).sum(axis=0)
    imputed = sums / present
    imputed[is_boolean] = imputed[is_boolean] > 0.5
    means = (sums + (rows - present) * imputed) / rows
    covariance = np.zeros((width, width))
    for block in _blocks(features):
        centred = _filled(block, imputed) - means
        covariance += centred.T @ centred
    fitted = Fitted(imputed, means, covariance / rows, rows)
    return fitted if fitted.changing >= 2 else None


def _filled(features: np.ndarray, imputed: np.ndarray) -> np.ndarray:
    features = features.astype(np.float64)
    return np.where(np.isnan(features), imputed, features)


def _blocks(features: np.ndarray):
    for start in range(0, len(features), _BLOCK):
        yield features[start : start + _BLOCK]
