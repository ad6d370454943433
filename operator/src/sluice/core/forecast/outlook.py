"""What to expect of a rollout before anyone deploys it: how long, what it catches, what that costs, where it is too
thin."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf, isfinite
from typing import Final

import numpy as np

from sluice.api.v1alpha1 import Check, OnFail, Spec
from sluice.core.analysis.sharing import limits_of
from sluice.core.analysis.slowness import PROVEN_TAIL
from sluice.core.forecast import advice
from sluice.core.forecast.expected import Outlook, Regression, StageOutlook, regression
from sluice.core.forecast.judging import Rule, judge
from sluice.core.forecast.slowdowns import USUAL, Latencies, latency_check, slow_rows
from sluice.core.forecast.worlds import Leg, Rollouts, Traffic
from sluice.core.strategies import stages_of

WORLDS: Final = 400
"""Simulated rollouts for each row: a share of 50% is known to 5 points, one of 1% to 1 point."""
MOST_POLLS: Final = 400
"""Looks at one stage: one that takes hours is simulated in longer polls."""
FACTORS: Final = (1.5, 2.0, 3.0, 5.0)
"""Regressions that are tried: errors become so many times as frequent as stable's."""
HALF: Final = 0.5
PROOF_SECONDS: Final = 6 * 3600.0
"""How long a certificate is waited for, after the other gates of the last stage are open."""
PROOF_POLL: Final = 30.0
"""Seconds between two looks meanwhile."""
MORE_THAN_HALF: Final = 0.6
"""Share of the rollouts after which a median is known."""
CERTIFICATE: Final = "certificate"
"""What a stage waits for."""


class NoErrorsCheck(ValueError):
    """The spec has no check on errors that rolls back, so nothing can be forecast."""


def outlook(
    spec: Spec,
    rate: float,
    share: float,
    *,
    latencies: Latencies = USUAL,
    burst: int = 1,
    scrape: float = 5.0,
    worlds: int = WORLDS,
    polls: int = MOST_POLLS,
    seed: int = 1,
) -> Outlook:
    """Forecast of a rollout by this spec.

    rate: requests/s that the route gets. share: of stable's requests that fail, 0..1. latencies: of its answers. burst:
    failures come in groups of so many. scrape: seconds between two scrapes of a pod. polls: most looks at one stage,
    fewer are quicker and coarser. seed: equal seeds give equal answers. Raises NoErrorsCheck.
    """
    check = errors_check(spec)
    rule = rule_of(spec, check)
    stages = tuple(_stages(spec, rate))
    traffic = Traffic(
        rate,
        share,
        tuple(
            Leg(stage.weight, stage.seconds, stage.pods, max(scrape, stage.seconds / polls))
            for stage in stages
            if isfinite(stage.seconds)
        ),
        stable_pods=spec.replicas or 1,
        burst=burst,
    )
    if not traffic.legs:
        return Outlook(stages, (), 0.0, tuple(advice.on_stages(spec, stages, CERTIFICATE, PROOF_SECONDS)))
    names = [stage.name for stage in stages if isfinite(stage.seconds)]
    equal = judge(Rollouts(traffic, worlds, seed), traffic.length, rule)
    same, *slower = slow_rows(spec, traffic, latencies, names, worlds, seed) if latency_check(spec) else (None,)
    if len(traffic.legs) == len(stages):
        stages = _with_certificates(spec, stages, traffic, worlds, polls, seed)
    spared = (1 - float(np.mean(np.isfinite(equal.failed_at)))) * (1 - (same.found if same else 0.0))
    found = Outlook(
        stages=stages,
        regressions=tuple(_regressions(traffic, names, rule, worlds, seed)),
        false_rollback=1 - spared,
        advice=(),
        slowdowns=tuple(slower),
    )
    said = (
        *advice.on_stages(spec, stages, CERTIFICATE, PROOF_SECONDS),
        *advice.on_power(spec, rule, found, _needed(traffic, found, rule, worlds, seed)),
    )
    return replace(found, advice=said)


