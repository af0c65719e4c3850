# SPDX-License-Identifier: Apache-2.0
import lightgbm
import numpy as np
import onnxruntime
import pytest
from conftest import MINUTE, START, make_columns

from headrace_tabular import algorithms

STUDY = {"n_estimators": 100, "num_leaves": 15, "learning_rate": 0.1, "min_child_samples": 50}
LIGHTGBM, LOGISTIC, LINEAR = "lightgbm", "logistic_regression", "linear_regression"


def turned(rows: int = 3000) -> dict:
    """In the validation part, the last 900 rows, the world is the other way round."""
    columns = make_columns(rows)
    columns["speed"] = np.where(np.arange(rows) < 2100, columns["speed"], 8 + columns["speed"])
    columns["label"] = np.where(np.arange(rows) < 2100, columns["label"], 1 - columns["label"])
    columns["target"] = np.where(np.arange(rows) < 2100, columns["target"], -columns["target"])
    return columns


def auc_on_the_validation_part(outcome) -> float:
    from sklearn.metrics import roc_auc_score

    columns = turned()
    rows = np.column_stack([
        np.asarray(columns[name].to_numpy(zero_copy_only=False) if name == "load" else columns[name], np.float32)[2100:]
        for name in ("speed", "load", "noise", "flag")
    ])  # fmt: skip
    session = onnxruntime.InferenceSession(outcome.model_path)
    return roc_auc_score(columns["label"][2100:], session.run(["probabilities"], {"features": rows})[0][:, 1])


def test_registers_a_model_that_has_learnt_the_newest_rows_and_measures_one_that_has_not(trainer):
    again, once = trainer.run(trainer.spec(turned())), trainer.run(trainer.spec(turned(), refit=False))
    assert (again.result["refit"], once.result["refit"]) == (True, False)
    assert auc_on_the_validation_part(again) > 0.9
    assert auc_on_the_validation_part(once) < 0.5
    assert again.result["metrics"]["validation"]["auc"]["value"] < 0.5


def test_says_what_the_registered_model_was_fitted_on(trainer):
    again, once = (trainer.run(trainer.spec(refit=refit)).result for refit in (True, False))
    assert again["rows"] == {"train": 2100, "validation": 900, "registered": 3000}
    assert once["rows"] == {"train": 2100, "validation": 900, "registered": 2100}
    assert again["event_time"]["registered_to"] == again["event_time"]["validation_to"] == START + 2999 * MINUTE
    assert once["event_time"]["registered_to"] == once["event_time"]["train_to"] == START + 2099 * MINUTE


@pytest.mark.parametrize(
    ("task", "algorithm"), [("binary", LIGHTGBM), ("binary", LOGISTIC), ("regression", LIGHTGBM), ("regression", LINEAR)]
)
def test_everything_measured_is_the_same_with_and_without_it(trainer, task, algorithm):
    make = trainer.spec if task == "binary" else trainer.regression
    more = {"algorithm": {"name": algorithm, "params": {}}}
    other = trainer.run(make(shuffle_labels=True, **more))
    champion = {"version": "3", "path": other.model_path, "features": ["speed", "load", "noise", "flag"]}
    again, once = (trainer.run(make(turned(), refit=refit, champion=champion, **more)) for refit in (True, False))
    for field in ("metrics", "champion", "signature"):
        assert again.result[field] == once.result[field]
    assert again.profile == once.profile
    assert again.profile["performance"] == again.result["metrics"]["validation"]
    assert again.result["model"]["digest"] != once.result["model"]["digest"]
    assert again.result["examples"] != once.result["examples"]


def test_fits_the_same_parameters_and_seed_on_the_training_part_and_then_on_all_rows(trainer, monkeypatch):
    fits = []
    fit = lightgbm.train

    def recorded(params, dataset, num_boost_round):
        booster = fit(params, dataset, num_boost_round=num_boost_round)
        fits.append((dict(params), num_boost_round, dataset.num_data()))
        return booster

    monkeypatch.setattr(lightgbm, "train", recorded)
    result = trainer.run(trainer.spec(algorithm={"name": "lightgbm", "params": STUDY})).result
    assert result["algorithm"]["params"] == STUDY
    assert [rows for _, _, rows in fits] == [2100, 3000]
    assert fits[0][:2] == fits[1][:2]
    params, rounds, _ = fits[0]
    assert rounds == 100
    expected = {"num_leaves": 15, "learning_rate": 0.1, "min_child_samples": 50, "seed": 7, "deterministic": True, "force_row_wise": True}
    assert {name: params[name] for name in expected} == expected


@pytest.mark.parametrize("shuffle", [False, True])
def test_shuffling_permutes_the_labels_of_both_fits(trainer, monkeypatch, shuffle):
    given = []
    fit = algorithms.fit

    def recorded(spec, features, label):
        given.append(label.copy())
        return fit(spec, features, label)

    monkeypatch.setattr(algorithms, "fit", recorded)
    outcome = trainer.run(trainer.spec(shuffle_labels=shuffle))
    truth = make_columns()["label"]
    for label in given:
        true = truth[: len(label)]
        assert label.sum() == true.sum()
        assert (label == true).all() == (not shuffle)
    if shuffle:
        assert (given[1][2100:] != truth[2100:]).any()
    assert [len(label) for label in given] == [2100, 3000]
    assert outcome.profile["label"]["positives"] == truth[2100:].sum()


def test_a_shuffled_refit_gives_the_same_bytes_twice(trainer):
    first, second = (trainer.run(trainer.spec(shuffle_labels=True, threads=threads)) for threads in (1, 2))
    assert first.result["model"]["digest"] == second.result["model"]["digest"]


def test_stops_when_only_the_registered_model_answers_differently(trainer, monkeypatch):
    convert, calls = algorithms._convert_lightgbm, []

    def damaged(booster, spec):
        model = convert(booster, spec)
        calls.append(model)
        if len(calls) == 2:
            [trees] = [node for node in model.graph.node if node.op_type == "TreeEnsembleClassifier"]
            [weights] = [attribute for attribute in trees.attribute if attribute.name == "class_weights"]
            weights.floats[0] += 1
        return model

    monkeypatch.setattr(algorithms, "_convert_lightgbm", damaged)
    outcome = trainer.run(trainer.spec())
    assert outcome.code == 4
    assert outcome.error.startswith("error: parity: the exported model differs by ")
    assert list(outcome.folder.iterdir()) == []
