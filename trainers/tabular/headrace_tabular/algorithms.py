# SPDX-License-Identifier: Apache-2.0
"""Fitting, and turning what was fitted into ONNX. Each algorithm imports its own library, and only when it is asked for.

Every exported model has one input `features` float32 [N, F] in the order of the specification, and the outputs
`label` int64 [N] and `probabilities` float32 [N, 2], or `prediction` float32 [N, 1].
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .spec import Spec

if TYPE_CHECKING:
    from onnx import ModelProto

OPSETS = {"": 15, "ai.onnx.ml": 3}
GRAPH_NAME = "headrace_tabular"


@dataclass(frozen=True)
class Fitted:
    """score: float32 [N, F] -> float64 [N], the probability of class 1 or the predicted value."""

    score: Callable[[np.ndarray], np.ndarray]
    convert: Callable[[], ModelProto]
    importance_method: str
    importance: np.ndarray


def fit(spec: Spec, features: np.ndarray, label: np.ndarray) -> Fitted:
    return _fit_lightgbm(spec, features, label) if spec.algorithm == "lightgbm" else _fit_linear(spec, features, label)


def to_bytes(model: ModelProto) -> bytes:
    return model.SerializeToString(deterministic=True)


def import_lightgbm():
    """LightGBM without its wrappers: they load scikit-learn and pandas, which costs more than fitting a hundred trees."""
    unused = [name for name in ("sklearn", "pandas") if name not in sys.modules]
    sys.modules.update(dict.fromkeys(unused))  # None: importing it fails, as if it were not installed
    try:
        import lightgbm
    finally:
        for name in unused:
            del sys.modules[name]
    return lightgbm


def _fit_lightgbm(spec: Spec, features: np.ndarray, label: np.ndarray) -> Fitted:
    lightgbm = import_lightgbm()
    lightgbm.register_logger(logging.getLogger("lightgbm"))  # its own logger writes to stdout
    params = dict(spec.params)
    rounds = params.pop("n_estimators", 100)
    if params.get("subsample", 1) < 1:
        params.setdefault("subsample_freq", 1)  # 0, the default, would silently ignore subsample
    params |= {
        "objective": spec.task,
        "seed": spec.seed,
        "num_threads": spec.threads,
        # Together they make the sums, and so the trees, independent of threads and timing.
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    dataset = lightgbm.Dataset(features, label, feature_name=[f"f{i}" for i in range(features.shape[1])], params=params)
    booster = lightgbm.train(params, dataset, num_boost_round=rounds)
    gain = booster.feature_importance("gain")
    return Fitted(
        score=lambda rows: booster.predict(rows, num_threads=spec.threads),
        convert=lambda: _convert_lightgbm(booster, spec),
        importance_method="share of the total gain of splits",
        importance=gain / gain.sum() if gain.sum() > 0 else gain,
    )


def _convert_lightgbm(booster, spec: Spec) -> ModelProto:
    from onnxmltools.convert import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    floored = import_lightgbm().Booster(model_str=floor_thresholds(booster.model_to_string()))
    width = len(spec.features)
    model = convert_lightgbm(
        floored,
        name=GRAPH_NAME,  # otherwise a random one, and never the same bytes twice
        initial_types=[("features", FloatTensorType([None, width]))],
        target_opset=OPSETS[""],
        zipmap=False,
    )
    outputs = ["label", "probabilities"] if spec.task == "binary" else ["prediction"]
    return _finish(model, outputs)


def floor_thresholds(model_text: str) -> str:
    """Rounds split thresholds down to 32-bit floats, changing no decision for 32-bit input.

    LightGBM cuts between two values in double precision and ONNX keeps the cut as a float: rounded to nearest it can land on
    the upper value, which then takes the wrong branch. x <= t and x <= floor32(t) agree for every 32-bit x.
    """
    lines = model_text.split("\n")
    for i, line in enumerate(lines):
        if line.startswith("threshold="):
            values = np.array([float(value) for value in line[len("threshold=") :].split()])
            with np.errstate(over="ignore"):
                rounded = values.astype(np.float32)
            above = rounded > values
            rounded[above] = np.nextafter(rounded[above], np.float32(-np.inf))
            lines[i] = "threshold=" + " ".join(repr(float(value)) for value in rounded)
        elif line.startswith("tree_sizes="):
            lines[i] = ""  # byte lengths of the trees as they were; optional when reading
    return "\n".join(lines)


def _fit_linear(spec: Spec, features: np.ndarray, label: np.ndarray) -> Fitted:
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if spec.task == "binary":
        estimator = LogisticRegression(C=spec.params.get("C", 1.0), max_iter=spec.params.get("max_iter", 1000))
    else:
        alpha = spec.params.get("alpha", 0)
        estimator = Ridge(alpha=alpha) if alpha else LinearRegression()
    pipeline = make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), estimator)
    pipeline.fit(features.astype(np.float64), label.astype(np.int64) if spec.task == "binary" else label)
    weight = np.abs(np.ravel(estimator.coef_))

    def score(rows: np.ndarray) -> np.ndarray:
        rows = rows.astype(np.float64)
        return pipeline.predict_proba(rows)[:, 1] if spec.task == "binary" else pipeline.predict(rows)

    return Fitted(
        score=score,
        convert=lambda: _convert_linear(pipeline, spec),
        importance_method="share of the absolute weights of standardised features",
        importance=weight / weight.sum() if weight.sum() > 0 else weight,
    )


def _convert_linear(pipeline, spec: Spec) -> ModelProto:
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    model = convert_sklearn(
        pipeline,
        name=GRAPH_NAME,
        initial_types=[("features", FloatTensorType([None, len(spec.features)]))],
        target_opset=OPSETS,
        options={id(pipeline): {"zipmap": False}} if spec.task == "binary" else None,
    )
    return _finish(model, ["label", "probabilities"] if spec.task == "binary" else ["prediction"])


def _finish(model: ModelProto, outputs: list[str]) -> ModelProto:
    """The promised names, shapes and opsets, whatever the converter chose; then onnx checks the whole."""
    from onnx import TensorProto, checker, helper

    graph = model.graph
    renamed = {output.name: name for output, name in zip(graph.output, outputs, strict=True)}
    for node in graph.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                names[i] = renamed.get(name, name)
    shapes = {
        "label": (TensorProto.INT64, ["N"]),
        "probabilities": (TensorProto.FLOAT, ["N", 2]),
        "prediction": (TensorProto.FLOAT, ["N", 1]),
    }
    width = graph.input[0].type.tensor_type.shape.dim[1].dim_value
    del graph.input[:], graph.output[:], model.opset_import[:]
    graph.input.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", width]))
    graph.output.extend(helper.make_tensor_value_info(name, *shapes[name]) for name in outputs)
    # The converters lower the opsets to the least their operators need; these operators mean the same up to the promised ones.
    model.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in OPSETS.items())
    model.ir_version = 8  # the one that belongs to opset 15
    checker.check_model(model)
    return model