def _needed(traffic: Traffic, found: Outlook, rule: Rule, worlds: int, seed: int) -> float:
    """Seconds of the last stage in which five times the errors are found in 95% of the rollouts; inf: it is found
    already, or not even in hours."""
    worst = next((one for one in found.regressions if one.name.startswith("5x")), None)
    if worst is None or worst.found >= advice.WELL_FOUND or rule.ratio is None:
        return inf
    *before, last = traffic.legs
    longer = replace(last, seconds=PROOF_SECONDS, poll=max(PROOF_POLL, last.poll))
    patient = replace(traffic, legs=(*before, longer), failing=worst.share)
    judged = judge(Rollouts(patient, worlds, seed), patient.length, rule)
    late = np.quantile(np.nan_to_num(judged.failed_at, nan=inf), advice.WELL_FOUND, method="higher")
    return float(late) - sum(leg.seconds for leg in before)


def _with_certificates(
    spec: Spec, stages: tuple[StageOutlook, ...], traffic: Traffic, worlds: int, polls: int, seed: int
) -> tuple[StageOutlook, ...]:
    """The last stage also waits for the certificates: so long that half of the equal candidates have the slowest."""
    last = traffic.legs[-1]
    waiting = Leg(last.weight, PROOF_SECONDS, last.pods, max(PROOF_POLL, last.poll, PROOF_SECONDS / (2 * polls)))
    longer = replace(traffic, legs=(*traffic.legs, waiting))
    ready = {
        check.name: _certified_at(replace(longer, base=base), rule, worlds, seed)
        for check, rule, base in _required(spec, traffic.base)
    }
    slowest = max(ready, key=lambda name: ready[name], default="")
    late = min(ready.get(slowest, 0.0), longer.length) - traffic.length
    if late <= 0:
        return stages
    return (*stages[:-1], replace(stages[-1], seconds=stages[-1].seconds + late, by=CERTIFICATE, of=slowest))


def _certified_at(traffic: Traffic, rule: Rule, worlds: int, seed: int) -> float:
    """Median seconds until an equal candidate is certified."""
    judged = judge(Rollouts(traffic, worlds, seed), traffic.length, rule, certify=True, enough=MORE_THAN_HALF)
    return float(np.median(np.nan_to_num(judged.certified_at, nan=inf)))


def _required(spec: Spec, share: float) -> Iterator[tuple[Check, Rule, float]]:
    """Checks whose certificate is waited for and can be forecast, what they tolerate, and stable's share of losses.

    A comparison of latencies is certified at the bound that about 5% of stable's requests exceed. How many exceed an
    objective is not known beforehand.
    """
    for check in spec.analysis.checks:
        if not check.required or check.on_fail is OnFail.REPORT:
            continue
        if check.rate is not None:
            yield check, rule_of(spec, check), share
        elif check.latency is not None and check.latency.versus_stable is not None:
            yield check, Rule(at=inf), PROVEN_TAIL


def errors_check(spec: Spec) -> Check:
    """The check on errors that rolls back. Raises NoErrorsCheck."""
    for check in spec.analysis.checks:
        if check.rate is not None and check.on_fail is OnFail.ROLLBACK:
            return check
    raise NoErrorsCheck(
        "spec.analysis.checks has no check of type Rate with onFail: Rollback; add one, or leave checks out"
    )


def rule_of(spec: Spec, check: Check) -> Rule:
    """What the check tolerates, at its share of alpha."""
    rate = check.rate
    if rate is None:
        raise NoErrorsCheck(f"check {check.name} of type {check.type} is none on errors")
    versus = rate.versus_stable
    return Rule(
        at=limits_of(spec.analysis.checks, float(spec.analysis.false_rollback))[check.name],
        ratio=float(versus.ratio) if versus else None,
        margin=float(versus.margin) if versus else 0.0,
        maximum=float(rate.max) if rate.max is not None else None,
    )


def _stages(spec: Spec, rate: float) -> Iterator[StageOutlook]:
    for stage in stages_of(spec)[:-1]:
        own = rate * stage.weight / 100
        least = stage.min_duration.total_seconds()
        asked = stage.min_samples / own if own > 0 else (inf if stage.min_samples else 0.0)
        by = "minSamples" if asked > least else "minDuration"
        yield StageOutlook(stage.name, stage.weight, stage.capacity(spec.replicas or 1), own, max(least, asked), by)


def _regressions(traffic: Traffic, stages: Sequence[str], rule: Rule, worlds: int, seed: int) -> Iterator[Regression]:
    cases = [(f"{factor:g}x errors", traffic.base * factor) for factor in FACTORS if traffic.base > 0]
    for name, share in (*cases, ("half failing", HALF)):
        if share < 1:
            judged = judge(Rollouts(replace(traffic, failing=share), worlds, seed), traffic.length, rule)
            yield regression(name, share, judged, stages)
