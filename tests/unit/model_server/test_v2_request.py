"""Which request bodies are understood, and what is said of the others?"""

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sluice_model_server import v2_request
from sluice_model_server.errors import RequestError
from sluice_model_server.estimator import Estimator
from sluice_model_server.manifest import Column, Manifest
from sluice_model_server.predictor import Predictor
from sluice_model_server.v2_request import parse_request

FINITE = st.floats(allow_nan=False, allow_infinity=False)
FLOATS = st.one_of(FINITE, st.integers(-(2**53), 2**53), st.none())


class Sum:
    """The least that predicts: no fitted estimator is needed to read requests."""

    n_features_in_ = 3

    def predict(self, rows):
        return rows.sum(axis=1)


def predictor(*datatypes: str, missing: bool = True) -> Predictor:
    columns = tuple(Column(name=name, datatype=datatype) for name, datatype in zip("abc", datatypes, strict=True))
    file = {"path": "model.skops", "sha256": "0" * 64, "size": 0}
    document = {"name": "m", "version": "1", "format": "skops", "files": [file], "columns": columns}
    reader = Predictor(Estimator(Sum(), Manifest.model_validate(document)))
    reader.accepts_missing = missing
    return reader


NUMBERS = predictor("FP64", "FP64", "INT64")
STRICT = predictor("FP64", "FP64", "FP64", missing=False)
MIXED = predictor("FP64", "BYTES", "INT64")


def tensor(**changes):
    return {"name": "x", "shape": [2, 3], "datatype": "FP64", "data": [1, 2, 3, 4, 5, 6.5]} | changes


def column(name, data, datatype="FP64", **changes):
    return {"name": name, "shape": [len(data)], "datatype": datatype, "data": data} | changes


@pytest.mark.parametrize(
    ("reader", "inputs", "said"),
    [
        (NUMBERS, [], "inputs: must be a list"),
        (NUMBERS, None, "inputs: must be a list"),
        (NUMBERS, [7], "inputs[0]: must be an object"),
        (NUMBERS, [tensor(name="")], "inputs[0].name"),
        (NUMBERS, [tensor(datatype="BF16")], "inputs[0].datatype: must be one of FP64"),
        (NUMBERS, [tensor(datatype=["FP64"])], "inputs[0].datatype"),
        (NUMBERS, [tensor(shape=[6])], "inputs[0].shape: must be [rows, 3]"),
        (NUMBERS, [tensor(shape=[2, 2, 3])], "inputs[0].shape"),
        (NUMBERS, [tensor(shape=[0, 3])], "inputs[0].shape"),
        (NUMBERS, [tensor(shape=[True, 3])], "inputs[0].shape"),
        (NUMBERS, [tensor(shape=[2, 4])], "asks for another number"),
        (NUMBERS, [tensor(data=[[1, 2, 3], [4, 5]])], "rows do not have the shape [2, 3]"),
        (NUMBERS, [tensor(data="123456")], "inputs[0].data: must be a list"),
        (
            NUMBERS,
            [tensor(data=None, parameters={"binary_data_size": 48})],
            "need the header Inference-Header-Content-Length",
        ),
        (NUMBERS, [tensor(data=None, parameters=5)], "inputs[0].parameters: must be an object"),
        (NUMBERS, [tensor(data=[1, 2, 3, 4, 5, "6"])], "FP64 takes numbers or null only"),
        (NUMBERS, [tensor(data=[1, 2, 3, 4, 5, True])], "FP64 takes numbers or null only"),
        (NUMBERS, [tensor(data=[1, 2, 3, 4, 5, [6]])], "FP64 takes numbers or null only"),
        (NUMBERS, [tensor(datatype="INT64")], "INT64 takes integers only"),
        (NUMBERS, [tensor(datatype="INT64", data=[1, 2, 3, 4, 5, 2**63])], "does not fit INT64"),
        (NUMBERS, [tensor(datatype="FP32", data=[1, 2, 3, 4, 5, 1e39])], "does not fit FP32"),
        (NUMBERS, [tensor(datatype="BYTES", data=["a"] * 6)], "column a is FP64, not BYTES"),
        (NUMBERS, [column("a", [1]), column("b", [1])], "the tensor c is missing"),
        (NUMBERS, [column("a", [1]), column("b", [1]), column("d", [1])], "the tensor c is missing"),
        (NUMBERS, [column(name, [1]) for name in "abcd"], "4 tensors for a model of 3 columns"),
        (NUMBERS, [column("a", [1]), column("a", [1])], "a stands twice"),
        (NUMBERS, [column("a", [1]), column("b", [1]), column("c", [1, 2])], "c has 2 rows, others have 1"),
        (NUMBERS, [column("a", [1, 2], shape=[1, 2]), column("b", [1])], "inputs[0].shape: must be [rows]"),
        (MIXED, [column("a", [1]), column("b", [1]), column("c", [1])], "the tensor b must be BYTES"),
        (MIXED, [tensor()], "column b is BYTES, not FP64"),
        (STRICT, [tensor(data=[1, 2, 3, 4, 5, None])], "takes no missing values"),
    ],
)
def test_what_is_wrong_is_named(reader, inputs, said):
    with pytest.raises(RequestError) as refusal:
        parse_request(orjson.dumps({"inputs": inputs}), reader)
    assert refusal.value.status == 400
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no JSON"),
        (b"[1]", "JSON object"),
        (b'{"inputs": [1', "no JSON"),
        (b'{"id": 7, "inputs": []}', "id: must be a string"),
        (b'{"inputs": [1], "outputs": {}}', "outputs: must be a list"),
        (b'{"inputs": [1], "outputs": [{"name": "margin"}]}', "outputs[0].name: must be one of label"),
        (b'{"inputs": [1], "outputs": [{"name": ["label"]}]}', "outputs[0].name"),
        (b'{"inputs": [1], "outputs": [{"name": "label"}, {"name": "label"}]}', "stands twice"),
    ],
)
def test_bodies_that_are_no_request(body, said):
    with pytest.raises(RequestError, match=said.replace("[", r"\[")):
        parse_request(body, NUMBERS)


