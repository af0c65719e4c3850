# SPDX-License-Identifier: Apache-2.0
"""Builders of small training sets and specifications with sensible defaults, and a way to run the trainer."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headrace_tabular.__main__ import main

PROJECT = Path(__file__).parent.parent
MINUTE = 60_000_000
START = 1_700_000_000_000_000


def make_columns(rows: int = 3000, seed: int = 1) -> dict[str, object]:
    """Label and target depend on speed, load and on whether load is missing; noise does nothing."""
    random = np.random.default_rng(seed)
    speed, load, noise = random.normal(size=(3, rows))
    flag = random.random(rows) < 0.3
    load_missing = random.random(rows) < 0.2
    signal = 2 * speed + np.where(load_missing, 1.5, load) + flag
    return {
        "speed": speed,
        "load": pa.array(load, mask=load_missing),
        "noise": noise,
        "flag": flag,
        "label": (signal + random.normal(size=rows) > 0.5).astype(np.int64),
        "target": 30 * signal + 3 * random.normal(size=rows),
        "event_time": START + np.arange(rows) * MINUTE,
        "row_id": [f"row-{i:06d}" for i in range(rows)],
    }


@dataclass
class Outcome:
    code: int
    steps: list[dict]
    error: str
    folder: Path

    @property
    def result(self) -> dict:
        assert self.code == 0, self.error
        return json.loads((self.folder / "result.json").read_text())

    @property
    def profile(self) -> dict:
        return json.loads((self.folder / "profile.json").read_text())

    @property
    def model_path(self) -> str:
        return str(self.folder / "model.onnx")


class Trainer:
    def __init__(self, folder: Path, capsys):
        self.folder = folder
        self._capsys = capsys
        self._runs = 0

    def write(self, columns: dict | None = None) -> tuple[str, str]:
        self._runs += 1
        path = self.folder / f"training-{self._runs}.parquet"
        pq.write_table(pa.table(columns if columns is not None else make_columns()), path)
        return str(path), "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()

    def spec(self, columns: dict | None = None, **changes) -> dict:
        path, digest = self.write(columns)
        spec = {
            "contract": "headrace.dev/trainer/v1",
            "run_id": "run-1",
            "training_set": {"path": path, "digest": digest},
            "columns": {
                "features": [
                    {"name": "speed", "type": "double"},
                    {"name": "load", "type": "double"},
                    {"name": "noise", "type": "double"},
                    {"name": "flag", "type": "bool"},
                ],
                "label": "label",
                "event_time": "event_time",
                "row_id": "row_id",
            },
            "task": "binary",
            "split": {"validation_fraction": 0.3},
            "algorithm": {"name": "lightgbm", "params": {"n_estimators": 40, "num_leaves": 15}},
            "seed": 7,
            "shuffle_labels": False,
            "champion": None,
            "threads": 1,
            "output_dir": str(self.folder / f"out-{self._runs}"),
        }
        return spec | changes

    def regression(self, columns: dict | None = None, **changes) -> dict:
        spec = self.spec(columns, task="regression")
        spec["columns"]["label"] = "target"
        return spec | changes

    def run(self, spec: dict | str) -> Outcome:
        path = self.folder / "spec.json"
        path.write_text(spec if isinstance(spec, str) else json.dumps(spec))
        self._capsys.readouterr()
        code = main(["--spec", str(path)])
        out, error = self._capsys.readouterr()
        folder = Path("." if isinstance(spec, str) else spec.get("output_dir", "."))
        return Outcome(code, [json.loads(line) for line in out.splitlines()], error, folder)


@pytest.fixture
def trainer(tmp_path, capsys) -> Trainer:
    return Trainer(tmp_path, capsys)


def start_process(arguments: list[str], **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "headrace_tabular", *arguments],
        cwd=PROJECT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
