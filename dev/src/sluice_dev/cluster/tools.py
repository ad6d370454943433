"""Which programs are built from the Go module proxy, how, and under which key they are cached."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Tool:
    """One Go module below dev/tools, and the programs that are built from it.

    programs: file name -> import path of its main package. module: the Go module whose version names the tool.
    ldflags: `{version}` stands for that version. minutes: a cold build on two cores, for the progress display.
    """

    name: str
    module: str
    programs: dict[str, str]
    minutes: float
    tags: str = ""
    ldflags: str = ""


_KUBERNETES_VERSION = " ".join(
    f"-X {package}.gitVersion={{version}}"
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
)

# In the order in which a start needs them: the node comes up while the rest is still being built.
TOOLS: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool(
            name="kube",
            module="k8s.io/kubernetes",
            programs={
                name: f"k8s.io/kubernetes/cmd/{name}"
                for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
            },
            minutes=4,
            tags="selinux,notest,grpcnotrace",
            ldflags=_KUBERNETES_VERSION,
        ),
        Tool("etcd", "go.etcd.io/etcd/server/v3", {"etcd": "go.etcd.io/etcd/server/v3"}, minutes=0.5),
        Tool("dns", "github.com/coredns/coredns", {"coredns": "github.com/coredns/coredns"}, minutes=1.3),
        Tool("helm", "helm.sh/helm/v4", {"helm": "helm.sh/helm/v4/cmd/helm"}, minutes=1.3),
        Tool(
            "gateway",
            "github.com/envoyproxy/gateway",
            {"envoy-gateway": "github.com/envoyproxy/gateway/cmd/envoy-gateway"},
            minutes=2.6,
        ),
        Tool(
            "prom",
            "github.com/prometheus/prometheus",
            {"prometheus": "github.com/prometheus/prometheus/cmd/prometheus"},
            minutes=1.5,
            # Only the Kubernetes discovery: the clients of a dozen clouds would triple the build.
            tags="netgo,remove_all_sd,enable_kubernetes_sd",
        ),
    )
}


def module_version(go_mod: str, module: str) -> str:
    """The version of `module` in the text of a go.mod, such as v1.36.3. Raises ValueError when it is not required."""
    found = re.search(rf"^(?:require)?\s*{re.escape(module)} (v\S+)", go_mod, re.MULTILINE)
    if found is None:
        raise ValueError(f"go.mod requires no {module}")
    return found.group(1)


def fetch_argv(tool: Tool) -> list[str]:
    """The command line that brings the sources of the tool's programs into Go's module cache."""
    tags = ["-tags", tool.tags] if tool.tags else []
    return ["go", "list", "-deps", *tags, *tool.programs.values()]


def build_argv(tool: Tool, version: str, out: Path) -> list[list[str]]:
    """The `go build` command lines that put the tool's programs into the folder `out`, one per program.

    -v prints a line per compiled package: the progress display counts them.
    """
    ldflags = f"-s -w {tool.ldflags.format(version=version)}".strip()
    flags = ["-v", "-trimpath", "-buildvcs=false", "-ldflags", ldflags]
    if tool.tags:
        flags += ["-tags", tool.tags]
    return [["go", "build", *flags, "-o", str(out / name), package] for name, package in tool.programs.items()]


def cache_key(go_mod: bytes, go_sum: bytes, commands: Sequence[Sequence[str]]) -> str:
    """16 hexadecimal digits that change with anything that changes the programs: versions, sums, build flags."""
    digest = hashlib.sha256()
    for part in (go_mod, go_sum, *(argument.encode() for command in commands for argument in command)):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()[:16]
