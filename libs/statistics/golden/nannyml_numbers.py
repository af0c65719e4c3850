"""Numbers of NannyML 0.13.1: golden-nannyml.json.

    python -m venv VENV && VENV/bin/pip install -r requirements-nannyml.txt && VENV/bin/python nannyml_numbers.py
"""

import sys
import warnings
from pathlib import Path

import nannyml.sampling_error.binary_classification as sampling
import nannyml.sampling_error.regression as regression_sampling
import numpy as np
import pandas as pd
from nannyml import DLE, DataReconstructionDriftCalculator
from nannyml.calibration import IsotonicCalibrator, _calculate_expected_calibration_error, _get_bin_index_edges
from nannyml.calibration import needs_calibration
from nannyml.drift.univariate.methods import FeatureType, MethodFactory
from nannyml.performance_estimation.confidence_based import metrics
from nannyml.thresholds import ConstantThreshold

sys.path.append(str(Path(__file__).parents[3] / "trainers" / "tabular"))
from headrace_tabular.loss_model import trees_of
from portable import Random, normals, uniforms, write

warnings.simplefilter("ignore")


def labelled(seed, count, steepness, below=1.0):
    """Scores with five digits, all different; the first row is a low negative and the second a high positive."""
    random = Random(seed)
    scores, labels = [0.00001, 0.99999], [0, 1]
    seen = set(scores)
    while len(scores) < count:
        p = int(random.next() * below * 1e5) / 1e5
        label = 1 if random.next() < 0.5 + (p - 0.5) * steepness else 0
        if p in seen or p < 0.0001:
            continue
        seen.add(p)
        scores.append(p)
        labels.append(label)
    return np.array(labels), np.array(scores)


# Scores of five digits make NannyML's rounding of counts to five digits change nothing.
cbpe = []
for reference, window, threshold in (
    ([1, 1500, 1.0], [2, 800, 1.0, 0.8], 0.5),
    ([3, 900, 1.0], [4, 300, 1.0, 1.0], 0.3),
    ([5, 1500, 0.4], [6, 500, 0.4, 0.9], 0.5),
):
    y, s = labelled(*reference)
    _, w = labelled(*window)
    calibrate = bool(needs_calibration(y, s, IsotonicCalibrator()))
    p = w
    if calibrate:
        calibrator = IsotonicCalibrator()
        calibrator.fit(s, y)
        p = calibrator.calibrate(w)
    hit = pd.Series((w >= threshold).astype(int))
    yr, hr, sr = pd.Series(y), pd.Series((s >= threshold).astype(int)), pd.Series(s)
    estimates = {
        "accuracy": metrics.estimate_accuracy(hit, p), "precision": metrics.estimate_precision(hit, p),
        "recall": metrics.estimate_recall(hit, p), "specificity": metrics.estimate_specificity(hit, p),
        "f1": metrics.estimate_f1(hit, p), "auc": metrics.estimate_roc_auc(p, w),
    }  # fmt: skip
    errors = {
        "accuracy": sampling.accuracy_sampling_error(sampling.accuracy_sampling_error_components(yr, hr), w),
        "precision": sampling.precision_sampling_error(sampling.precision_sampling_error_components(yr, hr), w),
        "recall": sampling.recall_sampling_error(sampling.recall_sampling_error_components(yr, hr), w),
        "specificity": sampling.specificity_sampling_error(sampling.specificity_sampling_error_components(yr, hr), w),
        "f1": sampling.f1_sampling_error(sampling.f1_sampling_error_components(yr, hr), w),
        "auc": sampling.auroc_sampling_error(sampling.auroc_sampling_error_components(yr, sr), w),
    }
    edges = _get_bin_index_edges(len(y), 10)
    cbpe.append(
        {"reference": reference, "window": window, "threshold": threshold, "calibrate": calibrate,
         "estimates": estimates, "errors": errors, "ece": _calculate_expected_calibration_error(y, s, edges)}
    )  # fmt: skip

