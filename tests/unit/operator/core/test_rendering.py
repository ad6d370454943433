"""A user's template over the runtime's: what is merged, what is replaced, and what stays the operator's."""

from typing import Any

import pytest

from sluice.core.rendering import merge, pod_template
from sluice.core.revision import inputs_of
from unit.operator.core.scenes import RUNTIME, spec_of

MERGES: list[tuple[str, Any, Any, Any]] = [
    ("a field is set", {"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
    ("a field is replaced", {"a": 1}, {"a": 2}, {"a": 2}),
    ("objects are merged", {"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}, {"a": {"b": 1, "c": 3}}),
    ("null removes", {"a": 1, "b": 2}, {"a": None}, {"b": 2}),
    ("null removes what is not there", {"b": 2}, {"a": None}, {"b": 2}),
    ("a plain list is replaced", {"args": ["a", "b"]}, {"args": ["c"]}, {"args": ["c"]}),
    (
        "containers are merged by name, in the base's order",
        {"containers": [{"name": "model", "image": "i"}, {"name": "proxy"}]},
        {"containers": [{"name": "proxy", "tty": True}, {"name": "model", "tty": False}, {"name": "new"}]},
        {
            "containers": [
                {"name": "model", "image": "i", "tty": False}, {"name": "proxy", "tty": True}, {"name": "new"},
            ],
        },
    ),
    (
        "variables are merged by name",
        {"env": [{"name": "A", "value": "1"}]},
        {"env": [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}]},
        {"env": [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}]},
    ),
    (
        "ports are merged by their number",
        {"ports": [{"containerPort": 8080, "name": "http"}]},
        {"ports": [{"containerPort": 9090, "name": "debug"}]},
        {"ports": [{"containerPort": 8080, "name": "http"}, {"containerPort": 9090, "name": "debug"}]},
    ),
    (
        "mounts are merged by their path",
        {"volumeMounts": [{"mountPath": "/work", "name": "tmp"}]},
        {"volumeMounts": [{"mountPath": "/work", "name": "scratch"}]},
        {"volumeMounts": [{"mountPath": "/work", "name": "scratch"}]},
    ),
    (
        "tolerations are replaced",
        {"tolerations": [{"key": "a"}]},
        {"tolerations": [{"key": "b"}]},
        {"tolerations": [{"key": "b"}]},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("base", "over", "merged"), [m[1:] for m in MERGES], ids=[m[0] for m in MERGES])
def test_merge(base: Any, over: Any, merged: Any) -> None:
    before = repr(base)
    assert merge(base, over) == merged
    assert repr(base) == before


def rendered(**spec: Any) -> dict[str, Any]:
    return pod_template("flights", inputs_of(spec_of("a", **spec)), RUNTIME)


def test_the_pod_runs_the_runtimes_image_and_fetches_the_model_first() -> None:
    pod = rendered()["spec"]
    (fetch,), (server,) = pod["initContainers"], pod["containers"]
    assert server["image"] == "registry.example/server:1"
    assert fetch["image"] == "registry.example/fetch:1"
    assert fetch["args"][:5] == [
        "fetch",
        "--uri",
        "https://models.example/a/manifest.json",
        "--digest",
        "sha256:" + "a" * 64,
    ]
    assert server["ports"] == [{"name": "http", "containerPort": 8080}]


def test_the_pod_may_do_nothing_it_need_not() -> None:
    pod = rendered()["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def of_model(**model: Any) -> dict[str, Any]:
    pod: dict[str, Any] = rendered(model={"digest": f"sha256:{'a' * 64}", **model})["spec"]
    return pod


def test_a_model_in_the_open_needs_no_volume_but_its_own() -> None:
    pod = of_model(uri="s3://models/a/manifest.json")
    assert [volume["name"] for volume in pod["volumes"]] == ["model", "tmp"]
    assert [mount["name"] for mount in pod["initContainers"][0]["volumeMounts"]] == ["model"]


def test_a_claim_is_mounted_read_only_where_the_fetcher_looks_and_nowhere_else() -> None:
    pod = of_model(uri="pvc://shared.models/a/manifest.json")
    assert pod["volumes"][2:] == [
        {"name": "model-source", "persistentVolumeClaim": {"claimName": "shared.models", "readOnly": True}}
    ]
    mount = {"name": "model-source", "mountPath": "/mnt/pvc/shared.models", "readOnly": True}
    assert pod["initContainers"][0]["volumeMounts"][1:] == [mount]
    assert "model-source" not in [mount["name"] for mount in pod["containers"][0]["volumeMounts"]]


def test_a_secret_is_mounted_by_its_name_for_the_fetcher_alone() -> None:
    pod = of_model(uri="s3://models/a/manifest.json", secretRef={"name": "models-s3"})
    secret = {"secretName": "models-s3", "optional": True, "defaultMode": 0o440}
    assert pod["volumes"][2:] == [{"name": "model-credentials", "secret": secret}]
    (fetch,), (server,) = pod["initContainers"], pod["containers"]
    mount = {"name": "model-credentials", "mountPath": "/mnt/credentials", "readOnly": True}
    assert fetch["volumeMounts"][1:] == [mount]
    assert fetch["args"][-2:] == ["--credentials", "/mnt/credentials"]
    assert "model-credentials" not in [mount["name"] for mount in server["volumeMounts"]]
    assert pod["securityContext"]["fsGroup"] == 65532  # by which the fetcher may read it


def test_neither_address_nor_secret_is_part_of_the_revision_and_old_records_stay_as_they_are() -> None:
    plain = inputs_of(spec_of("a"))
    model = {"uri": "s3://models/a/manifest.json", "digest": plain.model.digest, "secretRef": {"name": "models-s3"}}
    moved = inputs_of(spec_of("a", model=model))
    assert moved.revision == plain.revision
    assert plain.model_dump(mode="json", by_alias=True)["model"] == {
        "uri": "https://models.example/a/manifest.json",
        "digest": plain.model.digest,
    }
    assert moved.model_dump(mode="json", by_alias=True)["model"] == model
    assert type(moved).model_validate(moved.model_dump(mode="json", by_alias=True)) == moved


def test_it_goes_on_answering_while_gateways_learn_that_it_leaves() -> None:
    pod = rendered()["spec"]
    sleep = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert 0 < sleep < pod["terminationGracePeriodSeconds"]


def test_a_template_may_not_hide_its_pods() -> None:
    labels = {"sluice.dev/name": "other", "sluice.dev/revision": "00000000", "team": "delays"}
    spec = spec_of("a", template={"metadata": {"labels": labels}})
    got = pod_template("flights", inputs_of(spec), RUNTIME)["metadata"]["labels"]
    assert got["sluice.dev/name"] == "flights"
    assert got["sluice.dev/revision"] == inputs_of(spec).revision
    assert got["team"] == "delays"


def test_the_users_resources_win() -> None:
    resources = {"limits": {"memory": "2Gi"}}
    template = {"spec": {"containers": [{"name": "model", "resources": resources}]}}
    (server,) = rendered(template=template)["spec"]["containers"]
    assert server["resources"] == resources
    assert server["image"] == "registry.example/server:1"
