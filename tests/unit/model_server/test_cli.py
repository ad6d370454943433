"""What does `sluice-model` print, and with which exit status does it end?"""

import json
import threading

import pytest
from typer.testing import CliRunner

from sluice_model_server import cli
from sluice_model_server.manifest import digest_of
from sluice_model_server.store import store_server


@pytest.fixture
def termination_log(tmp_path, monkeypatch):
    path = tmp_path / "termination-log"
    path.touch()
    monkeypatch.setattr(cli, "TERMINATION_LOG", path)
    return path


@pytest.fixture
def store(packed):
    with store_server(packed, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def test_fetch_needs_the_host_allowed_and_the_digest_right(store, packed, tmp_path, termination_log):
    uri, digest = f"{store}/linear/manifest.json", digest_of((packed / "linear" / "manifest.json").read_bytes())
    command = ("fetch", "--uri", uri, "--into", tmp_path / "into")
    refused = run(*command, "--digest", digest)
    assert refused.exit_code == 1
    assert "--allow-host 127.0.0.1" in termination_log.read_text()
    wrong = run(*command, "--digest", f"sha256:{'0' * 64}", "--allow-host", "127.0.0.1")
    assert wrong.exit_code == 1
    said = f"{uri}: digest mismatch: expected sha256:{'0' * 64}, got {digest}"
    assert termination_log.read_text() == said
    assert wrong.stderr.strip() == f"error: {said}"
    assert run(*command, "--digest", digest, "--allow-host", "127.0.0.1").exit_code == 0
    assert (tmp_path / "into" / "model.skops").is_file()


def test_pack_prints_the_digest_to_put_into_the_spec(packed, tmp_path):
    model = packed / "linear" / "model.skops"
    packing = run("pack", model, "--name", "delay", "--version", "7", "--into", tmp_path)
    assert packing.exit_code == 0
    assert packing.stdout.strip() == digest_of((tmp_path / "manifest.json").read_bytes())
    assert json.loads((tmp_path / "manifest.json").read_bytes())["version"] == "7"


def test_pack_refuses_a_pickle(tmp_path):
    (tmp_path / "model.joblib").write_bytes(b"\x80")
    packing = run("pack", tmp_path / "model.joblib", "--name", "m", "--version", "1", "--into", tmp_path)
    assert packing.exit_code == 1
    assert "skops.io.dump" in packing.stderr
