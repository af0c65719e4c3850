# SPDX-License-Identifier: Apache-2.0
"""Failures the caller can act on. The exit code says who has to act."""


class TrainerError(Exception):
    """Ends the run with one line on stderr. Code 1: the trainer or its machine failed."""

    exit_code = 1


class SpecError(TrainerError):
    """The specification is wrong; the same specification will fail again."""

    exit_code = 2

    def __init__(self, path: str, found: object, expected: str):
        super().__init__(f"{path}: found {_shorten(found)}; expected {expected}")


class DataError(TrainerError):
    """The training set or the champion cannot be used as they are."""

    exit_code = 3


class ParityError(TrainerError):
    """The exported model answers differently from the model that was trained: it must not be registered."""

    exit_code = 4


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


ABSENT = _Absent()


def _shorten(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 120 else text[:117] + "..."
