# SPDX-License-Identifier: Apache-2.0
import copy
import json

import pytest


def change(spec: dict, path: str, value: object) -> dict:
    spec = copy.deepcopy(spec)
    *parents, last = path.split("/")
    target = spec
    for key in parents:
        target = target[int(key) if isinstance(target, list) else key]
    target[last] = value
    return spec


WRONG = {
    "another contract": ("contract", "headrace.dev/trainer/v2", '$.contract: found \'headrace.dev/trainer/v2\'; expected "headrace.dev/trainer/v1"'),
    "an unknown field": ("colour", "red", "$.colour: found 'red'; expected no such field"),
    "an empty run id": ("run_id", " ", "$.run_id: found ' '; expected a printable, non-empty string"),
    "a training set that is not there": ("training_set/path", "/nowhere/t.parquet", "$.training_set.path: found '/nowhere/t.parquet'; expected the path of an existing file"),
    "a relative path": ("training_set/path", "t.parquet", "$.training_set.path: found 't.parquet'; expected an absolute path"),
    "a short digest": ("training_set/digest", "sha256:12", "$.training_set.digest: found 'sha256:12'; expected sha256: and 64"),
    "no features": ("columns/features", [], "$.columns.features: found 'a list of 0'; expected a list of 1 to 1000"),
    "a feature type it does not know": ("columns/features/0/type", "string", "$.columns.features[0].type: found 'string'; expected \"double\""),
    "a feature named twice": ("columns/features/1/name", "speed", "$.columns.features[1].name: found 'speed'; expected a name not yet used by $.columns.features[0]"),
    "the label among the features": ("columns/label", "load", "$.columns.label: found 'load'; expected a column other than $.columns.features[1].name"),
    "an unknown task": ("task", "ranking", '$.task: found \'ranking\'; expected "binary" or "regression"'),
    "everything kept for validation": ("split/validation_fraction", 1, "$.split.validation_fraction: found 1; expected a number above 0 up to 0.9"),
    "an unknown algorithm": ("algorithm/name", "forest", "$.algorithm.name: found 'forest'; expected \"lightgbm\""),
    "an algorithm of another task": ("algorithm/name", "linear_regression", "$.algorithm.name: found 'linear_regression'; expected for the task binary: lightgbm or logistic_regression"),
    "a parameter it does not know": ("algorithm/params/device", "gpu", "$.algorithm.params.device: found 'gpu'; expected no such field; the fields are n_estimators"),
    "a parameter out of range": ("algorithm/params/num_leaves", 100000, "$.algorithm.params.num_leaves: found 100000; expected a whole number from 2 to 512"),
    "a fraction for a whole number": ("algorithm/params/n_estimators", 1.5, "$.algorithm.params.n_estimators: found 1.5; expected a whole number"),
    "true for a number": ("algorithm/params/learning_rate", True, "$.algorithm.params.learning_rate: found True; expected a number above 0 up to 1"),
    "too many leaves in total": ("algorithm/params", {"n_estimators": 5000, "num_leaves": 512}, "$.algorithm.params: found 'n_estimators x num_leaves = 2560000'"),
    "a negative seed": ("seed", -1, "$.seed: found -1; expected a whole number from 0"),
    "a word for true": ("shuffle_labels", "yes", "$.shuffle_labels: found 'yes'; expected true or false"),
    "a number for true": ("refit", 1, "$.refit: found 1; expected true or false"),
    "null for true": ("refit", None, "$.refit: found None; expected true or false"),
    "a champion without a path": ("champion", {"version": "3", "features": ["speed"]}, "$.champion.path: found nothing; expected this field to be given"),
    "a champion that is not there": ("champion", {"version": "3", "path": "/nowhere/c.onnx", "features": ["speed"]}, "$.champion.path: found '/nowhere/c.onnx'"),
    "no threads": ("threads", 0, "$.threads: found 0; expected a whole number from 1"),
    "a relative output folder": ("output_dir", "out", "$.output_dir: found 'out'; expected an absolute path"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_refuses_a_specification_with(trainer, case):
    path, value, message = WRONG[case]
    outcome = trainer.run(change(trainer.spec(), path, value))
    assert outcome.code == 2
    assert outcome.error.startswith(f"error: {message}")
    assert outcome.error.count("\n") == 1
    assert outcome.steps == []


@pytest.mark.parametrize("field", ["contract", "training_set", "columns", "task", "split", "algorithm", "seed", "output_dir"])
def test_names_a_field_that_is_absent(trainer, field):
    spec = trainer.spec()
    del spec[field]
    outcome = trainer.run(spec)
    assert outcome.code == 2
    assert outcome.error == f"error: $.{field}: found nothing; expected this field to be given\n"


@pytest.mark.parametrize("text", ["{", "[1]", "[" * 100_000, '{"seed": 1, "seed": 2}', "\0"])
def test_refuses_a_file_that_is_not_one_json_object(trainer, text):
    outcome = trainer.run(text)
    assert outcome.code == 2
    assert outcome.error.startswith("error: $: found ")


def test_refuses_an_infinite_number(trainer):
    text = json.dumps(trainer.spec()).replace('"validation_fraction": 0.3', '"validation_fraction": Infinity')
    outcome = trainer.run(text)
    assert outcome.code == 2
    assert "$.split.validation_fraction: found inf" in outcome.error


def test_optional_fields_may_be_left_out(trainer):
    spec = trainer.spec()
    for name in ("shuffle_labels", "champion", "threads"):
        del spec[name]
    del spec["algorithm"]["params"]
    assert "refit" not in spec
    assert trainer.run(spec).result["refit"] is True
