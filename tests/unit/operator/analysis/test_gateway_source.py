"""A check on the gateway's own counts, read through the poller: what a server that hangs can never tell."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from sluice.api.analysis import CountedBy
from sluice.api.status import Verdict
from sluice.api.v1alpha1 import Check, OnFail, ParentRef, RateCheck, VersusStable
from sluice.core import gateways
from sluice.core.analysis.questions import Subject
from sluice.core.gateway_counts import ENVOY_GATEWAY
from sluice.core.metrics import Series
from sluice.core.snapshot import GatewayFacts
from sluice.ports import QueryError

ADDRESSES = {"candidate": "10.0.0.1", "stable": "10.0.0.2"}
REACHED = Check(name="reached", type="Rate", rate=RateCheck(max=Decimal("0.05"), source=CountedBy.GATEWAY))
VERSUS = Check(name="reached", type="Rate", rate=RateCheck(versus_stable=VersusStable(), source=CountedBy.GATEWAY))
REPORTED = REACHED.model_copy(update={"on_fail": OnFail.REPORT})


@dataclass
class Gateway:
    """Writes what two proxies expose into the world's store, and what the pods' servers do."""

    world: Any
    counts: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def subject(self, *checks: Check, **changes: Any) -> Subject:
        subject: Subject = self.world.subject(*checks, gateway=ENVOY_GATEWAY, **changes)
        return subject

    def scrape(self, at: float, arm: str, good: int, hung: int = 0, proxies: tuple[str, ...] = ("e1", "e2")) -> None:
        """Each proxy sent so many more; those that hung were given up by the client at once."""
        for k, proxy in enumerate(proxies):
            sent, succeeded = self.counts.setdefault((proxy, arm), [0, 0])
            self.counts[proxy, arm] = [sent + good + hung, succeeded + good]
            for name, value in zip(
                ("total", "success", "error", "active"), (*self.counts[proxy, arm], 0, 0), strict=True
            ):
                self.world.store.put(
                    f"envoy_cluster_endpoint_rq_{name}",
                    at + 0.3 * k,
                    value,
                    pod=proxy,
                    namespace="gateway",
                    envoy_cluster_name="httproute/prod/flights/rule/0/backend/1",
                    envoy_endpoint_address=f"{ADDRESSES[arm]}:8080",
                )

    def servers(self, at: float) -> None:
        """Both servers are scraped and have answered nothing."""
        self.world.store.put("up", at, 1)
        self.world.store.put("up", at, 1, pod=self.world.stable_pod)

    def observe(self) -> Any:
        w = self.world
        addresses = {w.pod: ADDRESSES["candidate"], w.stable_pod: ADDRESSES["stable"]}
        w.stable_pods = {w.stable_pod: w.start - timedelta(days=1)}
        return w.poller.observation("flights", w.pods, w.stage_since, w.stable_pods, addresses)

    def track(self, *checks: Check, **changes: Any) -> None:
        """As a reconcile does: watched, and the pods' addresses told."""
        self.world.poller.track("flights", self.subject(*checks, **changes))
        self.observe()


@pytest.fixture
def gateway(world: Any) -> Gateway:
    return Gateway(world)


async def test_a_candidate_that_hangs_fails_though_its_server_has_counted_nothing(gateway: Gateway) -> None:
    gateway.track(REACHED, gateway.world.errors)
    for second in range(2, 40, 2):
        gateway.servers(second)
        gateway.scrape(second, "candidate", good=5, hung=5)
        gateway.scrape(second, "stable", good=50)
    await gateway.world.run(12)
    reached, errors = gateway.observe().checks
    assert reached.verdict == "Fail"
    assert errors.verdict == "Undecided"
    assert gateway.world.hurried


async def test_one_that_answers_is_certified_and_both_proxies_count(gateway: Gateway) -> None:
    gateway.track(REACHED)
    for second in range(2, 40, 2):
        gateway.servers(second)
        gateway.scrape(second, "candidate", good=50)
    await gateway.world.run(39)
    [reached] = gateway.observe().checks
    assert reached.verdict == "Certified"
    # the first scrape of each is its baseline
    assert reached.message == "0 of 1800 requests failed (0.00%), at most 5% allowed"


