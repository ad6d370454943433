"""`sluice-model fetch` from a real S3 API: moto's server, which checks who asks."""

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from moto.core.authorization import enable_iam_authentication
from moto.server import ThreadedMotoServer

from conftest import SERVER

REGION = "eu-central-1"


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def bucket(endpoint: str, packed: Path) -> str:
    """A bucket with the packed forest below private/2 and, open to everybody, below public/2."""
    client = boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id="x", aws_secret_access_key="y", region_name=REGION
    )
    client.create_bucket(Bucket="models", CreateBucketConfiguration={"LocationConstraint": REGION})
    for folder, access in (("private", "private"), ("public", "public-read")):
        for path in (packed / "forest").iterdir():
            client.put_object(Bucket="models", Key=f"{folder}/2/{path.name}", Body=path.read_bytes(), ACL=access)
    client.put_object(Bucket="models", Key="changed/manifest.json", Body=(packed / "forest/manifest.json").read_bytes())
    client.put_object(Bucket="models", Key="changed/model.skops", Body=b"other bytes")
    return "models"


@pytest.fixture(scope="session")
def digest(packed: Path) -> str:
    return f"sha256:{hashlib.sha256((packed / 'forest/manifest.json').read_bytes()).hexdigest()}"


@pytest.fixture
def secret(tmp_path: Path) -> Callable[..., Path]:
    """A Secret as it is mounted: a directory with a file per key."""

    def write(**keys: str) -> Path:
        directory = tmp_path / "secret"
        directory.mkdir()
        for name, value in keys.items():
            (directory / name).write_text(value)
        return directory

    return write


def fetch(uri: str, digest: str, into: Path, *more: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(
        [SERVER / "sluice-model", "fetch", "--uri", uri, "--digest", digest, "--into", into, "--attempts", "2", *more],
        env={**bare, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def keys(endpoint: str) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y\n", "AWS_ENDPOINT_URL": endpoint, "AWS_REGION": REGION
    }  # fmt: skip


def test_a_model_arrives_with_the_keys_of_a_secret(endpoint, bucket, digest, packed, secret, tmp_path):
    into = tmp_path / "into"
    done = fetch(f"s3://{bucket}/private/2/manifest.json", digest, into, "--credentials", secret(**keys(endpoint)))
    assert done.returncode == 0, done.stderr
    for path in (packed / "forest").iterdir():
        assert (into / path.name).read_bytes() == path.read_bytes()


def test_a_pod_with_an_identity_of_its_own_needs_no_secret(endpoint, bucket, digest, tmp_path):
    done = fetch(f"s3://{bucket}/private/2/manifest.json", digest, tmp_path / "into", **keys(endpoint))
    assert done.returncode == 0, done.stderr


def test_other_bytes_are_refused(endpoint, bucket, digest, secret, tmp_path):
    into = tmp_path / "into"
    done = fetch(f"s3://{bucket}/changed/manifest.json", digest, into, "--credentials", secret(**keys(endpoint)))
    assert done.returncode == 1
    assert "s3://models/changed/model.skops: has only 11 bytes" in done.stderr
    assert not (into / "manifest.json").exists()


@pytest.mark.parametrize("uri", ["s3://models/nothing/manifest.json", "s3://nothing/2/manifest.json"])
def test_what_is_not_there_is_said(endpoint, bucket, digest, secret, tmp_path, uri):
    done = fetch(uri, digest, tmp_path / "into", "--credentials", secret(**keys(endpoint)))
    assert (done.returncode, done.stderr.splitlines()) == (1, [f"error: {uri}: no such bucket or object"])


def test_a_store_that_does_not_answer_is_said(digest, secret, tmp_path):
    credentials = secret(**keys("http://127.0.0.1:9"))
    done = fetch("s3://models/2/manifest.json", digest, tmp_path / "into", "--credentials", credentials)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: s3://models/2/manifest.json: cannot be read: ")


def test_a_public_object_needs_no_credentials(endpoint, bucket, digest, tmp_path):
    done = fetch(f"s3://{bucket}/public/2/manifest.json", digest, tmp_path / "into", AWS_ENDPOINT_URL=endpoint)
    assert done.returncode == 0, done.stderr


def test_a_private_object_asks_for_a_secret(endpoint, bucket, digest, tmp_path):
    uri = f"s3://{bucket}/private/2/manifest.json"
    done = fetch(uri, digest, tmp_path / "into", AWS_ENDPOINT_URL=endpoint)
    assert done.returncode == 1
    said = f"error: {uri}: access denied; name a Secret with credentials in spec.model.secretRef"
    assert done.stderr.splitlines() == [said]


def test_keys_that_the_store_does_not_know_are_said(endpoint, bucket, digest, secret, tmp_path):
    uri = f"s3://{bucket}/private/2/manifest.json"
    with enable_iam_authentication():  # from here on moto asks who it is, as AWS does
        done = fetch(uri, digest, tmp_path / "into", "--credentials", secret(**keys(endpoint)))
    assert done.returncode == 1
    said = f"error: {uri}: access denied; the Secret of spec.model.secretRef does not give access to it"
    assert done.stderr.splitlines() == [said]
    assert "AWS_SECRET" not in done.stdout
