"""Which daemons make up the node, with which command line, and what each waits for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.netns import NODE_ADDRESS, SERVICE_CIDR
from sluice_dev.cluster.pki import NODE_NAME


@dataclass(frozen=True, slots=True)
class Daemon:
    """argv: from the layout and the folder of the tool's programs (None for a program of the system).

    tool: the tools.py row it comes from. needs: daemons that must answer before it starts.
    """

    name: str
    tool: str | None
    argv: Callable[[Layout, Path], list[str]]
    needs: tuple[str, ...] = ()


def _containerd(layout: Layout, _: Path) -> list[str]:
    return ["containerd", "--config", str(layout.config / "containerd.toml")]


def _etcd(layout: Layout, programs: Path) -> list[str]:
    return [
        str(programs / "etcd"),
        f"--data-dir={layout.state / 'etcd'}",
        "--listen-client-urls=http://127.0.0.1:2379",
        "--advertise-client-urls=http://127.0.0.1:2379",
        "--listen-peer-urls=http://127.0.0.1:2380",
        # The data dies with the cluster, so nothing is gained by waiting for the disk.
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _apiserver(layout: Layout, programs: Path) -> list[str]:
    pki = layout.pki
    return [
        str(programs / "kube-apiserver"),
        "--etcd-servers=http://127.0.0.1:2379",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        # Endpoints on loopback are refused by the API server: everything advertises the node's address.
        f"--advertise-address={NODE_ADDRESS}",
        "--bind-address=0.0.0.0",
        "--secure-port=6443",
        f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet.crt",
        f"--kubelet-client-key={pki}/apiserver-kubelet.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        # Otherwise `logs` and `exec` look the node's name up in a DNS that does not know it.
        "--kubelet-preferred-address-types=InternalIP",
        f"--requestheader-client-ca-file={pki}/ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={pki}/front-proxy.crt",
        f"--proxy-client-key-file={pki}/front-proxy.key",
        f"--service-account-key-file={pki}/sa.pub",
        f"--service-account-signing-key-file={pki}/sa.key",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--endpoint-reconciler-type=master-count",
    ]


def _controller_manager(layout: Layout, programs: Path) -> list[str]:
    pki = layout.pki
    return [
        str(programs / "kube-controller-manager"),
        f"--kubeconfig={pki}/controller-manager.kubeconfig",
        f"--cluster-signing-cert-file={pki}/ca.crt",
        f"--cluster-signing-key-file={pki}/ca.key",
        f"--service-account-private-key-file={pki}/sa.key",
        f"--root-ca-file={pki}/ca.crt",
        "--use-service-account-credentials",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
    ]


def _scheduler(layout: Layout, programs: Path) -> list[str]:
    return [
        str(programs / "kube-scheduler"),
        f"--kubeconfig={layout.pki}/scheduler.kubeconfig",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
    ]


def _kubelet(layout: Layout, programs: Path) -> list[str]:
    return [
        str(programs / "kubelet"),
        f"--config={layout.config}/kubelet.yaml",
        f"--kubeconfig={layout.pki}/kubelet.kubeconfig",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={NODE_ADDRESS}",
        f"--root-dir={layout.state}/kubelet",
        f"--cert-dir={layout.state}/kubelet-pki",
    ]


def _proxy(layout: Layout, programs: Path) -> list[str]:
    return [
        str(programs / "kube-proxy"),
        f"--kubeconfig={layout.pki}/proxy.kubeconfig",
        f"--hostname-override={NODE_NAME}",
        "--proxy-mode=nftables",
        "--cluster-cidr=10.244.0.0/16",
        "--healthz-bind-address=127.0.0.1",
        "--metrics-bind-address=127.0.0.1",
        # The connection table belongs to the whole machine; a namespace may not resize it.
        "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0s",
        "--conntrack-tcp-timeout-close-wait=0s",
    ]


DAEMONS: tuple[Daemon, ...] = (
    Daemon("containerd", None, _containerd),
    Daemon("etcd", "etcd", _etcd),
    Daemon("apiserver", "kube", _apiserver, needs=("etcd",)),
    Daemon("controller-manager", "kube", _controller_manager, needs=("apiserver",)),
    Daemon("scheduler", "kube", _scheduler, needs=("apiserver",)),
    Daemon("kubelet", "kube", _kubelet, needs=("apiserver", "containerd")),
    Daemon("proxy", "kube", _proxy, needs=("apiserver",)),
)
