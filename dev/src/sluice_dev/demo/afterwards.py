"""What can be tried after the demo: a manifest that is ready to be applied, and the words that go with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from sluice_dev.scene.deployments import Flight, Step
from sluice_dev.scene.store import model_uri

NEXT = "v4"
"""Slow in the demo. On a server that behaves it is a good model, and a revision that was never rejected."""
STEPS = (Step(10, seconds=10, samples=20), Step(50, seconds=10, samples=50))


def next_manifest(flight: Flight, index: Mapping[str, Any]) -> str:
    """YAML of a ModelDeployment that asks for the next version, with the address and digest that are in the store.

    flight: the demo's. index: index.json of its models.
    """
    steps = [step.manifest() for step in STEPS]
    manifest = flight.manifest(NEXT, faults={}, strategy={"type": "Canary", "canary": {"steps": steps}})
    others = [
        f"#   {model_uri(version)}  {entry['digest']}  {entry['title'].partition(' whose ')[0]}"
        for version, entry in index["versions"].items()
        if version != NEXT
    ]
    lines = [
        "# The next version of the demo's model. Apply it, then change it and apply it again: other steps, stricter",
        "# checks, more replicas, or another model of the demo's store (spec.model takes both, address and digest):",
        *others,
        yaml.safe_dump(manifest, sort_keys=False),
    ]
    return "\n".join(lines)


def traffic_command(flight: Flight, gateway: str, rows: str) -> str:
    """A shell line that sends each row once through the gateway, some 15 a second: 4,000 of them last five minutes.

    gateway: its URL from outside of the node's namespace. rows: a file with a request body per line.
    """
    curl = f"curl -s -o /dev/null -H 'Host: {flight.host}' -d \"$row\" {gateway}{flight.index['request_path']}"
    return f"while read -r row; do {curl}; sleep 0.05; done < {rows}"


def words(flight: Flight, rejected: str, *, folder: str, kubeconfig: str, programs: str, gateway: str) -> str:
    """What is printed at the end.

    rejected: v3's revision. folder: build/demo. programs: the folder that kubectl is in. gateway: its URL.
    """
    name, namespace = flight.name, flight.namespace
    return f"""
The report:   {folder}/report.json
The picture:  {folder}/timeline.png

The cluster stays up. Look around:
  export KUBECONFIG={kubeconfig} PATH={programs}:$PATH
  kubectl sluice status {name} -n {namespace} --watch
  kubectl events -n {namespace} --for modeldeployment/{name}

Rollouts need traffic. In another terminal, for five minutes:
  {traffic_command(flight, gateway, f"{folder}/models/rows.jsonl")}

Let v3 try again while the spec still asks for it (it fails again: its template tells its server to):
  kubectl sluice retry {name} {rejected} -n {namespace}

Roll out one more version, then change {folder}/next.yaml and apply it again (its first lines say what to change):
  kubectl apply --server-side -f {folder}/next.yaml

All fields: kubectl explain mdep.spec; manifests/examples/canary.yaml has a word on each.
Take everything away:  make cluster-down"""
