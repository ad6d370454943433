"""What is asked of the metrics store, and how is it written in PromQL?"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from math import isinf
from typing import Final

from sluice.api.analysis import CountedBy
from sluice.api.status import Verdict
from sluice.api.v1alpha1 import Check, OnFail
from sluice.core.gateway_counts import GatewayCounts
from sluice.core.metrics import MetricPreset, pod_pattern

UP: Final = "up"
"""The metric that Prometheus itself writes at each scrape of a target."""


UNASKED: Final = "no check judges the gateway's counts"


def compares_with_stable(check: Check) -> bool:
    """Whether a check is about the difference to stable."""
    member = check.rate or check.latency
    return member is not None and member.versus_stable is not None


def counted_by_gateway(check: Check) -> bool:
    """Whether a check judges the gateway's own counts."""
    return check.rate is not None and check.rate.source is CountedBy.GATEWAY


@dataclass(frozen=True)
class Subject:
    """One rollout as far as evidence is concerned. Another subject needs another judge.

    candidate, stable: revisions. started_at: when the rollout began; evidence counts from here.
    """

    namespace: str
    name: str
    candidate: str
    stable: str | None
    started_at: datetime
    checks: tuple[Check, ...]
    preset: MetricPreset
    stable_preset: MetricPreset | None = None
    """Where stable's runtime keeps its numbers; None: where the candidate's does."""
    largest_share: float = 0.5
    """Largest share of the live requests that the candidate gets before it gets all: 0..1."""
    alpha: float = 0.01
    """Largest probability of a false rollback over the whole rollout; the checks on requests share it (sharing.py)."""
    confined: bool = True
    """Whether plain queries may read their own namespace only (scope.py)."""

    gateway: GatewayCounts | str = UNASKED
    """Where the gateway keeps its own counts, or why those cannot be read."""

    @cached_property
    def gateway_counts(self) -> GatewayCounts | None:
        """The gateway's counts, if a check judges them and they can be read."""
        wanted = any(counted_by_gateway(check) for check in self.checks)
        return self.gateway if wanted and isinstance(self.gateway, GatewayCounts) else None

    @cached_property
    def rests_on_gateway(self) -> bool:
        """Whether the candidate may have weight only while the gateway's counts are seen."""
        return any(counted_by_gateway(check) and check.on_fail is not OnFail.REPORT for check in self.checks)

    @cached_property
    def deployment(self) -> str:
        """Name of the candidate's Deployment."""
        return f"{self.name}-{self.candidate}"

    @cached_property
    def baseline(self) -> str | None:
        """Name of stable's Deployment, if a check compares with it."""
        compares = any(compares_with_stable(check) for check in self.checks)
        return f"{self.name}-{self.stable}" if compares and self.stable else None

    @cached_property
    def baseline_preset(self) -> MetricPreset:
        """Where stable keeps its numbers."""
        return self.stable_preset or self.preset

    @cached_property
    def deployments(self) -> tuple[str, ...]:
        """Names of the Deployments whose samples are read, the candidate's first."""
        return (self.deployment, self.baseline) if self.baseline else (self.deployment,)


@dataclass(frozen=True, slots=True)
class SampleQuestion:
    """Raw samples of one metric are wanted, or of several of one scrape: `a|b`.

    gateway: None: the metric is the pods' own; else the gateway's, about the route.
    bounds: of a histogram's buckets only these, in its unit (infinity: the count); empty: no histogram.
    since: samples newer than this are new, seconds since the epoch.
    """

    metric: str
    since: float
    bounds: tuple[float, ...] = ()
    gateway: GatewayCounts | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """The value of one check's query at one moment is wanted. at: seconds since the epoch."""

    check: str
    promql: str
    at: float


@dataclass(frozen=True, slots=True)
class Failure:
    """A question without an answer. verdict: ProviderError or QueryError. message: the store's words.

    of_stable: the candidate tells, only stable does not.
    """

    verdict: Verdict
    message: str
    of_stable: bool = False


def pod_matchers(namespace: str, deployment: str) -> str:
    """Label matchers of the pods of a Deployment, without braces."""
    return f'namespace="{namespace}",pod=~"{pod_pattern(deployment)}"'


def revision_matchers(namespace: str, name: str, revision: str | None) -> str:
    """Label matchers of one revision's pods, without braces; of no pod at all where there is no revision."""
    if revision is None:
        return f'namespace="{namespace}",pod="",pod!=""'
    return pod_matchers(namespace, f"{name}-{revision}")


def spellings(bound: float) -> str:
    """Regular expression for the ways in which client libraries write a bucket bound: 1, 1.0; 0.25; +Inf; and with all
    of its digits where it was computed, 0.00022500000000000002.

    Without backslashes, as those would have to be escaped once more inside PromQL.
    """
    if isinf(bound):
        return "[+]Inf"
    whole, _, fraction = f"{bound:.9f}".rstrip("0").partition(".")
    decimal = f"{whole}[.]{fraction}0*" if fraction else f"{whole}([.]0*)?"
    exact = repr(bound)
    if "e" in exact:
        return f"{decimal}|{exact}"
    return decimal if float(f"{bound:.9f}") == bound else f"{decimal}|{exact.replace('.', '[.]')}"


def samples_query(question: SampleQuestion, subjects: Iterable[Subject], bounds: Iterable[float], window: int) -> str:
    """PromQL for the raw samples that are asked for, of all these rollouts, in the last `window` seconds."""
    wanted = tuple(subjects)
    if question.gateway is not None:
        matchers = [question.gateway.matcher((s.namespace, s.name) for s in wanted)]
    else:
        namespaces = "|".join(sorted({s.namespace for s in wanted}))
        pods = "|".join(sorted({pod_pattern(one) for s in wanted for one in s.deployments}))
        matchers = [f'namespace=~"{namespaces}"', f'pod=~"{pods}"']
    return f"{selected(question.metric, [*matchers, *bucket_matcher(bounds)])}[{window}s]"


def selected(metric: str, matchers: Iterable[str]) -> str:
    """The selector of one metric, or of several: `a|b`."""
    if "|" in metric:
        return f'{{__name__=~"{metric}",{",".join(matchers)}}}'
    return f"{metric}{{{','.join(matchers)}}}"


def bucket_matcher(bounds: Iterable[float]) -> tuple[str, ...]:
    """The label matcher for buckets with these bounds, in the histogram's unit; none for no bounds."""
    buckets = "|".join(spellings(b) for b in sorted(set(bounds)))
    return (f'le=~"{buckets}"',) if buckets else ()
