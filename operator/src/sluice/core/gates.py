"""What does a stage still wait for before it may be left?"""

from sluice.api.quantities import format_duration
from sluice.api.status import Verdict
from sluice.api.v1alpha1 import OnDeadline, OnFail
from sluice.core.analysis.verdicts import CheckResult
from sluice.core.trial import Trial


def gates(trial: Trial) -> str:
    """What its stage still waits for before it may be left; empty when nothing."""
    observation, stage = trial.snapshot.observation, trial.stage
    if not trial.live:
        words = trial.snapshot.route.message if trial.snapshot.route else ""
        return f"the gateway has not confirmed the weight{f': {words}' if words else ''}"
    waits = []
    if trial.live_for < stage.min_duration:
        waits.append(f"{int(trial.live_for.total_seconds())} s of {format_duration(stage.min_duration)}")
    if observation.requests < stage.min_samples:
        waits.append(f"{observation.requests} of {stage.min_samples} requests")
    if not trial.first:
        waits.extend(f"check {c.name} is {c.verdict}: {c.message}" for c in observation.checks if _keeps(trial, c))
        waits.extend(f"check {c.name} is inconclusive: {c.message}" for c in observation.checks if _inconclusive(c))
        waits.extend(f"check {c.name} is not certified: {c.certificate}" for c in _unproven(trial))
    return ", ".join(waits)


def _unproven(trial: Trial) -> tuple[CheckResult, ...]:
    """Checks whose certificate is still waited for."""
    analysis = trial.spec.analysis
    given_up = trial.live_for >= analysis.evidence_deadline and analysis.on_deadline is OnDeadline.PROMOTE
    return () if given_up else trial.unproven


def _inconclusive(check: CheckResult) -> bool:
    """Is its newest value neither good nor bad? An unknown verdict says more, and holds the stage anyway."""
    return check.holds and check.verdict is Verdict.UNDECIDED and check.on_fail is not OnFail.REPORT


def _keeps(trial: Trial, check: CheckResult) -> bool:
    """Does what it says keep the candidate in its stage?

    A comparison with a stable that has no pod left does not: nothing better could be shown, and people roll out the
    remedy just then.
    """
    stable = trial.snapshot.status.stable
    if check.lacks_stable and stable is not None and not trial.snapshot.revision(stable.revision).serving:
        return False
    return check.on_fail is not OnFail.REPORT and (check.verdict.unknown or check.verdict is Verdict.FAIL)
