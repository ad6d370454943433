"""Good input is taken, filled in with the defaults, and read back by the operator's models as what was meant."""

from typing import Any

import pytest
import yaml

from sluice.api.v1alpha1 import Spec
from sluice_dev.generate import ROOT

pytestmark = pytest.mark.apiserver

Change = dict[str, Any]
EXAMPLES = sorted((ROOT / "manifests" / "examples").glob("*.yaml"))


def steps(*entries: Change) -> Change:
    return {"strategy": {"type": "Canary", "canary": {"steps": list(entries)}}}


def test_the_least_spec_gets_every_default(models, least, namespace: str) -> None:
    assert set(least) == {"model", "runtime", "traffic", "strategy"}
    assert least["strategy"] == {"type": "Canary"}
    assert models.apply(namespace, least)["spec"] == {
        **least,
        "paused": False,
        "progressDeadline": "10m",
        "scaleDownDelay": "30s",
        "analysis": {
            "falseRollback": "1%",
            "blindDeadline": "Auto",
            "checks": [
                {"name": "errors", "type": "Rate", "onFail": "Rollback", "rate": {"preset": "errors", "max": "5%"}},
                {
                    "name": "latency",
                    "type": "Latency",
                    "onFail": "Rollback",
                    "latency": {"slo": "1s", "maxShareAbove": "5%"},
                },
            ],
        },
    }


def test_an_empty_canary_gets_the_default_steps(models, least, namespace: str) -> None:
    stored = models.apply(namespace, {**least, "strategy": {"type": "Canary", "canary": {}}})["spec"]
    assert stored["strategy"]["canary"]["steps"] == [
        {"name": f"weight-{weight}", "weight": weight, "minDuration": "1m", "minSamples": 100}
        for weight in (1, 5, 25, 50)
    ]


CASES: list[tuple[str, Change]] = [
    ("weights that stay", steps({"weight": 5}, {"weight": 5}, {"weight": 100})),
    ("32 named steps", steps(*[{"name": f"step-{n}", "weight": n} for n in range(1, 33)])),
    ("steps without names", steps({"weight": 1}, {"weight": 2})),
    ("no wait", steps({"weight": 1, "minDuration": "0s", "minSamples": 0})),
    ("no checks", {"analysis": {"checks": []}}),
    ("held while blind", {"analysis": {"blindDeadline": "Never"}}),
    ("a deadline while blind", {"analysis": {"blindDeadline": "1m30s"}}),
    ("paused", {"paused": True}),
    ("an hour and a half", {"progressDeadline": "1.5h"}),
    ("http", {"model": {"uri": "http://models.models:8080/m/manifest.json", "digest": "sha256:" + "0" * 64}}),
    (
        "every kind of check",
        {
            "analysis": {
                "checks": [
                    {"name": "errors", "type": "Rate", "rate": {"max": "0.5%"}},
                    {"name": "slow", "type": "Latency", "onFail": "Report", "latency": {"slo": "250ms"}},
                    {
                        "name": "clicks",
                        "type": "Prometheus",
                        "onFail": "Pause",
                        "prometheus": {"query": "up", "min": "-0.5", "max": "100", "interval": "1s", "failureLimit": 2},
                    },
                ]
            }
        },
    ),
    (
        "32 checks",
        {
            "analysis": {
                "checks": [
                    {"name": f"c{n}", "type": "Prometheus", "prometheus": {"query": "u" * 4096, "min": "1", "max": "2"}}
                    for n in range(32)
                ]
            }
        },
    ),
    (
        "two listeners of one gateway",
        {
            "traffic": {
                "gateway": {
                    "parentRefs": [
                        {"name": "public", "namespace": "gateways", "sectionName": "http"},
                        {"name": "public", "namespace": "gateways", "sectionName": "https"},
                    ],
                    "hostnames": ["delay.example.com", "*.example.org"],
                    "matches": [{"path": {"type": "Exact", "value": "/v2/models/m/infer"}}, {}],
                }
            }
        },
    ),
]


@pytest.mark.parametrize("change", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_stored_means_what_was_written(models, least, change: Change) -> None:
    """The API server's defaults and the operator's are the same, and nothing is pruned."""
    written = {**least, **change}
    stored = models.apply("default", written, "--dry-run=server")["spec"]
    assert Spec.model_validate(stored) == Spec.model_validate(written)


def test_a_pod_template_is_kept_whole(models, least, namespace: str) -> None:
    template = {
        "metadata": {"annotations": {"team": "delays"}},
        "spec": {
            "containers": [{"name": "model", "resources": {"limits": {"memory": "1Gi"}}, "unheardOf": [1, {"a": 2}]}]
        },
    }
    stored = models.apply(namespace, {**least, "template": template})["spec"]
    assert stored["template"] == template
    assert Spec.model_validate(stored).template == template


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_every_example_is_taken_under_strict_validation(models, namespace: str, path) -> None:
    for document in yaml.safe_load_all(path.read_text()):
        assert document["apiVersion"] == "sluice.dev/v1alpha1"
        stored = models.apply(namespace, document["spec"], name=document["metadata"]["name"])
        assert Spec.model_validate(stored["spec"]) == Spec.model_validate(document["spec"])


def test_the_longest_name_is_taken(models, least, namespace: str) -> None:
    assert models.apply(namespace, least, name="a" * 32)["metadata"]["name"] == "a" * 32
