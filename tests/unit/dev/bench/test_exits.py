"""What a run with two exits cost, from recordings."""

from collections.abc import Sequence

import pytest

from sluice_dev.bench.exits import Played, Run, cost, deaths, exposures
from sluice_dev.load import Outcome
from sluice_dev.load.accesslog import GatewayRequest
from sluice_dev.scene.api import Object
from sluice_dev.scene.recorder import exits
from sluice_dev.scene.timeline import Timeline, Weights

TIMELINE = Timeline(
    weights=[
        Weights(0.0, {"old": 100}),
        Weights(10.0, {"old": 90, "new": 10}),
        Weights(16.5, {"old": 100}),
        Weights(30.0, {"old": 90, "new": 10}),
        Weights(36.0, {"old": 100}),
    ]
)


def request(start: float, code: int = 200, revision: str = "new") -> GatewayRequest:
    """Takes 0.1 s at the gateway."""
    flags, upstream = ("-", "10.0.0.1:8080") if code == 200 else ("UF", "")
    return GatewayRequest(start, 0.1, code, flags, "", revision, upstream, "")


def outcome(due: float, end: float, code: int = 503) -> Outcome:
    return Outcome(0, due, due, end, code, "", "", keep_alive=True, request_id="")


REQUESTS = [request(10.4), request(15.2), request(15.4, 503, ""), request(29.8), request(35.0), request(35.2, 503)]


def costs(outcomes: Sequence[Outcome], exited: int = 2, reason: str = "CandidateExited") -> Run:
    """Of a run from 0 to 40 s."""
    return cost(Played("new", 0.0, 40.0, exited, {"reason": reason}, TIMELINE, REQUESTS), outcomes)


def test_it_has_traffic_from_a_rise_to_a_loss() -> None:
    assert exposures(TIMELINE, "new") == [(10.0, 16.5), (30.0, 36.0)]


def test_it_died_with_its_last_answer_of_each_exposure() -> None:
    """Also where the watch told of the second exposure only after its first request."""
    assert deaths(REQUESTS, "new", exposures(TIMELINE, "new")) == pytest.approx([15.3, 35.1])


def test_without_an_answer_it_counts_from_the_exposure() -> None:
    assert deaths([], "new", exposures(TIMELINE, "new")) == [10.0, 30.0]
    assert deaths([], "new", []) == []


def test_what_fails_from_the_first_exit_on_is_counted_whoever_was_to_answer() -> None:
    run = costs([outcome(15.25, 15.4), outcome(20.0, 30.0), outcome(5.0, 5.1), outcome(16.0, 16.1, 200)])
    assert (run.failed, run.before, run.at_gateway) == (2, 1, 2)
    assert run.exit_to_zero == pytest.approx([1.2, 0.9])
    assert run.largest == 10
    assert run.failures == {"503, kept connection": 3}


def test_what_was_due_in_another_run_is_not_its_cost() -> None:
    assert costs([outcome(-1.0, 16.0), outcome(40.0, 41.0)]).failed == 0


@pytest.mark.parametrize(
    ("exited", "reason", "promised"),
    [(2, "CandidateExited", True), (3, "CandidateExited", False), (2, "CheckFailed", False)],
)
def test_it_is_to_be_rejected_at_the_second_exit(exited: int, reason: str, promised: bool) -> None:
    assert costs([], exited=exited, reason=reason).as_promised is promised


@pytest.mark.parametrize(
    ("restarts", "state", "last", "count"),
    [
        (0, "waiting", None, 0),  # before its first start
        (0, "running", None, 0),
        (0, "terminated", None, 1),
        (0, "waiting", "terminated", 1),  # the kubelet waits before it starts it again
        (1, "running", "terminated", 1),
        (1, "waiting", "terminated", 2),
    ],
)
def test_exits_of_a_pod(restarts: int, state: str, last: str | None, count: int) -> None:
    status: Object = {"restartCount": restarts, "state": {state: {}}, "lastState": {last: {}} if last else {}}
    assert exits({"status": {"containerStatuses": [status]}}) == count
    assert exits({}) == 0
