# SPDX-License-Identifier: Apache-2.0
"""What monitoring compares live traffic with.

Features are profiled on the training part (what the model has learnt from); predictions, labels and performance on the
validation part, by the model of the backtest (it has not seen that part, so its scores there look as scores do in service;
those of a model fitted again on all rows would be too good).
"""

from __future__ import annotations

import numpy as np

from .data import Part
from .loss_model import loss_model
from .reconstruction import reconstruction
from .reference_windows import Windows, labelled_scores
from .spec import Spec

CONTRACT = "headrace.dev/profile/v1"
BINS = 10
SAMPLE = 1000


def build_profile(spec: Spec, training: Part, validation: Part, score: np.ndarray, performance: dict) -> dict:
    windows = {"training": Windows(training.event_time), "validation": Windows(validation.event_time)}
    features = [
        {
            "name": feature.name,
            "type": feature.type,
            "part": "training",
            **describe(training.features[:, i], windows["training"]),
        }
        for i, feature in enumerate(spec.features)
    ]
    kind = "probability" if spec.task == "binary" else "double"
    label = {"name": spec.label, "type": spec.task, "part": "validation", **_moments(validation.label)}
    if spec.task == "binary":
        label["positives"] = int(validation.label.sum())
    return {
        "contract": CONTRACT,
        "run_id": spec.run_id,
        "task": spec.task,
        "rows": {"training": len(training), "validation": len(validation)},
        "features": features,
        "prediction": {
            "name": "prediction",
            "type": kind,
            "part": "validation",
            **describe(score, windows["validation"]),
        },
        "label": label,
        "performance": performance,
        "windows": {part: cut.describe() for part, cut in windows.items()},
        "labelled": labelled_scores(score, validation.label),
        "loss_model": loss_model(spec, validation, score),
        "reconstruction": reconstruction(spec, training, windows["training"]),
    }


def describe(values: np.ndarray, windows: Windows | None = None) -> dict:
    """Moments, histogram and sample of values in which NaN is missing; at least one is present.

    With windows also the histogram of each of them (`window_counts`), in their order.
    """
    present = np.sort(values[~np.isnan(values)].astype(np.float64))
    edges = histogram_edges(present)
    by_window = {} if windows is None else {"window_counts": windows.counts(values.astype(np.float64), edges)}
    return {
        **by_window,
        **_moments(present),
        "missing": int(len(values) - len(present)),
        "edges": edges.tolist(),
        "counts": histogram_counts(present, edges).tolist(),
        "sample": present[_spaced(len(present))].tolist(),
    }


def histogram_edges(ordered: np.ndarray) -> np.ndarray:
    """Edges of at most 10 bins, smallest and largest value at the ends.

    Up to 10 distinct values: one bin a value, cut half-way between neighbours (quantiles would melt a flag into one bin).
    More: deciles, equal ones merged. A constant gives two equal edges and one bin.
    """
    distinct = np.unique(ordered)
    if len(distinct) <= BINS:
        return np.concatenate([distinct[:1], (distinct[:-1] + distinct[1:]) / 2, distinct[-1:]])
    return np.unique(np.quantile(ordered, np.linspace(0, 1, BINS + 1)))


def histogram_counts(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Bins are [edge, next edge), the last one closed. Values outside the edges count in the first and the last bin."""
    return np.bincount(np.searchsorted(edges[1:-1], values, side="right"), minlength=len(edges) - 1)


def _moments(values: np.ndarray) -> dict:
    return {
        "count": len(values),
        "min": float(values.min()),
        "max": float(values.max()),
        "mean": float(values.mean()),
        "std": float(values.std()),
    }


def _spaced(count: int) -> np.ndarray:
    return np.round(np.linspace(0, count - 1, min(count, SAMPLE))).astype(int)
