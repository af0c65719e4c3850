# SPDX-License-Identifier: Apache-2.0
"""One training run, from a checked specification to its three files."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from . import algorithms
from .data import Part, read_training_set
from .errors import TrainerError
from .metrics import difference_blocked_by_time, measures
from .output import digest_of, digest_of_file, to_json, write_atomically
from .reference_profile import build_profile
from .scoring import Scorer, check_parity, parity_rows, score_champion
from .spec import CONTRACT, Spec

EXAMPLES = 5
PACKAGES = ("numpy", "pyarrow", "scipy", "scikit-learn", "lightgbm", "onnx", "onnxmltools", "skl2onnx", "onnxruntime", "protobuf")

Progress = Callable[[str, str], None]


@dataclass(frozen=True)
class _Model:
    """A fitted model and its ONNX form, which has been compared with it."""

    fitted: algorithms.Fitted
    content: bytes
    exported: Scorer
    parity: dict


def train(spec: Spec, progress: Progress, started: float) -> None:
    """Writes model.onnx, profile.json and, last, result.json: whoever sees result.json can rely on the others."""
    _prepare(spec.output_dir)
    progress("read", f"reading and verifying {os.path.basename(spec.training_path)}")
    rows = read_training_set(spec)
    training, validation = rows.training, rows.validation
    probes = parity_rows(validation.features)
    backtest = _make("fit", spec, training, probes, progress)

    progress("evaluate", f"measuring on {len(validation)} validation rows")
    score = backtest.exported.score(validation.features)  # ONNX serves, so ONNX is measured
    performance = measures(spec.task, validation.label, score)
    champion = None
    if spec.champion:
        progress("champion", f"measuring champion {spec.champion.version} on the same rows")
        champion = _compare(spec, validation, score)

    # The backtest has judged algorithm and data; what is registered need not do without the newest rows.
    fitted_on = rows.everything if spec.refit else training
    registered = _make("refit", spec, fitted_on, probes, progress) if spec.refit else backtest

    progress("write", "writing the model, its profile and the result")
    profile = to_json(build_profile(spec, training, validation, score, performance))
    model_path = write_atomically(spec.output_dir, "model.onnx", registered.content)
    profile_path = write_atomically(spec.output_dir, "profile.json", profile)
    result = {
        "contract": CONTRACT,
        "run_id": spec.run_id,
        "model": {"path": model_path, "digest": digest_of(registered.content), "size_bytes": len(registered.content)},
        "profile": {"path": profile_path, "digest": digest_of(profile)},
        "signature": _signature(spec),
        "features": list(spec.feature_names),
        "task": spec.task,
        "training_set": {"digest": spec.training_digest},
        "algorithm": {"name": spec.algorithm, "params": spec.params},
        "refit": spec.refit,
        "shuffle_labels": spec.shuffle_labels,
        "rows": {"train": len(training), "validation": len(validation), "registered": len(fitted_on)},
        "event_time": {
            "train_from": int(training.event_time[0]),
            "train_to": int(training.event_time[-1]),
            "validation_from": int(validation.event_time[0]),
            "validation_to": int(validation.event_time[-1]),
            "registered_to": int(fitted_on.event_time[-1]),
        },
        "metrics": {"validation": performance},
        "champion": champion,
        "feature_importance": {
            "method": registered.fitted.importance_method,
            "features": _importance(spec, registered.fitted.importance),
        },
        "seed": spec.seed,
        "environment": environment(),
        "parity": registered.parity,
        "examples": _examples(registered.exported, validation.features[:EXAMPLES]),
        "wall_seconds": round(time.time() - started, 3),
    }
    write_atomically(spec.output_dir, "result.json", to_json(result, indent=1))
    progress("done", f"finished in {result['wall_seconds']:.1f} s")


def _prepare(output_dir: str) -> None:
    try:
        os.makedirs(output_dir, exist_ok=True)
        # An earlier run's result must not be taken for this one's, should this one fail.
        Path(output_dir, "result.json").unlink(missing_ok=True)
    except OSError as error:
        raise TrainerError(f"output folder {output_dir}: {error.strerror}") from None


def _make(step: str, spec: Spec, part: Part, probes: np.ndarray, progress: Progress) -> _Model:
    progress(step, f"{step}ting {spec.algorithm} on {len(part)} rows x {len(spec.features)} features")
    label = part.label
    if spec.shuffle_labels:
        label = np.random.default_rng(spec.seed).permutation(label)
    fitted = algorithms.fit(spec, part.features, label)

    progress("convert", "converting to ONNX")
    content = algorithms.to_bytes(fitted.convert())
    exported = Scorer(content, spec.task)

    progress("parity", "comparing the ONNX model with the trained one")
    return _Model(fitted, content, exported, check_parity(fitted.score, exported, probes, spec.task))


def _compare(spec: Spec, validation: Part, score: np.ndarray) -> dict:
    theirs = score_champion(spec.champion, spec.task, validation.champion_features)
    name = "brier_difference" if spec.task == "binary" else "mse_difference"
    return {
        "version": spec.champion.version,
        "digest": digest_of_file(spec.champion.path),
        "metrics": measures(spec.task, validation.label, theirs),
        name: difference_blocked_by_time(
            (theirs - validation.label) ** 2, (score - validation.label) ** 2, validation.event_time
        ),
    }


def _signature(spec: Spec) -> dict:
    if spec.task == "binary":
        outputs = [
            {"name": "label", "datatype": "INT64", "shape": [-1]},
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]},
        ]
    else:
        outputs = [{"name": "prediction", "datatype": "FP32", "shape": [-1, 1]}]
    return {"inputs": [{"name": "features", "datatype": "FP32", "shape": [-1, len(spec.features)]}], "outputs": outputs}


def _importance(spec: Spec, importance: np.ndarray) -> list[dict]:
    order = np.argsort(-importance, kind="stable")
    return [{"name": spec.feature_names[i], "share": float(importance[i])} for i in order]


def _examples(exported: Scorer, rows: np.ndarray) -> list[dict]:
    """Scored one at a time, as a request would be. null is a missing value."""
    examples = []
    for row in rows:
        expected = exported.run(row[np.newaxis, :])
        examples.append({
            "input": [None if np.isnan(value) else float(value) for value in row],
            "expected": {name: output.ravel().tolist() for name, output in expected.items()},
        })  # fmt: skip
    return examples


def environment() -> dict:
    package = Path(__file__).parent
    # In a checkout the lock lies beside the package, in a wheel inside it.
    lock = next((path for path in (package / "requirements.lock", package.parent / "requirements.lock") if path.is_file()), None)
    return {
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "lock_digest": digest_of_file(str(lock)) if lock else None,
    }
