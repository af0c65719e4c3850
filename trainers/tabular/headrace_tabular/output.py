# SPDX-License-Identifier: Apache-2.0
"""Files that appear whole or not at all."""

import hashlib
import json
import os


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def digest_of_file(path: str) -> str:
    with open(path, "rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def to_json(document: object, indent: int | None = None) -> bytes:
    # allow_nan=False: NaN and Infinity are not JSON, and whoever reads this next is not Python.
    return (json.dumps(document, allow_nan=False, indent=indent) + "\n").encode()


def write_atomically(directory: str, name: str, content: bytes) -> str:
    """Temporary file, fsync, rename, fsync of the folder. Returns the final path."""
    final = os.path.join(directory, name)
    temporary = os.path.join(directory, f".{name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, final)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
    folder = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return final
