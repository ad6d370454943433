"""Specs that are refused, and words of the refusal: by the API server, and by `kubectl sluice lint`."""

from typing import Any

Change = dict[str, Any]


def steps(*entries: Change) -> Change:
    return {"strategy": {"type": "Canary", "canary": {"steps": list(entries)}}}


def check(**fields: Any) -> Change:
    return {"analysis": {"checks": [{"name": "c", **fields}]}}


def prometheus(**fields: Any) -> Change:
    return check(type="Prometheus", prometheus={"query": "up", "min": "1", **fields})


def gateway(**fields: Any) -> Change:
    return {"traffic": {"gateway": {"parentRefs": [{"name": "public"}], **fields}}}


DIGEST = "sha256:" + "a" * 64
URI = "https://models.example/m/manifest.json"

CASES: list[tuple[str, Change, str, str]] = [
    # what is wrong, the changed part of the spec, the field that is named, what to do
    ("a misspelt field", {"model": {"uri": URI, "digest": DIGEST, "sha": "x"}}, "spec.model.sha", "unknown field"),
    ("a field of another version", {"watch": {"for": "10m"}}, "spec.watch", "unknown field"),
    ("no model", {"model": None}, "spec.model", "Required value"),
    ("no digest", {"model": {"uri": URI}}, "spec.model.digest", "Required value"),
    ("no runtime version", {"runtime": {"name": "sluice-sklearn"}}, "spec.runtime.version", "Required value"),
    ("no gateway", {"traffic": {}}, "spec.traffic.gateway", "Required value"),
    ("no strategy type", {"strategy": {}}, "spec.strategy.type", "Required value"),
    # model
    ("digest without algorithm", {"model": {"uri": URI, "digest": "a" * 64}}, "spec.model.digest", "must be sha256:"),
    ("short digest", {"model": {"uri": URI, "digest": DIGEST[:-1]}}, "spec.model.digest", "`sha256sum manifest.json`"),
    ("digest in capitals", {"model": {"uri": URI, "digest": "sha256:" + "A" * 64}}, "spec.model.digest", "must be"),
    ("other scheme", {"model": {"uri": "gs://b/manifest.json", "digest": DIGEST}}, "spec.model.uri", "http or https"),
    ("a local file", {"model": {"uri": "file:///m/manifest.json", "digest": DIGEST}}, "spec.model.uri", "pvc://claim"),
    ("no bucket", {"model": {"uri": "s3:///manifest.json", "digest": DIGEST}}, "spec.model.uri", "s3://bucket/key"),
    ("bucket and port", {"model": {"uri": "s3://b:1/manifest.json", "digest": DIGEST}}, "spec.model.uri", "must be"),
    ("claim in capitals", {"model": {"uri": "pvc://M/manifest.json", "digest": DIGEST}}, "spec.model.uri", "must be"),
    (
        "a path out of the claim",
        {"model": {"uri": "pvc://models/a/../../manifest.json", "digest": DIGEST}},
        "spec.model.uri",
        "write it without ..",
    ),
    (
        "a Secret for a claim",
        {"model": {"uri": "pvc://models/manifest.json", "digest": DIGEST, "secretRef": {"name": "s"}}},
        "spec.model",
        "secretRef is for https and s3",
    ),
    (
        "a Secret over http",
        {"model": {"uri": "http://models/manifest.json", "digest": DIGEST, "secretRef": {"name": "s"}}},
        "spec.model",
        "could be read on the way",
    ),
    (
        "a Secret without name",
        {"model": {"uri": URI, "digest": DIGEST, "secretRef": {}}},
        "spec.model.secretRef.name",
        "Required value",
    ),
    (
        "a Secret of another namespace",
        {"model": {"uri": URI, "digest": DIGEST, "secretRef": {"name": "s", "namespace": "n"}}},
        "spec.model.secretRef.namespace",
        "unknown field",
    ),
    (
        "a name that no Secret can have",
        {"model": {"uri": URI, "digest": DIGEST, "secretRef": {"name": "My_Secret"}}},
        "spec.model.secretRef.name",
        "should match",
    ),
    (
        "not a manifest",
        {"model": {"uri": "https://m.example/m.pkl", "digest": DIGEST}},
        "spec.model.uri",
        "manifest.json",
    ),
    (
        "password in the address",
        {"model": {"uri": "https://u:p@m.example/manifest.json", "digest": DIGEST}},
        "spec.model.uri",
        "without user",
    ),
    # replicas and time
    ("no replicas", {"replicas": 0}, "spec.replicas", "greater than or equal to 1"),
    ("too many replicas", {"replicas": 1001}, "spec.replicas", "less than or equal to 1000"),
    ("replicas as text", {"replicas": "three"}, "spec.replicas", "must be of type integer"),
    ("duration in words", {"progressDeadline": "10 minutes"}, "spec.progressDeadline", "such as 500ms, 30s or 1h30m"),
    ("duration without unit", {"scaleDownDelay": "30"}, "spec.scaleDownDelay", "such as 500ms, 30s or 1h30m"),
    ("no time to become ready", {"progressDeadline": "0.0s"}, "spec.progressDeadline", "must be longer than 0"),
    ("template as text", {"template": "x"}, "spec.template", "must be of type object"),
    # gateway
    ("no parent", gateway(parentRefs=[]), "spec.traffic.gateway.parentRefs", "at least 1 items"),
    (
        "one parent twice",
        gateway(parentRefs=[{"name": "a", "sectionName": "http"}, {"name": "a", "sectionName": "http"}]),
        "spec.traffic.gateway.parentRefs",
        "remove one of the two",
    ),
    ("hostname with port", gateway(hostnames=["a.example:80"]), "spec.traffic.gateway.hostnames[0]", "should match"),
    (
        "path without slash",
        gateway(matches=[{"path": {"value": "v2"}}]),
        "spec.traffic.gateway.matches[0].path.value",
        "should match",
    ),
    (
        "path that climbs",
        gateway(matches=[{"path": {"value": "/a/../b"}}]),
        "spec.traffic.gateway.matches[0].path.value",
        "must be a plain path",
    ),
    (
        "path type of another kind",
        gateway(matches=[{"path": {"type": "RegularExpression"}}]),
        "spec.traffic.gateway.matches[0].path.type",
        'supported values: "PathPrefix", "Exact"',
    ),
    # strategy
    ("unknown strategy", {"strategy": {"type": "Rainbow"}}, "spec.strategy.type", 'supported values: "Canary"'),
    (
        "two strategies",
        {"strategy": {"type": "Canary", "canary": {}, "blueGreen": {}}},
        "spec.strategy.blueGreen",
        "unknown field",
    ),
    ("no steps", steps(), "spec.strategy.canary.steps", "at least 1 items"),
    ("33 steps", steps(*[{"weight": 5}] * 33), "spec.strategy.canary.steps", "must have at most 32 items"),
    ("weight 0", steps({"weight": 0}), "spec.strategy.canary.steps[0].weight", "greater than or equal to 1"),
    ("weight 101", steps({"weight": 101}), "spec.strategy.canary.steps[0].weight", "less than or equal to 100"),
    ("a fraction of a percent", steps({"weight": 0.5}), "spec.strategy.canary.steps[0].weight", "of type integer"),
    ("no weight", steps({"name": "first"}), "spec.strategy.canary.steps[0].weight", "Required value"),
    (
        "weights fall",
        steps({"weight": 5}, {"weight": 50}, {"weight": 25}),
        "spec.strategy.canary.steps[2].weight",
        "25 is below the step before it (50); weights must not fall",
    ),
    (
        "two steps of one name",
        steps({"name": "first", "weight": 5}, {"weight": 6}, {"name": "first", "weight": 7}),
        "spec.strategy.canary.steps[2].name",
        "first is the name of another step",
    ),
    (
        "step name in capitals",
        steps({"name": "First", "weight": 5}),
        "spec.strategy.canary.steps[0].name",
        "should match",
    ),
    (
        "negative samples",
        steps({"weight": 5, "minSamples": -1}),
        "spec.strategy.canary.steps[0].minSamples",
        "greater than or equal to 0",
    ),
    # analysis
    (
        "blind at once",
        {"analysis": {"blindDeadline": "0s"}},
        "spec.analysis.blindDeadline",
        "Auto, Never or longer than 0",
    ),
    ("blind in words", {"analysis": {"blindDeadline": "never"}}, "spec.analysis.blindDeadline", "must be Auto, Never"),
    (
        "unknown check",
        check(type="Drift"),
        "spec.analysis.checks[0].type",
        'supported values: "Rate", "Latency", "Prometheus"',
    ),
    ("unknown reaction", check(type="Rate", rate={}, onFail="Explode"), "spec.analysis.checks[0].onFail", '"Rollback"'),
    (
        "check without member",
        check(type="Rate"),
        "spec.analysis.checks[0]",
        "check c has type Rate: set rate and no other",
    ),
    (
        "two members in a check",
        check(type="Latency", latency={}, rate={}),
        "spec.analysis.checks[0]",
        "check c has type Latency: set latency and no other",
    ),
    (
        "the member of another type",
        check(type="Prometheus", rate={}),
        "spec.analysis.checks[0]",
        "check c has type Prometheus: set prometheus and no other",
    ),
    (
        "two checks of one name",
        {"analysis": {"checks": [{"name": "c", "type": "Rate", "rate": {}}] * 2}},
        "spec.analysis.checks",
        "spec.analysis.checks[1].name: c is the name of another check",
    ),
    (
        "never a false rollback",
        {"analysis": {"falseRollback": "0%"}},
        "spec.analysis.falseRollback",
        "must be above 0% and below 100%",
    ),
    (
        "a rate without a limit",
        check(type="Rate", rate={}),
        "spec.analysis.checks[0].rate",
        "max, versusStable or both",
    ),
    (
        "a candidate that must be better than stable",
        check(type="Rate", rate={"versusStable": {"ratio": "0.9"}}),
        "spec.analysis.checks[0].rate.versusStable.ratio",
        "ratio must be at least '1'",
    ),
    (
        "counts of somebody else",
        check(type="Rate", rate={"max": "5%", "source": "Mesh"}),
        "spec.analysis.checks[0].rate.source",
        'supported values: "Server", "Gateway"',
    ),
    ("no errors at all", check(type="Rate", rate={"max": "0.00%"}), "spec.analysis.checks[0].rate.max", "above 0%"),
    ("any errors", check(type="Rate", rate={"max": "100%"}), "spec.analysis.checks[0].rate.max", "below 100%"),
    ("a share as number", check(type="Rate", rate={"max": "5"}), "spec.analysis.checks[0].rate.max", "such as 5%"),
    (
        "no latency at all",
        check(type="Latency", latency={"slo": "0ms"}),
        "spec.analysis.checks[0].latency.slo",
        "longer",
    ),
    (
        "all may be slow",
        check(type="Latency", latency={"slo": "1s", "maxShareAbove": "100%"}),
        "spec.analysis.checks[0].latency.maxShareAbove",
        "below 100%",
    ),
    (
        "latency of nothing",
        check(type="Latency", latency={"maxShareAbove": "5%"}),
        "spec.analysis.checks[0].latency",
        "slo, versusStable or both",
    ),
    (
        "a candidate that must be faster than stable",
        check(type="Latency", latency={"versusStable": {"slowdown": "0.99"}}),
        "spec.analysis.checks[0].latency.versusStable.slowdown",
        "slowdown must be at least '1'",
    ),
    (
        "a spread that is no share",
        check(type="Latency", latency={"versusStable": {"podSpread": "5"}}),
        "spec.analysis.checks[0].latency.versusStable.podSpread",
        "such as 5%",
    ),
    (
        "no threshold",
        check(type="Prometheus", prometheus={"query": "up"}),
        "spec.analysis.checks[0].prometheus",
        "needs min, max or both",
    ),
    (
        "no query",
        check(type="Prometheus", prometheus={"min": "1"}),
        "spec.analysis.checks[0].prometheus.query",
        "Required",
    ),
    (
        "another namespace's numbers",
        prometheus(min="1", query='sum(up{namespace="kube-system"})'),
        "spec.analysis.checks[0].prometheus.query",
        "reaches into another namespace",
    ),
    (
        "another namespace's numbers by a quoted label",
        prometheus(min="1", query='sum({"up", "namespace"="kube-system"})'),
        "spec.analysis.checks[0].prometheus.query",
        "reaches into another namespace",
    ),
    (
        "all namespaces but one",
        prometheus(min="1", query='sum(up{pod="a",namespace !~ "x"})'),
        "spec.analysis.checks[0].prometheus.query",
        "reaches into another namespace",
    ),
    (
        "a band below its minimum",
        prometheus(min="10", holdBelow="9"),
        "spec.analysis.checks[0].prometheus",
        "holdBelow is below min",
    ),
    (
        "a band above its maximum",
        prometheus(max="10", holdAbove="10.5"),
        "spec.analysis.checks[0].prometheus",
        "holdAbove is above max",
    ),
    (
        "min above max",
        prometheus(min="10", max="9.5"),
        "spec.analysis.checks[0].prometheus",
        "min (10) is above max (9.5), so every measurement would fail",
    ),
    (
        "threshold in words",
        prometheus(max="many"),
        "spec.analysis.checks[0].prometheus.max",
        "a decimal number such as",
    ),
    ("threshold with exponent", prometheus(max="1e3"), "spec.analysis.checks[0].prometheus.max", "without an exponent"),
    ("threshold as number", prometheus(max=3), "spec.analysis.checks[0].prometheus.max", "must be of type string"),
    ("too often", prometheus(interval="999ms"), "spec.analysis.checks[0].prometheus.interval", "must be at least 1s"),
    (
        "interval in words",
        prometheus(interval="often"),
        "spec.analysis.checks[0].prometheus.interval",
        "a duration such",
    ),
]
