"""Does the server describe itself as it is?"""

import re
from html import unescape

import orjson
import pytest


async def test_every_path_that_is_described_answers_and_the_example_is_answered(client):
    app = client("mixed")
    paths = (await app.ask("GET", "/openapi.json")).json["paths"]
    for path, methods in paths.items():
        (method,) = methods
        body = b""
        if method == "post":
            body = methods["post"]["requestBody"]["content"]["application/json"]["example"]
        answer = await app.ask(method.upper(), path, body)
        assert answer.status == 200, (path, answer.content)
        assert answer.headers[b"content-type"].split(b";")[0].decode() in methods[method]["responses"]["200"]["content"]
    assert {"/v2/models/delay/infer", "/v2/models/delay/versions/3/infer"} <= paths.keys()


async def test_every_path_names_the_methods_that_it_takes(client):
    app = client()
    for path, methods in (await app.ask("GET", "/openapi.json")).json["paths"].items():
        (method,) = methods
        answer = await app.ask("DELETE", path)
        assert (answer.status, answer.headers[b"allow"]) == (405, b"POST" if method == "post" else b"GET, HEAD")


@pytest.mark.parametrize("model", ["linear", "mixed", "number"])
async def test_columns_and_outputs_of_the_model_are_named(client, served, model):
    document = (await client(model).ask("GET", "/openapi.json")).json
    predictor = served(model).predictor
    inputs = document["components"]["schemas"]["InferenceRequest"]["properties"]["inputs"]
    assert all(f"{column.name} ({column.datatype})" in inputs["description"] for column in predictor.columns)
    outputs = document["components"]["schemas"]["OutputTensor"]["properties"]["name"]["enum"]
    assert outputs == (["label"] if predictor.classes is None else ["label", "probability"])


async def test_a_token_is_described_where_it_is_wanted(client, tmp_path):
    (tmp_path / "tokens").write_text("first")
    app = client(token_file=tmp_path / "tokens")
    document = (await app.ask("GET", "/openapi.json", headers=((b"authorization", b"Bearer first"),))).json
    wants = {path for path, methods in document["paths"].items() for way in methods.values() if "security" in way}
    health = {"/v2/health/live", "/v2/health/ready", "/v2/models/delay/ready", "/v2/models/delay/versions/1/ready"}
    assert wants == document["paths"].keys() - health - {"/metrics"}


async def test_the_page_needs_nothing_from_elsewhere_and_names_everything(client):
    app = client()
    answer = await app.ask("GET", "/docs")
    text = answer.content.decode()
    assert not re.search(r"<script|<link|<img|src=|@import|url\(", text)
    document = (await app.ask("GET", "/openapi.json")).json
    for path in (*document["paths"], *document["components"]["schemas"]):
        assert path in text
    shown = re.search(r"<pre>(.*?)</pre>", text)
    content = document["paths"]["/v2/models/delay/infer"]["post"]["requestBody"]["content"]
    assert orjson.loads(unescape(shown[1])) == content["application/json"]["example"]
