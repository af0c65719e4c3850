# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pyarrow as pa
import pytest
from conftest import MINUTE, START, make_columns

from headrace_tabular.data import cut_by_time

ROWS = 3000


def refused(trainer, columns: dict, message: str) -> None:
    outcome = trainer.run(trainer.spec(columns))
    assert outcome.code == 3
    assert outcome.error.startswith(f"error: {message}"), outcome.error
    assert outcome.error.count("\n") == 1
    assert not (outcome.folder / "result.json").exists()


def test_refuses_a_training_set_with_another_digest(trainer):
    spec = trainer.spec()
    spec["training_set"]["digest"] = "sha256:" + "0" * 64
    outcome = trainer.run(spec)
    assert outcome.code == 3
    assert outcome.error.startswith("error: training set: found the digest sha256:")


def test_refuses_a_file_that_is_not_parquet(trainer, tmp_path):
    import hashlib

    path = tmp_path / "not.parquet"
    path.write_text("speed,load\n1,2\n")
    spec = trainer.spec()
    spec["training_set"] = {"path": str(path), "digest": "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()}
    outcome = trainer.run(spec)
    assert outcome.code == 3
    assert outcome.error.startswith("error: training set: not a readable Parquet file")


def test_refuses_a_training_set_without_rows(trainer):
    refused(trainer, pa.table(make_columns()).slice(0, 0).to_pydict() | {"speed": pa.array([], pa.float64())}, "training set: it has no rows")


def test_refuses_too_few_rows(trainer):
    refused(trainer, make_columns(rows=20), "validation part: 6 rows; at least 10")


def test_refuses_a_column_that_is_absent(trainer):
    columns = make_columns()
    del columns["noise"]
    refused(trainer, columns, "column 'noise': not in the training set")


@pytest.mark.parametrize("name", ["speed", "label"])
def test_refuses_text_where_numbers_belong(trainer, name):
    refused(trainer, make_columns() | {name: ["a"] * ROWS}, f"column '{name}': found string; expected a numeric or boolean column")


@pytest.mark.parametrize("kind", [pa.float64(), pa.null()], ids=str)
def test_refuses_a_feature_without_a_value(trainer, kind):
    refused(trainer, make_columns() | {"load": pa.nulls(ROWS, kind)}, "column 'load': every value of the training part is missing")


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300])
def test_refuses_a_feature_that_is_infinite_as_a_32_bit_float(trainer, value):
    columns = make_columns()
    columns["noise"][5] = value
    refused(trainer, columns, "column 'noise': 1 values are infinite as 32-bit floats")


def test_refuses_one_class(trainer):
    refused(trainer, make_columns() | {"label": np.ones(ROWS)}, "training part: every label is 1; both classes are needed")


def test_refuses_one_class_in_the_validation_part(trainer):
    columns = make_columns()
    columns["label"][2000:] = 0
    refused(trainer, columns, "validation part: every label is 0")


def test_refuses_labels_other_than_0_and_1(trainer):
    refused(trainer, make_columns() | {"label": np.arange(ROWS)}, "column 'label': found 2; expected only 0 and 1")


def test_refuses_missing_labels(trainer):
    labels = pa.array([None, 1, 0] * 1000, pa.int64())
    refused(trainer, make_columns() | {"label": labels}, "column 'label': 1000 labels are missing")


def test_refuses_event_times_that_are_text_or_missing(trainer):
    refused(trainer, make_columns() | {"event_time": ["today"] * ROWS}, "column 'event_time': found string")
    times = pa.array([None] * ROWS, pa.timestamp("us"))
    refused(trainer, make_columns() | {"event_time": times}, "column 'event_time': 3000 event times are missing")


def test_refuses_a_row_identifier_that_occurs_twice(trainer):
    columns = make_columns()
    columns["row_id"][1] = columns["row_id"][0]
    refused(trainer, columns, "column 'row_id': the same row identifier occurs more than once")


def test_validates_on_the_latest_rows_whatever_their_order_in_the_file(trainer):
    shuffled = pa.table(make_columns()).take(np.random.default_rng(3).permutation(ROWS))
    a = trainer.run(trainer.spec()).result
    b = trainer.run(trainer.spec({name: shuffled[name] for name in shuffled.column_names})).result
    assert a["rows"] == {"train": 2100, "validation": 900, "registered": 3000}
    assert a["event_time"] == {
        "train_from": START,
        "train_to": START + 2099 * MINUTE,
        "validation_from": START + 2100 * MINUTE,
        "validation_to": START + 2999 * MINUTE,
        "registered_to": START + 2999 * MINUTE,
    }
    assert a["model"]["digest"] == b["model"]["digest"]


@pytest.mark.parametrize("unit", ["ns", "us", "ms"])
def test_reads_event_times_given_as_timestamps(trainer, unit):
    columns = make_columns()
    start = START // MINUTE * MINUTE
    times = pa.array(start + np.arange(ROWS) * MINUTE, pa.timestamp("us", "UTC")).cast(pa.timestamp(unit, "UTC"))
    result = trainer.run(trainer.spec(columns | {"event_time": times})).result
    assert result["event_time"]["train_from"] == start


def test_rows_of_one_event_time_stay_on_one_side():
    assert cut_by_time(np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), 0.2) == 8
    assert cut_by_time(np.array([1, 2, 3, 4, 5, 5, 5, 5, 5, 6]), 0.2) == 4
    assert cut_by_time(np.array([1, 1, 1, 1, 1, 1, 1, 1, 2, 2]), 0.5) == 8
