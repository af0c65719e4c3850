"""The statistics of the study, as plain formulas (docs/adr/0010-flight-delays-study.md).

Everything here is written so that it can be written again in another language and give the same
numbers to 1e-9; golden.json holds inputs and outputs.
"""

import math

import numpy as np

ZERO_FILL = 0.0001


def psi_edges(reference: np.ndarray, bins: int = 10) -> np.ndarray:
    """Inner edges: quantiles k/bins of the reference (linear interpolation), equal ones once."""
    x = np.sort(reference[~np.isnan(reference)])
    return np.unique(np.quantile(x, np.arange(1, bins) / bins))


def psi_shares(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Share of each bin (-inf, e1], (e1, e2], ..., (ek, inf); missing values are left out."""
    x = values[~np.isnan(values)]
    counts = np.bincount(np.searchsorted(edges, x, side="left"), minlength=len(edges) + 1)
    return counts / max(len(x), 1)


def psi(reference_shares: np.ndarray, current_shares: np.ndarray) -> float:
    """Sum of (r - c) ln(r / c); a share of zero counts as 0.0001, without renormalising."""
    r = np.where(reference_shares == 0, ZERO_FILL, reference_shares)
    c = np.where(current_shares == 0, ZERO_FILL, current_shares)
    return float(np.sum((r - c) * np.log(r / c)))


def ks(reference: np.ndarray, current: np.ndarray) -> float:
    """Largest distance of the two empirical distribution functions; missing values left out."""
    a = np.sort(reference[~np.isnan(reference)])
    b = np.sort(current[~np.isnan(current)])
    points = np.concatenate([a, b])
    fa = np.searchsorted(a, points, side="right") / len(a)
    fb = np.searchsorted(b, points, side="right") / len(b)
    return float(np.max(np.abs(fa - fb)))


def auc(label: np.ndarray, score: np.ndarray) -> float:
    """Mann-Whitney with ties counted half."""
    order = np.argsort(score, kind="stable")
    s = score[order]
    _, first, count = np.unique(s, return_index=True, return_counts=True)
    rank = np.repeat(first + (count + 1) / 2, count)
    positive = label[order] == 1
    n1, n0 = int(positive.sum()), int((~positive).sum())
    if n1 == 0 or n0 == 0:
        return math.nan
    return float((rank[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def performance(label: np.ndarray, p: np.ndarray) -> dict[str, float]:
    q = np.clip(p, 1e-15, 1 - 1e-15)
    return {
        "n": int(len(label)),
        "brier": float(np.mean((p - label) ** 2)),
        "logLoss": float(-np.mean(label * np.log(q) + (1 - label) * np.log(1 - q))),
        "auc": auc(label, p),
        "calibration": float(np.mean(label) - np.mean(p)),
    }


def blocks(times: np.ndarray, differences: np.ndarray, length: int, minimum: int) -> list[dict]:
    """Consecutive buckets [k*length, (k+1)*length) of the label's event time are gathered, in order,
    until a block holds at least `minimum` pairs; its value is the mean difference. What is left at
    the end is not yet a block. A bucket counts only once the watermark has passed its end."""
    out: list[dict] = []
    n, total, end = 0, 0.0, 0
    for bucket in np.unique(times // length):
        inside = differences[times // length == bucket]
        n, total, end = n + len(inside), total + float(inside.sum()), (int(bucket) + 1) * length
        if n >= minimum:
            out.append({"end": end, "n": n, "mean": total / n})
            n, total = 0, 0.0
    return out


def confidence_sequence(values: list[float], alpha: float = 0.05, tau: float = 1.0):
    """Anytime-valid interval for the mean of the block values: the t-test's mixture over effect
    sizes N(0, tau^2), inverted. (mean, low, high); infinite while nothing can be said."""
    n = len(values)
    mean = sum(values) / n if n else math.nan
    if n < 2:
        return mean, -math.inf, math.inf
    variance = sum((v - mean) ** 2 for v in values) / (n - 1)
    g = 1 + n * tau * tau
    r = math.exp((2 / n) * math.log(math.sqrt(g) / alpha))
    if r >= g:
        return mean, -math.inf, math.inf
    t2 = (n - 1) * (r - 1) / (1 - r / g)
    half = math.sqrt(t2 * variance / n)
    return mean, mean - half, mean + half
