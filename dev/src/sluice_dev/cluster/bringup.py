"""How a cluster comes up: which steps there are, and which need which."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml

from sluice_dev.cluster import addon_images, addons, charts
from sluice_dev.cluster.access import PROMETHEUS_IN_NODE
from sluice_dev.cluster.addon_images import ADDON_IMAGES, AddonImage
from sluice_dev.cluster.binaries import ensure_built, fetch, is_built
from sluice_dev.cluster.daemons import DAEMONS, Daemon
from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.netns import NODE_ADDRESS
from sluice_dev.cluster.node import Node
from sluice_dev.cluster.record import Record
from sluice_dev.cluster.steps import Report, Step
from sluice_dev.cluster.tools import TOOLS, Tool


def addon_steps(layout: Layout, *, images: bool) -> list[Step]:
    """DNS, gateway and Prometheus. images: whether steps called `image ...` are part of the plan, to be waited for."""

    def needs(*names: str) -> frozenset[str]:
        return frozenset(names) if images else frozenset(name for name in names if name == "gateway controller")

    return [
        Step("dns", "DNS answers", lambda _: addons.dns(layout), needs("node", "image coredns")),
        Step(
            "gateway controller",
            "gateway controller and its CRDs are installed",
            lambda _: addons.gateway_controller(layout),
            needs("apiserver", "chart"),
        ),
        Step(
            "gateway",
            "gateway takes traffic",
            lambda _: addons.gateway(layout),
            needs("gateway controller", "node", "image envoy-gateway", "image envoy"),
        ),
        Step(
            "prometheus", "Prometheus is ready", lambda _: addons.prometheus(layout), needs("node", "image prometheus")
        ),
    ]


class BringUp:
    """The plan of one start from nothing."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._node = Node(layout)

    def steps(self) -> list[Step]:
        """Ordered so that what a long chain waits for comes first."""
        layout, node = self._layout, self._node
        tools = [tool for tool in TOOLS.values() if not is_built(layout, tool)]
        unbuilt = {tool.name for tool in tools}
        return [
            Step("prepare", "namespace, certificates and configuration", lambda _: node.prepare()),
            *self._build_steps(tools),
            *[self._daemon_step(daemon, unbuilt) for daemon in DAEMONS],
            Step("rootfs", "base of the images", lambda _: _ignore(addon_images.ensure_rootfs(layout))),
            *self._image_steps(unbuilt),
            Step(
                "chart",
                "gateway's chart is rendered",
                lambda _: _ignore(charts.ensure_chart(layout)),
                _built({"gateway", "helm"}, unbuilt),
            ),
            Step(
                "node",
                "node is Ready",
                lambda _: node.wait_ready(),
                frozenset({"kubelet", "proxy", "scheduler", "controller-manager", "image pause"}),
            ),
            *addon_steps(layout, images=True),
            Step(
                "forwarder",
                "ways in through loopback",
                lambda _: self._forward(),
                frozenset({"gateway", "prometheus", "dns"}),
            ),
        ]

    def _build_steps(self, tools: list[Tool]) -> list[Step]:
        """One after another: Go uses every core by itself, and the first ones are wanted first.

        The sources of the next are fetched meanwhile.
        """
        steps: list[Step] = []
        fetched: frozenset[str] = frozenset()
        built: frozenset[str] = frozenset()
        for tool in tools:
            fetch = Step(f"fetch {tool.name}", f"sources of {tool.name}", self._fetch_run(tool), fetched)
            fetched = frozenset({fetch.name})
            title = f"build {', '.join(tool.programs)} (about {tool.minutes:g} min, once)"
            build = Step(f"build {tool.name}", title, self._build_run(tool), fetched | built)
            built = frozenset({build.name})
            steps += [fetch, build]
        return steps

    def _fetch_run(self, tool: Tool) -> Callable[[Report], None]:
        def run(_: Report) -> None:
            fetch(self._layout, tool)

        return run

    def _build_run(self, tool: Tool) -> Callable[[Report], None]:
        def run(report: Report) -> None:
            ensure_built(self._layout, tool, report)

        return run

    def _daemon_step(self, daemon: Daemon, unbuilt: set[str]) -> Step:
        needs = frozenset({"prepare", *daemon.needs}) | _built({daemon.tool} if daemon.tool else set(), unbuilt)
        return Step(daemon.name, f"{daemon.name} runs", lambda _: self._node.start(daemon), needs)

    def _image_steps(self, unbuilt: set[str]) -> list[Step]:
        """One after another: containerd unpacks as fast as the disk writes, and the first ones are wanted first."""
        steps: list[Step] = []
        before = {"containerd", "rootfs"}
        for image in ADDON_IMAGES:
            short = image.name.rpartition("/")[2].partition(":")[0]
            needs = frozenset(before) | _built(set(image.needs), unbuilt)
            steps.append(Step(f"image {short}", f"image {short}", self._image_run(image), needs))
            before = {steps[-1].name}
        return steps

    def _image_run(self, image: AddonImage) -> Callable[[Report], None]:
        def run(_: Report) -> None:
            rootfs = addon_images.rootfs_path(self._layout)
            self._node.import_image(addon_images.ensure_archive(self._layout, image, rootfs))

        return run

    def _forward(self) -> None:
        """Writes the kubeconfig for outside and the record that says the cluster is complete."""
        layout = self._layout
        host, port = addons.gateway_service_address(layout)
        prometheus_host, _, prometheus_port = PROMETHEUS_IN_NODE.removeprefix("http://").partition(":")
        ports = self._node.forward(
            {
                "api": (16443, NODE_ADDRESS, 6443),
                "gateway": (18080, host, port),
                "prometheus": (19090, prometheus_host, int(prometheus_port)),
            }
        )
        _write_kubeconfig(layout.node_kubeconfig, layout.kubeconfig, ports["api"])
        Record(str(layout.checkout), ports, dict(self._node.processes), ready=True).write(layout.record)


def _write_kubeconfig(inside: Path, outside: Path, port: int) -> None:
    content = yaml.safe_load(inside.read_text())
    content["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
    outside.touch(mode=0o600)
    outside.write_text(yaml.safe_dump(content))


def _built(tools: set[str], unbuilt: set[str]) -> frozenset[str]:
    """The build steps that these tools still need."""
    return frozenset(f"build {name}" for name in tools & unbuilt)


def _ignore(_: object) -> None:
    """A step has no result; what it made lies in the cache."""
