# SPDX-License-Identifier: Apache-2.0
import json
import subprocess
import sys

from conftest import PROJECT, start_process


def test_prints_one_json_line_a_step_and_nothing_else(trainer, tmp_path):
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(trainer.spec()))
    process = start_process([], HEADRACE_SPEC=str(path))
    out, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (0, "")
    assert all(set(json.loads(line)) == {"step", "message", "seconds"} for line in out.splitlines())


def test_a_missing_specification_ends_with_code_2():
    process = start_process(["--spec", "/nowhere/spec.json"])
    _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert error == "error: $: found '/nowhere/spec.json (No such file or directory)'; expected a readable specification file\n"


def test_dies_with_its_parent_when_asked_to(trainer, tmp_path):
    spec = trainer.spec(algorithm={"name": "lightgbm", "params": {"n_estimators": 5000, "num_leaves": 200}})
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(spec))
    process = start_process(["--spec", str(path)], HEADRACE_PARENT_WATCH="1")
    while json.loads(process.stdout.readline())["step"] != "fit":
        pass
    process.stdin.close()
    assert process.wait(timeout=5) == 1
    assert process.stderr.read() == "error: the parent process is gone\n"
    process.stdout.close()
    process.stderr.close()


def test_outlives_a_closed_stdin_when_not_asked_to(trainer, tmp_path):
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(trainer.spec()))
    process = start_process(["--spec", str(path)])
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_wrong_specification_is_refused_before_heavy_libraries_load():
    code = "import sys, headrace_tabular.__main__; print([m for m in ('numpy', 'pyarrow', 'lightgbm', 'sklearn') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    assert out == "[]\n"
