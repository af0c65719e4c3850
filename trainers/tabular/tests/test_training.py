# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import make_columns

from headrace_tabular import algorithms
from headrace_tabular.output import digest_of_file
from headrace_tabular.reference_profile import describe
from headrace_tabular.reference_windows import Windows, labelled_scores

LOGISTIC = {"name": "logistic_regression", "params": {"C": 0.5}}
LINEAR = {"name": "linear_regression", "params": {}}


def specs(trainer) -> dict:
    return {
        "lightgbm binary": trainer.spec,
        "logistic regression": lambda **more: trainer.spec(algorithm=LOGISTIC, **more),
        "lightgbm regression": trainer.regression,
        "linear regression": lambda **more: trainer.regression(algorithm=LINEAR, **more),
        "ridge regression": lambda **more: trainer.regression(algorithm=LINEAR | {"params": {"alpha": 10}}, **more),
    }


EVERY = pytest.mark.parametrize(
    "kind", ["lightgbm binary", "logistic regression", "lightgbm regression", "linear regression", "ridge regression"]
)


@EVERY
def test_exports_a_model_that_answers_as_the_trained_one_does(trainer, kind):
    result = trainer.run(specs(trainer)[kind]()).result
    parity = result["parity"]
    assert parity["max_abs_difference"] <= parity["tolerance"]
    assert parity["rows"] > 900
    assert parity["rows_with_missing"] > 100


@EVERY
def test_trains_the_same_bytes_twice(trainer, kind):
    first, second = trainer.run(specs(trainer)[kind]()), trainer.run(specs(trainer)[kind](threads=2))
    assert first.result["model"]["digest"] == second.result["model"]["digest"]
    assert first.result["profile"]["digest"] == second.result["profile"]["digest"]


@EVERY
def test_keeps_the_promised_signature(trainer, kind):
    outcome = trainer.run(specs(trainer)[kind]())
    model = onnx.load(outcome.model_path)
    session = onnxruntime.InferenceSession(outcome.model_path)
    types = {"tensor(float)": "FP32", "tensor(int64)": "INT64"}

    def described(values):
        return [
            {"name": v.name, "datatype": types[v.type], "shape": [-1 if isinstance(d, str) else d for d in v.shape]}
            for v in values
        ]

    assert {o.domain: o.version for o in model.opset_import} == {"": 15, "ai.onnx.ml": 3}
    assert described(session.get_inputs()) == outcome.result["signature"]["inputs"]
    assert described(session.get_outputs()) == outcome.result["signature"]["outputs"]
    for rows in (1, 7):
        outputs = session.run(None, {"features": np.zeros((rows, 4), np.float32)})
        expected = [(rows,), (rows, 2)] if outcome.result["task"] == "binary" else [(rows, 1)]
        assert [output.shape for output in outputs] == expected


@EVERY
def test_gives_examples_that_the_model_reproduces(trainer, kind):
    outcome = trainer.run(specs(trainer)[kind]())
    session = onnxruntime.InferenceSession(outcome.model_path)
    examples = outcome.result["examples"]
    assert len(examples) == 5
    for example in examples:
        row = np.array([[np.nan if value is None else value for value in example["input"]]], np.float32)
        for name, values in example["expected"].items():
            assert session.run([name], {"features": row})[0].ravel().tolist() == values


