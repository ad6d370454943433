"""The binary tensor data extension: which bytes become which values, and what is said of others?"""

import struct

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sluice_model_server.binary import LENGTH_HEADER, encode
from sluice_model_server.datatypes import DATATYPES
from sluice_model_server.errors import RequestError
from sluice_model_server.v2_request import parse_request
from unit.model_server.test_v2_request import MIXED, NUMBERS

NUMERIC = [row for row in DATATYPES.values() if row.binary is not None]
TEXTS = st.lists(st.text(max_size=20), min_size=1, max_size=6)


def text_bytes(*elements: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(element)) + element for element in elements)


def request(*tensors: tuple[str, str, list[int], bytes], **more) -> tuple[bytes, bytes]:
    """A body and its header: tensors are (name, datatype, shape, bytes)."""
    inputs = [
        {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(content)}}
        for name, datatype, shape, content in tensors
    ]
    text = orjson.dumps({"inputs": inputs, **more})
    return text + b"".join(content for *_, content in tensors), str(len(text)).encode()


@pytest.mark.parametrize("datatype", NUMERIC, ids=lambda row: row.name)
@settings(max_examples=20)
@given(data=st.data())
def test_numbers_of_every_datatype_arrive_as_they_are(datatype, data):
    shape = st.tuples(st.integers(1, 4), st.just(3))
    if datatype.binary.kind == "f":  # drawn as bits: few floats of 64 bits are ones of 16
        rows = data.draw(arrays(f"u{datatype.binary.itemsize}", shape)).view(datatype.binary)
        rows = np.where(np.isfinite(rows), rows, np.zeros_like(rows))
    else:
        rows = data.draw(arrays(datatype.binary, shape))
    body, length = request(("x", datatype.name, list(rows.shape), rows.tobytes()))
    assert np.array_equal(parse_request(body, NUMBERS, json_length=length).rows, rows.astype(np.float64))


@settings(max_examples=40)
@given(TEXTS, st.data())
def test_columns_of_mixed_forms_arrive_by_name(texts, data):
    count = len(texts)
    numbers = np.arange(count, dtype="<f4")
    tensors = [
        ("a", "FP32", [count], numbers.tobytes()),
        ("b", "BYTES", [count, 1], text_bytes(*map(str.encode, texts))),
    ]
    body, length = request(*data.draw(st.permutations(tensors)))
    head, behind = orjson.loads(body[: int(length)]), body[int(length) :]
    head["inputs"].append({"name": "c", "datatype": "INT64", "shape": [count], "data": list(range(count))})
    text = orjson.dumps(head)
    rows = parse_request(text + behind, MIXED, json_length=str(len(text)).encode()).rows
    assert rows[:, 0].tolist() == numbers.tolist()
    assert rows[:, 1].tolist() == texts
    assert rows[:, 2].tolist() == list(range(count))


SIX = np.arange(6, dtype="<f8").tobytes()
WHOLE = request(("x", "FP64", [2, 3], SIX))
TEXT = text_bytes(b"UA", b"AA")


@pytest.mark.parametrize(
    ("body", "length", "said"),
    [
        (*WHOLE[:1], b"9999", "Inference-Header-Content-Length: must be the number"),
        (*WHOLE[:1], b"-1", "Inference-Header-Content-Length"),
        (*WHOLE[:1], b"1e2", "Inference-Header-Content-Length"),
        (*WHOLE[:1], b"9" * 5000, "Inference-Header-Content-Length"),
        (*WHOLE[:1], b"0", "the body is no JSON"),
        (WHOLE[0][:-1], WHOLE[1], r"inputs\[0\].parameters.binary_data_size: 48 bytes, but the body has only 47 left"),
        (WHOLE[0] + b"!", WHOLE[1], "1 bytes behind the JSON belong to no tensor"),
        (*request(("x", "FP32", [2, 3], SIX)), "6 values of FP32 have 24 bytes, not 48"),
        (*request(("x", "FP64", [2**31 - 1, 3], SIX)), r"inputs\[0\]"),
        (*request(("x", "BYTES", [2**31 - 1, 3], TEXT)), r"BYTES elements need at least"),
        (*request(("x", "BYTES", [3], TEXT)), r"inputs\[0\]: element 2 reaches beyond the tensor's 12 bytes"),
        (*request(("x", "BYTES", [1], TEXT)), r"6 bytes are left behind its 1 elements"),
        (*request(("x", "BYTES", [1], text_bytes(b"\xff\xfe"))), r"inputs\[0\]: element 0 is no UTF-8"),
        (*request(("x", "BYTES", [1], struct.pack("<I", 2**32 - 1))), "element 0 reaches beyond"),
        (*request(("x", "FP64", [1, 3], np.array([1, np.inf, 2]).tobytes())), "column b in row 0 is beyond"),
        (*request(("x", "FP16", [1, 3], np.array([1, 2, -np.inf], "<f2").tobytes())), "column c in row 0 is beyond"),
    ],
)
def test_what_is_wrong_is_named(body, length, said):
    with pytest.raises(RequestError, match=said) as refusal:
        parse_request(body, NUMBERS, json_length=length)
    assert refusal.value.status == 400


