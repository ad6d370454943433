"""The committed CRD under its real name, on a real API server."""

import json

import pytest

from sluice_dev.generate import CRD, ROOT

pytestmark = pytest.mark.apiserver


def test_it_installs_without_a_warning_and_is_established(cluster, crd: str) -> None:
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "--warnings-as-errors", "-f", str(ROOT / CRD))
    conditions = {c["type"]: c["status"] for c in cluster.get(f"crd/{crd}")["status"]["conditions"]}
    assert conditions["NamesAccepted"] == "True"
    assert conditions["Established"] == "True"
    assert conditions.get("NonStructuralSchema", "False") == "False"


def test_it_also_fits_a_client_side_apply(cluster) -> None:
    """People do run `kubectl apply -f`: the whole CRD then goes into an annotation of at most 256 KiB."""
    cluster.kubectl("apply", "--dry-run=server", "-f", str(ROOT / CRD))


@pytest.mark.parametrize("word", ["mdep", "modeldeployment", "modeldeployments", "sluice"])
def test_people_find_it_by_short_name_and_category(cluster, crd: str, word: str, namespace: str) -> None:
    assert json.loads(cluster.kubectl("get", word, "-n", namespace, "-o", "json"))["items"] == []