# A loss model's predictions stand in: NannyML's DLE learns them with LightGBM and averages them.
y, p = np.array(normals(21, 500, 20, 5)), np.array(normals(22, 500, 20, 5))
dle = {
    "mae": regression_sampling.mae_sampling_error(regression_sampling.mae_sampling_error_components(y, p), range(200)),
    "rmse": regression_sampling.rmse_sampling_error(regression_sampling.rmse_sampling_error_components(y, p), range(200)),
    "mse": regression_sampling.mse_sampling_error(regression_sampling.mse_sampling_error_components(y, p), range(200)),
}


# NannyML's whole DLE, small: its own loss models, written as the trainer writes them, and what it says of the windows. Every
# seventh value of the second feature is missing; errors grow with the first one.
def regression(seed, count, shift):
    x, z = np.array(normals(seed, count, shift, 1)), np.array(normals(seed + 1, count, 0, 1))
    z[::7] = np.nan
    predicted = 2 * x + 1
    truth = predicted + np.array(normals(seed + 2, count, 0, 1)) * (1 + np.abs(x))
    return pd.DataFrame({"x": x, "z": z, "prediction": predicted, "truth": truth})


small = {"n_estimators": 12, "num_leaves": 6, "n_jobs": 1, "verbosity": -1}
estimator = DLE(
    feature_column_names=["x", "z"], y_pred="prediction", y_true="truth", metrics=["mae", "rmse"],
    hyperparameters=small, chunk_size=400,
)  # fmt: skip
reference, windows = [51, 1200, 0], [[61, 400, 0], [71, 400, 1.5]]
estimator.fit(regression(*reference))
estimated = estimator.estimate(pd.concat([regression(*window) for window in windows], ignore_index=True))
estimated = estimated.filter(period="analysis").to_df()
models = {metric.column_name: trees_of(metric._dee_model.booster_) for metric in estimator.metrics}
loss_model = {
    "reference": reference, "windows": windows, "absolute": models["mae"], "squared": models["rmse"],
    "estimates": [
        {name: [float(row[(name, part)]) for part in ("value", "lower_confidence_boundary", "upper_confidence_boundary")]
         for name in ("mae", "rmse")}
        for _, row in estimated.iterrows()
    ],
}  # fmt: skip

drift = []
for a, b in (([[31, 1500, 0, 1, None], [32, 600, 0.3, 1.4, None]]), ([[33, 800, 5, 1, 0], [34, 300, 5.5, 1.5, 0]])):
    r, c = pd.Series(normals(*a)), pd.Series(normals(*b))
    found = {}
    for name in ("jensen_shannon", "hellinger", "wasserstein", "kolmogorov_smirnov"):
        method = MethodFactory.create(name, FeatureType.CONTINUOUS, chunker=None, threshold=ConstantThreshold())
        method._fit(r)
        found[name] = method._calculate(c)
    drift.append({"a": a, "b": b, **found})


# Of five features two follow others; every seventh value of the second is missing. In the second window no feature looks other
# than before, but the first no longer goes with the fourth.
def together(seed, count, turned):
    a, b, c = (np.array(normals(seed + i, count, i, 1 + i)) for i in range(3))
    noise = np.array(uniforms(seed + 9, count))
    d, e = (-a if turned else a) + 0.3 * noise, 2 * b - c + noise
    b[::7] = np.nan
    return pd.DataFrame({"a": a, "b": b, "c": c, "d": d, "e": e})


reference, windows = [41, 1200, False], [[43, 200, False], [45, 200, True]]
calculator = DataReconstructionDriftCalculator(column_names=["a", "b", "c", "d", "e"], chunk_size=200)
calculator.fit(together(*reference))
found = calculator.calculate(pd.concat([together(*window) for window in windows], ignore_index=True)).to_df()


def reconstructed(period, part):
    rows = found[found[("chunk", "period")] == period]
    return rows[("reconstruction_error", part)].tolist()


reconstruction = {
    "reference": reference, "chunk": 200, "windows": windows, "kept": int(calculator._pca.n_components_),
    "own": reconstructed("reference", "value"), "errors": reconstructed("analysis", "value"),
    "upper": reconstructed("analysis", "upper_threshold")[0], "lower": reconstructed("analysis", "lower_threshold")[0],
    "alerts": [bool(alert) for alert in reconstructed("analysis", "alert")],
}  # fmt: skip

write("nannyml", {"cbpe": cbpe, "dle": dle, "drift": drift, "loss_model": loss_model, "reconstruction": reconstruction})
