"""Which objects are in a file, and on which line is what."""

import pytest

from sluice.cli.errors import Unreadable
from sluice.cli.lint.documents import Document, read

FLIGHTS = """\
apiVersion: sluice.dev/v1alpha1
kind: ModelDeployment
metadata:
  name: flights
spec:
  strategy:
    canary:
      steps:
      - {weight: 5}
      - weight: 50
        name: half
"""


def one(text: str) -> Document:
    [document] = read("f.yaml", text)
    return document


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ((), 1),
        (("metadata", "name"), 4),
        (("spec", "strategy", "canary", "steps", 0, "weight"), 9),
        (("spec", "strategy", "canary", "steps", 1, "name"), 11),
        (("spec", "strategy", "canary", "steps", 1, "minDuration"), 10),
        (("spec", "model"), 6),
        (("spec", "strategy", "canary", "steps", 7), 9),
    ],
    ids=str,
)
def test_the_line_of_a_place_or_of_what_would_hold_it(place: tuple[str | int, ...], line: int) -> None:
    assert one(FLIGHTS).line(place) == line


def test_other_kinds_and_other_groups_are_not_ours() -> None:
    text = f"kind: Service\n---\n{FLIGHTS}---\nkind: ModelDeployment\napiVersion: other.example/v1\n---\n# nothing\n"
    assert [document.ours for document in read("f.yaml", text)] == [False, True, False]


def test_objects_of_a_list() -> None:
    text = "kind: List\napiVersion: v1\nitems:\n" + "\n".join(
        f"- {{kind: ModelDeployment, apiVersion: sluice.dev/v1alpha1, metadata: {{name: {name}}}}}" for name in "ab"
    )
    found = list(read("f.yaml", text))
    assert [(d.ours, d.value["metadata"]["name"], d.line(("metadata",))) for d in found] == [
        (True, "a", 4),
        (True, "b", 5),
    ]


def test_json_is_yaml() -> None:
    assert one('{"kind": "ModelDeployment", "apiVersion": "sluice.dev/v1alpha1"}').ours


def test_a_key_that_stands_twice() -> None:
    [said] = one(FLIGHTS.replace("      - weight: 50", "      - weight: 50\n        weight: 60")).doubled()
    assert str(said) == "error: spec.strategy.canary.steps[1].weight: stands twice in one object; remove one of the two"


def test_merge_keys_are_no_doubles() -> None:
    text = "base: &base {a: 1, b: 2}\nmore: {<<: *base, b: 3}\n"
    document = one(text)
    assert document.value["more"] == {"a": 1, "b": 3}
    assert list(document.doubled()) == []


def test_a_date_is_a_string() -> None:
    """JSON has no dates, so Kubernetes reads none."""
    assert one("a: 2026-01-05").value == {"a": "2026-01-05"}


@pytest.mark.parametrize(
    ("text", "line"), [("a: [", "f.yaml:1 is no YAML"), ("a: 1\nb: }\n", "f.yaml:2"), ("? [a]\n: b\n", "f.yaml:1")]
)
def test_what_is_no_yaml_is_one_sentence_with_the_line(text: str, line: str) -> None:
    with pytest.raises(Unreadable) as refused:
        list(read("f.yaml", text))
    assert line in str(refused.value)
    assert "\n" not in str(refused.value)
