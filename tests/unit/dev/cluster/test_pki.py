"""The certificates let each part be what Kubernetes takes it for, and only for its own authority."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sluice_dev.cluster import pki
from sluice_dev.cluster.netns import NODE_ADDRESS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cluster") / "pki"
    pki.write(path)
    return path


@pytest.mark.parametrize("name", pki.CERTIFICATES)
def test_the_authority_signed_every_certificate(folder: Path, name: str) -> None:
    authority = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
    certificate = x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes())
    certificate.verify_directly_issued_by(authority)
    assert isinstance(authority.public_key(), ec.EllipticCurvePublicKey)


def test_the_kubelet_is_a_node_of_the_node_authorizer() -> None:
    subject = pki.CLIENTS["kubelet"].name()
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "system:node:sluice-node"
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "system:nodes"


@pytest.mark.parametrize("address", ["127.0.0.1", "10.96.0.1", NODE_ADDRESS])
def test_the_api_server_may_be_called_by_each_of_its_addresses(folder: Path, address: str) -> None:
    certificate = x509.load_pem_x509_certificate((folder / "apiserver.crt").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert address in [str(found) for found in names.get_values_for_type(x509.IPAddress)]


def test_keys_are_for_their_owner_only(folder: Path) -> None:
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())


def test_a_kubeconfig_reaches_the_node(folder: Path) -> None:
    config = yaml.safe_load((folder / "admin.kubeconfig").read_text())
    assert config["clusters"][0]["cluster"]["server"] == f"https://{NODE_ADDRESS}:6443"
