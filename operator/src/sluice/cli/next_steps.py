"""What can a person do now? The commands, ready to be copied."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sluice.api.names import LABEL_NAME, LABEL_REVISION, Condition, Reason
from sluice.cli.rollout import Outcome, Rollout


@dataclass(frozen=True, slots=True)
class Step:
    """words: what it does. command: for a shell."""

    words: str
    command: str


_PODS: Final = f"kubectl describe pods -n {{namespace}} -l {LABEL_NAME}={{name}},{LABEL_REVISION}={{revision}}"
_STABLE_PODS: Final = f"kubectl describe pods -n {{namespace}} -l {LABEL_NAME}={{name}},{LABEL_REVISION}={{stable}}"
_ROUTE: Final = "kubectl describe httproute {name} -n {namespace}"
_GATEWAYS: Final = "kubectl get gateways --all-namespaces"
_EDIT: Final = "kubectl edit modeldeployment {name} -n {namespace}"
_EVENTS: Final = "kubectl events -n {namespace} --for modeldeployment/{name}"
_RUNTIMES: Final = "kubectl get configmap sluice-runtimes -n sluice-system -o yaml"

HINTS: Final[dict[Reason, tuple[str, str]]] = {
    Reason.WAITING_FOR_PODS: ("see what its pods wait for", _PODS),
    Reason.NOT_READY_IN_TIME: ("see why its pods do not get ready", _PODS),
    Reason.WAITING_FOR_SIGHT: ("see what Prometheus should scrape", _PODS),
    Reason.NOT_SCRAPED: ("see what Prometheus should scrape", _PODS),
    Reason.CANDIDATE_LOST: ("see what became of its pods", _PODS),
    Reason.CANDIDATE_EXITED: ("see why its containers exited", _PODS),
    Reason.UNAVAILABLE: ("see what became of stable's pods", _STABLE_PODS),
    Reason.STABLE_UNAVAILABLE: ("see what became of stable's pods", _STABLE_PODS),
    Reason.WAITING_FOR_ROUTE: ("see what the gateway says about the route", _ROUTE),
    Reason.ROUTE_NOT_ACCEPTED: ("see what the gateway says about the route", _ROUTE),
    Reason.INVALID_ROUTE: ("correct spec.traffic", _EDIT),
    Reason.GATEWAY_NOT_FOUND: ("see which gateways there are", _GATEWAYS),
    Reason.LISTENER_NOT_FOUND: ("see which gateways there are", _GATEWAYS),
    Reason.UNSUPPORTED_BY_GATEWAY: ("see which gateways there are", _GATEWAYS),
    Reason.UNKNOWN_RUNTIME: ("see which runtimes the operator knows", _RUNTIMES),
    Reason.NOT_CERTIFIED: ("wait longer or let it pass: evidenceDeadline, onDeadline", _EDIT),
    Reason.QUERY_ERROR: ("correct the check that is named", _EDIT),
    Reason.INVALID_SPEC: ("correct the field that is named", _EDIT),
    Reason.INVALID_TEMPLATE: ("correct spec.template", _EDIT),
    Reason.MODEL_HOST_NOT_ALLOWED: ("correct spec.model.uri", _EDIT),
    Reason.ROLLED_BACK: ("see what the operator did, and why", _EVENTS),
    Reason.REJECTED: ("see what the operator did, and why", _EVENTS),
}
"""Reason of a condition -> (words, command). What is left out explains itself in its message."""


def next_steps(rollout: Rollout) -> tuple[Step, ...]:
    """What can be done, the most likely first; empty when everything serves."""
    return (*_decisions(rollout), *_looks(rollout), *_pause(rollout))


def _decisions(rollout: Rollout) -> Iterator[Step]:
    at = f"{rollout.name} -n {rollout.namespace}"
    candidate = rollout.status.candidate
    if candidate:
        yield Step("take the traffic back from the candidate and reject it", f"kubectl sluice abort {at}")
    if candidate and rollout.held_by_check:
        yield Step("begin its evidence anew", f"kubectl sluice retry {at}")
    elif rollout.desired and rollout.rejected(rollout.desired):
        yield Step("roll it out once more, or change the spec", f"kubectl sluice retry {at}")


def _looks(rollout: Rollout) -> Iterator[Step]:
    """Where the answer to `why` is, for each condition that has something to say."""
    revision = rollout.status.candidate.revision if rollout.status.candidate else rollout.desired
    stable = rollout.status.stable.revision if rollout.status.stable else revision
    seen = set()
    for kind, trouble in (
        (Condition.AVAILABLE, "False"),
        (Condition.STALLED, "True"),
        (Condition.RECONCILING, "True"),
        (Condition.READY, "False"),
    ):
        said = rollout.condition(kind)
        if said is None or said.status != trouble or said.reason not in HINTS:
            continue
        words, command = HINTS[Reason(said.reason)]
        if command not in seen:
            seen.add(command)
            yield Step(
                words,
                command.format(namespace=rollout.namespace, name=rollout.name, revision=revision, stable=stable),
            )


def _pause(rollout: Rollout) -> Iterator[Step]:
    under_way = rollout.status.candidate is not None and rollout.outcome is Outcome.ROLLING
    if rollout.spec is None or not (rollout.spec.paused or under_way):
        return
    words = "let it go on" if rollout.spec.paused else "hold it where it is"
    wanted = "false" if rollout.spec.paused else "true"
    patch = f"""'{{"spec":{{"paused":{wanted}}}}}'"""
    yield Step(words, f"kubectl patch modeldeployment {rollout.name} -n {rollout.namespace} --type merge -p {patch}")
