"""What stands between a candidate and its weight: a chain of small questions, the gravest first.

Each function answers one question with a Finding, or None when it has nothing to say; the first finding counts.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from sluice.api.names import VERB_ABORT, Reason
from sluice.api.quantities import format_duration, parse_duration
from sluice.api.status import Verdict
from sluice.api.v1alpha1 import OnDeadline, OnFail
from sluice.core import gateways
from sluice.core.children import child_name
from sluice.core.snapshot import RouteState, Snapshot
from sluice.core.trial import CLEAR, Finding, Move, Trial

EXITS_TOLERATED: Final = 1
"""Container exits under weight that only start the stage again: one may be the node's fault, two are the model's."""


def aborted(trial: Trial) -> Finding | None:
    """Did a person take it back?"""
    value = trial.snapshot.asked(VERB_ABORT)
    if not value or value == trial.snapshot.status.last_handled.abort:
        return None
    if value.partition("/")[0] != trial.candidate.revision:
        return None
    return Finding(Move.REJECT, Reason.ABORTED, f"aborted by annotation {VERB_ABORT}: {value}")


def check_failed(trial: Trial) -> Finding | None:
    """Is there enough evidence against it?"""
    check = trial.failing(OnFail.ROLLBACK)
    if check is None:
        return None
    return Finding(Move.REJECT, Reason.CHECK_FAILED, f"check {check.name} failed: {check.message} ({check.evidence})")


def exited_again(trial: Trial) -> Finding | None:
    """Does its container die of live traffic?"""
    if trial.candidate.exits_under_weight <= EXITS_TOLERATED:
        return None
    return Finding(
        Move.REJECT,
        Reason.CANDIDATE_EXITED,
        f"its containers exited {trial.candidate.exits_under_weight} times while they had live traffic",
    )


def not_certified(trial: Trial) -> Finding | None:
    """Has it not been shown to be good enough in the time that it was given?"""
    analysis = trial.spec.analysis
    if analysis.on_deadline is OnDeadline.PROMOTE or trial.live_for < analysis.evidence_deadline:
        return None
    check = next(iter(trial.unproven), None)
    if check is None:
        return None
    said = f"check {check.name} is not Certified after {format_duration(analysis.evidence_deadline)}"
    if analysis.on_deadline is OnDeadline.ROLLBACK:
        return Finding(Move.REJECT, Reason.NOT_CERTIFIED, f"{said}: {check.message} ({check.certificate})")
    # without counts, which change with each scrape while the person thinks
    remedy = f"abort revision {trial.candidate.revision}, or change evidenceDeadline or onDeadline of spec.analysis"
    return Finding(Move.HOLD, Reason.NOT_CERTIFIED, f"{said}, see status.checks; {remedy}", stalled=True)


def unanswerable(trial: Trial) -> Finding | None:
    """Does a check ask something that has no answer?"""
    for check in trial.snapshot.observation.checks:
        if check.verdict is Verdict.QUERY_ERROR and check.on_fail is not OnFail.REPORT:
            message = f"spec.analysis.checks[{check.name}]: {check.message}; correct the check"
            return Finding(Move.RETREAT, Reason.QUERY_ERROR, message, stalled=True)
    return None


def lost(trial: Trial) -> Finding | None:
    """Is there nobody left to answer its share? The gateway then answers 503s that no revision counts."""
    if trial.weight == 0 or trial.facts.serving > 0:
        return None
    return Finding(Move.RETREAT, Reason.CANDIDATE_LOST, "it lost its last ready endpoint under live traffic")


def blind_deadline(trial: Trial) -> timedelta | None:
    """How long it may keep its weight unseen; None: for ever."""
    setting = trial.spec.analysis.blind_deadline
    if setting == "Never":
        return None
    if setting == "Auto":
        return max(timedelta(seconds=60), 3 * trial.snapshot.observation.scrape_interval)
    duration = parse_duration(setting)
    return duration if isinstance(duration, timedelta) else timedelta(seconds=60)


def blind_for(trial: Trial) -> timedelta:
    """Time since the pod that was seen longest ago was seen.

    A pod never seen counts from when it became ready, as loading a model may take longer than any deadline for
    blindness; and not from before the stage was live.
    """
    seen = trial.snapshot.observation.newest
    last = [seen.get(pod.name, max(pod.ready_since or pod.started_at, trial.since)) for pod in trial.facts.ready_pods]
    return trial.snapshot.now - min(last, default=trial.snapshot.now)


def stable_blind_for(trial: Trial) -> timedelta:
    """Time for which nothing was seen of a stable that it is compared with; none of one that has no pod to be seen."""
    s = trial.snapshot
    stable = s.status.stable
    if not s.observation.compares or stable is None or not s.revision(stable.revision).serving:
        return timedelta()
    return s.now - max(s.observation.stable_newest or trial.since, trial.since)


def blind(trial: Trial) -> Finding | None:
    """Has it had live traffic for too long without anybody seeing how it does?"""
    observation = trial.snapshot.observation
    if trial.weight == 0 or trial.first or not (observation.caught_up or observation.problem):
        return None  # no answer and no failure yet: the first question is still under way
    limit, own, baselines = blind_deadline(trial), blind_for(trial), stable_blind_for(trial)
    unseen, whose = (own, "it") if own >= baselines else (baselines, "stable, which it is compared with,")
    message = f"no fresh metrics of {whose} for {format_duration(timedelta(seconds=int(unseen.total_seconds())))}"
    if observation.problem:
        message += f": {observation.problem}"
    if limit is None:
        quiet = 3 * observation.scrape_interval
        return Finding(Move.HOLD, Reason.BLIND, message) if unseen > quiet else None
    return Finding(Move.RETREAT, Reason.BLIND, message) if unseen >= limit else None


def no_gateway(trial: Trial) -> Finding | None:
    """Can traffic rest on the gateways at all?"""
    problem = gateways.problem(trial.snapshot.gateways)
    return Finding(Move.HOLD, *problem, stalled=True) if problem else None


def route_refused(trial: Trial) -> Finding | None:
    """Does a gateway not take the route at all? Its own words are the best explanation."""
    return refusal_of(trial.snapshot)


def refusal_of(s: Snapshot) -> Finding | None:
    """What a gateway that does not take the route says."""
    if s.route is None or s.route.state is not RouteState.REFUSED:
        return None
    return Finding(Move.HOLD, Reason.ROUTE_NOT_ACCEPTED, s.route.message, stalled=True)


def refused(trial: Trial) -> Finding | None:
    """Would the API server not take one of its objects?"""
    names = (child_name(trial.snapshot.identity.name, trial.candidate.revision), trial.snapshot.identity.name)
    for (kind, name), refusal in trial.snapshot.refusals.items():
        if name in names:
            return Finding(Move.HOLD, REFUSALS.get((kind, refusal.reason), Reason.FORBIDDEN), refusal.message, True)
    return None


REFUSALS: Final = {
    ("Deployment", "Invalid"): Reason.INVALID_TEMPLATE,
    ("Deployment", "BadRequest"): Reason.INVALID_TEMPLATE,
    ("HTTPRoute", "Invalid"): Reason.INVALID_ROUTE,
    ("HTTPRoute", "BadRequest"): Reason.INVALID_ROUTE,
    **{
        (kind, "NameConflict"): Reason.NAME_CONFLICT
        for kind in ("ControllerRevision", "Deployment", "Service", "HTTPRoute", "PodDisruptionBudget")
    },
}
"""(kind, reason of the API server) -> reason shown to people."""


def held_by_check(trial: Trial) -> Finding | None:
    """Does a failed check leave it to a person?"""
    check = trial.failing(OnFail.PAUSE)
    if check is None:
        return None
    # without counts, which change with each scrape while the person thinks: they stand in status.checks
    message = f"check {check.name} failed, see status.checks; abort or retry revision {trial.candidate.revision}"
    return Finding(Move.HOLD, Reason.PAUSED_BY_CHECK, message, stalled=True)


def paused(trial: Trial) -> Finding | None:
    """Did a person stop the ramp?"""
    return Finding(Move.HOLD, Reason.PAUSED, "spec.paused is true: no weight rises") if trial.spec.paused else None


def not_ready(trial: Trial) -> Finding | None:
    """Are the pods there that its stage needs?"""
    serving = trial.facts.serving
    if serving >= trial.capacity:
        return None
    message = f"{serving} of {trial.capacity} pods ready"
    trouble = next((pod.trouble for pod in trial.facts.pods if pod.trouble), trial.facts.trouble)
    if trouble:
        message += f": {trouble}"
    if trial.overdue:
        return Finding(Move.HOLD, Reason.NOT_READY_IN_TIME, message, stalled=True)
    return Finding(Move.HOLD, Reason.WAITING_FOR_PODS, message)


def not_seen(trial: Trial) -> Finding | None:
    """Would its first requests be seen? New pods are scraped only 7 to 11 s after they are ready."""
    observation = trial.snapshot.observation
    unseen = [pod.name for pod in trial.facts.ready_pods if pod.name not in observation.seen]
    if trial.first or not unseen:
        return None
    message = f"Prometheus has no two fresh samples of {', '.join(unseen[:3])}"
    if observation.problem:
        message += f": {observation.problem}"
    if trial.overdue:
        return Finding(Move.HOLD, Reason.NOT_SCRAPED, message, stalled=True)
    return Finding(Move.HOLD, Reason.WAITING_FOR_SIGHT, message)


def unconfirmed(trial: Trial) -> Finding | None:
    """Has the gateway had enough time to confirm the weight that it was given?"""
    route = trial.snapshot.route
    since = trial.candidate.stage.set_at
    if route is None or trial.live or since is None or trial.snapshot.now - since < trial.spec.progress_deadline:
        return None
    if trial.weight < trial.stage.weight:
        return None  # it lost its weight, and the operator died before it could note that: it is still to be raised
    message = f"weight {trial.weight} is not confirmed: {route.message or 'the gateway says nothing'}"
    return Finding(Move.HOLD, Reason.ROUTE_NOT_ACCEPTED, message, stalled=True)


def not_caught_up(trial: Trial) -> Finding | None:
    """Is the evidence of before a restart read again?"""
    if trial.first or trial.snapshot.observation.caught_up:
        return None
    return Finding(Move.HOLD, Reason.WAITING_FOR_EVIDENCE, "reading the metrics since the rollout began")


CHAIN: Final[tuple[Callable[[Trial], Finding | None], ...]] = (
    aborted,
    check_failed,
    exited_again,
    unanswerable,
    lost,
    blind,
    no_gateway,
    route_refused,
    refused,
    held_by_check,
    not_certified,
    paused,
    not_ready,
    not_seen,
    unconfirmed,
    not_caught_up,
)


def judge(trial: Trial) -> Finding:
    """The gravest finding, or CLEAR."""
    return next((finding for question in CHAIN if (finding := question(trial))), CLEAR)
