"""MLServer's own codecs, types and command-line client, unchanged."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest
from mlserver.codecs import NumpyCodec, NumpyRequestCodec, PandasCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse

CLIENT = Path(sys.executable).with_name("mlserver")


def infer(server, request: InferenceRequest) -> InferenceResponse:
    answer = httpx.post(server.infer, json=request.model_dump(exclude_none=True), timeout=60)
    assert answer.status_code == 200, answer.text
    return InferenceResponse.model_validate(answer.json())


def test_a_numpy_request(forest):
    response = infer(forest, NumpyRequestCodec.encode_request(np.array(forest.rows)))
    label, probability = response.outputs
    assert StringCodec.decode_output(label) == forest.label
    assert NumpyCodec.decode_output(probability).tolist() == forest.probability


def test_a_data_frame_of_text_and_numbers(mixed):
    kinds = {"hour": float, "carrier": object, "humid": float}
    frame = pd.DataFrame(mixed.rows, columns=list(kinds)).astype(kinds)
    response = infer(mixed, PandasCodec.encode_request(frame[["humid", "carrier", "hour"]], use_bytes=False))
    label, probability = response.outputs
    assert NumpyCodec.decode_output(label).ravel().tolist() == mixed.label
    assert np.allclose(NumpyCodec.decode_output(probability), mixed.probability, rtol=1e-12)


@pytest.mark.parametrize("form", [[], ["--binary-data"]], ids=["json", "binary"])
def test_the_command_line_client(forest, tmp_path, form):
    asked, answered = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    requests = [NumpyRequestCodec.encode_request(np.array(forest.rows[i : i + 2])) for i in range(0, 20, 2)]
    asked.write_text("".join(request.model_dump_json(exclude_none=True) + "\n" for request in requests))
    subprocess.run(
        [CLIENT, "infer", "-u", forest.host, "-m", forest.model, "-i", asked, "-o", answered, *form],
        check=True,
        timeout=90,
        capture_output=True,
    )
    answers = [json.loads(line) for line in answered.read_text().splitlines()]
    answers.sort(key=lambda answer: answer["parameters"]["batch_index"])
    said = [value for answer in answers for output in answer["outputs"] if output["name"] == "probability"
            for value in output["data"]]  # fmt: skip
    assert said == [value for row in forest.probability[:20] for value in row]
