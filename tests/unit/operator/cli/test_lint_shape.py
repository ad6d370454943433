"""Lint refuses what the API server refuses, with the same words: both are held against the tables in tests/specs."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.api.crd import schema
from sluice.api.rules import VALIDATIONS
from sluice.cli.lint.advice import Surroundings
from sluice.cli.lint.documents import read
from sluice.cli.lint.finding import Finding, Severity
from sluice.cli.lint.judge import judge
from sluice.cli.lint.rules import RULES, SHARED, counterpart
from sluice.cli.lint.shape import misfits
from sluice.cli.options import duration
from sluice_dev.generate import ROOT
from specs.accepted import CASES as ACCEPTED
from specs.refused import CASES as REFUSED

Object = dict[str, Any]
LEAST: Object = yaml.safe_load((ROOT / "manifests/examples/minimal.yaml").read_text())
EXAMPLES = sorted((ROOT / "manifests/examples").glob("*.yaml"))
AROUND = Surroundings(duration("2s"))


def manifest(change: Mapping[str, Any] | None = None, **top: Any) -> Object:
    """The least manifest with another spec; a field that is None is left out."""
    spec = {key: value for key, value in {**LEAST["spec"], **(change or {})}.items() if value is not None}
    return {**LEAST, "spec": spec, **top}


def findings(manifest: Object) -> list[Finding]:
    [document] = read("flights.yaml", yaml.safe_dump(manifest))
    return list(judge(document, AROUND))


def errors(manifest: Object) -> list[str]:
    return [str(finding) for finding in findings(manifest) if finding.severity is Severity.ERROR]


@pytest.mark.parametrize(
    ("change", "field", "remedy"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_what_the_api_server_refuses_is_an_error(change: Object, field: str, remedy: str) -> None:
    """With the same field and the same remedy as there."""
    said = errors(manifest(change))
    assert any(field in words and remedy in words for words in said), said


@pytest.mark.parametrize("change", [case[1] for case in ACCEPTED], ids=[case[0] for case in ACCEPTED])
def test_what_the_api_server_takes_is_no_error(change: Object) -> None:
    assert errors(manifest(change)) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_nothing_is_said_about_the_examples(path: Path) -> None:
    assert [finding for document in read(path.name, path.read_text()) for finding in judge(document, AROUND)] == []


@pytest.mark.parametrize("name", ["a" * 33, "1st", "a.b", "-a", "a-", "Flights"])
def test_a_name_that_would_cut_pod_names_is_an_error(name: str) -> None:
    [said] = errors(manifest(metadata={"name": name}))
    assert said.startswith("error: metadata.name: metadata.name must be at most 32 characters")


@pytest.mark.parametrize("name", ["a", "a" * 32, "flight-delay-2"])
def test_other_names_are_taken(name: str) -> None:
    assert errors(manifest(metadata={"name": name})) == []


def test_a_wrong_name_does_not_hide_a_wrong_spec() -> None:
    said = errors(manifest({"replicas": 0}, metadata={"name": "1st"}))
    assert [words.split(": ")[1] for words in said] == ["metadata.name", "spec.replicas"]


def validations(node: Object) -> Iterator[Mapping[str, str]]:
    yield from node.get(VALIDATIONS, ())
    for child in node.get("properties", {}).values():
        yield from validations(child)
    if "items" in node:
        yield from validations(node["items"])


CEL = list(validations({"properties": {"spec": schema()["properties"]["spec"]}, VALIDATIONS: schema()[VALIDATIONS]}))


@pytest.mark.parametrize("message", sorted({rule["message"] for rule in CEL}))
def test_every_rule_of_the_crd_has_a_counterpart(message: str) -> None:
    """A new one in the CRD needs a function in sluice/cli/lint/rules.py."""
    assert all(counterpart(rule) for rule in CEL if rule["message"] == message)


def test_no_counterpart_is_left_over() -> None:
    """A rule whose message was changed is found by its old words here."""
    assert set(RULES) <= {rule["message"] for rule in CEL}
    assert set(SHARED) <= {rule["rule"] for rule in CEL}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"replicass": 3}, "error: spec.replicass: unknown field; did you mean replicas?"),
        ({"replicas": True}, "error: spec.replicas: must be of type integer, is boolean"),
        ({"progressDeadline": 30}, 'error: spec.progressDeadline: must be of type string, is integer, e.g. "30"'),
        ({"model": []}, "error: spec.model: must be of type object, is array"),
        ({"progressDeadline": "1h" * 20}, "error: spec.progressDeadline: has 40 characters, may have at most 32"),
        (
            {"traffic": {"gateway": {"parentRefs": [{"name": ""}]}}},
            "error: spec.traffic.gateway.parentRefs[0].name: must not be empty",
        ),
    ],
)
def test_words_of_the_schema(change: Object, words: str) -> None:
    assert errors(manifest(change)) == [words]


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({}, "error: metadata.name: Required value: name the ModelDeployment"),
        ({"name": 7}, "error: metadata.name: must be of type string"),
        (["flights"], "error: metadata.name: must be of type string"),
    ],
)
def test_words_about_the_name(metadata: object, words: str) -> None:
    assert errors(manifest(metadata=metadata)) == [words]


def test_a_name_that_the_api_server_makes() -> None:
    assert errors(manifest(metadata={"generateName": "flights-"})) == []
    assert len(errors(manifest(metadata={"generateName": "1-"}))) == 1


@pytest.mark.parametrize(
    "change", [{"digest": LEAST["spec"]["model"]["digest"] + "\n"}, {"uri": "https://a/manifest.json\n"}]
)
def test_a_line_break_at_the_end_is_not_part_of_a_pattern(change: Object) -> None:
    """In Python `$` also stands before it; to the API server it does not."""
    assert len(errors(manifest({"model": {**LEAST["spec"]["model"], **change}}))) == 1


def test_what_only_the_operators_models_know_is_an_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no such thing now; should the schema fall behind, it is no crash."""
    monkeypatch.setattr("sluice.cli.lint.judge.misfits", lambda _: iter(()))
    [said] = errors(manifest({"replicas": 0}))
    assert said.startswith("error: spec.replicas: Input should be greater than or equal to 1")


def test_null_is_absence() -> None:
    """As for the API server: what is null is filled in with the default."""
    given = manifest()
    given["spec"]["replicas"] = None
    given["spec"]["analysis"] = None
    assert list(misfits(given)) == []


def test_a_whole_number_may_be_written_as_a_fraction() -> None:
    """JSON knows one kind of number."""
    assert errors(manifest({"replicas": 3.0})) == []
    assert errors(manifest({"replicas": 3.5})) == ["error: spec.replicas: must be of type integer, is number"]


def test_a_status_in_a_manifest_is_ignored_as_the_api_server_does() -> None:
    assert errors(manifest(status={"anything": "goes"})) == []


def test_another_version_is_an_error() -> None:
    [said] = errors(manifest(apiVersion="sluice.dev/v1beta1"))
    assert said == (
        "error: apiVersion: sluice.dev/v1beta1 is not sluice.dev/v1alpha1, the version that this plugin knows"
    )