async def test_it_is_compared_with_stable_at_the_same_gateway(gateway: Gateway) -> None:
    gateway.track(VERSUS)
    for second in range(2, 60, 2):
        gateway.servers(second)
        gateway.scrape(second, "candidate", good=20, hung=20)
        gateway.scrape(second, "stable", good=300, hung=1)
    await gateway.world.run(30)
    [reached] = gateway.observe().checks
    assert reached.verdict == "Fail"
    assert ", stable " in reached.message
    assert any(
        "envoy_cluster_endpoint_rq_success" in promql and ":120s]" in promql for promql, _ in gateway.world.store.asked
    )


async def test_a_bad_hour_of_both_is_no_evidence(gateway: Gateway) -> None:
    gateway.track(VERSUS)
    for second in range(2, 120, 2):
        gateway.servers(second)
        gateway.scrape(second, "candidate", good=20, hung=20)
        gateway.scrape(second, "stable", good=150, hung=150)
    await gateway.world.run(119)
    assert [c.verdict for c in gateway.observe().checks] == ["Certified"]


async def test_without_the_gateways_counts_no_pod_is_seen_and_it_is_said_what_to_do(gateway: Gateway) -> None:
    """So the candidate gets no weight: its failures would be seen by nobody."""
    gateway.track(REACHED)
    for second in range(2, 12, 2):
        gateway.servers(second)
    await gateway.world.run(11)
    seen = gateway.observe()
    assert (seen.seen, seen.newest) == (frozenset(), {})
    assert "enablePerEndpointStats" in seen.problem
    assert [(c.verdict, "enablePerEndpointStats" in c.message) for c in seen.checks] == [("NoData", True)]
    for second in (12, 14):
        gateway.servers(second)
        gateway.scrape(second, "stable", good=50)
    await gateway.world.run(15)
    seen = gateway.observe()
    assert (seen.seen, seen.problem) == ({gateway.world.pod}, "")
    assert [c.verdict for c in seen.checks] == ["Undecided"]


async def test_a_gateway_that_falls_silent_is_blindness_from_its_last_word_on(gateway: Gateway) -> None:
    gateway.track(REACHED)
    for second in range(2, 40, 2):
        gateway.servers(second)
        if second <= 20:
            gateway.scrape(second, "candidate", good=2)
    await gateway.world.run(39)
    seen = gateway.observe()
    assert seen.newest[gateway.world.pod] == gateway.world.start + timedelta(seconds=20.3)
    assert seen.seen == frozenset()
    assert [c.verdict for c in seen.checks] == ["NoData"]
    assert seen.checks[0].message == "the gateway's newest counts of route prod/flights are 19s old"


async def test_a_check_that_only_reports_keeps_no_candidate_from_its_weight(gateway: Gateway) -> None:
    gateway.track(REPORTED)
    for second in range(2, 12, 2):
        gateway.servers(second)
    await gateway.world.run(11)
    assert gateway.observe().seen == {gateway.world.pod}


async def test_a_gateway_that_cannot_be_read_is_a_wrong_question(gateway: Gateway) -> None:
    gateway.track(REACHED)
    gateway.world.poller.track(
        "flights", replace(gateway.subject(REACHED), gateway="Gateway gateway/public counts not")
    )
    await gateway.world.run(3)
    [reached] = gateway.observe().checks
    assert (reached.verdict, reached.message) == (Verdict.QUERY_ERROR, "Gateway gateway/public counts not")
    assert not any("envoy" in promql for promql, _ in gateway.world.store.asked)


async def test_a_gateway_that_counts_for_services_is_a_wrong_question(gateway: Gateway) -> None:
    gateway.world.poller.track("flights", gateway.subject(REACHED))
    elsewhere = {gateway.world.pod: "10.9.9.9"}
    for second in range(2, 12, 2):
        gateway.servers(second)
        gateway.scrape(second, "stable", good=50)
    gateway.world.poller.observation("flights", gateway.world.pods, gateway.world.start, {}, elsewhere)
    await gateway.world.run(11)
    [reached] = gateway.world.observe().checks
    assert reached.verdict == "QueryError"
    assert "10.0.0.2:8080" in reached.message


async def test_a_pod_that_is_gone_is_known_by_its_scrapes_after_a_restart_of_the_operator(gateway: Gateway) -> None:
    """Prometheus' own label `instance` has its address."""
    gateway.track(REACHED)
    for second in range(2, 20, 2):
        gateway.world.store.put("up", second, 1, instance=f"{ADDRESSES['candidate']}:8080")
        gateway.scrape(second, "candidate", good=5, hung=3)
    await gateway.world.run(19)
    before = gateway.observe().checks
    again = gateway.world.new_poller()
    again.track("flights", gateway.subject(REACHED))
    await again.poll_once()
    assert again.observation("flights", {}, gateway.world.start).checks[0].message == before[0].message


