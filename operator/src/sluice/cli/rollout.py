"""What does one ModelDeployment say about its rollout? The object of the API as typed, frozen data."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from sluice.api.names import Condition, Reason
from sluice.api.status import ConditionStatus, HistoryStatus, RejectedStatus, Status
from sluice.api.v1alpha1 import OnFail, Spec
from sluice.cli.errors import Unreadable
from sluice.core.revision import inputs_of


class Outcome(StrEnum):
    """How things stand for whoever waits."""

    SERVING = "Serving"
    """What the newest spec asks for serves all traffic."""
    STALLED = "Stalled"
    """The rollout of the newest spec ended badly, or cannot go on without a person."""
    ROLLING = "Rolling"
    """Neither: it is under way, or the operator has not answered yet."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """One ModelDeployment.

    spec: None when this version cannot read it; problem says why. told_at: when the status was last written.
    """

    namespace: str
    name: str
    generation: int
    created_at: datetime
    spec: Spec | None
    problem: str
    status: Status
    told_at: datetime | None

    @property
    def desired(self) -> str:
        """The revision that the spec asks for; empty if it cannot be read."""
        return inputs_of(self.spec).revision if self.spec else ""

    @property
    def answered(self) -> bool:
        """The status speaks of the newest spec."""
        return self.status.observed_generation == self.generation

    @property
    def outcome(self) -> Outcome:
        """Of the newest spec: conditions that speak of an older one are none."""
        for kind, outcome in ((Condition.READY, Outcome.SERVING), (Condition.STALLED, Outcome.STALLED)):
            said = self.condition(kind)
            if said and said.status == "True" and said.observed_generation == self.generation:
                return outcome
        return Outcome.ROLLING

    @property
    def held_by_check(self) -> bool:
        """A failed check leaves it to a person what becomes of the candidate."""
        said = self.condition(Condition.STALLED)
        return said is not None and (said.status, said.reason) == ("True", Reason.PAUSED_BY_CHECK)

    @property
    def waits_for(self) -> str:
        """Why what the spec asks for does not serve all traffic, or why nothing serves; empty when all is well."""
        if not self.status.conditions:
            return "the operator has not answered yet"
        if not self.answered:
            return f"the operator has not seen generation {self.generation} yet"
        available, stalled = self.condition(Condition.AVAILABLE), self.condition(Condition.STALLED)
        said = []
        if self.status.stable and available and available.status == "False":
            said.append(_sentence(available))
        if stalled and stalled.status == "True":
            said.append(_sentence(stalled))
        elif (reconciling := self.condition(Condition.RECONCILING)) and reconciling.status == "True":
            said.append(reconciling.message if reconciling.reason == Reason.ROLLING else _sentence(reconciling))
        elif (ready := self.condition(Condition.READY)) and ready.status == "False":
            said.append(_sentence(ready))
        return "; ".join(filter(None, said))

    def condition(self, kind: Condition) -> ConditionStatus | None:
        """The condition of this type, if there is one."""
        return next((c for c in self.status.conditions if c.type == kind), None)

    def rejection(self, revision: str) -> RejectedStatus | None:
        """The newest rejection of a revision that the status remembers."""
        return next((entry for entry in self.status.rejected if entry.revision == revision), None)

    def rejected(self, revision: str) -> bool:
        """Whether it gets no traffic without a retry. Stalled knows of rejections too old for status.rejected."""
        said = self.condition(Condition.STALLED)
        told = said and said.status == "True" and said.reason in (Reason.ROLLED_BACK, Reason.REJECTED)
        return self.rejection(revision) is not None or bool(told and self.answered and revision == self.desired)

    def ended(self, revision: str) -> HistoryStatus | None:
        """How the newest rollout of a revision ended, if it did."""
        return next((entry for entry in self.status.history if entry.revision == revision), None)

    def on_fail(self, check: str) -> OnFail | None:
        """What a failure of this check does; None if the spec has no such check (any more)."""
        checks = self.spec.analysis.checks if self.spec else ()
        return next((one.on_fail for one in checks if one.name == check), None)


def read(found: Mapping[str, Any]) -> Rollout:
    """The rollout of an object as the API server sends it. Raises Unreadable for a status of another version."""
    metadata = found["metadata"]
    spec, problem = _spec(found)
    try:
        status = Status.model_validate(found.get("status") or {})
    except ValidationError as error:
        raise Unreadable(
            f"the status of {metadata['namespace']}/{metadata['name']} was written by another version of Sluice "
            f"({_first(error, 'status')}); install the plugin of the operator's version"
        ) from error
    return Rollout(
        namespace=metadata["namespace"],
        name=metadata["name"],
        generation=int(metadata.get("generation", 0)),
        created_at=datetime.fromisoformat(metadata["creationTimestamp"]),
        spec=spec,
        problem=problem,
        status=status,
        told_at=_told_at(metadata),
    )


def _spec(found: Mapping[str, Any]) -> tuple[Spec | None, str]:
    try:
        return Spec.model_validate(found.get("spec") or {}), ""
    except ValidationError as error:
        return None, _first(error, "spec")


def _first(error: ValidationError, root: str) -> str:
    first = error.errors(include_input=False)[0]
    return f"{'.'.join(map(str, (root, *first['loc'])))}: {first['msg']}"


def _told_at(metadata: Mapping[str, Any]) -> datetime | None:
    """The API server notes when each manager last changed what it owns; only the operator writes the status."""
    times = [
        datetime.fromisoformat(entry["time"])
        for entry in metadata.get("managedFields") or ()
        if entry.get("subresource") == "status" and entry.get("time")
    ]
    return max(times, default=None)


def _sentence(condition: ConditionStatus) -> str:
    return f"{condition.reason}: {condition.message}" if condition.message else condition.reason
