"""What a rollout's evidence says, and that it is a function of the samples alone; read through the poller."""

import random as stdlib_random
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.api.status import Verdict
from sluice.api.v1alpha1 import Check, LatencyCheck, OnFail, RateCheck
from sluice.core.analysis.judge import Judge, settle
from sluice.core.metrics import Series
from sluice.ports import ProviderError, QueryError


async def test_before_the_first_answer_nothing_is_known_and_no_weight_may_rise(world: Any) -> None:
    world.poller.track("flights", world.subject())
    assert not world.observe().caught_up
    assert world.verdicts() == ["NoData", "NoData"]


async def test_a_pod_is_seen_after_two_scrapes_and_zero_requests_are_not_missing_data(world: Any) -> None:
    world.poller.track("flights", world.subject())
    world.store.put("up", 1, 1)
    await world.run(2)
    assert not world.observe().seen
    world.store.put("up", 3, 1)
    await world.run(4)
    seen = world.observe()
    assert seen.caught_up
    assert seen.seen == {world.pod}
    assert seen.newest == {world.pod: world.start + timedelta(seconds=3)}
    assert seen.scrape_interval == timedelta(seconds=2)
    assert [c.verdict for c in seen.checks] == [Verdict.UNDECIDED, Verdict.UNDECIDED]
    assert seen.requests == 0


async def test_failures_are_counted_and_said_in_words(world: Any) -> None:
    world.poller.track("flights", world.subject())
    for second in (2, 4, 6):
        world.store.scrape(second, ok=100 * second, failed=second / 2)
    await world.run(7)
    errors = world.observe().checks[0]
    assert errors.verdict is Verdict.CERTIFIED
    assert errors.message == "3 of 603 requests failed (0.50%), at most 5% allowed"
    assert errors.evidence.endswith(" of 150")
    assert re.fullmatch(r"10\^[0-9]+ of 20", errors.certificate)


async def test_few_requests_show_nothing_yet(world: Any) -> None:
    world.poller.track("flights", world.subject())
    world.store.scrape(2, ok=20)
    world.store.scrape(4, ok=40)
    await world.run(5)
    assert world.verdicts() == ["Undecided", "Undecided"]
    world.store.scrape(6, ok=150)
    await world.run(7)
    assert world.verdicts() == ["Certified", "Undecided"]
    assert all(check.required for check in world.observe().checks)


async def test_a_cold_pod_says_nothing_about_latency(world: Any) -> None:
    """200 requests and 30 s after its first request it does, however slow it was before."""
    world.poller.track("flights", world.subject(world.latency))
    for second in range(2, 62, 2):
        world.store.scrape(second, ok=20 * second, slow=min(20 * second, 600))
    await world.run(33)
    [latency] = world.observe().checks
    assert latency.verdict == "Undecided"
    assert latency.message == "no request of a warm pod yet: each is left out for its first 200 requests and 30s"
    await world.run(35)
    assert world.observe().checks[0].message == "0 of 40 requests were slower than 250ms (0.00%), at most 5% allowed"
    await world.run(50)
    assert world.verdicts() == ["Certified"]


async def test_what_is_not_required_or_only_reported_waits_for_no_certificate(world: Any) -> None:
    optional = world.errors.model_copy(update={"required": False})
    reported = world.latency.model_copy(update={"on_fail": OnFail.REPORT})
    world.poller.track("flights", world.subject(optional, reported))
    assert [check.required for check in world.observe().checks] == [False, False]
    assert [check.certificate for check in world.observe().checks] == ["", ""]


async def test_half_of_the_answers_failing_fails_at_the_first_scrape_that_shows_it(world: Any) -> None:
    """The first 5xx series is born with 20 errors in it; without the rule for births they would be a baseline."""
    world.poller.track("flights", world.subject())
    world.store.scrape(2, ok=0)
    world.store.scrape(4, ok=20)
    world.store.scrape(6, ok=40, failed=20)
    await world.run(5)
    assert world.verdicts()[0] == "Undecided"
    await world.run(7)
    assert world.verdicts()[0] == "Fail"
    assert world.observe().checks[0].message == "20 of 60 requests failed (33.33%), at most 5% allowed"