@pytest.mark.parametrize("size", [-1, 1.5, True, "48", None, [48]])
def test_a_size_must_be_a_number_of_bytes(size):
    tensor = {"name": "x", "datatype": "FP64", "shape": [2, 3], "parameters": {"binary_data_size": size}}
    text = orjson.dumps({"inputs": [tensor]})
    with pytest.raises(RequestError, match=r"inputs\[0\].parameters.binary_data_size: must be a number of bytes"):
        parse_request(text + SIX, NUMBERS, json_length=str(len(text)).encode())


@given(st.binary(max_size=80), st.integers(0, 90))
def test_any_bytes_behind_any_length_are_refused_as_400(body, length):
    with pytest.raises(RequestError) as refusal:
        parse_request(body, MIXED, json_length=str(length).encode())
    assert refusal.value.status == 400


@given(st.sampled_from(list(DATATYPES)), st.lists(st.integers(0, 5), max_size=3), st.binary(max_size=60))
def test_any_tensor_of_bytes_is_understood_or_refused_as_400(datatype, shape, content):
    body, length = request(("x", datatype, shape, content))
    for reader in (NUMBERS, MIXED):
        try:
            rows = parse_request(body, reader, json_length=length).rows
        except RequestError as refusal:
            assert refusal.status == 400
        else:
            assert rows.shape[1] == 3


@pytest.mark.parametrize("name", ["shared_memory_region", "classification"])
def test_what_is_not_supported_is_refused_instead_of_ignored(name):
    tensor = {"name": "x", "datatype": "FP64", "shape": [1, 3], "data": [1, 2, 3], "parameters": {name: 1}}
    with pytest.raises(RequestError, match=rf"inputs\[0\].parameters.{name}: .* is not supported"):
        parse_request(orjson.dumps({"inputs": [tensor]}), NUMBERS)
    outputs = [{"name": "label", "parameters": {name: 1}}]
    with pytest.raises(RequestError, match=rf"outputs\[0\].parameters.{name}: "):
        parse_request(orjson.dumps({"inputs": [{**tensor, "parameters": {}}], "outputs": outputs}), NUMBERS)


def test_outputs_are_binary_where_asked_for_and_the_nearer_word_counts(served):
    body = {
        "inputs": [{"name": "x", "datatype": "FP64", "shape": [1, 3], "data": [1, 2, 3]}],
        "parameters": {"binary_data_output": True},
    }
    asked = parse_request(orjson.dumps(body), served("forest").predictor).outputs
    assert [(output.name, output.binary) for output in asked] == [("label", True), ("probability", True)]
    body["outputs"] = [{"name": "probability"}, {"name": "label", "parameters": {"binary_data": False}}]
    asked = parse_request(orjson.dumps(body), served("forest").predictor).outputs
    assert [(output.name, output.binary) for output in asked] == [("probability", True), ("label", False)]
    body["parameters"] = {"binary_data_output": "yes"}
    with pytest.raises(RequestError, match=r"^parameters.binary_data_output: must be true or false"):
        parse_request(orjson.dumps(body), served("forest").predictor)


async def test_a_binary_answer_holds_what_the_json_one_says(client, data, matrix):
    app = client("forest")
    plain = (await app.infer(matrix(data.rows[:3]))).json["outputs"]
    answer = await app.infer(matrix(data.rows[:3], parameters={"binary_data_output": True}))
    length = int(answer.headers[LENGTH_HEADER])
    head, behind = orjson.loads(answer.content[:length]), answer.content[length:]
    assert answer.headers[b"content-type"] == b"application/octet-stream"
    sizes = [output["parameters"]["binary_data_size"] for output in head["outputs"]]
    assert sum(sizes) == len(behind)
    assert all("data" not in output for output in head["outputs"])
    assert behind[: sizes[0]] == text_bytes(*(label.encode() for label in plain[0]["data"]))
    assert np.frombuffer(behind[sizes[0] :], "<f8").tolist() == plain[1]["data"]


@pytest.mark.parametrize("values", [[1, -2], [0.5, np.nan], [True, False]])
def test_encoded_numbers_are_little_endian(values):
    array = np.array(values)
    kind = {"i": "<i8", "f": "<f8", "b": "|b1"}[array.dtype.kind]
    assert encode(array) == array.astype(kind).tobytes()