def test_writes_what_the_result_says(trainer):
    outcome = trainer.run(trainer.spec())
    result = outcome.result
    assert sorted(path.name for path in outcome.folder.iterdir()) == ["model.onnx", "profile.json", "result.json"]
    for part in ("model", "profile"):
        assert digest_of_file(result[part]["path"]) == result[part]["digest"]
    assert set(result) == {
        "contract", "run_id", "model", "profile", "signature", "features", "task", "training_set", "algorithm", "refit",
        "shuffle_labels", "rows", "event_time", "metrics", "champion", "feature_importance", "seed", "environment", "parity", "examples", "wall_seconds",
    }  # fmt: skip
    assert result["features"] == ["speed", "load", "noise", "flag"]
    assert set(result["metrics"]["validation"]) == {"auc", "log_loss", "brier", "accuracy"}
    assert result["metrics"]["validation"]["auc"]["low"] > 0.85
    assert result["feature_importance"]["features"][0]["name"] == "speed"
    assert sum(entry["share"] for entry in result["feature_importance"]["features"]) == pytest.approx(1)
    assert result["environment"]["lock_digest"].startswith("sha256:")
    assert [step["step"] for step in outcome.steps] == [
        "read", "fit", "convert", "parity", "evaluate", "refit", "convert", "parity", "write", "done",
    ]  # fmt: skip


def test_measures_a_regression(trainer):
    metrics = trainer.run(trainer.regression()).result["metrics"]["validation"]
    assert set(metrics) == {"mae", "rmse", "r2"}
    assert 0.9 < metrics["r2"]["low"] < metrics["r2"]["value"] < metrics["r2"]["high"] < 1


def test_shuffled_labels_teach_nothing(trainer):
    # One such model may by chance rank along or against a strong signal; only their mean is close to one half.
    specs = [trainer.spec(shuffle_labels=True, seed=seed) for seed in range(12)]
    aucs = [trainer.run(spec).result["metrics"]["validation"]["auc"]["value"] for spec in specs]
    assert 0.42 < np.mean(aucs) < 0.58
    assert max(aucs) < 0.75


def test_another_seed_shuffles_differently(trainer):
    a, b = (trainer.run(trainer.spec(shuffle_labels=True, seed=seed)).result for seed in (1, 2))
    assert a["model"]["digest"] != b["model"]["digest"]


def test_compares_with_the_champion_on_the_same_rows(trainer):
    bad = trainer.run(trainer.spec(shuffle_labels=True, refit=False))
    champion = {"version": "3", "path": bad.model_path, "features": ["speed", "load", "noise", "flag"]}
    better = trainer.run(trainer.spec(champion=champion)).result["champion"]
    assert better["version"] == "3"
    assert better["digest"] == bad.result["model"]["digest"]
    assert better["metrics"] == bad.result["metrics"]["validation"]
    assert better["brier_difference"]["low"] > 0

    good = trainer.run(trainer.spec(refit=False))
    worse = trainer.run(trainer.spec(shuffle_labels=True, champion=champion | {"path": good.model_path})).result["champion"]
    assert worse["brier_difference"]["high"] < 0

    equal = trainer.run(trainer.spec(champion=champion | {"path": good.model_path})).result["champion"]
    assert equal["brier_difference"]["value"] == 0


def test_the_champion_may_use_other_features_in_another_order(trainer):
    spec = trainer.spec()
    spec["columns"]["features"] = [{"name": "load", "type": "double"}, {"name": "speed", "type": "double"}]
    narrow = trainer.run(spec | {"refit": False})
    spec = trainer.spec(champion={"version": "2", "path": narrow.model_path, "features": ["load", "speed"]})
    spec["columns"]["features"] = spec["columns"]["features"][1:]
    assert trainer.run(spec).result["champion"]["metrics"] == narrow.result["metrics"]["validation"]


def test_compares_regressions_by_squared_error(trainer):
    linear = trainer.run(trainer.regression(algorithm=LINEAR))
    champion = {"version": "1", "path": linear.model_path, "features": ["speed", "load", "noise", "flag"]}
    assert trainer.run(trainer.regression(champion=champion)).result["champion"]["mse_difference"]["low"] > 0


