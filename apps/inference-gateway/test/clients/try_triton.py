"""Calls a running gateway by Triton's clients (gRPC, HTTP), unmodified.

    .headrace/clients/bin/python try_triton.py GRPC_ADDRESS REST_ADDRESS EVERY_TYPE_MODEL SCORING_MODEL OPERATOR_TOKEN

Prints one line of JSON: for each case null or the traceback. EVERY_TYPE_MODEL gives back what it gets (every-type.onnx),
SCORING_MODEL takes "features" FP32 [N, 11].
"""

import queue

import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.utils import InferenceServerException

from common import EVERY, GRPC, JSON_VALUES, OPERATOR, REST, ROWS, SCORING, VALUES, report, same


def refused(call, *, status=None, message):
    try:
        call()
    except Exception as error:  # each client raises its own kind
        text = str(error)
        assert message in text, text
        code = error.status() if isinstance(error, InferenceServerException) else None
        assert status is None or str(code) == status, (code, text)
        return
    raise AssertionError("it was not refused")


def triton_inputs(kind, values, **options):
    inputs = []
    for name, value in values.items():
        tensor = kind.InferInput(f"in_{name}", value.shape, name)
        tensor.set_data_from_numpy(value, **options)
        inputs.append(tensor)
    return inputs


def scoring_input(kind, rows=ROWS, name="features", datatype="FP32", **options):
    tensor = kind.InferInput(name, rows.shape, datatype)
    tensor.set_data_from_numpy(rows, **options)
    return [tensor]


def describes(client, **as_json):
    """Same calls, both of Triton's clients."""
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready(SCORING) and not client.is_model_ready(SCORING, "9")
    server = client.get_server_metadata(**as_json)
    assert server["name"] == "headrace" and "binary_tensor_data" in server["extensions"], server
    model = client.get_model_metadata(EVERY, **as_json)
    assert [one["datatype"] for one in model["inputs"]] == list(VALUES), model
    assert [int(one) for one in model["inputs"][0]["shape"]] == [-1, 2], model
    config = client.get_model_config(EVERY, **as_json)
    config = config.get("config", config)
    assert config["max_batch_size"] > 0 and config["input"][-1]["data_type"] == "TYPE_STRING", config
    index = client.get_model_repository_index(**as_json)
    index = index["models"] if isinstance(index, dict) else index
    assert {"name": SCORING, "version": "1", "state": "READY"}.items() <= next(one for one in index if one["name"] == SCORING).items()
    statistics = client.get_inference_statistics(SCORING, **as_json)["model_stats"][0]
    assert int(statistics["inference_count"]) > 0 and int(statistics["execution_count"]) > 0, statistics
    assert int(statistics["inference_stats"]["success"]["count"]) > 0, statistics


def triton_grpc_types():
    with triton_grpc.InferenceServerClient(GRPC) as client:
        result = client.infer(EVERY, triton_inputs(triton_grpc, VALUES), request_id="r1")
        assert result.get_response().id == "r1" and result.get_response().model_version == "1"
        for name, value in VALUES.items():
            same(result.as_numpy(f"out_{name}"), value)


def triton_grpc_chosen_outputs():
    with triton_grpc.InferenceServerClient(GRPC) as client:
        wanted = [triton_grpc.InferRequestedOutput("probabilities")]
        result = client.infer(SCORING, scoring_input(triton_grpc), outputs=wanted, model_version="1", priority=2, timeout=5_000_000)
        assert result.as_numpy("probabilities").shape == (2, 2) and result.as_numpy("label") is None


def triton_grpc_descriptions():
    with triton_grpc.InferenceServerClient(GRPC) as client:
        client.infer(SCORING, scoring_input(triton_grpc))
        describes(client, as_json=True)


def triton_grpc_errors():
    with triton_grpc.InferenceServerClient(GRPC) as client:
        good = scoring_input(triton_grpc)
        refused(lambda: client.infer("nobody", good), status="StatusCode.NOT_FOUND", message='there is no endpoint "nobody"')
        refused(lambda: client.is_model_ready("nobody"), status="StatusCode.NOT_FOUND", message="nobody")
        refused(
            lambda: client.infer(SCORING, scoring_input(triton_grpc, ROWS[:, :3])),
            status="StatusCode.INVALID_ARGUMENT",
            message='input "features": expected shape [N, 11] with N of at least 1, got [2, 3]',
        )
        refused(
            lambda: client.infer(SCORING, scoring_input(triton_grpc, ROWS.astype(np.float64), datatype="FP64")),
            status="StatusCode.INVALID_ARGUMENT",
            message='input "features": expected datatype FP32, got "FP64"',
        )
        refused(
            lambda: client.infer(SCORING, scoring_input(triton_grpc, name="rows")),
            status="StatusCode.INVALID_ARGUMENT",
            message='input "rows" is unknown',
        )
        refused(
            lambda: client.infer(EVERY, triton_inputs(triton_grpc, VALUES)[1:]),
            status="StatusCode.INVALID_ARGUMENT",
            message='input "in_BOOL": it is missing; expected BOOL [N, 2]',
        )
        large = np.zeros((400_000, 11), np.float32)
        refused(lambda: client.infer(SCORING, scoring_input(triton_grpc, large)), status="StatusCode.RESOURCE_EXHAUSTED", message="larger")


