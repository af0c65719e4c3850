"""What both scripts need: values of every type, and how they are compared. The clients cannot share a process: each
registers the protocol's messages under the same name."""

import json
import sys
import traceback

import numpy as np

GRPC, REST, EVERY, SCORING, TOKEN = sys.argv[1:6]
OPERATOR = {"authorization": f"Bearer {TOKEN}"}

VALUES = {
    "BOOL": np.array([[True, False], [False, True]]),
    "UINT8": np.array([[0, 255], [1, 2]], np.uint8),
    "UINT16": np.array([[0, 65_535], [1, 2]], np.uint16),
    "UINT32": np.array([[0, 2**32 - 1], [1, 2]], np.uint32),
    "UINT64": np.array([[0, 2**64 - 1], [1, 2]], np.uint64),
    "INT8": np.array([[-128, 127], [1, 2]], np.int8),
    "INT16": np.array([[-(2**15), 2**15 - 1], [1, 2]], np.int16),
    "INT32": np.array([[-(2**31), 2**31 - 1], [1, 2]], np.int32),
    "INT64": np.array([[-(2**63), 2**63 - 1], [1, 2]], np.int64),
    "FP16": np.array([[1.5, -65_504], [np.nan, 2**-24]], np.float16),
    "FP32": np.array([[1.5, np.inf], [np.nan, -1e-40]], np.float32),
    "FP64": np.array([[0.1, -np.inf], [np.nan, 1e300]], np.float64),
    "BYTES": np.array(["Zürich", ""], np.object_),
}
# What JSON numbers keep all digits of, on the client's side too.
JSON_VALUES = {**VALUES, "UINT64": np.array([[0, 2**53 - 1], [1, 2]], np.uint64), "INT64": np.array([[-(2**53) + 1, 5], [1, 2]])}
ROWS = np.arange(22, dtype=np.float32).reshape(2, 11)


def same(found, values):
    """Bit for bit but for NaN; strings as text."""
    if values.dtype == np.object_:
        texts = [one.decode() if isinstance(one, bytes) else one for one in np.asarray(found).reshape(-1)]
        assert texts == list(values), (texts, values)
        return
    assert found.dtype == values.dtype, (found.dtype, values.dtype)
    np.testing.assert_array_equal(found, values)


def outcome(case):
    try:
        case()
        return None
    except BaseException:
        return traceback.format_exc()


def report(cases):
    """One line of JSON: for each case null or the traceback."""
    print(json.dumps({case.__name__: outcome(case) for case in cases}))
