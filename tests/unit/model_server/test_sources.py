"""Where may a model come from besides web servers, and with which credentials?"""

import shutil
import threading
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sluice_model_server.addresses import check_address
from sluice_model_server.credentials import Credentials, read_credentials
from sluice_model_server.errors import DigestMismatch, FetchError
from sluice_model_server.fetch import FetchLimits, fetch
from sluice_model_server.manifest import digest_of

HOSTS = ("127.0.0.1",)


@pytest.fixture
def digest(packed):
    return digest_of((packed / "linear" / "manifest.json").read_bytes())


@pytest.fixture
def claims(packed, tmp_path):
    """A directory of mounted claims with the models in claim `models`, folder teams/flights."""
    shutil.copytree(packed, tmp_path / "pvc" / "models" / "teams" / "flights")
    return tmp_path / "pvc"


def test_a_model_arrives_from_a_claim(claims, digest, tmp_path):
    uri = "pvc://models/teams/flights/linear/manifest.json"
    assert fetch(uri, digest, tmp_path / "into", pvc_dir=claims).version == "1"
    assert sorted(path.name for path in (tmp_path / "into").iterdir()) == ["manifest.json", "model.skops"]


def test_a_model_arrives_from_a_folder(packed, digest, tmp_path):
    assert fetch(f"file://{packed}/linear/manifest.json", digest, tmp_path / "into").version == "1"


def test_bytes_that_changed_in_a_claim_are_refused(claims, digest, tmp_path):
    path = claims / "models" / "teams" / "flights" / "linear" / "model.skops"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(DigestMismatch, match=r"pvc://models/teams/flights/linear/model\.skops: digest mismatch"):
        fetch("pvc://models/teams/flights/linear/manifest.json", digest, tmp_path / "into", pvc_dir=claims)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("pvc://models/nothing/manifest.json", r"nothing/manifest\.json: No such file"),
        ("pvc://other/linear/manifest.json", "the claim other is not mounted at"),
        ("pvc://models/../../manifest.json", "must be pvc://claim/path"),
        ("pvc://Models/manifest.json", "must be pvc://claim/path"),
        ("pvc:///manifest.json", "must be pvc://claim/path"),
        ("s3://bu/manifest.json", "must be s3://bucket/key"),
        ("s3://models:9000/manifest.json", "must be s3://bucket/key"),
        ("s3://models/a/manifest.json?versionId=1", r"must be s3://bucket/key|must end in"),
        ("s3://key:secret@models/manifest.json", "without user"),
        ("s3://models/model.skops", "must end in /manifest.json"),
        ("file:///nothing/manifest.json", "No such file"),
    ],
)
def test_addresses_that_lead_nowhere_are_named(uri, said, claims, digest, tmp_path):
    with pytest.raises(FetchError, match=said):
        fetch(uri, digest, tmp_path / "into", pvc_dir=claims)


@pytest.mark.parametrize("uri", ["s3://my.models-1/a b/manifest.json", "s3://models/manifest.json#x"])
def test_spaces_and_fragments_are_refused_everywhere(uri):
    with pytest.raises(FetchError, match="without user, password, fragment or spaces"):
        check_address(uri, ())


@pytest.fixture
def mounted(tmp_path):
    """A Secret as Kubernetes mounts it: files behind two links."""

    def make(**keys: str):
        data = tmp_path / "secret" / "..2026"
        data.mkdir(parents=True)
        (tmp_path / "secret" / "..data").symlink_to("..2026")
        for name, value in keys.items():
            (data / name).write_text(value)
            (tmp_path / "secret" / name).symlink_to(f"..data/{name}")
        return tmp_path / "secret"

    return make


@pytest.mark.parametrize(
    ("keys", "header"),
    [
        ({"token": "abc\n"}, {"Authorization": "Bearer abc"}),
        ({"username": "ann", "password": "pass"}, {"Authorization": f"Basic {b64encode(b'ann:pass').decode()}"}),
        ({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, {}),
    ],
)
def test_a_secret_becomes_a_header(mounted, keys, header):
    assert read_credentials(mounted(**keys)).for_http == header


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "does not exist or has none of the keys AWS_ACCESS_KEY_ID"),
        ({"Token": "abc"}, "does not exist or has none of the keys"),
        ({"username": "ann"}, "username and password go together"),
    ],
)
def test_a_secret_that_is_no_use_is_named(mounted, keys, said):
    with pytest.raises(FetchError, match=said):
        read_credentials(mounted(**keys))


def test_credentials_do_not_show_when_printed():
    assert "abc" not in repr(Credentials({"token": "abc"}))


def test_half_a_key_for_s3_is_named(digest, tmp_path):
    credentials = Credentials({"AWS_ACCESS_KEY_ID": "a"}, mounted=True)
    with pytest.raises(FetchError, match="AWS_SECRET_ACCESS_KEY go together"):
        fetch("s3://models/manifest.json", digest, tmp_path, credentials=credentials)


def test_credentials_never_cross_the_network_readable(digest, tmp_path):
    uri = "http://127.0.0.1:9/manifest.json"
    with pytest.raises(FetchError, match="credentials would cross the network readable"):
        fetch(uri, digest, tmp_path, plain_http_hosts=HOSTS, credentials=Credentials({"token": "abc"}))


@pytest.fixture
def denying():
    """A store that lets nobody in."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(403)

        def log_message(self, *args: object) -> None:
            """Nothing to say."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_store_that_denies_access_asks_for_a_secret(denying, digest, tmp_path):
    with pytest.raises(FetchError, match=r"answered 403; name a Secret with credentials in spec.model.secretRef"):
        fetch(f"{denying}/manifest.json", digest, tmp_path, plain_http_hosts=HOSTS, limits=FetchLimits(attempts=1))


def test_a_certificate_authority_that_is_none_is_named(digest, tmp_path):
    credentials = Credentials({"ca.crt": "no certificate"}, mounted=True)
    with pytest.raises(FetchError, match=r"credentials: ca\.crt is no PEM certificate"):
        fetch("https://127.0.0.1:9/manifest.json", digest, tmp_path, credentials=credentials)