def triton_grpc_repository():
    with triton_grpc.InferenceServerClient(GRPC) as client:
        refused(lambda: client.load_model(SCORING), status="StatusCode.PERMISSION_DENIED", message="bearer token")
        client.load_model(SCORING, headers=OPERATOR)
        refused(lambda: client.load_model("nobody", headers=OPERATOR), status="StatusCode.NOT_FOUND", message="nobody")
        refused(
            lambda: client.load_model(SCORING, headers=OPERATOR, config="{}"),
            status="StatusCode.INVALID_ARGUMENT",
            message='parameter "config" is not accepted',
        )
        refused(
            lambda: client.unload_model(SCORING, headers=OPERATOR),
            status="StatusCode.FAILED_PRECONDITION",
            message="is deployed",
        )
        assert client.is_model_ready(SCORING)


def triton_grpc_stream():
    answers = queue.Queue()
    with triton_grpc.InferenceServerClient(GRPC) as client:
        client.start_stream(callback=lambda result, error: answers.put((result, error)))
        wrong = scoring_input(triton_grpc, ROWS[:, :3])
        for number in range(300):
            rows = np.full((1, 11), number, np.float32)
            client.async_stream_infer(SCORING, scoring_input(triton_grpc, rows), request_id=str(number), enable_empty_final_response=True)
        client.async_stream_infer(SCORING, wrong, request_id="wrong")
        client.async_stream_infer(EVERY, triton_inputs(triton_grpc, VALUES), request_id="every")
        seen, faults = {}, []
        for _ in range(302):
            result, error = answers.get(timeout=30)
            if error is not None:
                faults.append(str(error))
                continue
            response = result.get_response()
            assert response.parameters["triton_final_response"].bool_param
            seen[response.id] = result
        client.stop_stream()
        assert len(seen) == 301, len(seen)
        assert len(faults) == 1 and "expected shape [N, 11]" in faults[0], faults
        same(seen["every"].as_numpy("out_BYTES"), VALUES["BYTES"])
        one = client.infer(SCORING, scoring_input(triton_grpc, np.full((1, 11), 7, np.float32)))
        same(seen["7"].as_numpy("probabilities"), one.as_numpy("probabilities"))


def triton_http_types():
    with triton_http.InferenceServerClient(REST) as client:
        result = client.infer(EVERY, triton_inputs(triton_http, VALUES), request_id="r1")
        for name, value in VALUES.items():
            same(result.as_numpy(f"out_{name}"), value)
        packed = client.infer(SCORING, scoring_input(triton_http), request_compression_algorithm="gzip")
        same(packed.as_numpy("probabilities"), client.infer(SCORING, scoring_input(triton_http)).as_numpy("probabilities"))


def triton_http_json():
    with triton_http.InferenceServerClient(REST) as client:
        # The client has no JSON for half precision: binary beside JSON in one request.
        inputs = triton_inputs(triton_http, {"FP16": VALUES["FP16"]})
        inputs += triton_inputs(triton_http, {name: value for name, value in JSON_VALUES.items() if name != "FP16"}, binary_data=False)
        outputs = [triton_http.InferRequestedOutput(f"out_{name}", binary_data=name == "FP64") for name in VALUES]
        result = client.infer(EVERY, inputs, outputs=outputs)
        for name, value in JSON_VALUES.items():
            same(result.as_numpy(f"out_{name}"), value)


def triton_http_descriptions():
    with triton_http.InferenceServerClient(REST) as client:
        client.infer(SCORING, scoring_input(triton_http))
        describes(client)


def triton_http_errors():
    with triton_http.InferenceServerClient(REST) as client:
        refused(lambda: client.infer("nobody", scoring_input(triton_http)), status="404", message='there is no endpoint "nobody"')
        refused(lambda: client.infer(SCORING, scoring_input(triton_http, ROWS[:, :3])), status="400", message="expected shape [N, 11]")
        refused(lambda: client.load_model(SCORING), status="401", message="bearer token")
        client.load_model(SCORING, headers=OPERATOR)
        refused(lambda: client.unload_model(SCORING, headers=OPERATOR), status="400", message="is deployed")


report(
    [
        triton_grpc_types,
        triton_grpc_chosen_outputs,
        triton_grpc_descriptions,
        triton_grpc_errors,
        triton_grpc_repository,
        triton_grpc_stream,
        triton_http_types,
        triton_http_json,
        triton_http_descriptions,
        triton_http_errors,
    ]
)
