# SPDX-License-Identifier: Apache-2.0
"""Measures of a scored validation part, each with a 95 % interval.

Every interval here except `difference_blocked_by_time` takes rows as independent. Rows close in time are alike, so those
intervals are, if anything, too narrow: compare two models by the paired, blocked difference.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

Z95 = NormalDist().inv_cdf(0.975)
# Scores are 32-bit floats: an exact 0 or 1 stands for something closer to it than their resolution.
SMALLEST_PROBABILITY = float(np.finfo(np.float32).eps)
MICROSECONDS = {"day": 86_400_000_000, "hour": 3_600_000_000}
MIN_BLOCKS = 30

Interval = dict[str, float]


def measures(task: str, label: np.ndarray, score: np.ndarray) -> dict[str, Interval]:
    """label, score: float64 [N]; score is the probability of class 1 or the predicted value."""
    if task == "binary":
        clipped = np.clip(score, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
        return {
            "auc": auc(label, score),
            "log_loss": mean(-np.where(label == 1, np.log(clipped), np.log1p(-clipped)), high=np.inf),
            "brier": mean((score - label) ** 2, high=1.0),
            "accuracy": share((score > 0.5) == (label == 1)),
        }
    error = score - label
    squared = mean(error**2, high=np.inf)
    return {
        "mae": mean(np.abs(error), high=np.inf),
        # The root is monotone, so it maps the ends of the interval of the mean squared error.
        "rmse": {key: float(np.sqrt(value)) for key, value in squared.items()},
        "r2": r2(label, score),
    }


def auc(label: np.ndarray, score: np.ndarray) -> Interval:
    """Area under the ROC curve, ties counting one half, interval by DeLong's variance.

    DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44(3), 837-845; computed from midranks as in Sun & Xu (2014), IEEE
    Signal Processing Letters 21(11), 1389-1393. Clipped to [0, 1]; needs two rows of each class.
    """
    positive, negative = score[label == 1], score[label != 1]
    m, n = len(positive), len(negative)
    among_all = _midranks(np.concatenate([positive, negative]))
    above_negatives = (among_all[:m] - _midranks(positive)) / n
    below_positives = 1 - (among_all[m:] - _midranks(negative)) / m
    variance = above_negatives.var(ddof=1) / m + below_positives.var(ddof=1) / n
    return _interval(above_negatives.mean(), np.sqrt(variance), 0.0, 1.0)


def mean(losses: np.ndarray, high: float) -> Interval:
    """Mean of losses that are at least 0, interval by the central limit theorem with the sample variance (ddof 1)."""
    return _interval(losses.mean(), losses.std(ddof=1) / np.sqrt(len(losses)), 0.0, high)


def share(hits: np.ndarray) -> Interval:
    """Share of hits, score interval: Wilson (1927), JASA 22, 209-212. Unlike the normal one it has a width at 0 and 1."""
    n, p = len(hits), float(hits.mean())
    centre = (p + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 * np.sqrt(p * (1 - p) / n + Z95**2 / (4 * n * n)) / (1 + Z95**2 / n)
    return {"value": p, "low": float(max(min(centre - half, p), 0)), "high": float(min(max(centre + half, p), 1))}


def r2(label: np.ndarray, score: np.ndarray) -> Interval:
    """1 - MSE / variance of the labels, a ratio of two means; interval by linearisation (the delta method).

    Cochran (1977), Sampling Techniques, 3rd ed., section 6.4 (variance of a ratio estimate).
    """
    error, spread = (score - label) ** 2, (label - label.mean()) ** 2
    ratio = error.mean() / spread.mean()
    influence = (error - ratio * spread) / spread.mean()
    return _interval(1 - ratio, influence.std(ddof=1) / np.sqrt(len(label)), -np.inf, 1.0)


def difference_blocked_by_time(
    champion_loss: np.ndarray, candidate_loss: np.ndarray, event_time: np.ndarray
) -> dict[str, object]:
    """Mean of champion's loss - candidate's loss on the same rows: POSITIVE means the candidate is better.

    The interval takes blocks of time, not rows, as independent: cluster-robust variance of a ratio of block totals
    (Cochran 1977, section 9.5; with the factor G / (G - 1), Student's t with G - 1 degrees of freedom as in Cameron &
    Miller 2015, Journal of Human Resources 50(2), 317-372). A block is a day where that gives at least 30 blocks, else an
    hour; where hours do not either, up to 30 runs of consecutive rows of equal length.
    """
    from scipy.special import stdtrit

    difference = champion_loss - candidate_loss
    unit, block = _blocks(event_time)
    totals = np.bincount(block, weights=difference)
    sizes = np.bincount(block)
    count, value = len(sizes), float(difference.mean())
    variance = count / (count - 1) * float(((totals - value * sizes) ** 2).sum()) / len(difference) ** 2
    half = float(stdtrit(count - 1, 0.975)) * np.sqrt(variance)
    return {"value": value, "low": float(value - half), "high": float(value + half), "block": unit, "blocks": count}


def _blocks(event_time: np.ndarray) -> tuple[str, np.ndarray]:
    for unit, length in MICROSECONDS.items():
        names, block = np.unique(event_time // length, return_inverse=True)
        if len(names) >= MIN_BLOCKS:
            return unit, block
    rows = len(event_time)
    return "rows", np.arange(rows) * min(MIN_BLOCKS, rows // 5) // rows


def _midranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def _interval(value: float, error: float, low: float, high: float) -> Interval:
    return {
        "value": float(value),
        "low": float(max(value - Z95 * error, low)),
        "high": float(min(value + Z95 * error, high)),
    }
