"""The cluster's certificates: one authority signs for everybody, and what each client may do follows from its name."""

from __future__ import annotations

import base64
import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sluice_dev.cluster.netns import NODE_ADDRESS

NODE_NAME = "sluice-node"
VALID = datetime.timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Subject:
    """Kubernetes reads a client's user name from the common name, and its group from the organization."""

    common_name: str
    organization: str | None = None
    alternative_names: tuple[str, ...] = ()

    def name(self) -> x509.Name:
        parts = [x509.NameAttribute(NameOID.COMMON_NAME, self.common_name)]
        if self.organization:
            parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.organization))
        return x509.Name(parts)


SERVICE_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")

# file name -> whose certificate it is
CERTIFICATES: dict[str, Subject] = {
    "apiserver": Subject(
        "kube-apiserver", alternative_names=("127.0.0.1", "10.96.0.1", NODE_ADDRESS, "localhost", *SERVICE_NAMES)
    ),
    "kubelet-server": Subject(NODE_NAME, alternative_names=(NODE_ADDRESS, "127.0.0.1", "localhost", NODE_NAME)),
    "front-proxy": Subject("front-proxy-client"),
    "apiserver-kubelet": Subject("kube-apiserver-kubelet", "system:masters"),
}

# file name -> whose kubeconfig it is
CLIENTS: dict[str, Subject] = {
    "admin": Subject("admin", "system:masters"),
    "controller-manager": Subject("system:kube-controller-manager"),
    "scheduler": Subject("system:kube-scheduler"),
    "kubelet": Subject(f"system:node:{NODE_NAME}", "system:nodes"),
    "proxy": Subject("system:kube-proxy"),
}


class Authority:
    """A certificate authority made for one start of the cluster."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = Subject("sluice-ca")
        self._now = datetime.datetime.now(datetime.UTC)
        builder = self._builder(self._subject, self._key.public_key())
        self.certificate = _pem(
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
                self._key, hashes.SHA256()
            )
        )
        self.key = _key_pem(self._key)

    def issue(self, subject: Subject) -> tuple[bytes, bytes]:
        """A certificate for server and client use, and its key, both PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = self._builder(subject, key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(usage, critical=False)
        if subject.alternative_names:
            names = x509.SubjectAlternativeName([_general_name(name) for name in subject.alternative_names])
            builder = builder.add_extension(names, critical=False)
        return _pem(builder.sign(self._key, hashes.SHA256())), _key_pem(key)

    def _builder(self, subject: Subject, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return x509.CertificateBuilder(
            issuer_name=self._subject.name(),
            subject_name=subject.name(),
            public_key=key,
            serial_number=x509.random_serial_number(),
            # An hour back: a container's clock may be behind the machine's.
            not_valid_before=self._now - datetime.timedelta(hours=1),
            not_valid_after=self._now + VALID,
        )


def kubeconfig(server: str, authority: bytes, certificate: bytes, key: bytes) -> dict[str, Any]:
    """A kubeconfig with everything inside. server: https URL; the rest PEM."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "sluice",
        "clusters": [
            {"name": "sluice", "cluster": {"server": server, "certificate-authority-data": _base64(authority)}}
        ],
        "users": [
            {
                "name": "sluice",
                "user": {"client-certificate-data": _base64(certificate), "client-key-data": _base64(key)},
            }
        ],
        "contexts": [{"name": "sluice", "context": {"cluster": "sluice", "user": "sluice"}}],
    }


def write(folder: Path) -> None:
    """Fills `folder` with the authority, every certificate and kubeconfig, and the key of the ServiceAccount tokens."""
    folder.mkdir(parents=True, mode=0o700)
    authority = Authority()
    _save(folder / "ca.crt", authority.certificate)
    _save(folder / "ca.key", authority.key)
    for name, subject in CERTIFICATES.items():
        certificate, key = authority.issue(subject)
        _save(folder / f"{name}.crt", certificate)
        _save(folder / f"{name}.key", key)
    for name, subject in CLIENTS.items():
        config = kubeconfig(f"https://{NODE_ADDRESS}:6443", authority.certificate, *authority.issue(subject))
        _save(folder / f"{name}.kubeconfig", yaml.safe_dump(config).encode())
    tokens = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _save(folder / "sa.key", _key_pem(tokens))
    _save(folder / "sa.pub", tokens.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def _save(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)


def _general_name(name: str) -> x509.GeneralName:
    if name[0].isdigit():
        return x509.IPAddress(ipaddress.ip_address(name))
    return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
