"""The configuration files of the node's daemons, as plain data."""

from __future__ import annotations

import json
from typing import Any

import yaml

from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.netns import NODE_ADDRESS, POD_CIDR

DNS_ADDRESS = "10.96.0.10"
"""CoreDNS's Service address, fixed in dev/manifests/coredns.yaml."""

PAUSE_IMAGE = "sluice.dev/pause:dev"


def kubelet(layout: Layout) -> dict[str, Any]:
    """KubeletConfiguration, v1beta1."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_ADDRESS,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(layout.pki / "kubelet-server.crt"),
        "tlsPrivateKeyFile": str(layout.pki / "kubelet-server.key"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.name}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [DNS_ADDRESS],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "resolvConf": str(layout.config / "resolv.conf"),
        "enforceNodeAllocatable": [],
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "localStorageCapacityIsolation": False,
        "podLogsDir": str(layout.pod_logs),
        # The gateway's access log of a benchmark has more than 100,000 lines: it must not rotate away while it is read.
        "containerLogMaxSize": "500Mi",
        "maxPods": 250,
        # Tests kill containers again and again; five minutes between restarts would measure only the waiting.
        "featureGates": {"KubeletCrashLoopBackOffMax": True},
        "crashLoopBackOff": {"maxContainerRestartPeriod": "1s"},
        # Many small pods start at once here: the default of 50 requests a second makes readiness lag.
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
        "serializeImagePulls": False,
        "syncFrequency": "10s",
        "nodeStatusUpdateFrequency": "4s",
        "shutdownGracePeriod": "0s",
    }


def containerd(layout: Layout) -> str:
    """containerd's TOML, version 2 of its format (containerd 1.6). Nothing of it lies outside our folders."""
    root = layout.state / "containerd"
    return f"""\
version = 2
root = "{root}/root"
state = "{root}/state"
[grpc]
  address = "{layout.containerd_socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  # The pods' network namespaces are mounts below our state: that is how the tear-down finds what runs in them.
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{layout.config}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
        Root = "{root}/runc"
"""


def cni(layout: Layout) -> dict[str, Any]:
    """One bridge for all pods; no masquerading, as there is nowhere to go."""
    return {
        "cniVersion": "1.0.0",
        "name": layout.name,
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": True,
                "ipMasq": False,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(layout.state / "cni"),
                    "ranges": [[{"subnet": POD_CIDR}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def write(layout: Layout) -> None:
    """Renders every file into the state's config folder."""
    (layout.config / "cni").mkdir(parents=True)
    # The pods' only name server is CoreDNS; the machine's own are out of reach from inside the namespace.
    (layout.config / "resolv.conf").write_text("")
    (layout.config / "kubelet.yaml").write_text(yaml.safe_dump(kubelet(layout)))
    (layout.config / "containerd.toml").write_text(containerd(layout))
    (layout.config / "cni" / "10-bridge.conflist").write_text(json.dumps(cni(layout), indent=2))
