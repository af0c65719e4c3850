# SPDX-License-Identifier: Apache-2.0
"""Scoring with ONNX Runtime, and the proof that the exported model is the trained one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .errors import DataError, ParityError
from .spec import Champion

TOLERANCE = 1e-5
PARITY_ROWS = 2000
BLANKED_ROWS = 200
BATCH = 65_536


class Scorer:
    """An ONNX model with one float32 input [N, F]; the outputs named as in the contract."""

    def __init__(self, model: bytes | str, task: str):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # One thread whatever the specification says: more would add up the trees in another order, and the profile of one
        # run would differ in its last digits from machine to machine.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._task = task
        self.inputs = self._session.get_inputs()
        self.outputs = [output.name for output in self._session.get_outputs()]
        self.score_name = "probabilities" if task == "binary" else "prediction"

    def run(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(self.outputs, self._session.run(None, {self.inputs[0].name: rows}), strict=True))

    def score(self, rows: np.ndarray) -> np.ndarray:
        """float64 [N]: the probability of class 1, or the predicted value."""
        batches = []
        for start in range(0, len(rows), BATCH):
            [output] = self._session.run([self.score_name], {self.inputs[0].name: rows[start : start + BATCH]})
            batches.append((output[:, 1] if self._task == "binary" else output.reshape(-1)).astype(np.float64))
        return np.concatenate(batches)


def score_champion(champion: Champion, task: str, rows: np.ndarray) -> np.ndarray:
    name = f"champion {champion.version!r}"
    try:
        scorer = Scorer(champion.path, task)
    except Exception as error:  # onnxruntime's exceptions share no public base class
        raise DataError(f"{name}: not a loadable ONNX model ({_line(error)})") from None
    if len(scorer.inputs) != 1 or scorer.inputs[0].type != "tensor(float)":
        found = ", ".join(f"{item.name} {item.type}" for item in scorer.inputs)
        raise DataError(f"{name}: found the inputs {found}; expected a single tensor(float) [N, {rows.shape[1]}]")
    if scorer.score_name not in scorer.outputs:
        raise DataError(f"{name}: found the outputs {', '.join(scorer.outputs)}; expected {scorer.score_name} among them")
    try:
        score = scorer.score(rows)
    except Exception as error:
        raise DataError(f"{name}: cannot score its {rows.shape[1]} features ({_line(error)})") from None
    if len(score) != len(rows) or not np.isfinite(score).all():
        raise DataError(f"{name}: it does not give one finite score for every validation row")
    if task == "binary" and (score.min() < 0 or score.max() > 1):
        raise DataError(f"{name}: its probabilities leave the range from 0 to 1")
    return score


def parity_rows(features: np.ndarray) -> np.ndarray:
    """At most 2,000 rows: up to 900 with missing values, up to 900 of all, and up to 200 of all with one value blanked.

    Blanked, because a value that was never missing in training can be missing when the model serves.
    """
    incomplete = np.flatnonzero(np.isnan(features).any(axis=1))
    real = PARITY_ROWS - BLANKED_ROWS
    chosen = np.union1d(_spread(incomplete, real // 2), _spread(np.arange(len(features)), real // 2))
    blanked = features[_spread(np.arange(len(features)), BLANKED_ROWS)].copy()
    blanked[np.arange(len(blanked)), np.arange(len(blanked)) % features.shape[1]] = np.nan
    return np.concatenate([features[chosen], blanked])


def check_parity(native: Callable[[np.ndarray], np.ndarray], exported: Scorer, rows: np.ndarray, task: str) -> dict:
    """Compares the trained model with the exported one.

    Tolerance 1e-5: absolute for probabilities; for a regression times the largest absolute prediction when that exceeds 1,
    because its output is a 32-bit float whose own resolution grows with its size.
    """
    expected = native(rows)
    found = exported.score(rows)
    scale = max(1.0, float(np.abs(expected).max())) if task == "regression" else 1.0
    difference = np.abs(expected - found)
    worst = float(difference.max()) if np.isfinite(difference).all() else float("inf")
    if worst > TOLERANCE * scale:
        raise ParityError(
            f"parity: the exported model differs by {worst:.3g} on one of {len(rows)} rows; at most {TOLERANCE * scale:.3g} is allowed"
        )
    return {
        "rows": len(rows),
        "rows_with_missing": int(np.isnan(rows).any(axis=1).sum()),
        "max_abs_difference": worst,
        "tolerance": TOLERANCE * scale,
    }


def _spread(indices: np.ndarray, at_most: int) -> np.ndarray:
    if len(indices) <= at_most:
        return indices
    return indices[np.linspace(0, len(indices) - 1, at_most).astype(int)]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