def test_refuses_a_champion_it_cannot_use(trainer, tmp_path):
    good = trainer.run(trainer.spec())
    junk = tmp_path / "junk.onnx"
    junk.write_bytes(b"not a model")
    regression = trainer.run(trainer.regression())
    four = ["speed", "load", "noise", "flag"]
    for path, features, message in (
        (junk, four, "champion '3': not a loadable ONNX model"),
        (good.model_path, ["speed"], "champion '3': cannot score its 1 features"),
        (good.model_path, ["speed", "gone", "noise", "flag"], "column 'gone': not in the training set (a feature of the champion)"),
        (regression.model_path, four, "champion '3': found the outputs prediction; expected probabilities among them"),
    ):
        outcome = trainer.run(trainer.spec(champion={"version": "3", "path": str(path), "features": features}))
        assert outcome.code == 3
        assert outcome.error.startswith(f"error: {message}")
        assert outcome.error.count("\n") == 1


def test_stops_when_the_exported_model_answers_differently(trainer, monkeypatch):
    convert = algorithms._convert_lightgbm

    def damaged(booster, spec):
        model = convert(booster, spec)
        [trees] = [node for node in model.graph.node if node.op_type == "TreeEnsembleClassifier"]
        [weights] = [attribute for attribute in trees.attribute if attribute.name == "class_weights"]
        weights.floats[0] += 1
        return model

    monkeypatch.setattr(algorithms, "_convert_lightgbm", damaged)
    spec = trainer.spec()
    outcome = trainer.run(spec)
    assert outcome.code == 4
    assert outcome.error.startswith("error: parity: the exported model differs by ")
    assert list(outcome.folder.iterdir()) == []


def test_a_failed_run_leaves_no_result_of_an_earlier_one(trainer):
    spec = trainer.spec()
    assert (trainer.run(spec).folder / "result.json").exists()
    spec["training_set"]["digest"] = "sha256:" + "0" * 64
    assert not (trainer.run(spec).folder / "result.json").exists()


def test_says_in_one_line_that_the_output_folder_cannot_be_made(trainer, tmp_path):
    (tmp_path / "file").write_text("")
    outcome = trainer.run(trainer.spec(output_dir=str(tmp_path / "file" / "out")))
    assert outcome.code == 1
    assert outcome.error.startswith("error: output folder ")


