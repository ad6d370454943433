"""Good input is taken, filled in with the defaults, and read back by the operator's models as what was meant."""

import pytest
import yaml

from sluice.api.v1alpha1 import Spec
from sluice_dev.generate import ROOT
from specs.accepted import CASES
from specs.refused import Change

pytestmark = pytest.mark.apiserver

EXAMPLES = sorted((ROOT / "manifests" / "examples").glob("*.yaml"))


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
            "evidenceDeadline": "24h",
            "onDeadline": "Hold",
            "blindDeadline": "Auto",
            "checks": [
                {
                    "name": "errors",
                    "type": "Rate",
                    "onFail": "Rollback",
                    "required": True,
                    "rate": {
                        "preset": "errors",
                        "source": "Server",
                        "versusStable": {"ratio": "1.1", "margin": "0.05%", "podSpread": "20%"},
                    },
                },
                {
                    "name": "latency",
                    "type": "Latency",
                    "onFail": "Rollback",
                    "required": True,
                    "latency": {
                        "maxShareAbove": "5%",
                        "versusStable": {"slowdown": "1.05", "margin": "0.2%", "podSpread": "5%"},
                        "warmUp": "30s",
                    },
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


def test_checks_of_later_replace_the_defaults_of_before(models, least, namespace: str) -> None:
    """A default that is merged into what people write would set a comparison beside their maximum."""
    models.apply(namespace, least)
    own = [{"name": "errors", "type": "Rate", "rate": {"max": "5%"}}]
    stored = models.apply(namespace, {**least, "analysis": {"checks": own}})["spec"]
    assert [(check["name"], check["rate"].get("versusStable")) for check in stored["analysis"]["checks"]] == [
        ("errors", None)
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
