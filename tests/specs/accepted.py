"""Specs that are taken: by the API server, and by `kubectl sluice lint`."""

from specs.refused import Change, steps

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
    ("a claim", {"model": {"uri": "pvc://models/m/1/manifest.json", "digest": "sha256:" + "0" * 64}}),
    ("a public bucket", {"model": {"uri": "s3://my.models/m/1/manifest.json", "digest": "sha256:" + "0" * 64}}),
    (
        "a bucket and a Secret",
        {
            "model": {
                "uri": "s3://models/manifest.json",
                "digest": "sha256:" + "0" * 64,
                "secretRef": {"name": "models-s3.reader"},
            }
        },
    ),
    (
        "every kind of check",
        {
            "analysis": {
                "checks": [
                    {"name": "errors", "type": "Rate", "rate": {"max": "0.5%"}},
                    {"name": "slow", "type": "Latency", "onFail": "Report", "latency": {"slo": "250ms"}},
                    {
                        "name": "slower",
                        "type": "Latency",
                        "latency": {"versusStable": {"slowdown": "1", "margin": "0%", "podSpread": "0%"}},
                    },
                    {"name": "more", "type": "Rate", "rate": {"versusStable": {"podSpread": "10%"}}},
                    {"name": "reached", "type": "Rate", "rate": {"source": "Gateway", "max": "5%"}},
                    {"name": "both", "type": "Rate", "rate": {"source": "Server", "max": "5%", "versusStable": {}}},
                    {
                        "name": "clicks",
                        "type": "Prometheus",
                        "onFail": "Pause",
                        "prometheus": {
                            "query": 'sum by (namespace) (up{namespace="$(namespace)",exported_namespace="x"})',
                            "min": "-0.5",
                            "max": "100",
                            "interval": "1s",
                            "initialDelay": "1m",
                            "holdBelow": "0",
                            "holdAbove": "100",
                            "consecutiveErrorLimit": 3,
                            "failureLimit": 2,
                        },
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
