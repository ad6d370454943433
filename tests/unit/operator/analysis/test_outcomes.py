"""What the gateway's own counts tell of each pod: what succeeded, what failed, and what nobody answered."""

import random as stdlib_random
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.analysis.addresses import Addresses
from sluice.core.analysis.counters import Delta
from sluice.core.analysis.exposure import failed_requests
from sluice.core.analysis.outcomes import OUTCOMES, STRANGERS, Outcomes, route_query
from sluice.core.gateway_counts import ENVOY_GATEWAY, host_of
from sluice.core.metrics import Series

Scrape = tuple[float, int, int, int, int]
"""(time, sent, succeeded, failed, under way)"""


def told(
    *scrapes: Scrape, address: str = "10.0.0.1", proxy: str = "envoy-1", job: str = "pods", backend: int = 1
) -> list[Series]:
    """The four series of one endpoint."""
    labels = {
        "pod": proxy,
        "namespace": "gateway",
        "job": job,
        "instance": f"{proxy}:19001",
        "envoy_cluster_name": f"httproute/prod/flights/rule/0/backend/{backend}",
        "envoy_endpoint_address": f"{address}:8080",
    }
    names = ("rq_total", "rq_success", "rq_error", "rq_active")
    return [
        Series({"__name__": f"envoy_cluster_endpoint_{name}", **labels}, tuple((s[0], float(s[k])) for s in scrapes))
        for k, name in enumerate(names, start=1)
    ]


def outcomes(**pods: str) -> Outcomes:
    """Of a rollout whose pods have these addresses: those named here, by default one at 10.0.0.1."""
    addresses = Addresses()
    for pod, address in (pods or {"p": "10.0.0.1"}).items():
        addresses.learn(address, pod, 0.0)
    return Outcomes(ENVOY_GATEWAY, addresses, known_since=0.0)


def summed(deltas: list[Delta]) -> dict[str, tuple[float, float]]:
    """(requests, failed) by pod."""
    found: dict[str, list[Delta]] = defaultdict(list)
    for delta in deltas:
        found[delta.labels["pod"]].append(delta)
    return {
        pod: (sum(e.requests for e in made), sum(float(e.losses[0]) for e in made))
        for pod, own in found.items()
        for made in [failed_requests(OUTCOMES, own)]
    }


def test_successes_and_failures_are_counted_from_the_first_scrape_on() -> None:
    assert summed(outcomes().absorb(told((1, 50, 45, 5, 0), (3, 150, 135, 15, 0)))) == {"p": (100, 10)}


def test_a_request_that_has_no_end_yet_is_neither() -> None:
    assert summed(outcomes().absorb(told((1, 0, 0, 0, 0), (3, 20, 12, 0, 8), (5, 20, 12, 0, 8)))) == {"p": (12, 0)}


def test_what_was_sent_and_is_neither_answered_nor_under_way_is_lost() -> None:
    """Clients gave up 8 requests: no counter has them. They are missing at 3 s, and at 5 s still."""
    once = outcomes()
    assert summed(once.absorb(told((1, 0, 0, 0, 0), (3, 20, 12, 0, 0)))) == {"p": (12, 0)}
    assert summed(once.absorb(told((3, 20, 12, 0, 0), (5, 20, 12, 0, 0)))) == {"p": (8, 8)}
    assert summed(once.absorb(told((5, 20, 12, 0, 0), (7, 20, 12, 0, 0)))) == {"p": (0, 0)}


def test_the_worked_example() -> None:
    start = (1, 0, 0, 0, 0), (3, 100, 90, 4, 3)
    assert summed(outcomes().absorb(told(*start, (5, 110, 99, 4, 4)))) == {"p": (99 + 4 + 3, 4 + 3)}
    assert summed(outcomes().absorb(told(*start, (5, 111, 101, 4, 4)))) == {"p": (101 + 4 + 2, 4 + 2)}


def test_a_request_that_ends_while_the_proxy_reads_its_counters_is_not_lost() -> None:
    """At 3 s it is no longer under way and not yet a success."""
    counted = outcomes().absorb(told((1, 0, 0, 0, 0), (3, 10, 9, 0, 0), (5, 20, 20, 0, 0), (7, 30, 30, 0, 0)))
    assert summed(counted) == {"p": (30, 0)}


