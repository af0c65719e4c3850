# SPDX-License-Identifier: Apache-2.0
"""The specification of a run. Standard library only: a wrong specification is refused before numpy is loaded."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass, field

from .errors import ABSENT, SpecError

CONTRACT = "headrace.dev/trainer/v1"
MAX_SPEC_BYTES = 1 << 20
MAX_FEATURES = 1000
MAX_LEAVES_IN_TOTAL = 1_000_000

FEATURE_TYPES = (
    "double", "float", "float32", "float64", "number",
    "int", "int8", "int16", "int32", "int64", "integer", "long",
    "bool", "boolean",
)  # fmt: skip

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Feature:
    name: str
    type: str


@dataclass(frozen=True)
class Champion:
    version: str
    path: str
    features: tuple[str, ...]


@dataclass(frozen=True)
class Spec:
    run_id: str
    training_path: str
    training_digest: str
    features: tuple[Feature, ...]
    label: str
    event_time: str
    row_id: str
    task: str
    validation_fraction: float
    algorithm: str
    seed: int
    output_dir: str
    params: dict[str, float] = field(default_factory=dict)
    refit: bool = True
    shuffle_labels: bool = False
    champion: Champion | None = None
    threads: int = 1

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)


@dataclass(frozen=True)
class _Number:
    """A numeric parameter and the range it may have; `above` excludes the lower bound itself."""

    low: float
    high: float
    integer: bool = False
    above: bool = False

    def read(self, value: object, path: str) -> float:
        right_type = isinstance(value, int) if self.integer else isinstance(value, (int, float))
        usable = right_type and not isinstance(value, bool) and math.isfinite(value)
        if not usable or value > self.high or value < self.low or (self.above and value == self.low):
            raise SpecError(path, value, self.describe())
        return value

    def describe(self) -> str:
        kind = "a whole number" if self.integer else "a number"
        return f"{kind} {'above' if self.above else 'from'} {self.low:g} {'up ' if self.above else ''}to {self.high:g}"


# Depth is bounded through num_leaves because the converter walks trees recursively.
LIGHTGBM = {
    "n_estimators": _Number(1, 5000, integer=True),
    "num_leaves": _Number(2, 512, integer=True),
    "learning_rate": _Number(0, 1, above=True),
    "max_depth": _Number(-1, 64, integer=True),
    "min_child_samples": _Number(1, 1_000_000, integer=True),
    "min_child_weight": _Number(0, 1e6),
    "min_split_gain": _Number(0, 1e6),
    "reg_alpha": _Number(0, 1e6),
    "reg_lambda": _Number(0, 1e6),
    "subsample": _Number(0, 1, above=True),
    "subsample_freq": _Number(0, 1000, integer=True),
    "colsample_bytree": _Number(0, 1, above=True),
    "max_bin": _Number(2, 1023, integer=True),
}
ALGORITHMS: dict[str, tuple[tuple[str, ...], dict[str, _Number]]] = {
    "lightgbm": (("binary", "regression"), LIGHTGBM),
    "logistic_regression": (
        ("binary",),
        {"C": _Number(0, 1e6, above=True), "max_iter": _Number(1, 10_000, integer=True)},
    ),
    "linear_regression": (("regression",), {"alpha": _Number(0, 1e9)}),
}


def load_spec(path: str) -> Spec:
    try:
        if os.path.getsize(path) > MAX_SPEC_BYTES:
            raise SpecError("$", f"{os.path.getsize(path)} bytes", f"at most {MAX_SPEC_BYTES} bytes")
        with open(path, encoding="utf-8") as file:
            document = json.load(file, object_pairs_hook=_no_duplicates)
    except OSError as error:
        raise SpecError("$", f"{path} ({error.strerror})", "a readable specification file") from None
    except (ValueError, RecursionError) as error:
        raise SpecError("$", str(error), "one JSON object in UTF-8") from None
    return read_spec(document)


def read_spec(document: object) -> Spec:
    root = _object(
        document, "$",
        ("contract", "run_id", "training_set", "columns", "task", "split", "algorithm", "seed", "output_dir"),
        ("refit", "shuffle_labels", "champion", "threads"),
    )  # fmt: skip
    _one_of(root["contract"], "$.contract", (CONTRACT,))
    training_set = _object(root["training_set"], "$.training_set", ("path", "digest"))
    digest = _text(training_set["digest"], "$.training_set.digest")
    if not DIGEST.fullmatch(digest):
        raise SpecError("$.training_set.digest", digest, "sha256: and 64 lower-case hexadecimal digits")

    columns = _object(root["columns"], "$.columns", ("features", "label", "event_time", "row_id"))
    features = _features(columns["features"])
    taken = {feature.name: f"$.columns.features[{i}].name" for i, feature in enumerate(features)}
    for role in ("label", "event_time", "row_id"):
        name = _text(columns[role], f"$.columns.{role}")
        if name in taken:
            raise SpecError(f"$.columns.{role}", name, f"a column other than {taken[name]}")
        taken[name] = f"$.columns.{role}"

    task = _one_of(root["task"], "$.task", ("binary", "regression"))
    algorithm, params = _algorithm(root["algorithm"], task)
    split = _object(root["split"], "$.split", ("validation_fraction",))
    fraction = _Number(0, 0.9, above=True).read(split["validation_fraction"], "$.split.validation_fraction")

    return Spec(
        run_id=_text(root["run_id"], "$.run_id"),
        training_path=_file(training_set["path"], "$.training_set.path"),
        training_digest=digest,
        features=features,
        label=columns["label"],
        event_time=columns["event_time"],
        row_id=columns["row_id"],
        task=task,
        validation_fraction=fraction,
        algorithm=algorithm,
        params=params,
        seed=int(_Number(0, 2**31 - 1, integer=True).read(root["seed"], "$.seed")),
        refit=_flag(root.get("refit", True), "$.refit"),
        shuffle_labels=_flag(root.get("shuffle_labels", False), "$.shuffle_labels"),
        champion=_champion(root.get("champion")),
        threads=int(_Number(1, 256, integer=True).read(root.get("threads", 1), "$.threads")),
        output_dir=_absolute(root["output_dir"], "$.output_dir"),
    )


def _features(value: object) -> tuple[Feature, ...]:
    path = "$.columns.features"
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_FEATURES:
        found = f"a list of {len(value)}" if isinstance(value, list) else value
        raise SpecError(path, found, f"a list of 1 to {MAX_FEATURES} features")
    features: list[Feature] = []
    first_use: dict[str, int] = {}
    for i, entry in enumerate(value):
        item = _object(entry, f"{path}[{i}]", ("name", "type"))
        name = _text(item["name"], f"{path}[{i}].name")
        if name in first_use:
            raise SpecError(f"{path}[{i}].name", name, f"a name not yet used by {path}[{first_use[name]}]")
        first_use[name] = i
        features.append(Feature(name, _one_of(item["type"], f"{path}[{i}].type", FEATURE_TYPES)))
    return tuple(features)


def _algorithm(value: object, task: str) -> tuple[str, dict[str, float]]:
    path = "$.algorithm"
    item = _object(value, path, ("name",), ("params",))
    fitting = tuple(name for name, (tasks, _) in ALGORITHMS.items() if task in tasks)
    _one_of(item["name"], f"{path}.name", tuple(ALGORITHMS))
    if item["name"] not in fitting:
        raise SpecError(f"{path}.name", item["name"], f"for the task {task}: {' or '.join(fitting)}")
    allowed = ALGORITHMS[item["name"]][1]
    given = _object(item.get("params", {}), f"{path}.params", (), tuple(allowed))
    params = {key: allowed[key].read(number, f"{path}.params.{key}") for key, number in given.items()}
    if item["name"] == "lightgbm":
        leaves = params.get("n_estimators", 100) * params.get("num_leaves", 31)
        if leaves > MAX_LEAVES_IN_TOTAL:
            raise SpecError(
                f"{path}.params", f"n_estimators x num_leaves = {leaves}", f"at most {MAX_LEAVES_IN_TOTAL} leaves"
            )
    return item["name"], params


def _champion(value: object) -> Champion | None:
    if value is None:
        return None
    path = "$.champion"
    item = _object(value, path, ("version", "path", "features"))
    names = item["features"]
    if not isinstance(names, list) or not 1 <= len(names) <= MAX_FEATURES:
        raise SpecError(f"{path}.features", names, f"a list of 1 to {MAX_FEATURES} column names")
    return Champion(
        version=_text(item["version"], f"{path}.version"),
        path=_file(item["path"], f"{path}.path"),
        features=tuple(_text(name, f"{path}.features[{i}]") for i, name in enumerate(names)),
    )


def _object(value: object, path: str, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict:
    if not isinstance(value, dict):
        raise SpecError(path, value, "an object")
    for key in value:
        if key not in required and key not in optional:
            known = ", ".join(required + optional)
            raise SpecError(f"{path}.{key}", value[key], f"no such field; the fields are {known}")
    for key in required:
        if key not in value:
            raise SpecError(f"{path}.{key}", ABSENT, "this field to be given")
    return value


def _text(value: object, path: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 4096 or not value.isprintable():
        raise SpecError(path, value, "a printable, non-empty string of at most 4096 characters")
    return value


def _flag(value: object, path: str) -> bool:
    if not isinstance(value, bool):
        raise SpecError(path, value, "true or false")
    return value


def _one_of(value: object, path: str, choices: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise SpecError(path, value, " or ".join(f'"{choice}"' for choice in choices))
    return value


def _absolute(value: object, path: str) -> str:
    if not os.path.isabs(_text(value, path)):
        raise SpecError(path, value, "an absolute path")
    return value


def _file(value: object, path: str) -> str:
    if not os.path.isfile(_absolute(value, path)):
        raise SpecError(path, value, "the path of an existing file")
    return value


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict:
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {repeated!r} twice in one object")
    return result
