"""What is asked of the metrics store, and how is it written in PromQL?"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import isinf
from typing import Final

from sluice.api.status import Verdict
from sluice.api.v1alpha1 import Check
from sluice.core.metrics import MetricPreset, pod_pattern

UP: Final = "up"
"""The metric that Prometheus itself writes at each scrape of a target."""


def compares_with_stable(check: Check) -> bool:
    """Whether a check is about the difference to stable."""
    member = check.rate or check.latency
    return member is not None and member.versus_stable is not None


@dataclass(frozen=True, slots=True)
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

    @property
    def deployment(self) -> str:
        """Name of the candidate's Deployment."""
        return f"{self.name}-{self.candidate}"

    @property
    def baseline(self) -> str | None:
        """Name of stable's Deployment, if a check compares with it."""
        compares = any(compares_with_stable(check) for check in self.checks)
        return f"{self.name}-{self.stable}" if compares and self.stable else None

    @property
    def baseline_preset(self) -> MetricPreset:
        """Where stable keeps its numbers."""
        return self.stable_preset or self.preset

    @property
    def deployments(self) -> tuple[str, ...]:
        """Names of the Deployments whose samples are read, the candidate's first."""
        return (self.deployment, self.baseline) if self.baseline else (self.deployment,)


@dataclass(frozen=True, slots=True)
class SampleQuestion:
    """Raw samples of one metric are wanted.

    bounds: of a histogram's buckets only these, in its unit (infinity: the count); empty: no histogram.
    since: samples newer than this are new, seconds since the epoch.
    """

    metric: str
    since: float
    bounds: tuple[float, ...] = ()


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
    """Regular expression for the ways in which client libraries write a bucket bound: 1, 1.0; 0.25; +Inf.

    Without backslashes, as those would have to be escaped once more inside PromQL.
    """
    if isinf(bound):
        return "[+]Inf"
    whole, _, fraction = f"{bound:.9f}".rstrip("0").partition(".")
    decimal = f"{whole}[.]{fraction}0*" if fraction else f"{whole}([.]0*)?"
    scientific = repr(bound)
    return f"{decimal}|{scientific}" if "e" in scientific else decimal


def samples_query(metric: str, subjects: Iterable[Subject], bounds: Iterable[float], window: int) -> str:
    """PromQL for the raw samples of `metric` of all these rollouts in the last `window` seconds."""
    wanted = tuple(subjects)
    namespaces = "|".join(sorted({s.namespace for s in wanted}))
    pods = "|".join(sorted({pod_pattern(one) for s in wanted for one in s.deployments}))
    matchers = [f'namespace=~"{namespaces}"', f'pod=~"{pods}"']
    return f"{metric}{{{','.join([*matchers, *bucket_matcher(bounds)])}}}[{window}s]"


def bucket_matcher(bounds: Iterable[float]) -> tuple[str, ...]:
    """The label matcher for buckets with these bounds, in the histogram's unit; none for no bounds."""
    buckets = "|".join(spellings(b) for b in sorted(set(bounds)))
    return (f'le=~"{buckets}"',) if buckets else ()
