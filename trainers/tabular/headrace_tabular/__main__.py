# SPDX-License-Identifier: Apache-2.0
"""python -m headrace_tabular --spec spec.json

Standard output: one JSON line a step. Standard error: one line for a human when the run fails.
Exit codes: 0 done, 1 anything else, 2 specification, 3 data, 4 parity.
"""

from __future__ import annotations

import time

STARTED = time.time()

import argparse  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402

from .errors import SpecError, TrainerError  # noqa: E402
from .spec import load_spec  # noqa: E402


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="headrace_tabular", description="Trains one tabular model.")
    parser.add_argument("--spec", help="path of the specification (default: the environment variable HEADRACE_SPEC)")
    arguments = parser.parse_args(argv)
    if os.environ.get("HEADRACE_PARENT_WATCH") == "1":
        threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        path = arguments.spec or os.environ.get("HEADRACE_SPEC")
        if not path:
            raise SpecError("$", "no path", "--spec or the environment variable HEADRACE_SPEC")
        spec = load_spec(path)
        # Thread pools are sized when their libraries load, so before the import of run.
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
            os.environ[name] = str(spec.threads)
        from .run import train

        train(spec, _progress, STARTED)
        return 0
    except TrainerError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except MemoryError:
        print("error: out of memory", file=sys.stderr)
        return 1
    except Exception as error:
        if os.environ.get("HEADRACE_TRACEBACK") == "1":
            raise
        print(f"error: {type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1


def _progress(step: str, message: str) -> None:
    seconds = round(time.time() - STARTED, 3)
    print(json.dumps({"step": step, "message": message, "seconds": seconds}), flush=True)


def _die_with_parent() -> None:
    # os.read, not sys.stdin: a thread blocked inside sys.stdin aborts the interpreter's own shutdown.
    try:
        while os.read(0, 4096):
            pass
    except OSError:
        pass
    os.write(2, b"error: the parent process is gone\n")
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