def test_cuts_between_neighbouring_32_bit_floats_survive_the_export(trainer):
    # Above 2^24 neighbours are 2 apart: the cut between them is no 32-bit float and must not be rounded up.
    columns = make_columns()
    number = 2**24 + 2 * np.random.default_rng(1).integers(0, 40, size=3000)
    columns |= {"speed": number, "label": (number // 2) % 2}
    result = trainer.run(trainer.spec(columns)).result
    assert result["metrics"]["validation"]["accuracy"]["value"] > 0.95


@pytest.mark.parametrize("missing_in", ["training", "validation"])
def test_values_missing_on_one_side_only_are_exported_faithfully(trainer, missing_in):
    columns = make_columns()
    rows = slice(0, 2100, 3) if missing_in == "training" else slice(2100, 3000, 3)
    columns["speed"][rows] = np.nan
    assert trainer.run(trainer.spec(columns)).code == 0
    assert trainer.run(trainer.spec(columns, algorithm=LOGISTIC)).code == 0


def test_a_model_without_a_single_split_is_still_a_model(trainer):
    columns = make_columns() | {name: np.zeros(3000) for name in ("speed", "load", "noise", "flag")}
    result = trainer.run(trainer.spec(columns)).result
    assert result["metrics"]["validation"]["auc"]["value"] == 0.5


def test_profiles_features_on_training_and_predictions_on_validation(trainer):
    outcome = trainer.run(trainer.spec())
    profile = outcome.profile
    speed, load, _, flag = profile["features"]
    assert (speed["part"], profile["prediction"]["part"], profile["label"]["part"]) == ("training", "validation", "validation")
    assert (speed["count"], speed["missing"]) == (2100, 0)
    assert load["count"] + load["missing"] == 2100 and load["missing"] > 300
    trained = make_columns()["speed"][:2100].astype(np.float32).astype(float)
    assert (speed["min"], speed["max"]) == (trained.min(), trained.max())
    assert (speed["mean"], speed["std"]) == pytest.approx((trained.mean(), trained.std()))
    assert speed["counts"] == [210] * 10
    assert flag["edges"] == [0, 0.5, 1] and flag["counts"][1] == round(flag["mean"] * 2100)
    for entry in (*profile["features"], profile["prediction"]):
        assert len(entry["edges"]) == len(entry["counts"]) + 1
        assert sum(entry["counts"]) == entry["count"]
        assert entry["sample"] == sorted(entry["sample"]) and len(entry["sample"]) <= 1000
        assert (entry["sample"][0], entry["sample"][-1]) == (entry["min"], entry["max"])
    assert profile["prediction"]["count"] == profile["label"]["count"] == 900
    assert profile["label"]["mean"] == profile["label"]["positives"] / 900
    assert profile["performance"] == outcome.result["metrics"]["validation"]


def test_cuts_the_reference_into_windows_that_add_up(trainer):
    profile = trainer.run(trainer.spec()).profile
    # 2,100 and 900 rows, one a minute: 15 minutes are the shortest length with at most 200 windows.
    training, validation = profile["windows"]["training"], profile["windows"]["validation"]
    assert (training["length_micros"], validation["length_micros"]) == (15 * 60_000_000, 5 * 60_000_000)
    for entry, windows in [*((feature, training) for feature in profile["features"]), (profile["prediction"], validation)]:
        counts = np.array(entry["window_counts"])
        assert counts.sum(axis=0).tolist() == entry["counts"]
        assert (counts.sum(axis=1) <= np.array(windows["rows"])).all()
    assert sum(training["rows"]) == 2100 and sum(validation["rows"]) == 900
    assert all(start % training["length_micros"] == 0 for start in training["starts"])


def test_windows_are_the_rows_of_their_time():
    windows = Windows(np.array([0, 1, 59, 60, 7_260]) * 1_000_000)
    assert (windows.starts.tolist(), windows.describe()["rows"]) == ([0, 60_000_000, 7_260_000_000], [3, 1, 1])
    counts = windows.counts(np.array([0.5, np.nan, 1.5, -9, 1.0]), np.array([0.0, 1.0, 2.0]))
    assert counts == [[1, 1], [1, 0], [0, 1]]


def test_keeps_the_newest_windows_of_a_very_long_reference():
    weeks = np.arange(300) * 7 * 24 * 3600 * 1_000_000
    windows = Windows(weeks)
    assert len(windows.starts) == 200 and windows.describe()["rows"] == [1] * 200
    assert windows.counts(np.arange(300.0), np.array([0.0, 250, 300]))[149:151] == [[1, 0], [0, 1]]


def test_keeps_labelled_scores_of_the_validation_part(trainer):
    profile = trainer.run(trainer.spec()).profile
    labelled = profile["labelled"]
    assert len(labelled["score"]) == len(labelled["label"]) == 900
    brier = np.mean((np.array(labelled["score"]) - labelled["label"]) ** 2)
    assert brier == pytest.approx(profile["performance"]["brier"]["value"])
    many = labelled_scores(np.arange(20_000.0), np.zeros(20_000))
    assert (len(many["score"]), many["score"][0], many["score"][-1]) == (5_000, 0, 19_999)


def test_describes_constants_and_heavy_ties():
    constant = describe(np.array([3.0, 3, np.nan]))
    assert (constant["edges"], constant["counts"], constant["missing"]) == ([3, 3], [2], 1)
    ties = describe(np.concatenate([np.zeros(900), np.arange(1, 101)]))
    assert ties["edges"] == [0, pytest.approx(0.1), 100]
    assert ties["counts"] == [900, 100]


def test_the_files_are_strict_json(trainer):
    outcome = trainer.run(trainer.spec())

    def refuse(name):
        raise AssertionError(name)

    for name in ("result.json", "profile.json"):
        json.loads((outcome.folder / name).read_text(), parse_constant=refuse)
