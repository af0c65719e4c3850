# SPDX-License-Identifier: Apache-2.0
"""Reading a training set and cutting it by time. pyarrow and numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .errors import DataError
from .output import digest_of_file
from .spec import Spec

MAX_CELLS = 500_000_000
MIN_ROWS_OF_A_PART = 10


@dataclass(frozen=True)
class Part:
    """Rows in order of event time. A missing value is NaN.

    features, champion_features: float32 [N, F]; label: float64 [N]; event_time: int64 microseconds [N].
    """

    features: np.ndarray
    label: np.ndarray
    event_time: np.ndarray
    champion_features: np.ndarray | None

    def __len__(self) -> int:
        return len(self.label)


@dataclass(frozen=True)
class TrainingSet:
    """Every row, and the same rows cut by time; the parts are views and take no memory of their own."""

    everything: Part
    training: Part
    validation: Part


def read_training_set(spec: Spec) -> TrainingSet:
    found = digest_of_file(spec.training_path)
    if found != spec.training_digest:
        raise DataError(f"training set: found the digest {found}; expected {spec.training_digest}")
    champion_names = spec.champion.features if spec.champion else ()
    table = _read(spec, champion_names)

    event_time = _event_time(table, spec.event_time)
    if pc.count_distinct(table[spec.row_id], mode="all").as_py() != table.num_rows:
        raise DataError(f"column {spec.row_id!r}: the same row identifier occurs more than once")
    order = pc.sort_indices(
        pa.table({"event_time": event_time, "row_id": table[spec.row_id]}),
        sort_keys=[("event_time", "ascending"), ("row_id", "ascending")],
    ).to_numpy()
    event_time = event_time[order]
    label = _label(table, spec)[order]
    # Both models see float32, as they will when they serve.
    features = _matrix(table, spec.feature_names)[order]
    champion_features = _matrix(table, champion_names)[order] if spec.champion else None

    cut = cut_by_time(event_time, spec.validation_fraction)
    everything, training, validation = (
        Part(features[rows], label[rows], event_time[rows], None if champion_features is None else champion_features[rows])
        for rows in (slice(None), slice(None, cut), slice(cut, None))
    )
    _check((training, validation), spec)
    return TrainingSet(everything, training, validation)


def cut_by_time(event_time: np.ndarray, validation_fraction: float) -> int:
    """The index of the first validation row in rows sorted by event time.

    Rows of one event time stay together. They go to validation; to training only when training would be empty otherwise.
    """
    rows = len(event_time)
    wanted = min(max(rows - round(rows * validation_fraction), 0), rows - 1)
    boundary = event_time[wanted]
    return int(np.searchsorted(event_time, boundary, "left")) or int(np.searchsorted(event_time, boundary, "right"))


def _read(spec: Spec, champion_names: tuple[str, ...]) -> pa.Table:
    try:
        file = pq.ParquetFile(spec.training_path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"training set: not a readable Parquet file ({' '.join(str(error).split())})") from None
    with file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
        names = dict.fromkeys((*spec.feature_names, *champion_names, spec.label, spec.event_time, spec.row_id))
        for name in names:
            if len(schema.get_all_field_indices(name)) != 1:
                user = "a feature of the champion" if name in champion_names else "the specification names it"
                raise DataError(f"column {name!r}: not in the training set ({user})")
        if rows == 0:
            raise DataError("training set: it has no rows")
        if rows * len(names) > MAX_CELLS:
            raise DataError(f"training set: {rows} rows x {len(names)} columns; at most {MAX_CELLS} values fit")
        for name in (*spec.feature_names, *champion_names, spec.label):
            kind = schema.field(name).type
            if not (_is_number(kind) or pa.types.is_null(kind)):
                raise DataError(f"column {name!r}: found {kind}; expected a numeric or boolean column")
        try:
            return file.read(columns=list(names))
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"training set: damaged ({' '.join(str(error).split())})") from None


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    return types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_decimal(kind)


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    """float64 [N], null as NaN."""
    column = table[name]
    if pa.types.is_boolean(column.type):
        column = pc.cast(column, pa.int8())
    return np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def _matrix(table: pa.Table, names: tuple[str, ...]) -> np.ndarray:
    matrix = np.empty((table.num_rows, len(names)), dtype=np.float32)
    for i, name in enumerate(names):
        with np.errstate(over="ignore"):
            matrix[:, i] = _numbers(table, name)
        infinite = int(np.isinf(matrix[:, i]).sum())
        if infinite:
            raise DataError(f"column {name!r}: {infinite} values are infinite as 32-bit floats; use null for missing values")
    return matrix


def _event_time(table: pa.Table, name: str) -> np.ndarray:
    column = table[name]
    if pa.types.is_timestamp(column.type):
        column = pc.cast(pc.cast(column, pa.timestamp("us", column.type.tz), safe=False), pa.int64())
    elif not pa.types.is_int64(column.type):
        raise DataError(f"column {name!r}: found {column.type}; expected int64 microseconds or a timestamp")
    if column.null_count:
        raise DataError(f"column {name!r}: {column.null_count} event times are missing")
    return column.to_numpy()


def _label(table: pa.Table, spec: Spec) -> np.ndarray:
    label = _numbers(table, spec.label)
    unusable = int((~np.isfinite(label)).sum())
    if unusable:
        raise DataError(f"column {spec.label!r}: {unusable} labels are missing or infinite")
    if spec.task == "binary":
        others = label[(label != 0) & (label != 1)]
        if len(others):
            raise DataError(f"column {spec.label!r}: found {others[0]:g}; expected only 0 and 1 for the task binary")
    return label


def _check(parts: tuple[Part, Part], spec: Spec) -> None:
    for part, name in zip(parts, ("training", "validation"), strict=True):
        if len(part) < MIN_ROWS_OF_A_PART:
            raise DataError(f"{name} part: {len(part)} rows; at least {MIN_ROWS_OF_A_PART} are needed on each side of the cut")
        if spec.task == "binary":
            positives = int(part.label.sum())
            if positives in (0, len(part)):
                raise DataError(f"{name} part: every label is {int(part.label[0])}; both classes are needed")
            if min(positives, len(part) - positives) < 2:
                raise DataError(f"{name} part: one class has a single row; at least two of each class are needed")
        elif part.label.min() == part.label.max():
            raise DataError(f"{name} part: every label is {part.label[0]:g}; nothing can be learnt or measured")
    missing = np.isnan(parts[0].features).all(axis=0)
    if missing.any():
        name = spec.feature_names[int(np.argmax(missing))]
        raise DataError(f"column {name!r}: every value of the training part is missing")
