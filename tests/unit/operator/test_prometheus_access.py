"""What the store is shown: read from a mounted Secret, rotated without a restart, never told to anybody else."""

import ipaddress
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sluice.adapters.metrics.access import read, stamp
from sluice.adapters.metrics.prometheus import PrometheusSource
from sluice.ports import ProviderError

ANSWER = b'{"status":"success","data":{"resultType":"vector","result":[]}}'


class Store:
    """Notes the headers of each question; with a certificate it speaks TLS."""

    def __init__(self, certificate: Path | None = None, clients: Path | None = None) -> None:
        self.shown: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.shown.append(dict(self.headers))
                self.send_response(200)
                self.send_header("Content-Length", str(len(ANSWER)))
                self.end_headers()
                self.wfile.write(ANSWER)

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            if clients is not None:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(clients)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def store() -> Iterator[Store]:
    one = Store()
    yield one
    one.stop()


def certificate(path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "store")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return path


async def test_without_files_nothing_is_shown(store: Store, tmp_path: Path) -> None:
    source = PrometheusSource(store.url, access=tmp_path / "not there")
    await source.query("up")
    assert "Authorization" not in store.shown[0]
    source.close()


async def test_a_token_that_rotates_is_shown_without_a_restart(store: Store, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "headers.yaml").write_text("X-Scope-OrgID: 7\n")
    source = PrometheusSource(store.url, access=tmp_path)
    await source.query("up")
    (tmp_path / "new").write_text("second")
    (tmp_path / "new").rename(tmp_path / "token")
    await source.query("up")
    assert [shown["Authorization"] for shown in store.shown] == ["Bearer first", "Bearer second"]
    assert store.shown[0]["X-Scope-OrgID"] == "7"
    source.close()


async def test_basic_authentication(store: Store, tmp_path: Path) -> None:
    (tmp_path / "username").write_text("sluice")
    (tmp_path / "password").write_text("s3cret\n")
    source = PrometheusSource(store.url, access=tmp_path)
    await source.query("up")
    assert store.shown[0]["Authorization"] == "Basic c2x1aWNlOnMzY3JldA=="
    source.close()


async def test_a_certificate_of_an_authority_of_ones_own(tmp_path: Path) -> None:
    store = Store(certificate(tmp_path / "store.pem"))
    folder = tmp_path / "access"
    folder.mkdir()
    source = PrometheusSource(store.url, access=folder)
    with pytest.raises(ProviderError, match="certificate verify failed"):
        await source.query("up")
    (folder / "ca.crt").write_bytes((tmp_path / "store.pem").read_bytes())
    assert await source.query("up") == ()
    source.close()
    store.stop()


async def test_a_client_certificate(tmp_path: Path) -> None:
    folder = tmp_path / "access"
    folder.mkdir()
    server, client = certificate(tmp_path / "store.pem"), certificate(tmp_path / "client.pem")
    store = Store(server, clients=client)
    (folder / "ca.crt").write_bytes(server.read_bytes())
    source = PrometheusSource(store.url, access=folder)
    with pytest.raises(ProviderError):
        await source.query("up")
    for name in ("tls.crt", "tls.key"):
        (folder / name).write_bytes(client.read_bytes())
    assert await source.query("up") == ()
    source.close()
    store.stop()


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"username": "a"}, "password is missing: username and password need each other"),
        ({"tls.key": "a"}, "tls.crt is missing"),
        ({"token": "a", "username": "b", "password": "c"}, "only one of them can be sent"),
        ({"headers.yaml": "- a"}, "is no map of headers"),
        ({"headers.yaml": "a: ["}, "is no YAML"),
        ({"token": "s3cret\nline"}, "holds characters that no HTTP header can carry"),
        ({"username": "a", "password": "s3cret€"}, "holds characters that no HTTP header can carry"),
        ({"headers.yaml": "X-Scope-OrgID: s3cret\u201d"}, "holds characters that no HTTP header can carry"),
    ],
    ids=[
        *("no password", "no certificate", "two identities", "a list", "no YAML"),
        *("a line break", "a euro sign", "a quotation mark"),
    ],
)
async def test_what_is_not_complete_is_told_and_is_an_outage(
    store: Store, tmp_path: Path, files: dict[str, str], words: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    source = PrometheusSource(store.url, access=tmp_path)
    with pytest.raises(ProviderError, match=words) as raised:
        await source.query("up")
    assert "s3cret" not in f"{raised.value} {raised.value.__cause__}"
    assert store.shown == []
    source.close()


async def test_a_bundle_that_holds_no_certificate_is_an_outage(tmp_path: Path) -> None:
    store = Store(certificate(tmp_path / "store.pem"))
    folder = tmp_path / "access"
    folder.mkdir()
    (folder / "ca.crt").write_text("nothing")
    source = PrometheusSource(store.url, access=folder)
    with pytest.raises(ProviderError):
        await source.query("up")
    source.close()
    store.stop()


def test_secrets_are_not_in_the_words_for_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret")
    assert "s3cret" not in repr(read(tmp_path))


def test_a_file_that_comes_or_goes_is_noticed(tmp_path: Path) -> None:
    before = stamp(tmp_path)
    (tmp_path / "token").write_text("a")
    there = stamp(tmp_path)
    (tmp_path / "token").unlink()
    assert before == stamp(tmp_path) == () != there
