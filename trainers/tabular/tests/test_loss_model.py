# SPDX-License-Identifier: Apache-2.0
import numpy as np
from conftest import make_columns

from headrace_tabular import loss_model
from headrace_tabular.algorithms import import_lightgbm

LINEAR = {"name": "linear_regression", "params": {}}


def evaluate(trees: list[dict], rows: np.ndarray) -> np.ndarray:
    """As the contract says it."""

    def leaf(tree: dict, row: np.ndarray) -> float:
        node = 0
        while (feature := tree["feature"][node]) >= 0:
            if np.isnan(row[feature]):
                node = tree["missing"][node]
            else:
                node = tree["left" if row[feature] <= tree["value"][node] else "right"][node]
        return tree["value"][node]

    return np.array([sum(leaf(tree, row) for tree in trees) for row in rows])


def test_trees_answer_as_the_booster_does():
    random = np.random.default_rng(3)
    rows = random.normal(size=(2_000, 4))
    rows[random.random(2_000) < 0.2, 1] = np.nan
    target = np.abs(rows[:, 0]) + np.where(np.isnan(rows[:, 1]), 2, 0) + (rows[:, 2] > 0.5)
    lightgbm = import_lightgbm()
    booster = lightgbm.train({"verbosity": -1}, lightgbm.Dataset(rows, target), num_boost_round=30)
    probes = random.normal(size=(500, 4)) * 2
    for column in range(4):  # also where no value was missing before
        probes[random.random(500) < 0.2, column] = np.nan
    np.testing.assert_allclose(evaluate(loss_model.trees_of(booster), probes), booster.predict(probes), rtol=1e-13, atol=0)


def test_knows_where_errors_are_large(trainer):
    columns = make_columns(6_000)
    noisy = columns["flag"]
    columns["target"] = columns["speed"] + np.random.default_rng(4).normal(size=6_000) * np.where(noisy, 10, 1)
    profile = trainer.run(trainer.regression(columns, algorithm=LINEAR)).profile
    model = profile["loss_model"]
    assert model["inputs"] == ["speed", "load", "noise", "flag", "prediction"]
    speed, load, noise = np.random.default_rng(5).normal(size=(3, 1_000))

    def expected(kind: str, flag: int) -> float:
        rows = np.column_stack([speed, load, noise, np.full(1_000, flag), speed])
        return float(evaluate(model[kind], rows).mean())

    # A normal error of deviation d is d √(2/π) on average, its square d².
    assert 0.7 < expected("absolute", 0) < 1.0
    assert 7 < expected("absolute", 1) < 9
    assert 0 < expected("squared", 0) < 5
    assert 75 < expected("squared", 1) < 125


def test_is_not_there_for_answers_of_two_classes_or_few_rows(trainer):
    assert trainer.run(trainer.spec()).profile["loss_model"] is None
    few = make_columns(600)  # 180 of them validate
    assert trainer.run(trainer.regression(few)).profile["loss_model"] is None
