"""Calls a running gateway by KServe's clients (gRPC, REST v2), unmodified.

    .headrace/clients/bin/python try_kserve.py GRPC_ADDRESS REST_ADDRESS EVERY_TYPE_MODEL SCORING_MODEL OPERATOR_TOKEN

Prints one line of JSON: for each case null or the traceback. EVERY_TYPE_MODEL gives back what it gets (every-type.onnx),
SCORING_MODEL takes "features" FP32 [N, 11].
"""

import asyncio

import grpc
import kserve

from common import EVERY, GRPC, REST, ROWS, SCORING, VALUES, report, same


def kserve_request(values, binary, model=None):
    inputs = []
    for name, value in values.items():
        tensor = kserve.InferInput(f"in_{name}", list(value.shape), name)
        tensor.set_data_from_numpy(value, binary_data=binary)
        inputs.append(tensor)
    return kserve.InferRequest(model or EVERY, inputs, request_id="k1")


def kserve_outputs(response, values):
    outputs = {output.name: output for output in response.outputs}
    for name, value in values.items():
        same(outputs[f"out_{name}"].as_numpy(), value)


def kserve_grpc():
    async def calls():
        client = kserve.InferenceGRPCClient(GRPC)
        assert await client.is_server_live() and await client.is_server_ready() and await client.is_model_ready(SCORING)
        kserve_outputs(await client.infer(kserve_request(VALUES, True)), VALUES)
        typed = kserve_request({name: value for name, value in VALUES.items() if name != "FP16"}, False)
        half = kserve.InferInput("in_FP16", [2, 2], "FP16")
        half.set_data_from_numpy(VALUES["FP16"], binary_data=True)
        try:
            await client.infer(kserve.InferRequest(EVERY, [half, *typed.inputs]))
            raise AssertionError("raw and typed contents in one message were accepted")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
        features = kserve.InferInput("features", [2, 11], "FP32")
        features.set_data_from_numpy(ROWS, binary_data=False)
        answer = await client.infer(kserve.InferRequest(SCORING, [features]))
        assert answer.outputs[1].as_numpy().shape == (2, 2)
        await client.close()

    asyncio.run(calls())


def kserve_rest():
    async def calls():
        client = kserve.InferenceRESTClient(kserve.RESTConfig(protocol="v2"))
        base = f"http://{REST}"
        assert await client.is_server_live(base) and await client.is_server_ready(base)
        assert await client.is_model_ready(base, SCORING)
        kserve_outputs(await client.infer(base, kserve_request(VALUES, True), model_name=EVERY), VALUES)
        features = kserve.InferInput("features", [2, 11], "FP32")
        features.set_data_from_numpy(ROWS, binary_data=False)
        answer = await client.infer(base, kserve.InferRequest(SCORING, [features]), model_name=SCORING)
        assert answer.outputs[1].as_numpy().shape == (2, 2)
        try:
            await client.infer(base, kserve_request(VALUES, True), model_name="nobody")
            raise AssertionError("it was not refused")
        except Exception as error:
            assert "there is no endpoint" in str(error) and "404" in str(error), error
        await client.close()

    asyncio.run(calls())


report([kserve_grpc, kserve_rest])
