"""What stands between a candidate and its weight: given one thing that is not well, then one finding."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from sluice.api.names import Reason
from sluice.api.status import HandledVerbs, Verdict
from sluice.api.v1alpha1 import Analysis, OnFail
from sluice.core.analysis.verdicts import Observation
from sluice.core.gates import gates
from sluice.core.hazards import judge
from sluice.core.plan import Refusal
from sluice.core.snapshot import RouteState, Snapshot
from sluice.core.strategies import stages_of
from sluice.core.trial import CLEAR, Finding, Move, Trial
from unit.operator.core.scenes import (
    CANDIDATE,
    NOW,
    STABLE,
    annotated,
    candidate_status,
    check,
    not_exposed,
    observed,
    pods,
    route_of,
    scene,
    spec_of,
    status_of,
    with_candidate,
)


def trial(snapshot: Snapshot) -> Trial:
    """The trial of the snapshot's candidate."""
    candidate, spec = snapshot.status.candidate, snapshot.spec
    assert candidate is not None
    assert spec is not None
    first = snapshot.status.stable is None
    return Trial(snapshot, spec, candidate, stages_of(spec)[candidate.stage.index], first=first)


def finding(snapshot: Snapshot) -> Finding:
    """The gravest."""
    return judge(trial(snapshot))


def unseen_for(seconds: float, **changes: object) -> Snapshot:
    """Live, and the last good scrape is this old."""
    newest = {pod.name: NOW - timedelta(seconds=seconds) for pod in pods(CANDIDATE, 1)}
    return scene(observation=observed(newest=newest, seen=frozenset(), **changes))


def blind_setting(snapshot: Snapshot, setting: str) -> Snapshot:
    """spec.analysis.blindDeadline."""
    assert snapshot.spec is not None
    return replace(snapshot, spec=snapshot.spec.model_copy(update={"analysis": Analysis(blind_deadline=setting)}))


def overdue(snapshot: Snapshot) -> Snapshot:
    """progressDeadline (10 minutes) has passed since the stage began."""
    stage = snapshot.status.candidate.stage.model_copy(update={"entered_at": NOW - timedelta(minutes=11)})  # type: ignore[union-attr]
    candidate = snapshot.status.candidate.model_copy(update={"stage": stage})  # type: ignore[union-attr]
    return replace(snapshot, status=status_of(candidate))


def set_for(minutes: float) -> Snapshot:
    """The weight was set so long ago, and the gateway has not confirmed it."""
    given = scene(route=route_of({STABLE: 90, CANDIDATE: 10}, RouteState.PENDING))
    candidate = candidate_status()
    stage = candidate.stage.model_copy(update={"set_at": NOW - timedelta(minutes=minutes)})
    return replace(given, status=status_of(candidate.model_copy(update={"stage": stage})))


def refusal(kind: str, reason: str) -> dict[tuple[str, str], Refusal]:
    """The API server would not take the candidate's object."""
    name = "flights" if kind == "HTTPRoute" else f"flights-{CANDIDATE}"
    return {(kind, name): Refusal("digest", reason, "denied", NOW)}


