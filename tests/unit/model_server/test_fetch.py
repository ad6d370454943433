"""How does a model arrive, and what is refused on the way? Against a real HTTP server on loopback."""

import hashlib
import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sluice_model_server.errors import DigestMismatch, FetchError, ManifestError, UnsupportedFormat
from sluice_model_server.fetch import FetchLimits, fetch
from sluice_model_server.load import load_model
from sluice_model_server.manifest import digest_of
from sluice_model_server.store import store_server

HOSTS = ("127.0.0.1",)
QUICK = FetchLimits(attempts=3, connect_seconds=2, read_seconds=2)


@pytest.fixture
def models(packed: Path, tmp_path: Path) -> Path:
    """A copy of the packed models that a test may spoil."""
    return Path(shutil.copytree(packed, tmp_path / "models"))


@pytest.fixture
def store(models: Path) -> Iterator[str]:
    """Address of a real static store of those models."""
    with store_server(models, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def digest(models: Path, name: str = "linear") -> str:
    return digest_of((models / name / "manifest.json").read_bytes())


def rewrite(models: Path, **changes: object) -> str:
    """Changes the manifest's fields and returns its new digest."""
    path = models / "linear" / "manifest.json"
    content = json.dumps(json.loads(path.read_bytes()) | changes).encode()
    path.write_bytes(content)
    return digest_of(content)


def test_a_fetched_model_serves(store, models, tmp_path):
    into = tmp_path / "into"
    manifest = fetch(f"{store}/linear/manifest.json", digest(models), into, plain_http_hosts=HOSTS)
    assert manifest.version == "1"
    assert load_model(into, max_bytes=1 << 30).digest == digest(models)
    assert sorted(path.name for path in into.iterdir()) == ["manifest.json", "model.skops"]


def test_a_second_fetch_keeps_good_files_and_mends_bad_ones(store, models, tmp_path):
    uri, into = f"{store}/linear/manifest.json", tmp_path / "into"
    fetch(uri, digest(models), into, plain_http_hosts=HOSTS)
    before = (into / "model.skops").stat().st_ino
    fetch(uri, digest(models), into, plain_http_hosts=HOSTS)
    assert (into / "model.skops").stat().st_ino == before
    (into / "model.skops").write_bytes(b"half a file")
    fetch(uri, digest(models), into, plain_http_hosts=HOSTS)
    assert load_model(into, max_bytes=1 << 30)


def test_another_manifest_is_refused_with_both_digests(store, models, tmp_path):
    expected, actual = digest(models), digest(models, "forest")
    with pytest.raises(DigestMismatch) as refusal:
        fetch(f"{store}/forest/manifest.json", expected, tmp_path / "into", plain_http_hosts=HOSTS)
    for part in (f"{store}/forest/manifest.json", expected, actual):
        assert part in str(refusal.value)
    assert not (tmp_path / "into").exists()


def test_a_changed_file_is_refused_and_leaves_nothing_that_serves(store, models, tmp_path):
    content = bytearray((models / "linear" / "model.skops").read_bytes())
    content[100] ^= 1
    (models / "linear" / "model.skops").write_bytes(content)
    into = tmp_path / "into"
    with pytest.raises(DigestMismatch, match=r"linear/model\.skops: digest mismatch"):
        fetch(f"{store}/linear/manifest.json", digest(models), into, plain_http_hosts=HOSTS)
    assert list(into.iterdir()) == []


@pytest.mark.parametrize(("change", "said"), [(b"more", "has more than"), (None, "has only")])
def test_a_file_of_another_size_is_refused(store, models, tmp_path, change, said):
    path = models / "linear" / "model.skops"
    content = path.read_bytes()
    path.write_bytes(content + change if change else content[:-1])
    with pytest.raises(FetchError, match=said):
        fetch(f"{store}/linear/manifest.json", digest(models), tmp_path / "into", plain_http_hosts=HOSTS)


@pytest.mark.parametrize(
    "path",
    ["../escape", "/etc/passwd", "a/../../b", "a\\b", "./a", "a//b", "%2e%2e/a", ".hidden", "manifest.json", "a\0b"],
)
def test_paths_that_leave_the_directory_are_refused(store, models, tmp_path, path):
    files = [{"path": path, "sha256": "0" * 64, "size": 1}, {"path": "model.skops", "sha256": "0" * 64, "size": 1}]
    changed = rewrite(models, files=files)
    with pytest.raises(ManifestError, match="plain relative path"):
        fetch(f"{store}/linear/manifest.json", changed, tmp_path / "into", plain_http_hosts=HOSTS)
    assert not (tmp_path / "into").exists()


@pytest.mark.parametrize(
    "changes", [{"format": "joblib"}, {"format": "pickle"}, {"path": "model.pkl"}, {"path": "m.joblib"}]
)
def test_pickles_are_refused_before_they_are_fetched(store, models, tmp_path, changes):
    path = changes.pop("path", None)
    if path:
        changes["files"] = [{"path": path, "sha256": "0" * 64, "size": 1}]
    changed = rewrite(models, **changes)
    with pytest.raises(UnsupportedFormat, match=r"run code when they are loaded.*skops\.io\.dump"):
        fetch(f"{store}/linear/manifest.json", changed, tmp_path / "into", plain_http_hosts=HOSTS)


def test_limits_hold_before_a_file_is_fetched(store, models, tmp_path):
    with pytest.raises(FetchError, match="more than the limit of 10"):
        fetch(
            f"{store}/linear/manifest.json",
            digest(models),
            tmp_path / "into",
            plain_http_hosts=HOSTS,
            limits=FetchLimits(max_bytes=10),
        )


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("http://127.0.0.1:9/manifest.json", "plain http to 127.0.0.1 is not allowed"),
        ("ftp://models.example/manifest.json", "scheme 'ftp'"),
        ("file://host/etc/manifest.json", "must be file:///path"),
        ("https://models.example/model.skops", "must end in /manifest.json"),
        ("https://user:secret@models.example/manifest.json", "without user"),
        ("https://models.example:port/manifest.json", "no valid address"),
    ],
)
def test_addresses_that_are_refused_without_asking(uri, said, tmp_path):
    with pytest.raises(FetchError, match=said):
        fetch(uri, "sha256:" + "0" * 64, tmp_path)


