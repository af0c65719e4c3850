"""Measures of performance by scikit-learn and SciPy: golden-performance.json.

    python -m venv VENV && VENV/bin/pip install -r requirements-scipy.txt && VENV/bin/python performance_numbers.py
"""

import numpy as np
from scipy import stats
from sklearn import metrics
from sklearn.decomposition import PCA
from sklearn.isotonic import IsotonicRegression
from sklearn.preprocessing import StandardScaler

from portable import Random, normals, uniforms, write


def labelled(seed, count, steepness):
    """Scores that are too steep or too flat for their labels."""
    random = Random(seed)
    scores, labels = [], []
    for _ in range(count):
        p = random.next()
        scores.append(p)
        labels.append(1 if random.next() < 0.5 + (p - 0.5) * steepness else 0)
    return np.array(labels), np.array(scores)


def delong(labels, scores):
    """Variance of the AUC straight from its definition: every positive against every negative."""
    wins = (scores[labels == 1][:, None] > scores[labels == 0][None, :]) + 0.5 * (
        scores[labels == 1][:, None] == scores[labels == 0][None, :]
    )
    return wins.mean(axis=1).var(ddof=1) / wins.shape[0] + wins.mean(axis=0).var(ddof=1) / wins.shape[1]


classification = []
for seed, count, steepness in ((71, 40, 0.9), (72, 700, 0.5), (73, 1500, -0.2)):
    y, s = labelled(seed, count, steepness)
    hit = (s >= 0.4).astype(int)
    fit = IsotonicRegression(out_of_bounds="clip").fit(np.round(s, 2), y)
    at = np.array([-1, 0.0051, 0.2, 0.333, 0.5, 0.7777, 0.999, 2])
    classification.append(
        {"labelled": [seed, count, steepness], "accuracy": metrics.accuracy_score(y, hit),
         "precision": metrics.precision_score(y, hit), "recall": metrics.recall_score(y, hit),
         "f1": metrics.f1_score(y, hit), "specificity": metrics.recall_score(1 - y, 1 - hit),
         "auc": metrics.roc_auc_score(y, s), "aucVariance": delong(y, s), "brier": metrics.brier_score_loss(y, s),
         "logLoss": metrics.log_loss(y, s), "isotonic": [at, fit.predict(at)]}
    )  # fmt: skip

regression = []
for seed, count in ((81, 30), (82, 900)):
    y = np.array(normals(seed, count, 20, 5))
    p = y + np.array(normals(seed + 10, count, 0.5, 2))
    regression.append(
        {"seed": seed, "count": count, "mape": metrics.mean_absolute_percentage_error(y, p), "r2": metrics.r2_score(y, p),
         "mae": metrics.mean_absolute_error(y, p), "rmse": metrics.root_mean_squared_error(y, p)}
    )  # fmt: skip

wilson = []
for k, n in ((0, 10), (3, 10), (10, 10), (400, 1000), (1, 100000)):
    for level in (0.95, 0.99):
        found = stats.binomtest(k, n).proportion_ci(level, method="wilson")
        wilson.append([k, n, level, found.low, found.high])


def correlated(seed, rows, shift):
    """Five columns of which two follow others."""
    a, b, c = (np.array(normals(seed + i, rows, i, 1 + i)) for i in range(3))
    noise = np.array(uniforms(seed + 9, rows))
    return np.column_stack([a, b, c, a + 0.3 * noise + shift * b, 2 * b - c + noise])


reference = correlated(91, 400, 0)
scaler = StandardScaler().fit(reference)
reconstruction = []
for components in (0.65, 0.9, 2):
    pca = PCA(n_components=components, svd_solver="full").fit(scaler.transform(reference))
    errors = []
    for seed, rows, shift in ((91, 400, 0), (95, 150, 0), (97, 150, 1)):
        scaled = scaler.transform(correlated(seed, rows, shift))
        errors.append(np.linalg.norm(scaled - pca.inverse_transform(pca.transform(scaled)), axis=1).mean())
    reconstruction.append({"components": components, "kept": pca.n_components_, "errors": errors})

write("performance", {"classification": classification, "regression": regression, "wilson": wilson,
                      "reconstruction": reconstruction})  # fmt: skip
