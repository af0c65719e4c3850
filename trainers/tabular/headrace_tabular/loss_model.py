# SPDX-License-Identifier: Apache-2.0
"""How wrong each answer of a regression is likely to be, by a second model: direct loss estimation.

Monitoring says with it what the error of a window is likely to be before its labels come (NannyML's DLE does the same with
LightGBM). It learns the error of the backtest's model on the validation part, which that model has not seen, from the features
and the prediction, and is written into the profile as plain trees, so that monitoring needs no runtime of models.
"""

from __future__ import annotations

import logging

import numpy as np

from .algorithms import import_lightgbm
from .data import Part
from .spec import Spec

# Fewer rows say too little about where errors are large; monitoring wants as many labelled ones besides.
LEAST_ROWS = 200
# Small on purpose: what counts is the mean over a window, and every row of live traffic goes through all of them.
TREES = 50
LEAVES = 15


def loss_model(spec: Spec, validation: Part, score: np.ndarray) -> dict | None:
    """Trees for the absolute and for the squared error; None for other tasks, or with too few validation rows.

    `inputs` names their columns: the features as float32 and, last, the prediction. A tree is a list of nodes, the root first and
    children behind their parents: `feature` (-1: a leaf), `value` (of a leaf, its part of the sum; else the split: left when the
    column is at most that), `left`, `right`, and `missing`, where a missing value goes.
    """
    if spec.task != "regression" or len(validation) < LEAST_ROWS:
        return None
    inputs = np.column_stack([validation.features.astype(np.float64), score])
    absolute = np.abs(validation.label - score)
    return {
        "inputs": [*spec.feature_names, "prediction"],
        "absolute": trees_of(_fit(spec, inputs, absolute)),
        "squared": trees_of(_fit(spec, inputs, absolute**2)),
    }


def _fit(spec: Spec, inputs: np.ndarray, loss: np.ndarray):
    lightgbm = import_lightgbm()
    lightgbm.register_logger(logging.getLogger("lightgbm"))  # its own logger writes to stdout
    params = {
        "objective": "regression",
        "num_leaves": LEAVES,
        "seed": spec.seed,
        "num_threads": spec.threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    names = [f"f{i}" for i in range(inputs.shape[1])]
    dataset = lightgbm.Dataset(inputs, loss, feature_name=names, params=params)
    return lightgbm.train(params, dataset, num_boost_round=TREES)


def trees_of(booster) -> list[dict]:
    """The trees of a LightGBM booster over numeric columns; its prediction is the sum of the leaves that a row reaches."""
    return [_flat(info["tree_structure"]) for info in booster.dump_model()["tree_info"]]


def _flat(root: dict) -> dict:
    tree: dict[str, list] = {"feature": [], "value": [], "left": [], "right": [], "missing": []}

    def add(node: dict) -> int:
        place = len(tree["feature"])
        if "split_feature" not in node:
            for name, value in (("feature", -1), ("value", node["leaf_value"]), ("left", 0), ("right", 0), ("missing", 0)):
                tree[name].append(value)
            return place
        assert node["decision_type"] == "<=" and node["missing_type"] in ("None", "NaN"), node
        for name, value in (("feature", node["split_feature"]), ("value", node["threshold"]), ("left", 0), ("right", 0), ("missing", 0)):
            tree[name].append(value)
        left = tree["left"][place] = add(node["left_child"])
        right = tree["right"][place] = add(node["right_child"])
        # Where no value was missing when it learnt, LightGBM takes a missing one for 0.
        goes_left = node["default_left"] if node["missing_type"] == "NaN" else node["threshold"] >= 0
        tree["missing"][place] = left if goes_left else right
        return place

    add(root)
    return tree
