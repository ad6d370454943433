"""A restart changes no evidence: what goes on from a checkpoint is what all samples say."""

from datetime import UTC, datetime
from typing import Any

from simulation.clockwork import EPOCH
from simulation.invariants.checker import Checker
from sluice.core.analysis.judge import Judge, settle
from sluice.core.analysis.questions import UP, samples_query


class SameEvidence(Checker):
    """A judge that went on from a checkpoint knows what one knows that reads everything from the rollout's start."""

    name, number = "same evidence after a restart", 7

    def __init__(self) -> None:
        super().__init__()
        self._compared: list[Judge] = []

    def tick(self, world: Any) -> None:
        """Has somebody gone on from a checkpoint, and read what came since?"""
        for process in world.processes:
            for watched in tuple(process.poller._watched.values()):
                judge = watched.judge
                known = any(judge is one for one in self._compared)
                if judge.resumed_from is None or not judge.caught_up or known or not process.alive:
                    continue
                self._compared.append(judge)
                if EPOCH + world.prometheus.forgot_at < judge._start:  # else nobody can read it again
                    self._compare(world, judge)

    def _compare(self, world: Any, judge: Judge) -> None:
        self.exercised += 1
        told, all_samples = told_of(judge), told_of(from_the_start(world, judge))
        if told != all_samples:
            self.fail(world, f"{judge.subject.candidate}: after the restart {told}, all samples say {all_samples}")


def from_the_start(world: Any, judge: Judge) -> Judge:
    """Another judge of the same, which has read the same samples in one go."""
    fresh = Judge(judge.subject, 0.0)
    fresh.know_pods({pod: datetime.fromtimestamp(started, UTC) for pod, started in judge._pod_starts.items()})
    while (question := fresh.history()) is not None:
        fresh.remember(question, world.prometheus.tell(question.promql, question.at))
    for question in fresh.questions():
        known = judge._read_until[question.metric]
        newest = max(known, _newest(judge, question.metric))  # an answer comes later than it is asked for
        window = int(newest - question.since) + 2
        promql = samples_query(question, [judge.subject], question.bounds, window)
        fresh.read(question.metric, world.prometheus.tell(promql, newest), known)
    settle([fresh])
    return fresh


def _newest(judge: Judge, metric: str) -> float:
    """Time of the newest sample that it knows."""
    if metric == UP:
        targets = (one for pod in judge._sight._pods.values() for one in pod.values())
        return max((one.samples[-1][0] for one in targets if one.samples), default=0.0)
    return max((time for time, _ in judge._counters[metric]._last.values()), default=0.0)


def told_of(judge: Judge) -> dict[str, Any]:
    """All that decides, and the counts behind it."""
    return {
        "requests": judge._answered.total,
        "first": judge._answered.first,
        **{c.check.name: (c.log_e, c.peak, c.log_c, c.observed, c.told()) for c in judge._counted},
    }
