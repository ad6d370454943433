"""What is allowed, and yet no good idea?

Each function answers one question about a spec that the API server would take.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sluice.api.analysis import CountedBy
from sluice.api.quantities import format_duration
from sluice.api.v1alpha1 import Canary, OnFail, Spec
from sluice.cli.lint.finding import Finding, advise
from sluice.cli.lint.gateways import NO_GATEWAYS, Gateways
from sluice.core.analysis.scope import beyond
from sluice.core.analysis.threshold import filled
from sluice.core.metrics import LATENCY_BOUNDS

OWN_SERVER: Final = "sluice-sklearn"
"""Runtime whose bucket bounds are known without the cluster's runtime table."""
CAUTIOUS_WEIGHT: Final = 10
"""Percent: the most that a first step should give to a model of which nothing is known yet."""
LAST_WEIGHT: Final = 25
"""Percent: the least that a last step should have, as all traffic follows after it."""
SCRAPES: Final = 3
"""A revision counts as seen for three scrapes after its last one: in a shorter step nothing may be seen at all."""
PLACEHOLDERS: Final = ("$(candidate)", "$(stable)", "$(namespace)", "$(name)")
LONG: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a manifest does not say. scrape_interval: of Prometheus. rps: requests/s of the model; None: unknown.
    gateways: what other objects of the files say of them."""

    scrape_interval: timedelta
    rps: float | None = None
    gateways: Gateways = NO_GATEWAYS


def advice(spec: Spec, around: Surroundings) -> Iterator[Finding]:
    """All that is worth a word."""
    for question in QUESTIONS:
        yield from question(spec, around)


def _first_step(spec: Spec, _: Surroundings) -> Iterator[Finding]:
    """How many users meet a model of which nothing is known yet?"""
    first = (spec.strategy.canary or Canary()).steps[0]
    if first.weight > CAUTIOUS_WEIGHT:
        yield advise(
            f"the first step gives {first.weight}% of the live requests to a model of which nothing is known yet; "
            f"begin with at most {CAUTIOUS_WEIGHT}",
            *("strategy", "canary", "steps", 0, "weight"),
        )


def _last_step(spec: Spec, _: Surroundings) -> Iterator[Finding]:
    """How large is the jump to all traffic?"""
    steps = (spec.strategy.canary or Canary()).steps
    if steps[-1].weight < LAST_WEIGHT:
        yield advise(
            f"all traffic follows after this step, a jump from {steps[-1].weight}% to 100%; add a step of 50",
            *("strategy", "canary", "steps", len(steps) - 1, "weight"),
        )


def _short_steps(spec: Spec, around: Surroundings) -> Iterator[Finding]:
    """Can anything be seen in the time of a step?"""
    least = SCRAPES * around.scrape_interval
    for number, step in enumerate((spec.strategy.canary or Canary()).steps):
        if step.min_duration < least:
            yield advise(
                f"{format_duration(step.min_duration)} is shorter than {SCRAPES} scrapes (one each "
                f"{format_duration(around.scrape_interval)}), so the step may be over before its first failures are "
                f"seen; use at least {format_duration(least)}, or say --scrape-interval",
                *("strategy", "canary", "steps", number, "minDuration"),
            )


def _samples(spec: Spec, around: Surroundings) -> Iterator[Finding]:
    """How long do minSamples take?"""
    for number, step in enumerate((spec.strategy.canary or Canary()).steps):
        place = ("strategy", "canary", "steps", number, "minSamples")
        if around.rps is None or not step.min_samples:
            continue
        rate = around.rps * step.weight / 100
        if rate <= 0:
            yield advise("without requests this step is never left", *place)
            continue
        takes = timedelta(seconds=min(step.min_samples / rate, 1e9))
        if takes > max(LONG, 2 * step.min_duration):
            yield advise(
                f"{step.min_samples} requests take {takes / timedelta(days=1):.1f} days at {step.weight}% of "
                f"{around.rps:g} requests/s; lower minSamples or raise the weight",
                *place,
            )


def _nothing_rolls_back(spec: Spec, _: Surroundings) -> Iterator[Finding]:
    """Does anything take the traffic back by itself?"""
    if not any(check.on_fail is OnFail.ROLLBACK for check in spec.analysis.checks):
        yield advise(
            "no check has onFail Rollback, so only a candidate that dies is taken back by itself; leave checks out for "
            "errors and latency",
            *("analysis", "checks"),
        )


def _slo_is_a_bound(spec: Spec, _: Surroundings) -> Iterator[Finding]:
    """Can the latency objective be read off the histogram?"""
    if spec.runtime.name != OWN_SERVER:
        return
    for number, check in enumerate(spec.analysis.checks):
        if check.latency is None or check.latency.slo is None:
            continue
        slo = check.latency.slo.total_seconds()
        if slo not in LATENCY_BOUNDS:
            below = max((bound for bound in LATENCY_BOUNDS if bound < slo), default=None)
            above = min((bound for bound in LATENCY_BOUNDS if bound > slo), default=None)
            near = " or ".join(format_duration(timedelta(seconds=b)) for b in (below, above) if b is not None)
            yield advise(
                f"{format_duration(check.latency.slo)} is no bucket bound of {OWN_SERVER}, so a rollout would be "
                f"stalled with QueryError; use {near}, unless your runtime table names other bounds",
                *("analysis", "checks", number, "latency", "slo"),
            )


def _gateway_counts(spec: Spec, around: Surroundings) -> Iterator[Finding]:
    """Can the gateway's own counts be read?"""
    for number, check in enumerate(spec.analysis.checks):
        if check.rate is not None and check.rate.source is CountedBy.GATEWAY:
            for trouble in around.gateways.troubles(spec.traffic.gateway.parent_refs):
                yield advise(f"{trouble}, or use Server", *("analysis", "checks", number, "rate", "source"))