async def test_slow_answers_fail_the_latency_check_alone(world: Any) -> None:
    world.poller.track("flights", world.subject())
    for second in range(2, 40, 2):
        world.store.scrape(second, ok=20 * second, slow=10 * second)
    await world.run(39)
    assert world.verdicts() == ["Certified", "Fail"]
    assert world.observe().checks[1].message == (
        "60 of 120 requests were slower than 250ms (50.00%), at most 5% allowed"
    )


async def test_the_limit_is_shared_by_the_counted_checks_only(world: Any) -> None:
    world.poller.track("one", world.subject(world.errors, world.clicks))
    world.poller.track("two", world.subject(world.errors, world.latency, world.clicks))
    assert world.observe("one").checks[0].evidence == "1 of 100"
    assert [check.evidence for check in world.observe("two").checks[:2]] == ["1 of 150", "1 of 300"]


async def test_a_smaller_chance_of_a_false_rollback_asks_for_more_evidence(world: Any) -> None:
    world.poller.track("flights", world.subject(world.errors, alpha=0.001))
    assert world.observe().checks[0].evidence == "1 of 1000"


async def test_a_fail_stays_also_when_better_data_or_none_follows(world: Any) -> None:
    world.poller.track("flights", world.subject(world.errors))
    world.store.scrape(2, ok=20, failed=20)
    for second in range(4, 60, 2):
        world.store.scrape(second, ok=1000 * second, failed=20)
    await world.run(120)
    assert world.verdicts() == ["Fail"]


async def test_silence_is_no_data_after_three_scrape_intervals_and_ends_with_the_next_scrape(world: Any) -> None:
    world.poller.track("flights", world.subject(world.errors))
    for second in (2, 4, 6):
        world.store.scrape(second, ok=10)
    await world.run(12)
    assert world.verdicts() == ["Undecided"]
    await world.run(13)
    assert world.verdicts() == ["NoData"]
    assert world.observe().checks[0].message == "the newest successful scrape of flights-8b21de07 is 7s old"
    world.store.scrape(14, ok=10)
    await world.run(15)
    assert world.verdicts() == ["Undecided"]


async def test_an_outage_keeps_the_evidence_and_says_the_stores_words_once_data_is_stale(world: Any) -> None:
    world.poller.track("flights", world.subject(world.errors))
    for second in (2, 4, 6):
        world.store.scrape(second, ok=100, failed=1)
    await world.run(7)
    before = world.observe().checks[0]
    world.store.error = lambda promql: ProviderError("connection refused")
    await world.run(8)
    assert world.observe().problem == "connection refused"
    assert world.observe().checks[0] == before
    await world.run(13)
    after = world.observe().checks[0]
    assert (after.verdict, after.message) == (Verdict.PROVIDER_ERROR, "connection refused")
    assert after.evidence == before.evidence


async def test_after_an_outage_what_happened_meanwhile_is_counted(world: Any) -> None:
    world.poller.track("flights", world.subject(world.errors))
    for second in range(2, 400, 2):
        world.store.scrape(second, ok=10 * second)
    await world.run(20)
    world.store.error = lambda promql: ProviderError("connection refused")
    await world.run(380)
    world.store.error = lambda promql: None
    await world.run(382)
    assert world.observe().requests == 3820
    assert world.observe().problem == ""


async def test_one_metric_refused_makes_its_check_a_query_error_and_leaves_the_others(world: Any) -> None:
    world.store.error = lambda promql: QueryError("too many samples") if "_bucket" in promql else None
    world.poller.track("flights", world.subject())
    for second in range(2, 80, 2):
        world.store.scrape(second, ok=100)
    await world.run(70)
    assert world.verdicts() == ["Certified", "QueryError"]
    assert world.observe().checks[1].message == "too many samples"
    assert not world.observe().caught_up


async def test_a_pod_is_only_seen_as_far_as_all_its_metrics_were_read(world: Any) -> None:
    """A store that answers for `up` alone leaves the operator as blind as one that answers nothing."""
    world.poller.track("flights", world.subject(world.errors))
    for second in range(2, 40, 2):
        world.store.scrape(second, ok=second)
    await world.run(10)
    assert world.observe().newest == {world.pod: world.start + timedelta(seconds=10)}
    world.store.error = lambda promql: ProviderError("busy") if promql.startswith("http_requests") else None
    await world.run(30)
    assert world.observe().newest == {world.pod: world.start + timedelta(seconds=10)}
    assert world.verdicts() == ["ProviderError"]