def test_a_digest_must_be_one(tmp_path):
    with pytest.raises(ManifestError, match="is no digest"):
        fetch("https://models.example/manifest.json", "sha256:abc", tmp_path)


def test_what_is_not_there_is_said_with_its_address(store, tmp_path):
    with pytest.raises(FetchError, match=r"/nothing/manifest\.json: answered 404"):
        fetch(f"{store}/nothing/manifest.json", "sha256:" + "0" * 64, tmp_path, plain_http_hosts=HOSTS)


def test_nobody_listening_is_said_after_bounded_attempts(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{free.getsockname()[1]}/manifest.json"
        with pytest.raises(FetchError, match="cannot be reached"):
            fetch(uri, "sha256:" + "0" * 64, tmp_path, plain_http_hosts=HOSTS, limits=FetchLimits(attempts=2))


@dataclass
class Script:
    """What a misbehaving store answers, one entry per request: (status, headers, body, length announced)."""

    answers: list[tuple[int, dict[str, str], bytes, int]]
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def scripted() -> Iterator[Callable[[Script], str]]:
    servers: list[tuple[ThreadingHTTPServer, threading.Thread]] = []

    def start(script: Script) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                script.asked.append(self.path)
                status, headers, body, length = script.answers.pop(0)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(length)}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """The test reads `asked`."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


def whole(body: bytes) -> tuple[int, dict[str, str], bytes, int]:
    return 200, {}, body, len(body)


def test_passing_faults_are_tried_again(scripted, models, tmp_path):
    manifest, model = ((models / "linear" / name).read_bytes() for name in ("manifest.json", "model.skops"))
    broken = (200, {}, model[:50], len(model))  # the connection ends in the middle
    script = Script([(503, {}, b"", 0), whole(manifest), (500, {}, b"", 0), broken, whole(model)])
    uri = f"{scripted(script)}/a/manifest.json"
    fetch(uri, digest_of(manifest), tmp_path / "into", plain_http_hosts=HOSTS, limits=QUICK)
    assert script.asked == ["/a/manifest.json"] * 2 + ["/a/model.skops"] * 3
    assert hashlib.sha256((tmp_path / "into" / "model.skops").read_bytes()).digest() == hashlib.sha256(model).digest()


def test_attempts_are_bounded(scripted, models, tmp_path):
    manifest, model = ((models / "linear" / name).read_bytes() for name in ("manifest.json", "model.skops"))
    script = Script([whole(manifest), *[(200, {}, model[:50], len(model))] * 9])
    uri = f"{scripted(script)}/a/manifest.json"
    with pytest.raises(FetchError, match=r"model\.skops: broke off 3 times"):
        fetch(uri, digest_of(manifest), tmp_path / "into", plain_http_hosts=HOSTS, limits=QUICK)
    assert len(script.asked) == 4


def test_redirects_are_not_followed(scripted, tmp_path):
    script = Script([(302, {"Location": "http://169.254.169.254/manifest.json"}, b"", 0)])
    uri = f"{scripted(script)}/manifest.json"
    with pytest.raises(FetchError, match=r"answered 302 to http://169\.254.*redirects are not followed"):
        fetch(uri, "sha256:" + "0" * 64, tmp_path, plain_http_hosts=HOSTS, limits=QUICK)
    assert len(script.asked) == 1


def test_an_endless_manifest_is_cut_off(scripted, tmp_path):
    body = b" " * ((1 << 20) + 1)
    uri = f"{scripted(Script([whole(body)]))}/manifest.json"
    with pytest.raises(FetchError, match="larger than"):
        fetch(uri, digest_of(body), tmp_path, plain_http_hosts=HOSTS, limits=QUICK)