def test_a_connection_that_cannot_be_made_is_no_answer_of_the_model() -> None:
    """The pod has died: 2 requests broke off, 7 and 2 more were never sent to anybody."""
    assert summed(outcomes().absorb(told((1, 0, 0, 0, 0), (3, 9, 5, 0, 4), (5, 11, 9, 9, 0), (7, 11, 9, 11, 0)))) == {
        "p": (11, 2)
    }


def test_what_fails_is_known_in_the_scrape_that_tells_it() -> None:
    assert summed(outcomes().absorb(told((1, 0, 0, 0, 0), (3, 9, 4, 5, 0)))) == {"p": (9, 5)}


def test_answers_that_are_still_streaming_hide_nothing_that_failed() -> None:
    """A success is counted at its headers; until the last byte the request is under way."""
    assert summed(outcomes().absorb(told((1, 0, 0, 0, 0), (3, 10, 8, 2, 6), (5, 10, 8, 2, 0)))) == {"p": (10, 2)}


def test_what_was_under_way_before_the_first_scrape_may_still_succeed() -> None:
    assert summed(outcomes().absorb(told((1, 500, 490, 2, 8), (3, 510, 508, 2, 0)))) == {"p": (18, 0)}


def test_all_proxies_count_and_one_that_is_scraped_twice_counts_once() -> None:
    first, second = (told((1, 0, 0, 0, 0), (3, 10, 9, 1, 0), proxy=proxy) for proxy in ("envoy-1", "envoy-2"))
    again = told((2, 0, 0, 0, 0), (4, 10, 9, 1, 0), proxy="envoy-1", job="other")
    assert summed(outcomes().absorb([*first, *second, *again])) == {"p": (20, 2)}


def test_proxies_without_a_name_are_told_apart_by_their_address() -> None:
    nameless = [
        Series({k: v for k, v in s.labels.items() if k != "pod"}, s.points)
        for proxy in ("envoy-1", "envoy-2")
        for s in told((1, 0, 0, 0, 0), (3, 10, 9, 1, 0), proxy=proxy)
    ]
    assert summed(outcomes().absorb(nameless)) == {"p": (20, 2)}


def test_a_pod_behind_both_backends_of_the_route_counts_both() -> None:
    answer = [series for slot in (0, 1) for series in told((1, 0, 0, 0, 0), (3, 10, 9, 1, 0), backend=slot)]
    assert summed(outcomes().absorb(answer)) == {"p": (20, 2)}


def test_each_pod_has_its_own() -> None:
    both = outcomes(p="10.0.0.1", q="10.0.0.2")
    answer = [*told((1, 0, 0, 0, 0), (3, 9, 9, 0, 0)), *told((1, 0, 0, 0, 0), (3, 9, 1, 8, 0), address="10.0.0.2")]
    assert summed(both.absorb(answer)) == {"p": (9, 0), "q": (9, 8)}


def test_an_endpoint_that_appears_at_a_proxy_seen_before_counts_from_zero() -> None:
    both = outcomes(p="10.0.0.1", q="10.0.0.2")
    both.absorb(told((1, 700, 700, 0, 0)))
    assert summed(both.absorb(told((3, 20, 5, 15, 0), address="10.0.0.2"))) == {"q": (20, 15)}


def test_a_proxy_that_starts_again_loses_nothing_of_the_model() -> None:
    """Its 40 open requests broke off because it ended."""
    assert summed(outcomes().absorb(told((1, 900, 900, 0, 0), (3, 960, 920, 0, 40), (5, 6, 6, 0, 0)))) == {"p": (26, 0)}


def test_an_address_that_is_given_out_again_belongs_to_who_has_it_now() -> None:
    addresses = Addresses()
    addresses.learn("10.0.0.1", "old", 0.0)
    addresses.learn("10.0.0.1", "new", 100.0)
    addresses.learn("", "nowhere", 0.0)
    assert [addresses.pod("10.0.0.1", time) for time in (50.0, 99.0, 100.0, 900.0)] == ["old", "old", "new", "new"]
    assert addresses.pod("10.0.0.9", 1.0) is None
    assert addresses.pod("", 1.0) is None


def test_a_pod_known_late_had_its_address_before() -> None:
    addresses = Addresses()
    addresses.learn("10.0.0.1", "p", 100.0)
    addresses.learn("10.0.0.1", "p", 80.0)
    assert addresses.pod("10.0.0.1", 10.0) == "p"