def test_an_objective_that_is_no_bucket_is_known_before_any_data(world: Any) -> None:
    check = Check(name="latency", type="Latency", latency=LatencyCheck(slo=timedelta(milliseconds=300)))
    judge = Judge(world.subject(check), joined=0)
    (result,) = judge.observe(world.start, {}, world.start).checks
    assert result.verdict is Verdict.QUERY_ERROR
    assert result.message == (
        'http_request_duration_seconds has no bucket le="0.3"; the nearest are 0.25s and 0.35s: set latency.slo to one'
    )


async def test_a_histogram_without_the_bucket_that_the_runtime_table_promises_is_a_query_error(world: Any) -> None:
    world.poller.track("flights", world.subject(world.latency))
    for second in (2, 4):
        world.store.put("up", second, 1)
        world.store.put("http_request_duration_seconds_bucket", second, 5, le="+Inf")
    await world.run(5)
    assert world.verdicts() == ["QueryError"]
    assert "correct its metrics.bounds" in world.observe().checks[0].message


async def test_requests_without_a_histogram_are_a_query_error_of_the_latency_check(world: Any) -> None:
    """A misspelt histogram must not pass as `nobody was slow`."""
    world.poller.track("flights", world.subject())
    for second in range(2, 40, 2):
        world.store.put("up", second, 1)
        world.store.put("http_requests_total", second, 10 * second, code="200")
    await world.run(10)
    assert world.verdicts() == ["Certified", "Undecided"]
    await world.run(30)
    assert world.verdicts() == ["Certified", "QueryError"]
    assert "correct the runtime's metrics.latency" in world.observe().checks[1].message


@pytest.mark.parametrize("spelling", ["0.25", "0.250", "0.2500"])
async def test_a_bound_is_compared_as_a_number(world: Any, spelling: str) -> None:
    world.poller.track("flights", world.subject(world.latency))
    for second in (2, 4, 36, 40):
        world.store.put("up", second, 1)
    for second, quick, every in ((4, 201, 201), (36, 201, 201), (40, 202, 221)):
        world.store.put("http_request_duration_seconds_bucket", second, quick, le=spelling)
        world.store.put("http_request_duration_seconds_bucket", second, every, le="+Inf")
    await world.run(41)
    assert world.observe().checks[0].message.startswith("19 of 20 requests were slower")


async def test_a_counter_without_codes_is_a_fault_of_the_question(world: Any) -> None:
    """Every answer would count as a good one, and a candidate that only fails would be certified."""
    world.poller.track("flights", world.subject(world.errors))
    for second in (2, 4, 6):
        world.store.put("up", second, 1)
        world.store.put("http_requests_total", second, 100 * second)
    await world.run(7)
    [errors] = world.observe().checks
    assert errors.verdict == "QueryError"
    assert errors.message == (
        "http_requests_total has no label code, so no failure could be seen: correct the runtime's metrics.requests or "
        "metrics.codeLabel"
    )


async def test_requests_of_the_stage_are_those_that_scrapes_after_its_start_told_of(world: Any) -> None:
    world.poller.track("flights", world.subject(world.errors))
    for second in (2, 4, 6, 8):
        world.store.scrape(second, ok=10 * second)
    await world.run(9)
    assert world.observe().requests == 80
    world.stage_since = world.start + timedelta(seconds=4)
    assert world.observe().requests == 40


async def test_a_pod_older_than_the_rollout_is_not_judged_by_its_past(world: Any) -> None:
    """After `retry` the pods may be those of the first attempt, with all its failures in their counters."""
    world.pods = {world.pod: world.start - timedelta(hours=1)}
    world.stage_since = world.start - timedelta(hours=1)
    world.store.scrape(-20, ok=4000, failed=4000)
    world.store.scrape(-10, ok=5000, failed=5000)
    for second in (2, 4):
        world.store.scrape(second, ok=5000 + second, failed=5000)
    world.poller.track("flights", world.subject(world.errors))
    world.observe()
    await world.run(5)
    assert world.observe().checks[0].message.startswith("0 of 4 requests failed")
    assert world.observe().requests == 4


