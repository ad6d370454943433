"""How Envoy Gateway's manifests come out of its own chart, which lies in its Go module."""

from __future__ import annotations

import hashlib
import shutil
import string
import tempfile
from pathlib import Path

from sluice_dev.cluster.binaries import tool_folder
from sluice_dev.cluster.command import run
from sluice_dev.cluster.layout import Layout
from sluice_dev.cluster.tools import TOOLS

NAMESPACE = "envoy-gateway-system"
GATEWAY, HELM = TOOLS["gateway"], TOOLS["helm"]


def chart_path(layout: Layout) -> Path:
    """Where the rendered manifests are, or will be. Their key follows chart, helm and values."""
    values = (layout.manifests / "envoy-gateway-values.yaml").read_bytes()
    parts = f"{tool_folder(layout, GATEWAY).name} {tool_folder(layout, HELM).name}".encode()
    return layout.cache / "charts" / f"envoy-gateway-{hashlib.sha256(parts + values).hexdigest()[:16]}.yaml"


def ensure_chart(layout: Layout) -> Path:
    """The manifests of Envoy Gateway with its CRDs and those of the Gateway API, as one YAML file."""
    rendered = chart_path(layout)
    if rendered.exists():
        return rendered
    module = run(["go", "list", "-m", "-f", "{{.Dir}}", GATEWAY.module], cwd=layout.tools / GATEWAY.name).strip()
    with tempfile.TemporaryDirectory() as folder:
        chart = Path(folder) / "gateway-helm"
        shutil.copytree(Path(module) / "charts" / "gateway-helm", chart, copy_function=shutil.copyfile)
        # The release process fills two placeholders; our own values override both.
        template = string.Template((chart / "values.tmpl.yaml").read_text())
        defaults = template.substitute(GatewayImage="unused", GatewayImagePullPolicy="Never")
        (chart / "values.yaml").write_text(defaults)
        text = run(
            [
                str(tool_folder(layout, HELM) / "helm"),
                "template",
                "eg",
                str(chart),
                "--include-crds",
                f"--namespace={NAMESPACE}",
                f"--values={layout.manifests / 'envoy-gateway-values.yaml'}",
            ]
        )
    rendered.parent.mkdir(parents=True, exist_ok=True)
    draft = rendered.with_suffix(".new")
    draft.write_text(text)
    draft.replace(rendered)
    return rendered
