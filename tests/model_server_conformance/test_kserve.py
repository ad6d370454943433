"""KServe's own client, unchanged."""

import asyncio

import httpx
import numpy as np
import pytest
from kserve import InferInput, InferOutput, InferRequest, InferResponse
from kserve.inference_client import InferenceRESTClient, RESTConfig


def ask(question):
    """Runs one question to a client."""

    async def run():
        async with InferenceRESTClient(RESTConfig(protocol="v2", timeout=60)) as client:
            return await question(client)

    return asyncio.run(run())


def values(response: InferResponse, name: str):
    (output,) = (output for output in response.outputs if output.name == name)
    assert isinstance(output, InferOutput)
    return output.as_numpy().reshape(output.shape).tolist()


def request(server, *inputs, **more):
    return InferRequest(model_name=server.model, infer_inputs=list(inputs), **more)


def test_live_and_ready(forest):
    assert ask(lambda client: client.is_server_live(forest.url)) is True
    assert ask(lambda client: client.is_server_ready(forest.url)) is True
    assert ask(lambda client: client.is_model_ready(forest.url, forest.model)) is True


@pytest.mark.parametrize("binary", [True, False])
def test_answers_are_those_of_scikit_learn(forest, binary):
    rows = InferInput("rows", [len(forest.rows), 4], "FP64")
    rows.set_data_from_numpy(np.array(forest.rows), binary_data=binary)
    asking = request(forest, rows, request_id="flight-1")
    response = ask(lambda client: client.infer(forest.url, asking, model_name=forest.model))
    assert (response.id, response.model_name) == ("flight-1", forest.model)
    assert values(response, "probability") == forest.probability
    assert values(response, "label") == forest.label


def test_binary_answers(number):
    rows = InferInput("rows", [len(number.rows), 4], "FP64")
    rows.set_data_from_numpy(np.array(number.rows), binary_data=True)
    asking = request(number, rows, parameters={"binary_data_output": True})
    response = ask(lambda client: client.infer(number.url, asking, model_name=number.model))
    assert np.allclose(values(response, "label"), number.label, rtol=1e-12)


@pytest.mark.parametrize("binary", [True, False])
def test_columns_of_text_and_numbers(mixed, binary):
    hour, carrier, humid = (list(column) for column in zip(*mixed.rows, strict=True))
    tensors = []
    for name, column, datatype in (("carrier", carrier, "BYTES"), ("humid", humid, "FP64"), ("hour", hour, "FP64")):
        tensor = InferInput(name, [len(column)], datatype)
        tensor.set_data_from_numpy(np.array(column, dtype=object if datatype == "BYTES" else float), binary_data=binary)
        tensors.append(tensor)
    response = ask(lambda client: client.infer(mixed.url, request(mixed, *tensors), model_name=mixed.model))
    assert values(response, "label") == mixed.label


def test_errors_reach_the_caller_with_their_text(forest):
    rows = InferInput("rows", [1, 3], "FP64", [1.0, 2.0, 3.0])
    with pytest.raises(httpx.HTTPStatusError, match=r"inputs\[0\].shape: must be \[rows, 4\].*400 Bad Request"):
        ask(lambda client: client.infer(forest.url, request(forest, rows), model_name=forest.model))
