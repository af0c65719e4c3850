# SPDX-License-Identifier: Apache-2.0
"""One training run, from a checked specification to its three files."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
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


def train(spec: Spec, progress: Progress, started: float) -> None:
    """Writes model.onnx, profile.json and, last, result.json: whoever sees result.json can rely on the others."""
    _prepare(spec.output_dir)
    progress("read", f"reading and verifying {os.path.basename(spec.training_path)}")
    training, validation = read_training_set(spec)

    progress("fit", f"fitting {spec.algorithm} on {len(training)} rows x {len(spec.features)} features")
    label = training.label
    if spec.shuffle_labels:
        label = np.random.default_rng(spec.seed).permutation(label)
    fitted = algorithms.fit(spec, training.features, label)

    progress("convert", "converting to ONNX")
    model = algorithms.to_bytes(fitted.convert())
    exported = Scorer(model, spec.task)

    progress("parity", "comparing the ONNX model with the trained one")
    parity = check_parity(fitted.score, exported, parity_rows(validation.features), spec.task)

    progress("evaluate", f"measuring on {len(validation)} validation rows")
    score = exported.score(validation.features)  # what will be served is what is measured
    performance = measures(spec.task, validation.label, score)
    champion = None
    if spec.champion:
        progress("champion", f"measuring champion {spec.champion.version} on the same rows")
        champion = _compare(spec, validation, score)

    progress("write", "writing the model, its profile and the result")
    profile = to_json(build_profile(spec, training, validation, score, performance))
    model_path = write_atomically(spec.output_dir, "model.onnx", model)
    profile_path = write_atomically(spec.output_dir, "profile.json", profile)
    result = {
        "contract": CONTRACT,
        "run_id": spec.run_id,
        "model": {"path": model_path, "digest": digest_of(model), "size_bytes": len(model)},
        "profile": {"path": profile_path, "digest": digest_of(profile)},
        "signature": _signature(spec),
        "features": list(spec.feature_names),
        "task": spec.task,
        "training_set": {"digest": spec.training_digest},
        "algorithm": {"name": spec.algorithm, "params": spec.params},
        "shuffle_labels": spec.shuffle_labels,
        "rows": {"train": len(training), "validation": len(validation)},
        "event_time": {
            "train_from": int(training.event_time[0]),
            "train_to": int(training.event_time[-1]),
            "validation_from": int(validation.event_time[0]),
            "validation_to": int(validation.event_time[-1]),
        },
        "metrics": {"validation": performance},
        "champion": champion,
        "feature_importance": {"method": fitted.importance_method, "features": _importance(spec, fitted.importance)},
        "seed": spec.seed,
        "environment": environment(),
        "parity": parity,
        "examples": _examples(exported, validation.features[:EXAMPLES]),
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