async def test_a_store_that_refuses_the_query_says_so(gateway: Gateway) -> None:
    gateway.world.store.error = lambda promql: QueryError("too many series") if "envoy" in promql else None
    gateway.track(REACHED)
    gateway.servers(1)
    gateway.servers(3)
    await gateway.world.run(4)
    [reached] = gateway.observe().checks
    assert (reached.verdict, reached.message) == (Verdict.QUERY_ERROR, "too many series")


async def test_a_gateway_that_is_scraped_seldom_makes_nobody_blind(gateway: Gateway) -> None:
    """blindDeadline Auto is three scrapes of whoever is scraped least often."""
    gateway.track(REACHED)
    for second in range(1, 121):
        gateway.servers(second)
        if second % 30 == 0:
            gateway.scrape(second, "candidate", good=50)
    await gateway.world.run(119)
    seen = gateway.observe()
    assert seen.scrape_interval == timedelta(seconds=30)
    assert [c.verdict for c in seen.checks] != ["NoData"]
    assert seen.seen == {gateway.world.pod}


async def test_the_noise_is_measured_on_what_the_gateway_told_of_stable_before(gateway: Gateway) -> None:
    """5% of stable's requests failed in the hour before; the candidate's own past does not count."""

    def told(promql: str, at: float) -> tuple[Series, ...]:
        times = [at - 3600 + 120 * k for k in range(31)]
        shares = {"stable": (0.95, 0.05), "candidate": (0.0, 1.0)}
        return tuple(
            Series(
                {
                    "__name__": f"envoy_cluster_endpoint_rq_{name}",
                    **{"pod": "e1", "envoy_endpoint_address": f"{ADDRESSES[arm]}:8080"},
                },
                tuple((t, share * 7200 * k) for k, t in enumerate(times)),
            )
            for arm, both in shares.items()
            for name, share in zip(("success", "error"), both, strict=True)
        )

    gateway.world.store.value = told
    gateway.track(VERSUS)
    for second in range(2, 30, 2):
        gateway.servers(second)
        gateway.scrape(second, "candidate", good=20)
        gateway.scrape(second, "stable", good=20)
    await gateway.world.run(29)
    comparison = gateway.world.poller._watched["flights"].judge._compared[0].comparison
    phi_of_nothing = 3.0
    assert comparison._bets.phi == 1.0 < phi_of_nothing


async def test_routes_whose_names_begin_alike_are_told_apart(gateway: Gateway) -> None:
    gateway.track(REACHED)
    gateway.world.poller.track("longer", replace(gateway.subject(REACHED), name="flights-2"))
    gateway.world.poller.track("shorter", replace(gateway.subject(REACHED), name="flight"))
    for second in (2, 4, 6):
        gateway.servers(second)
        gateway.scrape(second, "candidate", good=10)
    await gateway.world.run(7)
    verdicts = {key: gateway.world.observe(key).checks[0].verdict.value for key in ("flights", "longer", "shorter")}
    assert verdicts == {"flights": "Undecided", "longer": "NoData", "shorter": "NoData"}


async def test_one_question_serves_all_routes_and_none_gets_anothers_counts(gateway: Gateway) -> None:
    gateway.track(REACHED)
    gateway.world.poller.track("other", replace(gateway.subject(REACHED), name="other"))
    for second in (2, 4, 6):
        gateway.servers(second)
        gateway.scrape(second, "candidate", good=10)
    await gateway.world.run(7)
    assert gateway.observe().checks[0].message.startswith("0 of 40 requests")
    assert gateway.world.observe("other").checks[0].verdict == "NoData"
    asked = [promql for promql, _ in gateway.world.store.asked if "envoy" in promql]
    assert "(httproute/prod/flights/rule/|httproute/prod/other/rule/).*" in asked[-1]
    assert len(asked) == 7


def facts(controller: str | None, name: str = "public") -> GatewayFacts:
    return GatewayFacts(ref=ParentRef(name=name), namespace="gateway", controller=controller)


ENVOY = "gateway.envoyproxy.io/gatewayclass-controller"