async def test_a_pod_that_nobody_knows_any_more_counts_in_full_if_it_appeared_during_the_rollout(world: Any) -> None:
    """The crashed pod of a candidate is gone when a restarted operator reads the history."""
    for second in (2, 4):
        world.store.scrape(second, ok=second, failed=30, pod=world.other_pod)
        world.store.scrape(second, ok=second)
    world.poller.track("flights", world.subject(world.errors))
    await world.run(5)
    assert world.verdicts() == ["Fail"]


async def test_other_revisions_and_other_namespaces_do_not_count(world: Any) -> None:
    world.poller.track("flights", world.subject(world.errors))
    for second in (2, 4):
        world.store.scrape(second, ok=second)
        world.store.scrape(second, ok=0, failed=99, pod="flights-6f9c41d2-6d5f9c7b8d-abcde")
        world.store.scrape(second, ok=0, failed=99, namespace="test")
    await world.run(5)
    assert world.observe().checks[0].message.startswith("0 of 4 requests failed")


def rollout(world: Any, seed: int) -> None:
    """Ten minutes of three pods: births, a reset, a failed scrape, failures that come and go."""
    random = stdlib_random.Random(seed)
    pods = [world.pod, world.other_pod, "flights-8b21de07-6d5f9c7b8d-zzzzz"]
    for number, pod in enumerate(pods):
        world.pods[pod] = world.start + timedelta(seconds=number)
        ok = failed = slow = 0
        born = random.randrange(5, 60)
        for scrape in range(born, 600, random.choice((2, 2, 5))):
            at = scrape + 0.3 * number
            if random.random() < 0.02:
                world.store.put("up", at, 0, pod)
                continue
            if random.random() < 0.01:
                ok = failed = slow = 0
            ok, failed = ok + random.randrange(40), failed + (random.random() < 0.2)
            slow += random.random() < 0.3
            world.store.scrape(at, ok, failed or None, slow, pod)


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", range(5))
async def test_a_restarted_operator_comes_to_the_same_numbers(world: Any, seed: int) -> None:
    rollout(world, seed)
    world.store.value = lambda promql, at: (Series({}, ((at, 0.01 if 300 < at % 600 < 320 else 0.04),)),)
    subject = world.subject(world.errors, world.latency, world.clicks)
    world.poller.track("flights", subject)
    await world.run(400)
    restarted = world.new_poller()
    restarted.track("flights", subject)
    assert not world.observe(poller=restarted).caught_up
    await restarted.poll_once()
    assert world.observe(poller=restarted) == world.observe()
    assert world.observe().caught_up
    assert world.observe().requests > 1000


@pytest.mark.no_cover
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.floats(0, 600), max_size=30))
def test_however_the_same_samples_are_cut_into_answers_the_evidence_is_the_same(
    world: Any, seed: int, cuts: list[float]
) -> None:
    world.store.samples.clear()
    rollout(world, seed)
    end = world.start.timestamp() + 600
    at_once, in_pieces = (Judge(world.subject(), joined=end) for _ in range(2))
    for judge in (at_once, in_pieces):
        judge.know_pods(world.pods)

    def read(judge: Judge, since: float, until: float) -> None:
        for question in judge.questions():
            found = [
                Series(dict(labels), tuple(p for p in points if since - 10 < p[0] <= until))
                for labels, points in world.store.samples.items()
                if dict(labels)["__name__"] == question.metric and dict(labels).get("le", "") in ("", "0.25", "+Inf")
            ]
            judge.read(question.metric, found, until)
        settle([judge])

    read(at_once, 0, end)
    read_until = world.start.timestamp()
    for until in (*(read_until + cut for cut in sorted(cuts)), end):
        read(in_pieces, read_until, until)
        read_until = until
    now = world.start + timedelta(seconds=600)
    assert in_pieces.observe(now, world.pods, world.start) == at_once.observe(now, world.pods, world.start)


def test_rate_checks_with_different_maxima_read_the_same_counters(world: Any) -> None:
    strict = Check(name="strict", type="Rate", rate=RateCheck(max=Decimal("0.001")))
    judge = Judge(world.subject(world.errors, strict), joined=0)
    assert [q.metric for q in judge.questions()] == ["up", "http_requests_total"]
