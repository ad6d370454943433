"""Bad input is refused by the API server with a sentence that names the field and says what to do."""

import pytest

from sluice_dev.cluster import CommandFailed
from specs.refused import CASES, Change, steps

pytestmark = pytest.mark.apiserver


@pytest.mark.parametrize(("change", "field", "remedy"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_api_server_names_the_field_and_the_remedy(models, least, change: Change, field: str, remedy: str) -> None:
    spec = {key: value for key, value in {**least, **change}.items() if value is not None}
    words = models.refusal("default", spec)
    assert field in words
    assert remedy in words
    assert "evaluation error" not in words
    assert "conversion error" not in words


@pytest.mark.parametrize("name", ["a" * 33, "1st", "a.b", "-a", "a-"])
def test_a_name_that_would_cut_pod_names_is_refused(models, least, name: str) -> None:
    words = models.refusal("default", least, name=name)
    assert "metadata.name" in words
    # names that no object may have are refused by Kubernetes' own rule before ours is asked
    assert "at most 32 characters" in words or "RFC 1123" in words


def test_a_refused_change_leaves_the_object_as_it_was(models, least, namespace: str) -> None:
    before = models.apply(namespace, {**least, **steps({"weight": 5}, {"weight": 50})})
    with pytest.raises(CommandFailed, match="weights must not fall"):
        models.apply(namespace, {**least, **steps({"weight": 50}, {"weight": 5})})
    assert models.get(namespace)["spec"] == before["spec"]


def test_server_side_apply_names_an_unknown_field_too(models, least, namespace: str) -> None:
    """`kubectl apply --server-side` judges fields against the schema before the object is put together."""
    with pytest.raises(CommandFailed, match=r"\.spec\.strategy\.blueGreen: field not declared in schema"):
        models.apply(namespace, {**least, "strategy": {"type": "Canary", "blueGreen": {}}})
