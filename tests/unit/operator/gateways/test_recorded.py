"""The tables of gateways, against what a running one exposed before and after requests that were counted."""

import re
from collections import defaultdict
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from sluice.core.analysis.addresses import Addresses
from sluice.core.analysis.exposure import failed_requests
from sluice.core.analysis.outcomes import OUTCOMES, Outcomes
from sluice.core.gateway_counts import COUNTS, ENVOY_GATEWAY
from sluice.core.gateways import BACKEND_FILTERS, TESTED
from sluice.core.metrics import Series

RECORDED = Path(__file__).parent / "recorded"
SCRAPES = ((1000.0, "before"), (1002.0, "after"), (1004.0, "after"))
"""Nothing happened after the last one: a proxy that is scraped again tells the same."""


def recorded() -> list[Series]:
    """What Prometheus has of it: every series that the query for the route selects."""
    points: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = defaultdict(list)
    [(label, pattern)] = re.findall(r'^(\w+)=~"(.*)"$', ENVOY_GATEWAY.matcher([("recorded", "flight-delay")]))
    for time, scrape in SCRAPES:
        lines = (RECORDED / f"envoy-gateway-1.9.1-{scrape}.txt").read_text(encoding="utf-8").splitlines()
        # without types, as the parser adds _total to the name of a counter that has another one
        untyped = "\n".join(line for line in lines if not line.startswith("#")) + "\n"
        for family in text_string_to_metric_families(untyped):
            for sample in family.samples:
                if re.fullmatch(ENVOY_GATEWAY.selector, sample.name) and re.fullmatch(pattern, sample.labels[label]):
                    labels = {"__name__": sample.name, **sample.labels}
                    points[tuple(sorted(labels.items()))].append((time, sample.value))
    scraped = {"pod": "envoy", "namespace": "gateway", "job": "pods", "instance": "10.244.0.5:19001"}
    return [Series(scraped | dict(labels), tuple(told)) for labels, told in points.items()]


def test_good_failed_and_abandoned_requests_are_those_that_were_sent() -> None:
    addresses = Addresses()
    addresses.learn("10.244.0.27", "p", 0.0)
    outcomes = Outcomes(ENVOY_GATEWAY, addresses, known_since=0.0)
    told = failed_requests(OUTCOMES, outcomes.absorb(recorded()))
    assert [(e.time, e.requests, float(e.losses[0])) for e in told] == [
        (1000.0, 0, 0),
        (1002.0, 17 + 3 + 23, 23),
        (1004.0, 6, 6),
    ]
    assert told[0].uncounted == 23


def test_every_series_names_an_endpoint() -> None:
    assert len(recorded()) == 4 * 2
    assert {ENVOY_GATEWAY.host(series.labels) for series in recorded()} == {"10.244.0.27"}


def test_what_counts_per_pod_was_tried_with_the_rest() -> None:
    assert {controller for controller in COUNTS if BACKEND_FILTERS in TESTED[controller]} == set(COUNTS)