def test_what_gateways_count() -> None:
    assert gateways.counts((facts(ENVOY), facts(ENVOY, "other"))) is ENVOY_GATEWAY
    assert gateways.counts((facts(ENVOY), facts(None, "late"))) is ENVOY_GATEWAY
    words = gateways.counts((facts(ENVOY), facts("example.com/gateway", "own")))
    assert isinstance(words, str)
    assert words.startswith("Gateway gateway/own is run by example.com/gateway, whose own counts Sluice cannot read")
    assert gateways.counts((facts(None),)) == "the route's Gateways do not exist"


async def test_counters_that_are_no_numbers_blind_the_candidate_and_say_so(world: Any) -> None:
    """`up` is 1 all the while: without this rule it would keep its weight for ever, with no request counted."""
    world.poller.track("flights", world.subject())
    for second in range(2, 30, 2):
        if second <= 10:
            world.store.scrape(second, ok=10 * second)
        else:
            world.store.put("up", second, 1)
            world.store.put("http_requests_total", second, float("nan"), code="200")
    await world.run(29)
    seen = world.observe()
    assert seen.newest == {world.pod: world.start + timedelta(seconds=12)}
    assert seen.seen == frozenset()
    assert seen.problem == f"http_requests_total of {world.pod} is no number (NaN or infinite)"
    assert [(c.verdict, c.message) for c in seen.checks] == [("NoData", seen.problem)] * 2


async def test_a_stable_without_numbers_is_nothing_to_compare_with(world: Any) -> None:
    world.poller.track("flights", world.subject(world.versus))
    for second in range(2, 30, 2):
        world.store.scrape(second, ok=10 * second)
        world.store.put("up", second, 1, pod=world.stable_pod)
        world.store.put("http_requests_total", second, float("inf"), pod=world.stable_pod, code="200")
    await world.run(29)
    seen = world.observe()
    assert seen.stable_newest == world.start + timedelta(seconds=2)
    assert [(c.verdict, c.lacks_stable) for c in seen.checks] == [("NoData", True)]
    assert seen.seen == {world.pod}


async def test_what_a_row_excludes_is_no_request_of_a_user(world: Any) -> None:
    preset = world.preset.model_copy(update={"exclude": {"path": "/livez|/readyz"}})
    world.poller.track("flights", world.subject(world.errors, preset=preset))
    for second in (2, 4, 6):
        world.store.scrape(second, ok=10 * second, path="/predict")
        world.store.scrape(second, ok=90 * second, failed=0, path="/livez")
    await world.run(7)
    seen = world.observe()
    assert seen.checks[0].message == "0 of 60 requests failed (0.00%), at most 5% allowed"
    assert seen.requests == 60


async def test_good_and_failed_requests_may_have_a_counter_each(world: Any) -> None:
    preset = world.preset.model_copy(update={"requests": None, "successes": "good_total", "failures": "bad_total"})
    world.poller.track("flights", world.subject(world.errors, preset=preset))
    for second in (2, 4, 6):
        world.store.put("up", second, 1)
        world.store.put("good_total", second, 10 * second)
        world.store.put("bad_total", second, second)
    await world.run(7)
    seen = world.observe()
    assert seen.checks[0].message == "6 of 66 requests failed (9.09%), at most 5% allowed"
    assert seen.requests == 66
    assert any(promql.startswith('{__name__=~"good_total|bad_total",') for promql, _ in world.store.asked)


async def test_failed_may_be_what_is_missing_to_all(world: Any) -> None:
    preset = world.preset.model_copy(update={"requests": "all_total", "successes": "good_total"})
    world.poller.track("flights", world.subject(world.errors, preset=preset))
    for second in (2, 4, 6):
        world.store.put("up", second, 1)
        world.store.put("all_total", second, 10 * second)
        world.store.put("good_total", second, 9 * second)
    await world.run(7)
    seen = world.observe()
    assert seen.checks[0].message == "6 of 60 requests failed (10.00%), at most 5% allowed"
    assert seen.requests == 60


@pytest.mark.parametrize("absolute", [True, False])
async def test_a_runtime_without_a_histogram_cannot_be_asked_for_latency(world: Any, absolute: bool) -> None:
    """It is said before there is any traffic, and nothing else is asked."""
    slower = Check.model_validate({"name": "latency", "type": "Latency", "latency": {"versusStable": {}}})
    preset = world.preset.model_copy(update={"latency": None})
    world.poller.track("flights", world.subject(world.latency if absolute else slower, preset=preset))
    await world.run(2)
    [latency] = world.observe().checks
    assert latency.verdict == "QueryError"
    assert "names no latency histogram" in latency.message
    assert not any("_bucket" in promql for promql, _ in world.store.asked)