def test_counts_for_something_that_is_no_pod_are_said() -> None:
    services = outcomes(p="10.0.0.1")
    services.absorb(told((1, 0, 0, 0, 0), (3, STRANGERS - 1, 0, 0, 0), address="10.96.0.7"))
    assert services.strangers == ""
    services.absorb(told((5, STRANGERS, 0, 0, 0), address="10.96.0.7"))
    assert services.strangers == "10.96.0.7:8080"
    services.absorb(told((5, 1, 1, 0, 0), (7, 2, 2, 0, 0)))
    assert services.strangers == ""


def test_a_gateway_is_seen_after_two_scrapes_and_for_three() -> None:
    seen = outcomes()
    assert (seen.newest(), seen.seen(1.0)) == (None, False)
    seen.absorb(told((1, 0, 0, 0, 0)))
    assert not seen.seen(1.0)
    seen.absorb(told((3, 0, 0, 0, 0)))
    assert (seen.newest(), seen.seen(4.0), seen.seen(9.0)) == (3.0, True, False)
    assert seen.silence("prod/flights", 9.0) == "the gateway's newest counts of route prod/flights are 6s old"
    assert "enablePerEndpointStats" in outcomes().silence("prod/flights", 9.0)


def test_counts_that_are_no_numbers_are_no_sight() -> None:
    blind = outcomes()
    blind.absorb([Series(s.labels, tuple((t, float("nan")) for t, _ in s.points)) for s in told((1, 0, 0, 0, 0))])
    assert blind.newest() is None


def test_the_past_is_that_of_the_pods_that_are_wanted() -> None:
    both = outcomes(stable="10.0.0.1", candidate="10.0.0.2")
    answer = [*told((1, 0, 0, 0, 0)), *told((1, 0, 0, 0, 0), address="10.0.0.2")]
    kept = both.past(answer[1:3], lambda pod: pod == "stable")
    assert [(s.labels["pod"], s.labels["outcome"]) for s in kept] == [("stable", "good"), ("stable", "failed")]
    assert both.past(answer[4:], lambda pod: pod == "stable") == []


def test_the_query_for_the_past_asks_for_outcomes_of_this_route_alone() -> None:
    assert route_query(ENVOY_GATEWAY, "prod", "flights") == (
        '{__name__=~"envoy_cluster_endpoint_rq_success|envoy_cluster_endpoint_rq_error",'
        'envoy_cluster_name=~"(httproute/prod/flights/rule/).*"}[3720s:120s]'
    )


@pytest.mark.parametrize(
    ("address", "host"),
    [("10.0.0.1:8080", "10.0.0.1"), ("[fd00::7]:80", "fd00::7"), ("10.0.0.1", "10.0.0.1"), ("", "")],
)
def test_the_host_of_an_address(address: str, host: str) -> None:
    assert host_of(address) == host


@given(st.integers(0, 2**32), st.lists(st.integers(1, 12), max_size=6))
def test_nothing_is_counted_twice_and_the_cut_of_the_answers_changes_nothing(seed: int, cuts: list[int]) -> None:
    """Requests start, succeed, fail, are given up or go on; a proxy's reading may be torn by one request,
    but not twice in a row."""
    random = stdlib_random.Random(seed)
    sent = good = bad = gone = torn = 0
    scrapes: list[Scrape] = [(0.0, 0, 0, 0, 0)]
    for second in range(2, 26, 2):
        sent += random.randrange(20)
        for _ in range(sent - good - bad - gone):
            fate = random.random()
            good, bad, gone = good + (fate < 0.6), bad + (0.6 <= fate < 0.7), gone + (0.7 <= fate < 0.75)
        torn = not torn and random.random() < 0.3 and good > scrapes[-1][2]
        scrapes.append((second, sent, good - torn, bad, sent - good - bad - gone))
    scrapes += [(26.0, sent, good, bad, sent - good - bad - gone), (28.0, sent, good, bad, sent - good - bad - gone)]
    at_once = outcomes().absorb(told(*scrapes))
    requests, failed = summed(at_once)["p"]
    assert (requests, failed) == (good + bad + gone, bad + gone)
    in_pieces, kept, before = outcomes(), [], 0
    for cut in (*sorted(set(cuts)), len(scrapes)):
        kept += in_pieces.absorb(told(*scrapes[max(before - 2, 0) : cut])) if cut > before else []
        before = max(before, cut)
    assert kept == at_once
