"""Bugs put into the operator on purpose: each must be found by some world, or the simulation proves nothing.

A row says what is broken, how, which invariant catches it, and which worlds are about it: with all worlds alike the
search would take hundreds of them for some bugs, and find them all the same.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from importlib import import_module
from typing import Any, Final

import pytest

from simulation.models import Behaviour
from simulation.runner import play, workers
from simulation.scenario import Focus, Scenario, focused, generate
from sluice.core.plan import Apply, Delete

Patch = pytest.MonkeyPatch


def _module(name: str) -> Any:
    """A module of the operator, without its types: everything in it may be replaced."""
    return import_module(f"sluice.{name}")


execute, lease = _module("adapters.kube.execute"), _module("adapters.kube.lease")
advance = _module("core.advance")
choice = _module("core.choice")
counted = _module("core.analysis.counted")
outcomes = _module("core.analysis.outcomes")
questions = _module("core.analysis.questions")
checkpoint, comparison = _module("core.analysis.checkpoint"), _module("core.analysis.comparison")
exits = _module("core.exits")
hazards = _module("core.hazards")
judge = _module("core.analysis.judge")
ledger = _module("core.ledger")
planner = _module("core.planner")
retreat = _module("core.retreat")
snapshot = _module("core.snapshot")
trial = _module("core.trial")
removals = _module("core.removals")
upkeep = _module("core.upkeep")
verbs = _module("core.verbs")
reconcile = _module("runtime.reconcile")

MOST_WORLDS: Final = 150
"""A bug that this many worlds do not find is not found."""

Worlds = Callable[[int], Scenario]


@dataclass(frozen=True, slots=True)
class Bug:
    """One planted bug. caught_by: numbers of the invariants, any of them. worlds: by seed, those to look in.

    first: the seed that is tried first, as it found the bug when it was planted; the others follow.
    """

    name: str
    plant: Callable[[Patch], None]
    caught_by: frozenset[int]
    worlds: Worlds = generate
    first: int = 0


def find(bug: Bug, most: int = MOST_WORLDS) -> tuple[int, str] | None:
    """(seed, violation) of the first world that finds the bug by an invariant of its row; None when none does."""
    for seed in (*range(bug.first, most), *range(bug.first)):
        with Patch.context() as patch:
            bug.plant(patch)
            violations = play(bug.worlds(seed))[0].violations
        if violations and int(violations[0].split()[0]) in bug.caught_by:
            return seed, violations[0]
    return None


def about(*faults: str, **focus: Any) -> Worlds:
    """Worlds with these faults in every rollout."""
    return partial(focused, focus=Focus(faults, **focus))


SLOW_STEPS: Final = ((10, 12, 30), (50, 12, 40))
"""Long enough for a checkpoint and a restart in the middle of a rollout."""
BAD = (Behaviour.ERRORS, Behaviour.SLOW, Behaviour.EXITS)


def _without(question: Any) -> Callable[[Patch], None]:
    def plant(patch: Patch) -> None:
        patch.setattr(hazards, "CHAIN", tuple(q for q in hazards.CHAIN if q is not question))

    return plant


def _route_last(patch: Patch) -> None:
    real = planner.upkeep

    def swapped(*args: Any) -> Any:
        work = real(*args)
        routes = [a for a in work.actions if isinstance(a, Apply) and a.kind == "HTTPRoute"]
        return replace(work, actions=(*(a for a in work.actions if a not in routes), *routes))

    patch.setattr(planner, "upkeep", swapped)


def _no_annotation(patch: Patch) -> None:
    real = upkeep.children.route
    patch.setattr(
        upkeep.children,
        "route",
        lambda identity, gateway, slots, rejected, *rest: real(identity, gateway, slots, None, *rest),
    )


def _no_samples_needed(patch: Patch) -> None:
    real = advance.gates
    patch.setattr(advance, "gates", lambda trial: real(replace(trial, stage=replace(trial.stage, min_samples=0))))


def _no_certificate_needed(patch: Patch) -> None:
    real = advance.gates
    patch.setattr(advance, "gates", lambda trial: real(replace(trial, proving=False)))


def _no_time_needed(patch: Patch) -> None:
    real = advance.gates
    free = {"min_duration": timedelta()}
    patch.setattr(advance, "gates", lambda trial: real(replace(trial, stage=replace(trial.stage, **free))))


def _blind_to_the_table(patch: Patch) -> None:
    real = reconcile.Reconciler._watch

    def peaceful(self: Any, key: Any, snapshot: Any, status: Any) -> Any:
        return real(self, key, snapshot, status) if snapshot.runtimes else ""

    patch.setattr(reconcile.Reconciler, "_watch", peaceful)


def _status_first(patch: Patch) -> None:
    real = execute.Executor.run

    async def run(self: Any, s: Any, actions: Any, refusals: Any) -> None:
        status = planner.decide(s).status
        if status is not None and reconcile.significant(status) != reconcile.significant(s.status):
            await self.write_status(s, status)
        await real(self, s, actions, refusals)

    patch.setattr(execute.Executor, "run", run)


def _retired_at_once(patch: Patch) -> None:
    real = upkeep.removals
    patch.setattr(
        upkeep,
        "removals",
        lambda s, course: real(replace(s, spec=s.spec.model_copy(update={"scale_down_delay": timedelta()})), course),
    )


def _deleted_under_weight(patch: Patch) -> None:
    def deletions(s: Any, course: Any) -> Iterable[Any]:
        for facts in removals.idle_revisions(s, course):
            if facts.deployment:
                yield Delete("Deployment", f"{s.identity.name}-{facts.revision}", facts.deployment.uid)

    real = planner.upkeep

    def first(s: Any, spec: Any, course: Any) -> Any:
        work = real(s, spec, course)
        return replace(work, actions=(*deletions(s, course), *work.actions))

    patch.setattr(planner, "upkeep", first)


def _exits_counted_each_pass(patch: Patch) -> None:
    real = exits.counted
    patch.setattr(advance, "counted", lambda s, candidate: real(s, candidate.model_copy(update={"last_exit_at": None})))


def _exits_of_the_leaving_count(patch: Patch) -> None:
    real = exits.counted

    def counted(s: Any, candidate: Any) -> Any:
        facts = s.revision(candidate.revision)
        pods = tuple(replace(pod, deleting=False) for pod in facts.pods)
        gone = len([pod for pod in facts.pods if pod.deleting])
        more = real(replace(s, revisions={**s.revisions, candidate.revision: replace(facts, pods=pods)}), candidate)
        return more.model_copy(update={"exits_under_weight": more.exits_under_weight + gone})

    patch.setattr(advance, "counted", counted)


async def _accept_all(*_: Any) -> None:
    """A check that checks nothing."""


def _any_version(patch: Patch) -> None:
    real = execute.Executor._apply

    async def apply(self: Any, s: Any, action: Any, refusals: Any) -> None:
        await real(self, s, replace(action, resource_version=None), refusals)

    patch.setattr(execute.Executor, "_apply", apply)


def _one_slot(patch: Patch) -> None:
    real = ledger.begin

    def begin(status: Any, *rest: Any) -> Any:
        begun = real(status, *rest)
        return begun.model_copy(update={"candidate": begun.candidate.model_copy(update={"slot": 0})})

    patch.setattr(choice.ledger, "begin", begin)


def _slots_swapped_on_promotion(patch: Patch) -> None:
    real = ledger.promote

    def promote(status: Any, now: Any) -> Any:
        promoted = real(status, now)
        return promoted.model_copy(
            update={"stable": promoted.stable.model_copy(update={"slot": 1 - promoted.stable.slot})}
        )

    patch.setattr(advance.ledger, "promote", promote)


def _retry_leaves_the_mark(patch: Patch) -> None:
    real = verbs.retry
    patch.setattr(planner, "retry", lambda s, course: replace(real(s, course), marks=()))


def _superseded_becomes_stable(patch: Patch) -> None:
    real = ledger.end

    def end(status: Any, outcome: str, *rest: Any) -> Any:
        if outcome == "Superseded" and status.stable:
            candidate = status.candidate
            took_over = status.stable.model_copy(update={"revision": candidate.revision, "slot": candidate.slot})
            status = status.model_copy(update={"stable": took_over})
        return real(status, outcome, *rest)

    patch.setattr(choice.ledger, "end", end)


def _only_the_status_remembers(patch: Patch) -> None:
    def rejection(self: Any, revision: str) -> str | None:
        return next((f"{e.reason}: {e.message}" for e in self.status.rejected if e.revision == revision), None)

    patch.setattr(snapshot.Snapshot, "rejection", rejection)


def _status_always_written(patch: Patch) -> None:
    async def remember(self: Any, key: Any, snapshot: Any, status: Any) -> None:
        await self._execute.write_status(snapshot, status)

    patch.setattr(reconcile.Reconciler, "_remember", remember)


def _stable_shrinks_early(patch: Patch) -> None:
    real = upkeep._revision

    def revision(s: Any, spec: Any, name: str, replicas: int) -> Any:
        shrunk = s.status.candidate is not None and s.status.stable and s.status.stable.revision == name
        return real(s, spec, name, 1 if shrunk and replicas > 1 else replicas)

    patch.setattr(upkeep, "_revision", revision)


def _template_of_today(patch: Patch) -> None:
    real = upkeep._revision
    versions = iter(range(10**9))

    def revision(s: Any, spec: Any, name: str, replicas: int) -> Any:
        for action in real(s, spec, name, replicas):
            if action.kind == "Deployment" and s.revision(name).deployment is not None:
                template = action.manifest["spec"]["template"]
                metadata = {**template["metadata"], "annotations": {"rendered": str(next(versions))}}
                spec_ = {**action.manifest["spec"], "template": {**template, "metadata": metadata}}
                action = replace(action, manifest={**action.manifest, "spec": spec_})  # noqa: PLW2901
            yield action

    patch.setattr(upkeep, "_revision", revision)


def _metadata_written(patch: Patch) -> None:
    real = execute.Executor.write_status

    async def write_status(self: Any, s: Any, status: Any) -> None:
        await real(self, s, status)
        seen = {"metadata": {"annotations": {"sluice.dev/seen": "true"}}}
        await self._cluster.patch("ModelDeployment", s.identity.namespace, s.identity.name, seen)

    patch.setattr(execute.Executor, "write_status", write_status)


def _never_looks_again(patch: Patch) -> None:
    patch.setattr(planner, "_look_again", lambda *_: None)


def _steps_skipped(patch: Patch) -> None:
    real = ledger.enter

    def enter(candidate: Any, index: int, stage: Any, now: Any, **changes: Any) -> Any:
        return real(candidate, index, replace(stage, weight=100), now, **changes)

    def stages_of(spec: Any) -> Any:
        stages = real_stages(spec)
        return (*stages[:1], *(replace(stage, weight=100) for stage in stages[1:]))

    real_stages = advance.stages_of
    patch.setattr(advance.ledger, "enter", enter)
    patch.setattr(advance, "stages_of", stages_of)


def _gateway_ignored(patch: Patch) -> None:
    def live(self: Any) -> bool:
        return self.snapshot.route is not None and self.weight == self.stage.weight

    patch.setattr(trial.Trial, "live", property(live))


def _gateway_not_counted(patch: Patch) -> None:
    patch.setattr(counted.CountedByGateway, "take", lambda *_: None)


def _given_up_by_nobody(patch: Patch) -> None:
    """Only what the gateway itself calls a failure; and of that nothing, as if all clients were impatient."""
    patch.setattr(outcomes._Open, "failed", lambda self, told: 0.0)


def _gateway_need_not_be_seen(patch: Patch) -> None:
    patch.setattr(questions.Subject, "rests_on_gateway", False)


def _counters_are_older(patch: Patch) -> None:
    """A checkpoint has the evidence of now, and the newest samples of when the one before it was taken."""
    real, before = judge.Judge.save, {}

    def save(self: Any) -> Any:
        saved = real(self)
        if saved is not None:
            old = {name: part for name, part in saved.numbers.items() if name.startswith(("counters/", "read_until"))}
            words = {name: part for name, part in saved.words.items() if name.startswith("counters/")}
            older, older_words = before.get(id(self), ({}, {}))
            before[id(self)] = old, words
            saved.numbers.update(older)
            saved.words.update(older_words)
        return saved

    patch.setattr(judge.Judge, "save", save)


def _without_epochs(patch: Patch) -> None:
    """The wealth is saved, and not how often new mass has entered."""
    real = comparison.Comparison.save

    def save(self: Any) -> Any:
        saved = real(self)
        for name in [name for name in saved.numbers if name.endswith("/epochs")]:
            saved.numbers[name] = 0 * saved.numbers[name]
        return saved

    patch.setattr(comparison.Comparison, "save", save)


BUGS: Final = (
    Bug("the route is written last in a rollback", _route_last, frozenset({3})),
    Bug("the status is written before the route", _status_first, frozenset({3, 4, 6, 7})),
    Bug("nobody asks whether a candidate is seen", _without(hazards.not_seen), frozenset({5})),
    Bug("blindness has no deadline", _without(hazards.blind), frozenset({5}), about("prometheus-down")),
    Bug(
        "a runtime that is gone is no blindness",
        _blind_to_the_table,
        frozenset({5}),
        about("runtime-gone", behaviours=(Behaviour.GOOD, *BAD[:2]), load=0.3),
    ),
    Bug("a failed check is not looked at", _without(hazards.check_failed), frozenset({3}), about(behaviours=BAD[:2])),
    Bug("exits do not reject", _without(hazards.exited_again), frozenset({3, 7}), about(behaviours=BAD[2:])),
    Bug(
        "a lost candidate keeps its weight",
        _without(hazards.lost),
        frozenset({1}),
        about("lose-candidate", load=5.0, at=(10, 20)),
    ),
    Bug("a pause is not looked at", _without(hazards.paused), frozenset({6}), about(verbs=("pause", "resume"))),
    Bug("pods need not be ready", _without(hazards.not_ready), frozenset({1, 5})),
    Bug("an abort is not looked at", _without(hazards.aborted), frozenset({3}), about(verbs=("abort",))),
    Bug("minSamples is not looked at", _no_samples_needed, frozenset({5}), about(steps=((10, 1, 90), (50, 1, 90)))),
    Bug("certificates are not looked at", _no_certificate_needed, frozenset({5}), about(steps=((5, 1, 0), (9, 1, 0)))),
    Bug("minDuration is not looked at", _no_time_needed, frozenset({5}), about(steps=((10, 8, 10), (50, 8, 10)))),
    Bug(
        "the route's annotation is lost",
        _no_annotation,
        frozenset({4, 7}),
        about(behaviours=BAD[2:], crash=True),
        first=99,
    ),
    Bug(
        "only the status remembers a rejection",
        _only_the_status_remembers,
        frozenset({4}),
        about(behaviours=BAD[2:], crash=True),
        first=19,
    ),
    Bug(
        "traffic goes back to a stable without pods",
        lambda patch: patch.setattr(retreat, "stable_can_serve", lambda *_: True),
        frozenset({1}),
        about("lose-stable", behaviours=BAD),
    ),
    Bug("retirement does not wait", _retired_at_once, frozenset({2})),
    Bug("a retired revision goes before its traffic", _deleted_under_weight, frozenset({1, 2})),
    Bug("stable shrinks during a rollout", _stable_shrinks_early, frozenset({2})),
    Bug("the template is rendered anew", _template_of_today, frozenset({1, 2}), about()),
    Bug("an exit counts in every pass", _exits_counted_each_pass, frozenset({5}), about("container-exit")),
    Bug("leaving pods count as exits", _exits_of_the_leaving_count, frozenset({5}), about("evict-candidate")),
    Bug(
        "ownership is not asked for",
        lambda patch: patch.setattr(execute.Executor, "_not_foreign", _accept_all),
        frozenset({8}),
        about(foreign=True),
    ),
    Bug(
        "a route is written whatever its version",
        _any_version,
        frozenset({4, 6}),
        about("api-flaky", behaviours=BAD, verbs=("abort",), argument=0.99, at=(3, 9), lasts=30.0),
        first=13,
    ),
    Bug(
        "traffic is raised without looking again",
        lambda patch: patch.setattr(execute.Executor, "_still_as_seen", _accept_all),
        frozenset({6}),
        about("watch-slow", hurried=True, argument=0.05, at=(3, 6)),
        first=18,
    ),
    Bug(
        "the lease is trusted without the clock",
        lambda patch: patch.setattr(lease.Lease, "held", lambda self: self._election._renewed_at is not None),
        frozenset({7}),
        about("operator-frozen", operators=2, lasts=35.0),
        first=28,
    ),
    Bug("both revisions share a slot", _one_slot, frozenset({1, 6})),
    Bug("slots are swapped on promotion", _slots_swapped_on_promotion, frozenset({6})),
    Bug("retry leaves the mark", _retry_leaves_the_mark, frozenset({4, 5, 7}), about(verbs=("abort", "retry"))),
    Bug(
        "a superseded candidate becomes stable",
        _superseded_becomes_stable,
        frozenset({1, 2, 5, 6}),
        about(hurried=True),
    ),
    Bug(
        "the gateway's counts are not read",
        _gateway_not_counted,
        frozenset({3}),
        about(behaviours=(Behaviour.HANGS,), gateway=True),
    ),
    Bug(
        "what is never answered is no failure",
        _given_up_by_nobody,
        frozenset({3}),
        about(behaviours=(Behaviour.HANGS,), gateway=True),
    ),
    Bug(
        "a gateway that nobody sees is no blindness",
        _gateway_need_not_be_seen,
        frozenset({5}),
        about("proxies-unseen", gateway=True),
    ),
    Bug("the gateway's word is not waited for", _gateway_ignored, frozenset({5, 6}), about("gateway-slow")),
    Bug(
        "the status is always written",
        _status_always_written,
        frozenset({7}),
        about(behaviours=(Behaviour.NEVER_READY,)),
    ),
    Bug("the operator writes metadata of the resource", _metadata_written, frozenset({8})),
    Bug("nobody looks again", _never_looks_again, frozenset({5, 7})),
    Bug("steps are skipped", _steps_skipped, frozenset({5, 7}), about()),
    Bug(
        "samples are counted twice after a restart",
        _counters_are_older,
        frozenset({7}),
        about("operator-killed", at=(12, 30), steps=SLOW_STEPS),
    ),
    Bug(
        "a checkpoint of other checks is gone on from",
        lambda patch: patch.setattr(checkpoint, "basis_of", lambda *_: {}),
        frozenset({7}),
        about(verbs=("recheck", "recheck", "recheck"), steps=((10, 4, 30), (50, 12, 40)), versus=True),
    ),
    Bug(
        "epochs are not in the checkpoint",
        _without_epochs,
        frozenset({7}),
        about("operator-killed", at=(50, 65), steps=((10, 30, 30), (50, 30, 40)), versus=True),
    ),
)


def _find(number: int) -> tuple[int, str] | None:
    return find(BUGS[number])


def find_all() -> dict[str, tuple[int, str] | None]:
    """By the name of each bug what `find` says of it."""
    with workers() as pool:
        return dict(zip((bug.name for bug in BUGS), pool.map(_find, range(len(BUGS))), strict=True))
