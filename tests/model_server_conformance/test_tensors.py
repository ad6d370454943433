"""hypothesis makes V2 tensors: good ones are answered, every other one is a 4xx that names what is wrong."""

import json
import re

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

KINDS = {
    "FP64": "<f8", "FP32": "<f4", "FP16": "<f2", "INT64": "<i8", "INT32": "<i4", "INT16": "<i2", "INT8": "<i1",
    "UINT64": "<u8", "UINT32": "<u4", "UINT16": "<u2", "UINT8": "<u1", "BOOL": "|b1",
}  # fmt: skip
NAMED = re.compile(r"^(inputs|outputs|id|parameters|Inference-Header-Content-Length|the body)\b")
LENGTH = "Inference-Header-Content-Length"


@pytest.fixture(scope="session")
def http():
    with httpx.Client(timeout=60) as client:
        yield client


def check(answer: httpx.Response) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert NAMED.match(answer.json()["error"]), answer.text


def body(tensors, binary: bool, **more) -> tuple[bytes, dict[str, str]]:
    """tensors: (name, datatype, array). In the binary form numbers stand behind the JSON."""
    inputs, behind = [], []
    for name, datatype, array in tensors:
        tensor = {"name": name, "datatype": datatype, "shape": list(array.shape)}
        if binary and datatype != "BYTES":
            behind.append(array.tobytes())
            tensor["parameters"] = {"binary_data_size": len(behind[-1])}
        else:
            tensor["data"] = array.ravel().tolist()
        inputs.append(tensor)
    text = json.dumps({"inputs": inputs, **more}).encode()
    return text + b"".join(behind), {LENGTH: str(len(text))} if binary else {}


@st.composite
def numbers(draw, columns: int):
    datatype = draw(st.sampled_from(list(KINDS)))
    kind = np.dtype(KINDS[datatype])
    elements = {"allow_nan": False, "allow_infinity": False} if kind.kind == "f" else None
    return datatype, draw(arrays(kind, st.tuples(st.integers(1, 4), st.just(columns)), elements=elements))


@given(numbers(4), st.booleans(), st.booleans())
@settings(max_examples=150)
def test_numbers_that_fit_are_answered_in_both_forms(number, http, tensor, binary, answer_binary):
    datatype, rows = tensor
    content, headers = body([("rows", datatype, rows)], binary, parameters={"binary_data_output": answer_binary})
    answer = http.post(number.infer, content=content, headers=headers)
    assert answer.status_code == 200, answer.text
    assert (LENGTH in answer.headers) is answer_binary
    length = int(answer.headers.get(LENGTH, len(answer.content)))
    (output,) = json.loads(answer.content[:length])["outputs"]
    assert output["shape"] == [len(rows)]


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.text(max_size=12), st.integers(-100, 100)), min_size=1, max_size=5),
       st.permutations(["hour", "carrier", "humid"]), st.booleans())  # fmt: skip
@settings(max_examples=100)
def test_columns_in_any_order_are_answered(mixed, http, rows, order, binary):
    hour, carrier, humid = zip(*rows, strict=True)
    columns = {
        "hour": ("FP64", np.array(hour)),
        "carrier": ("BYTES", np.array(carrier, dtype=object)),
        "humid": ("INT16", np.array(humid, dtype="<i2")),
    }
    content, headers = body([(name, *columns[name]) for name in order], binary)
    answer = http.post(mixed.infer, content=content, headers=headers)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["outputs"][0]["data"]) == len(rows)


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text())
ANY = st.recursive(VALUES, lambda part: st.one_of(st.lists(part, max_size=3), st.dictionaries(st.text(), part)))
TENSORS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.one_of(st.sampled_from(["x0", "x1", "hour", "carrier", "humid", ""]), ANY),
        "shape": st.one_of(st.lists(st.integers(-1, 2**33), max_size=4), st.just([1, 4]), st.just([1]), ANY),
        "datatype": st.one_of(st.sampled_from([*KINDS, "BYTES", "BF16"]), ANY),
        "data": st.one_of(st.lists(VALUES, max_size=4), ANY),
        "parameters": st.one_of(st.fixed_dictionaries({"binary_data_size": st.one_of(st.integers(), ANY)}), ANY),
    },
)


@pytest.mark.parametrize("model", ["forest", "mixed", "number"])
@given(data=st.data())
@settings(max_examples=150)
def test_whatever_else_is_sent_is_named(serve, http, model, data):
    server = serve(model)
    document = data.draw(
        st.fixed_dictionaries(
            {"inputs": st.one_of(st.lists(TENSORS, max_size=4), ANY)},
            optional={"id": ANY, "outputs": ANY, "parameters": ANY},
        )
    )
    text = json.dumps(document).encode("utf-8", "surrogatepass")
    behind = data.draw(st.binary(max_size=40))
    headers = data.draw(st.sampled_from([{}, {LENGTH: str(len(text))}, {LENGTH: str(len(text) + 7)}]))
    check(http.post(server.infer, content=text + behind, headers=headers))


@given(
    st.binary(max_size=300),
    st.one_of(st.none(), st.integers(-5, 400).map(str), st.from_regex(r"[0-9eE+.x-]{1,12}", fullmatch=True)),
)
@settings(max_examples=150)
def test_bytes_that_are_no_request_are_named(forest, http, content, length):
    headers = {} if length is None else {LENGTH: length}
    answer = http.post(forest.infer, content=content, headers=headers)
    assert 400 <= answer.status_code < 500
    check(answer)