ROWS: list[tuple[str, Callable[[], Snapshot], Move, Reason, bool]] = [
    ("all is well", scene, Move.GO, Reason.ROLLING, False),
    (
        "a person aborts",
        lambda: annotated(scene(), abort=f"{CANDIDATE}/1"),
        Move.REJECT, Reason.ABORTED, False,
    ),
    (
        "an abort that was acted on does not strike again",
        lambda: replace(
            annotated(scene(), abort=f"{CANDIDATE}/1"),
            status=status_of(
                candidate_status(), last_handled=HandledVerbs(abort=f"{CANDIDATE}/1")
            ),
        ),
        Move.GO, Reason.ROLLING, False,
    ),
    ("an abort of another revision", lambda: annotated(scene(), abort=f"{STABLE}/1"), Move.GO, Reason.ROLLING, False),
    (
        "a check says Fail",
        lambda: scene(observation=observed(checks=(check(Verdict.FAIL),))),
        Move.REJECT, Reason.CHECK_FAILED, False,
    ),
    (
        "a check with onFail: Pause says Fail",
        lambda: scene(observation=observed(checks=(check(Verdict.FAIL, OnFail.PAUSE),))),
        Move.HOLD, Reason.PAUSED_BY_CHECK, True,
    ),
    (
        "a check with onFail: Report says Fail",
        lambda: scene(observation=observed(checks=(check(Verdict.FAIL, OnFail.REPORT),))),
        Move.GO, Reason.ROLLING, False,
    ),
    (
        "one exit under weight",
        lambda: scene(status=status_of(candidate_status(exits_under_weight=1))),
        Move.GO, Reason.ROLLING, False,
    ),
    (
        "the second exit under weight",
        lambda: scene(status=status_of(candidate_status(exits_under_weight=2))),
        Move.REJECT, Reason.CANDIDATE_EXITED, False,
    ),
    (
        "a query that has no answer",
        lambda: scene(observation=observed(checks=(check(Verdict.QUERY_ERROR),))),
        Move.RETREAT, Reason.QUERY_ERROR, True,
    ),
    (
        "a query that has no answer, only reported",
        lambda: scene(observation=observed(checks=(check(Verdict.QUERY_ERROR, OnFail.REPORT),))),
        Move.GO, Reason.ROLLING, False,
    ),
    (
        "the last ready pod is lost under weight",
        lambda: with_candidate(scene(), pods=()),
        Move.RETREAT, Reason.CANDIDATE_LOST, False,
    ),
    (
        "the last endpoint is lost under weight, the pod does not know yet",
        lambda: with_candidate(scene(), endpoints=0),
        Move.RETREAT, Reason.CANDIDATE_LOST, False,
    ),
    ("blind for 59 s", lambda: unseen_for(59), Move.HOLD, Reason.WAITING_FOR_SIGHT, False),
    ("blind for 60 s", lambda: unseen_for(60), Move.RETREAT, Reason.BLIND, False),
    (
        "blind for 60 s with scrapes each 30 s: three of them have not passed",
        lambda: unseen_for(60, scrape_interval=timedelta(seconds=30)),
        Move.HOLD, Reason.WAITING_FOR_SIGHT, False,
    ),
    (
        "blind for 20 s with blindDeadline: 20s",
        lambda: blind_setting(unseen_for(20), "20s"),
        Move.RETREAT, Reason.BLIND, False,
    ),
    (
        "blind for an hour with blindDeadline: Never",
        lambda: blind_setting(unseen_for(3600), "Never"),
        Move.HOLD, Reason.BLIND, False,
    ),
    (
        "a pod that took five minutes to load its model and is ready for 10 s: nobody can have seen it",
        lambda: with_candidate(
            scene(observation=observed(newest={}, seen=frozenset())),
            pods=pods(CANDIDATE, 1, ready_since=NOW - timedelta(seconds=10)),
        ),
        Move.HOLD, Reason.WAITING_FOR_SIGHT, False,
    ),
    (
        "a pod that is ready for 60 s and was never seen",
        lambda: with_candidate(
            scene(observation=observed(newest={}, seen=frozenset())),
            pods=pods(CANDIDATE, 1, ready_since=NOW - timedelta(seconds=60)),
        ),
        Move.RETREAT, Reason.BLIND, False,
    ),
    (
        "zero requests are seen, which is not blindness",
        lambda: scene(observation=observed(requests=0)),
        Move.GO, Reason.ROLLING, False,
    ),
    (
        "a gateway that does not exist",
        lambda: scene(gateways=tuple(replace(g, controller=None) for g in scene().gateways)),
        Move.HOLD, Reason.GATEWAY_NOT_FOUND, True,
    ),
    (
        "a gateway controller that nobody tried",
        lambda: scene(gateways=tuple(replace(g, controller="example.com/mine") for g in scene().gateways)),
        Move.HOLD, Reason.UNSUPPORTED_BY_GATEWAY, True,
    ),
    (
        "a listener that the Gateway does not have",
        lambda: scene(
            gateways=tuple(
                replace(g, ref=g.ref.model_copy(update={"section_name": "https"}), listeners=frozenset({"http"}))
                for g in scene().gateways
            )
        ),
        Move.HOLD, Reason.LISTENER_NOT_FOUND, True,
    ),
    (
        "a gateway that does not take the route",
        lambda: scene(route=route_of({STABLE: 90, CANDIDATE: 10}, RouteState.REFUSED)),
        Move.HOLD, Reason.ROUTE_NOT_ACCEPTED, True,
    ),
    (
        "a gateway that has not confirmed the weight yet",
        lambda: scene(route=route_of({STABLE: 90, CANDIDATE: 10}, RouteState.PENDING)),
        Move.GO, Reason.ROLLING, False,
    ),
    (
        "a gateway that has not confirmed the weight by progressDeadline",
        lambda: set_for(10),
        Move.HOLD, Reason.ROUTE_NOT_ACCEPTED, True,
    ),
    (
        "a weight that was set long ago and taken back by an operator that died before it noted it",
        lambda: replace(set_for(10), route=route_of({STABLE: 100}, RouteState.VERIFIED)),
        Move.GO, Reason.ROLLING, False,
    ),
    (
        "a weight that was set a moment ago, in a stage that was entered long ago",
        lambda: overdue(set_for(0.1)),
        Move.GO, Reason.ROLLING, False,
    ),
    (
        "a runtime that is no longer in the table, for a minute",
        lambda: scene(observation=Observation(problem="runtime sim is no longer in the operator's table")),
        Move.RETREAT, Reason.BLIND, False,
    ),
    (
        "a template that the API server refuses",
        lambda: scene(refusals=refusal("Deployment", "Invalid")),
        Move.HOLD, Reason.INVALID_TEMPLATE, True,
    ),
    (
        "a route that the API server refuses",
        lambda: scene(refusals=refusal("HTTPRoute", "Invalid")),
        Move.HOLD, Reason.INVALID_ROUTE, True,
    ),
    (
        "a foreign Service of the same name",
        lambda: scene(refusals=refusal("Service", "NameConflict")),
        Move.HOLD, Reason.NAME_CONFLICT, True,
    ),
    (
        "anything else that is refused",
        lambda: scene(refusals=refusal("Service", "Forbidden")),
        Move.HOLD, Reason.FORBIDDEN, True,
    ),
    ("a person pauses", lambda: scene(spec=spec_of(paused=True)), Move.HOLD, Reason.PAUSED, False),
    (
        "pods that are not ready",
        lambda: with_candidate(not_exposed(), pods=(), endpoints=0),
        Move.HOLD, Reason.WAITING_FOR_PODS, False,
    ),
    (
        "pods that are not ready by progressDeadline",
        lambda: overdue(with_candidate(not_exposed(), pods=(), endpoints=0)),
        Move.HOLD, Reason.NOT_READY_IN_TIME, True,
    ),
    (
        "pods that Prometheus has not seen",
        lambda: not_exposed(observation=observed(seen=frozenset())),
        Move.HOLD, Reason.WAITING_FOR_SIGHT, False,
    ),
    (
        "pods that Prometheus has not seen by progressDeadline",
        lambda: overdue(not_exposed(observation=observed(seen=frozenset()))),
        Move.HOLD, Reason.NOT_SCRAPED, True,
    ),
    (
        "history that is still being read",
        lambda: not_exposed(observation=observed(caught_up=False)),
        Move.HOLD, Reason.WAITING_FOR_EVIDENCE, False,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("given", "move", "reason", "stalled"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS])
def test_given_one_thing_then_one_finding(
    given: Callable[[], Snapshot], move: Move, reason: Reason, stalled: bool
) -> None:
    found = finding(given())
    assert (found.move, found.reason, found.stalled) == (move, reason, stalled)


@pytest.mark.parametrize(
    ("snapshot", "words"),
    [
        (annotated(scene(), abort=f"{CANDIDATE}/1"), f"{CANDIDATE}/1"),
        (scene(observation=observed(checks=(check(Verdict.FAIL),))), "31 of 60 requests failed (300 of 200)"),
        (unseen_for(75, problem="connection refused"), "1m15s: connection refused"),
        (with_candidate(not_exposed(), pods=(), endpoints=0), "0 of 1 pods ready"),
        (
            scene(route=route_of({STABLE: 100}, RouteState.REFUSED, message="Gateway public: NotAllowedByListeners")),
            "Gateway public: NotAllowedByListeners",
        ),
    ],
    ids=["abort", "check", "blind", "pods", "route"],
)
def test_a_finding_says_what_it_rests_on(snapshot: Snapshot, words: str) -> None:
    assert words in finding(snapshot).message


def test_the_pods_own_trouble_is_told() -> None:
    pod = replace(pods(CANDIDATE, 1)[0], ready=False, trouble="container model: ErrImagePull: not found")
    found = finding(with_candidate(not_exposed(), pods=(pod,), endpoints=0))
    assert found.message == "0 of 1 pods ready: container model: ErrImagePull: not found"


def test_the_words_of_a_replica_set_that_cannot_make_pods_are_told() -> None:
    found = finding(with_candidate(not_exposed(), pods=(), endpoints=0, trouble="FailedCreate: exceeded quota"))
    assert found.message == "0 of 1 pods ready: FailedCreate: exceeded quota"


def test_the_gravest_finding_counts() -> None:
    """Aborted, failed, without pods and paused at once: the abort is told, and traffic goes."""
    bad = scene(observation=observed(checks=(check(Verdict.FAIL),)), spec=spec_of(paused=True))
    assert finding(annotated(with_candidate(bad, pods=()), abort=f"{CANDIDATE}/1")).reason == Reason.ABORTED
    assert finding(with_candidate(bad, pods=())).reason == Reason.CHECK_FAILED


def test_the_first_revision_needs_no_sight() -> None:
    """There is nothing that could serve instead, so nothing is gained by waiting."""
    alone = not_exposed(
        status=status_of(candidate_status(live=False), stable=None),
        observation=observed(seen=frozenset(), caught_up=False),
    )
    assert finding(alone) == CLEAR


# --- gates -----------------------------------------------------------------------------------------------------------

GATES: list[tuple[str, Snapshot, str]] = [
    ("open", scene(), ""),
    (
        "the gateway has not taken the route",
        scene(route=route_of({STABLE: 90, CANDIDATE: 10}, RouteState.PENDING)),
        "the gateway has not confirmed the weight",
    ),
    (
        "the gateway cannot resolve a backend",
        scene(route=route_of({STABLE: 90, CANDIDATE: 10}, RouteState.PENDING, message="BackendNotFound: b")),
        "the gateway has not confirmed the weight: BackendNotFound: b",
    ),
    (
        "another weight is live",
        scene(route=route_of({STABLE: 95, CANDIDATE: 5})),
        "the gateway has not confirmed the weight",
    ),
    ("too few requests", scene(observation=observed(requests=99)), "99 of 100 requests"),
    ("a check is unknown", scene(observation=observed(checks=(check(Verdict.NO_DATA),))), "check errors is NoData"),
    (
        "the newest value is inconclusive",
        scene(observation=observed(checks=(replace(check(Verdict.UNDECIDED), holds=True, message="0.04"),))),
        "check errors is inconclusive: 0.04",
    ),
    (
        "an inconclusive value is only reported",
        scene(observation=observed(checks=(replace(check(Verdict.UNDECIDED, OnFail.REPORT), holds=True),))),
        "",
    ),
    (
        "an unknown check is only reported",
        scene(observation=observed(checks=(check(Verdict.NO_DATA, OnFail.REPORT),))),
        "",
    ),
]


@pytest.mark.parametrize(("given", "words"), [g[1:] for g in GATES], ids=[g[0] for g in GATES])
def test_what_a_stage_waits_for(given: Snapshot, words: str) -> None:
    waits = gates(trial(given))
    assert waits.startswith(words) if words else waits == ""


@pytest.mark.parametrize(("live_for", "waits"), [(59, "59 s of 1m"), (60, "")])
def test_only_time_with_the_weight_live_counts(live_for: int, waits: str) -> None:
    """40 s before an interruption and the rest since."""
    stage = candidate_status().stage.model_copy(
        update={"live_for": timedelta(seconds=40), "live_since": NOW - timedelta(seconds=live_for - 40)}
    )
    assert gates(trial(scene(status=status_of(candidate_status(stage=stage))))) == waits
