"""A rollout of the past, judged again: the same numbers as the operator had, and the moments at which it had them."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from sluice.api.status import Verdict
from sluice.core.analysis.questions import Failure
from sluice.core.replay import Answer, Question, Replayed, replay
from sluice.ports import QueryError
from unit.operator.analysis.conftest import World


@pytest.fixture
def world() -> World:
    return World()


def scrapes(world: World, until: int, failing: float) -> None:
    """Each 2 s, 20 requests/s, after a rollout that began at 0; the pod was made for it."""
    random, bad = np.random.default_rng(7), 0
    for second in range(2, until, 2):
        bad += int(random.binomial(40, failing))
        world.store.scrape(second, ok=20 * second - bad, failed=bad)


def judged(world: World, until: float, *checks: Any, **changes: Any) -> Replayed:
    """Drives the questions with the store of the test; a refusal is sent in as such."""
    going = replay(world.subject(*checks, **changes), (world.start + timedelta(seconds=until)).timestamp())

    def answered(question: Question) -> Answer:
        at = world.start + timedelta(seconds=question.at - world.start.timestamp())
        try:
            return asyncio.run(world.store.query(question.promql, at))
        except QueryError as refusal:
            return Failure(Verdict.QUERY_ERROR, str(refusal))

    question = next(going)
    while True:
        try:
            question = going.send(answered(question))
        except StopIteration as ended:
            found: Replayed = ended.value
            return found


async def lived(world: World, until: int, *checks: Any) -> tuple[float | None, Any]:
    """What the operator's poller said meanwhile: when the first check failed, and everything at the end."""
    world.poller.track("flights", world.subject(*checks))
    failed_at = None
    for second in range(1, until + 1):
        await world.run(second)
        if failed_at is None and world.observe().checks[0].verdict is Verdict.FAIL:
            failed_at = float(second)
    return failed_at, world.observe()


@pytest.mark.parametrize("failing", [0.0, 0.04, 0.2])
def test_the_same_numbers_as_the_operator_had(failing: float) -> None:
    there, again = World(), World()
    for world in (there, again):
        scrapes(world, 60, failing)
    failed_at, seen = asyncio.run(lived(there, 60, there.errors))
    found = judged(again, 60, again.errors)
    assert found.checks[0].last.evidence == seen.checks[0].evidence
    assert found.checks[0].last.message == seen.checks[0].message
    assert found.requests == seen.requests
    assert (found.checks[0].failed_at is None) == (failed_at is None)
    if failed_at is not None:
        assert found.checks[0].failed_at == pytest.approx(failed_at, abs=1.0)


def test_the_moment_does_not_depend_on_how_history_is_cut(world: World) -> None:
    """Asked up to a minute, or up to ten, it failed at the same time."""
    scrapes(world, 700, 0.2)
    short, long = (judged(world, until, world.errors).checks[0].failed_at for until in (60, 650))
    assert short == long
    assert short is not None
    assert short < 30


def test_other_settings_decide_otherwise(world: World) -> None:
    scrapes(world, 80, 0.09)
    strict, loose = (judged(world, 80, world.errors, alpha=alpha) for alpha in (0.2, 1e-9))
    assert strict.rolled_back is not None
    assert loose.rolled_back is None
    lenient = world.errors.model_copy(update={"rate": world.errors.rate.model_copy(update={"max": Decimal("0.5")})})
    assert judged(world, 80, lenient).rolled_back is None


def test_when_all_that_is_required_was_certified(world: World) -> None:
    scrapes(world, 300, 0.0)
    found = judged(world, 300, world.errors)
    assert found.rolled_back is None
    assert found.certified_at == found.checks[0].certified_at
    assert found.certified_at is not None
    assert judged(world, found.certified_at - 2, world.errors).certified_at is None


def test_a_check_that_only_reports_rolls_nothing_back(world: World) -> None:
    scrapes(world, 60, 0.5)
    report = world.errors.model_copy(update={"on_fail": "Report"})
    found = judged(world, 60, report)
    assert found.checks[0].failed_at is not None
    assert found.rolled_back is None
    assert found.certified_at is None


def test_plain_queries_are_measured_at_their_moments_again(world: World) -> None:
    scrapes(world, 60, 0.0)
    asked: list[float] = []

    def value(promql: str, at: float) -> tuple[Any, ...]:
        from sluice.core.metrics import Series

        asked.append(at - world.start.timestamp())
        return (Series({}, ((at, 0.01),)),)

    world.store.value = value
    found = judged(world, 45, world.clicks)
    assert asked == [0.0, 10.0, 20.0, 30.0, 40.0]
    assert found.checks[0].failed_at == pytest.approx(21.3, abs=1.0)


def test_a_refused_query_is_what_the_check_says(world: World) -> None:
    scrapes(world, 30, 0.0)
    world.store.error = lambda promql: QueryError("no such function") if promql.startswith("clicks") else None
    assert judged(world, 30, world.clicks).checks[0].last.verdict is Verdict.QUERY_ERROR


def test_refused_samples_are_nothing_to_go_on_with(world: World) -> None:
    world.store.error = lambda promql: QueryError("no")
    with pytest.raises(ValueError, match="samples were refused: no"):
        judged(world, 30, world.errors)


def test_nothing_in_the_store_is_no_request(world: World) -> None:
    found = judged(world, 30, world.errors)
    assert (found.requests, found.rolled_back, found.certified_at) == (0, None, None)