def _queries(spec: Spec, _: Surroundings) -> Iterator[Finding]:
    """Do plain queries ask about the candidate, and of nobody else's metrics?"""
    for number, check in enumerate(spec.analysis.checks):
        if check.prometheus is None:
            continue
        place = ("analysis", "checks", number, "prometheus", "query")
        unknown = sorted(set(re.findall(r"\$\([^)]*\)?", check.prometheus.query)) - set(PLACEHOLDERS))
        if unknown:
            yield advise(f"{', '.join(unknown)} is no placeholder; there are {', '.join(PLACEHOLDERS)}", *place)
            continue
        if "$(candidate)" not in check.prometheus.query:
            yield advise(
                "without $(candidate) the query measures more than the candidate, or something else; select its pods "
                "with metric{$(candidate)}",
                *place,
            )
        if wrong := beyond(filled(check.prometheus.query, "own", "name", "0" * 8, "1" * 8), "own"):
            yield advise(f"{wrong}, else the rollout is stalled with QueryError", *place)


def _blind_for_ever(spec: Spec, _: Surroundings) -> Iterator[Finding]:
    """What happens while nobody sees how the candidate does?"""
    if spec.analysis.blind_deadline == "Never":
        yield advise(
            "while no metrics arrive the candidate keeps its weight, whatever it does; leave blindDeadline out to take "
            "the traffic back until they do",
            *("analysis", "blindDeadline"),
        )


def _plain_http(spec: Spec, _: Surroundings) -> Iterator[Finding]:
    """May the model be fetched like this?"""
    if spec.model.uri.startswith("http://"):
        yield advise(
            "plain http works only for hosts that the operator's administrator named in SLUICE_ALLOWED_MODEL_HOSTS; "
            "use https",
            *("model", "uri"),
        )


def _images(spec: Spec, _: Surroundings) -> Iterator[Finding]:
    """Is what runs under a revision always the same?"""
    pod: Any = spec.template.get("spec")
    for kind in ("initContainers", "containers"):
        containers = pod.get(kind) if isinstance(pod, dict) else None
        for number, container in enumerate(containers if isinstance(containers, list) else ()):
            image = container.get("image") if isinstance(container, dict) else None
            if isinstance(image, str) and "@sha256:" not in image:
                yield advise(
                    f"the tag of {image} may be moved, and then pods of one revision run different code; name it by "
                    "its digest, image@sha256:...",
                    *("template", "spec", kind, number, "image"),
                )


QUESTIONS: Final[tuple[Callable[[Spec, Surroundings], Iterator[Finding]], ...]] = (
    _plain_http,
    _images,
    _first_step,
    _last_step,
    _short_steps,
    _samples,
    _nothing_rolls_back,
    _slo_is_a_bound,
    _gateway_counts,
    _queries,
    _blind_for_ever,
)
