"""Where the files hold the gateways too, `kubectl sluice lint` says whether their own counts can be read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice_dev.generate import ROOT
from unit.operator.cli.conftest import Run

GATEWAY = ROOT / "dev/manifests/gateway.yaml"
"""Envoy Gateway as the development cluster has it: it counts for each pod."""
Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The minimal example with a check on the gateway's counts, attached to gateway/public."""
    whole = yaml.safe_load((ROOT / "manifests/examples/minimal.yaml").read_text())
    whole["spec"]["traffic"]["gateway"]["parentRefs"] = [{"name": "public", "namespace": "gateway"}]
    reached = {"name": "reached", "type": "Rate", "rate": {"source": "Gateway", "max": "5%"}}
    whole["spec"]["analysis"] = {"checks": [reached]}
    path = tmp_path / "model.yaml"
    path.write_text(yaml.safe_dump(whole))
    return path


def gateway(tmp_path: Path, **changes: Change) -> Path:
    """The gateway's objects, each changed as its kind says."""
    objects = list(yaml.safe_load_all(GATEWAY.read_text()))
    for one in objects:
        changes.get(one["kind"], lambda _: None)(one)
    path = tmp_path / "gateway.yaml"
    path.write_text(yaml.safe_dump_all(objects))
    return path


def test_a_gateway_that_counts_for_each_pod_is_fine(run: Run, model: Path) -> None:
    assert run("lint", "-f", str(model), str(GATEWAY)) == (0, "1 ModelDeployment: 0 errors, 0 advice\n", "")


def test_without_the_gateway_nothing_is_known(run: Run, model: Path) -> None:
    assert run("lint", "-f", str(model)) == (0, "1 ModelDeployment: 0 errors, 0 advice\n", "")


def test_an_unknown_controller_is_said_with_its_name(run: Run, model: Path, tmp_path: Path) -> None:
    other = gateway(tmp_path, GatewayClass=lambda one: one["spec"].update(controllerName="example.com/gateway"))
    status, out, _ = run("lint", "-f", str(model), str(other))
    assert status == 0
    assert "advice: spec.analysis.checks[0].rate.source: Gateway gateway/public is run by example.com/gateway" in out
    assert "stalled with QueryError" in out


def test_proxies_that_do_not_count_for_each_pod_are_named(run: Run, model: Path, tmp_path: Path) -> None:
    silent = gateway(tmp_path, EnvoyProxy=lambda one: one["spec"]["telemetry"].pop("metrics"))
    _, out, _ = run("lint", "-f", str(model), str(silent))
    assert "the EnvoyProxy envoy-gateway-system/dev of Gateway gateway/public does not count for each pod" in out


def test_the_gateways_own_proxy_counts_more_than_that_of_its_class(run: Run, model: Path, tmp_path: Path) -> None:
    own = {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": "own"}
    path = gateway(tmp_path, Gateway=lambda one: one["spec"].update(infrastructure={"parametersRef": own}))
    text = path.read_text()
    proxy = {"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "EnvoyProxy", "spec": None}
    path.write_text(text + "---\n" + yaml.safe_dump(proxy | {"metadata": {"name": "own", "namespace": "gateway"}}))
    _, out, _ = run("lint", "-f", str(model), str(path))
    assert "the EnvoyProxy gateway/own of Gateway gateway/public does not count" in out


@pytest.mark.parametrize("nonsense", [{"spec": None}, {"spec": []}, {"metadata": 3}])
def test_objects_that_make_no_sense_are_passed_over(
    run: Run, model: Path, tmp_path: Path, nonsense: dict[str, Any]
) -> None:
    path = gateway(tmp_path, **{kind: lambda one: one.update(nonsense) for kind in ("Gateway", "GatewayClass")})
    assert run("lint", "-f", str(model), str(path))[0] == 0