@given(arrays(np.float64, st.tuples(st.integers(1, 5), st.just(3)), elements=FINITE), st.booleans())
def test_a_matrix_arrives_bit_for_bit_flat_or_nested(rows, nested):
    data = rows.tolist() if nested else rows.ravel().tolist()
    body = orjson.dumps({"inputs": [tensor(shape=list(rows.shape), data=data)]})
    assert np.array_equal(parse_request(body, NUMBERS).rows, rows)


@given(st.lists(st.tuples(FLOATS, st.text(), st.integers(-(2**63), 2**63 - 1)), min_size=1, max_size=5), st.randoms())
def test_columns_arrive_by_name_in_any_order(rows, random):
    a, b, c = (list(values) for values in zip(*rows, strict=True))
    inputs = [column("a", a), column("b", b, "BYTES"), column("c", c, "INT64")]
    random.shuffle(inputs)
    parsed = parse_request(orjson.dumps({"inputs": inputs}), MIXED).rows
    assert parsed[:, 1].tolist() == b
    assert parsed[:, 2].tolist() == c
    for value, arrived in zip(a, parsed[:, 0], strict=True):
        assert np.isnan(arrived) if value is None else float(value) == arrived


json_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), st.text(max_size=5)
    ),
    lambda part: st.one_of(st.lists(part, max_size=4), st.dictionaries(st.text(max_size=8), part, max_size=4)),
    max_leaves=10,
)
near_tensors = st.fixed_dictionaries(
    {},
    optional={
        "name": st.one_of(st.sampled_from("abcx"), json_values),
        "shape": st.one_of(st.lists(st.integers(-1, 4), max_size=3), json_values),
        "datatype": st.one_of(st.sampled_from(["FP64", "FP32", "INT64", "BYTES"]), json_values),
        "data": st.one_of(st.lists(st.one_of(FLOATS, st.text(max_size=3)), max_size=6), json_values),
        "parameters": json_values,
    },
)


@given(st.one_of(st.lists(st.one_of(near_tensors, json_values), max_size=4), json_values), json_values, json_values)
def test_any_json_is_either_understood_or_refused_as_400(inputs, identity, outputs):
    body = orjson.dumps({"inputs": inputs, "id": identity, "outputs": outputs})
    for reader in (NUMBERS, MIXED, STRICT):
        try:
            rows = parse_request(body, reader).rows
        except RequestError as refusal:
            assert refusal.status == 400
        else:
            assert rows.shape[1] == 3


@given(st.dictionaries(st.sampled_from(["name", "shape", "datatype", "data", "parameters"]), json_values, max_size=2))
def test_a_tensor_with_two_odd_fields_is_understood_or_refused_as_400(changes):
    try:
        parse_request(orjson.dumps({"inputs": [tensor(**changes)]}), NUMBERS)
    except RequestError as refusal:
        assert refusal.status == 400


def understood(document, reader):
    """What is read of a document, comparable; or how it is refused."""
    try:
        request = parse_request(orjson.dumps(document), reader, max_rows=3)
    except RequestError as refusal:
        return refusal.status, str(refusal)
    return request.id, request.rows.dtype, request.rows.shape, request.rows.tobytes(), request.outputs


usual_values = st.one_of(FLOATS, st.sampled_from([1e200, -(2**63), 2**64 - 1, True, "1"]))
usual_tensors = st.integers(1, 4).flatmap(
    lambda rows: st.fixed_dictionaries(
        {
            "name": st.sampled_from(["x", "a", ""]),
            "shape": st.sampled_from([[rows, 3], [rows, 3.0], [True, 3], [3 * rows], [rows, 4]]),
            "datatype": st.sampled_from(["FP64", "FP64", "FP32"]),
            "data": st.lists(usual_values, min_size=3 * rows, max_size=3 * rows),
        }
    )
)


@given(st.lists(usual_tensors, min_size=1, max_size=2), st.dictionaries(st.sampled_from(["id", "more"]), json_values))
def test_what_is_usual_is_read_as_everything_else_is(inputs, more):
    document = {"inputs": inputs, **more}
    for reader in (NUMBERS, STRICT, MIXED):
        short = understood(document, reader)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(v2_request, "_usual", lambda *_: None)
            assert understood(document, reader) == short


def test_the_usual_request_is_not_read_the_long_way(monkeypatch):
    monkeypatch.setattr(v2_request, "read_tensor", None)
    assert parse_request(orjson.dumps({"inputs": [tensor()], "id": "7"}), NUMBERS).rows.tolist() == [
        [1, 2, 3],
        [4, 5, 6.5],
    ]


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_as_400(body):
    with pytest.raises(RequestError) as refusal:
        parse_request(body, NUMBERS)
    assert refusal.value.status == 400
