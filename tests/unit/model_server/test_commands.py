"""What do pack, inspect, verify and push of `sluice-model` say?"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from typer.testing import CliRunner

from sluice_model_server import cli
from sluice_model_server.errors import PushError
from sluice_model_server.manifest import digest_of
from sluice_model_server.push import push


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture
def train(flights, tmp_path, monkeypatch):
    """A folder with a module `trained` that holds a fitted model, and train.parquet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "trained", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    code = "from specs.flights import *\ntable = flights_table()\n"
    code += "model = flights_pipeline().fit(table[INPUTS], table['late'])\nnumber = 3\n"
    (tmp_path / "trained.py").write_text(code + "def make():\n    return model\n")
    flights.table.to_parquet(tmp_path / "train.parquet")
    return tmp_path


@pytest.mark.parametrize("reference", ["trained:model", "trained:make"])
def test_a_python_object_with_its_data_has_the_digest_of_the_notebook(train, flights, reference):
    command = ("pack", reference, "--data", "train.parquet", "--label", "late", "--slices", "carrier, hour,origin")
    packing = run(*command, "--to", "flight-delay/42")
    assert packing.exit_code == 0, packing.stderr
    assert packing.stdout.strip() == flights.digest
    assert "note: slices: origin is no input of the model" in packing.stderr


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("trained:nothing", "has no attribute 'nothing'"),
        ("untrained:model", "No module named 'untrained'"),
        ("trained:number", "is a int, which has no predict"),
    ],
)
def test_a_reference_that_means_no_estimator_is_named(train, model, said):
    packing = run("pack", model, "--to", "m/1")
    assert packing.exit_code == 1
    assert packing.stderr.startswith(f"error: {model}: ")
    assert said in packing.stderr


def test_a_skops_file_gets_a_profile_too(train, flights, tmp_path):
    model = flights.folder / "model.skops"
    columns = ["--columns", "carrier,distance,hour,temp"]
    packing = run("pack", model, "--data", "train.parquet", "--label", "late", *columns, "--to", tmp_path / "m" / "1")
    assert packing.exit_code == 0, packing.stderr
    assert (tmp_path / "m" / "1" / "profile.json").is_file()


def test_inspect_shows_the_card_or_json(flights, packed):
    shown = run("inspect", flights.folder).stdout
    assert flights.digest in shown
    assert "| carrier | BYTES |" in shown
    document = json.loads(run("inspect", "--json", flights.folder).stdout)
    assert (document["digest"], document["profile"]["rows"]) == (flights.digest, 400)
    assert "No profile: packed without data." in run("inspect", packed / "mixed").stdout


def test_verify_prints_the_digest_or_the_reason(flights, tmp_path):
    assert run("verify", flights.folder, "--digest", flights.digest).stdout.strip() == flights.digest
    wrong = run("verify", flights.folder, "--digest", f"sha256:{'0' * 64}")
    assert (wrong.exit_code, "digest mismatch" in wrong.stderr) == (1, True)
    for file in flights.folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "profile.json").write_bytes(b"{}")
    spoilt = run("verify", tmp_path)
    assert (spoilt.exit_code, "profile.json: digest mismatch" in spoilt.stderr) == (1, True)


class Uploads(BaseHTTPRequestHandler):
    """Takes PUT and gives back what it took."""

    files: dict[str, bytes] = {}
    status = 201

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"]))
        if self.status == 201:
            self.files[self.path] = content
        self._answer(self.status, b"")

    def do_GET(self) -> None:
        content = self.files.get(self.path)
        self._answer(404 if content is None else 200, content or b"")

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def uploads(monkeypatch):
    monkeypatch.setattr(Uploads, "files", {})
    with HTTPServer(("127.0.0.1", 0), Uploads) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/models/42"
        server.shutdown()
        thread.join()


def test_push_by_put_writes_the_manifest_last(flights, uploads):
    pushed = run("push", flights.folder, f"{uploads}/")
    assert pushed.stdout == f"model:\n  uri: {uploads}/manifest.json\n  digest: {flights.digest}\n"
    assert list(Uploads.files)[-1] == "/models/42/manifest.json"
    for path, content in Uploads.files.items():
        assert content == (flights.folder / path.rpartition("/")[2]).read_bytes()


def test_a_store_that_takes_no_uploads_is_named(flights, uploads, monkeypatch):
    monkeypatch.setattr(Uploads, "status", 405)
    with pytest.raises(PushError, match=f"{uploads}/.*: PUT answered 405"):
        push(flights.folder, uploads)


@pytest.mark.parametrize("scheme", ["", "file://", "memory://"])
def test_push_to_a_filesystem(flights, packed, tmp_path, scheme):
    target = f"{scheme}{tmp_path}/flight-delay/42"
    assert push(flights.folder, target).digest == flights.digest
    assert push(flights.folder, target).uri == f"{target}/manifest.json"  # again: it is there already
    if scheme != "memory://":
        copied = (tmp_path / "flight-delay" / "42" / "manifest.json").read_bytes()
        assert digest_of(copied) == flights.digest
    with pytest.raises(PushError, match="another model lies there"):
        push(packed / "linear", target)


def test_push_names_a_scheme_that_nobody_knows(flights):
    with pytest.raises(PushError, match="carrier-pigeon"):
        push(flights.folder, "carrier-pigeon://roof/42")
