"""NVIDIA's tritonclient.http, unchanged."""

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

NUMBERS = {
    "FP64": np.float64, "FP32": np.float32, "FP16": np.float16, "INT64": np.int64, "INT32": np.int32, "INT16": np.int16,
    "INT8": np.int8, "UINT64": np.uint64, "UINT32": np.uint32, "UINT16": np.uint16, "UINT8": np.uint8, "BOOL": np.bool_,
}  # fmt: skip


@pytest.fixture
def client(forest):
    with triton.InferenceServerClient(forest.host, network_timeout=60) as client:
        yield client


def tensor(name, array, datatype, *, binary):
    tensor = triton.InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array, binary_data=binary)
    return tensor


def test_server_and_model_say_what_they_are(client, forest):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(forest.model)
    assert client.is_model_ready(forest.model, forest.version)
    assert not client.is_model_ready("nothing")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    metadata = client.get_model_metadata(forest.model, forest.version)
    assert metadata["versions"] == [forest.version]
    assert [column["name"] for column in metadata["inputs"]] == ["x0", "x1", "x2", "x3"]
    assert [(output["name"], output["datatype"]) for output in metadata["outputs"]] == [
        ("label", "BYTES"),
        ("probability", "FP64"),
    ]


@pytest.mark.parametrize("binary_out", [True, False])
@pytest.mark.parametrize("binary_in", [True, False])
def test_answers_are_those_of_scikit_learn(client, forest, binary_in, binary_out):
    rows = np.array(forest.rows)
    outputs = [triton.InferRequestedOutput(name, binary_data=binary_out) for name in ("probability", "label")]
    result = client.infer(
        forest.model, [tensor("rows", rows, "FP64", binary=binary_in)], outputs=outputs, request_id="flight-1"
    )
    assert result.get_response()["id"] == "flight-1"
    assert result.as_numpy("probability").tolist() == forest.probability
    labels = [label.decode() if isinstance(label, bytes) else label for label in result.as_numpy("label")]
    assert labels == forest.label


def test_without_outputs_all_come_back_binary(client, forest):
    result = client.infer(forest.model, [tensor("rows", np.array(forest.rows[:3]), "FP64", binary=True)])
    assert result.as_numpy("probability").tolist() == forest.probability[:3]
    assert [label.decode() for label in result.as_numpy("label")] == forest.label[:3]


@pytest.mark.parametrize("datatype", NUMBERS)
def test_numbers_of_every_datatype(client, forest, datatype):
    rows = np.array([[0, 1, 1, 0], [1, 0, 0, 1]]).astype(NUMBERS[datatype])
    expected = client.infer(forest.model, [tensor("rows", rows.astype(np.float64), "FP64", binary=True)])
    result = client.infer(forest.model, [tensor("rows", rows, datatype, binary=True)])
    assert result.as_numpy("probability").tolist() == expected.as_numpy("probability").tolist()
    if datatype != "FP16":  # the client itself sends it binary only
        result = client.infer(forest.model, [tensor("rows", rows, datatype, binary=False)])
        assert result.as_numpy("probability").tolist() == expected.as_numpy("probability").tolist()


@pytest.mark.parametrize("binary", [True, False])
def test_columns_of_text_and_numbers_in_any_order(mixed, binary):
    hour, carrier, humid = (np.array(column) for column in zip(*mixed.rows, strict=True))
    with triton.InferenceServerClient(mixed.host, network_timeout=60) as client:
        result = client.infer(
            mixed.model,
            [
                tensor("humid", humid.astype(np.float64).reshape(-1, 1), "FP64", binary=not binary),
                tensor("carrier", carrier.astype(object), "BYTES", binary=binary),
                tensor("hour", hour.astype(np.float64), "FP64", binary=binary),
            ],
        )
    assert result.as_numpy("label").tolist() == mixed.label
    assert np.allclose(result.as_numpy("probability"), mixed.probability, rtol=1e-12)


def test_a_version_with_a_plus_is_found(number):
    with triton.InferenceServerClient(number.host, network_timeout=60) as client:
        rows = tensor("rows", np.array(number.rows), "FP64", binary=True)
        result = client.infer(number.model, [rows], model_version=number.version)
    assert np.allclose(result.as_numpy("label"), number.label, rtol=1e-12)


def test_many_at_once(forest):
    with triton.InferenceServerClient(forest.host, concurrency=8, network_timeout=60) as client:
        asked = [
            client.async_infer(forest.model, [tensor("rows", np.array(forest.rows[i : i + 1]), "FP64", binary=True)])
            for i in range(50)
        ]
        answered = [request.get_result().as_numpy("probability").tolist()[0] for request in asked]
    assert answered == forest.probability[:50]


def test_errors_reach_the_caller_with_their_text(client, forest):
    with pytest.raises(InferenceServerException, match=r"inputs\[0\].shape: must be \[rows, 4\]"):
        client.infer(forest.model, [tensor("rows", np.zeros((2, 3)), "FP64", binary=True)])
    with pytest.raises(InferenceServerException, match="the model served here is delay"):
        client.infer("nothing", [tensor("rows", np.zeros((2, 4)), "FP64", binary=True)])
