"""How the candidate is judged: the checks, and what happens when nothing is seen."""

from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field

from sluice.api.quantities import DECIMAL_PATTERN, DURATION_PATTERN, Duration, Number, Percent
from sluice.api.rules import cel, positive, share, validated
from sluice.api.schema import NAME_LIMIT, NAME_PATTERN, Schema

BLIND_DEADLINE_PATTERN: Final = rf"^(Auto|Never|{DURATION_PATTERN.strip('^$')})$"


OWN_NAMESPACE: Final = 'namespace="$(namespace)"'
NAMESPACE_MATCHER: Final = r"(^|[^a-zA-Z0-9_])namespace[\"`\x27]?[[:space:]]*[=!]"
"""As RE2 reads it: a label matcher on the namespace in PromQL, quoted or not. `by (namespace)` is none."""


class OnFail(StrEnum):
    """What a failed check does."""

    ROLLBACK = "Rollback"
    PAUSE = "Pause"
    REPORT = "Report"


class OnDeadline(StrEnum):
    """What happens to a candidate that was not shown to be good enough in time."""

    HOLD = "Hold"
    PROMOTE = "Promote"
    ROLLBACK = "Rollback"


class CountedBy(StrEnum):
    """Whose counts are judged."""

    SERVER = "Server"
    GATEWAY = "Gateway"


def at_least_one(field: str, why: str) -> dict[str, str]:
    """A decimal, written as a string, of at least '1'."""
    return cel(f"!self.matches(r'{DECIMAL_PATTERN}') || double(self) >= 1.0", f"{field} must be at least '1': {why}")


class VersusStable(Schema):
    """How much worse than stable the candidate may be."""

    ratio: Annotated[
        Number,
        Field(
            description="Tolerated ratio of the candidate's share to stable's; a decimal as a string, at least '1'. "
            "Few pods are tolerated more, as two pods of a revision differ by themselves: 1.59 for one against three.",
            json_schema_extra=validated(at_least_one("ratio", "a candidate as good as stable would fail")),
        ),
    ] = Decimal("1.1")
    margin: Annotated[
        Percent,
        Field(description="Tolerated on top of the ratio, e.g. 0.05%: a stable without losses makes one no scandal."),
    ] = Decimal("0.0005")
    pod_spread: Annotated[
        Percent,
        Field(
            description="How much the shares of two pods of one revision differ by themselves, as a standard deviation "
            "of their logarithm. 0% if they are alike: then ratio alone is tolerated, however few the pods are."
        ),
    ] = Decimal("0.2")


class SlowerThanStable(Schema):
    """How much slower than stable the candidate may be."""

    slowdown: Annotated[
        Number,
        Field(
            description="Each request may take so many times as long as with stable; a decimal as a string, at least "
            "'1'. Few pods are tolerated more, as two pods of a revision differ by themselves: 1.155 for one against "
            "three.",
            json_schema_extra=validated(at_least_one("slowdown", "a candidate as fast as stable would fail")),
        ),
    ] = Decimal("1.05")
    margin: Annotated[
        Percent,
        Field(description="Share of slow requests that is tolerated on top, at each bucket bound, e.g. 0.2%."),
    ] = Decimal("0.002")
    pod_spread: Annotated[
        Percent,
        Field(
            description="How much the latencies of two pods of one revision differ by themselves, as a standard "
            "deviation of their logarithm. 0% if they are alike: then slowdown alone is tolerated."
        ),
    ] = Decimal("0.05")


class RateCheck(Schema):
    """A share of the candidate's requests that must stay below a maximum, not much above stable's, or both."""

    model_config = ConfigDict(
        json_schema_extra=validated(
            cel("has(self.max) || has(self.versusStable)", "rate needs max, versusStable or both"),
        )
    )
    preset: Annotated[
        Literal["errors"], Field(description="Which requests count: errors are answers with a 5xx code.")
    ] = "errors"
    source: Annotated[
        CountedBy,
        Field(
            description="Who counts. Server: the model server, as its row of the runtime table says. Gateway: the "
            "gateway, which also knows of requests that were never answered: everything but a success failed, also "
            "what timed out, broke off or was given up by the client. Needs a gateway that counts for each pod."
        ),
    ] = CountedBy.SERVER
    max: Annotated[
        Percent | None,
        Field(
            description="Largest tolerated share, e.g. 5%. Judged by a sequential test over the whole rollout, within "
            "its part of falseRollback, not by single measurements.",
            json_schema_extra=validated(share("max")),
        ),
    ] = None
    versus_stable: Annotated[
        VersusStable | None,
        Field(
            description="How much larger than stable's at the same time the share may be. A bad hour that both share "
            "is no evidence against the candidate."
        ),
    ] = None


class LatencyCheck(Schema):
    """Slowness: a share of requests above an objective, a slow-down against stable, or both."""

    model_config = ConfigDict(
        json_schema_extra=validated(
            cel("has(self.slo) || has(self.versusStable)", "latency needs slo, versusStable or both"),
        )
    )
    slo: Annotated[
        Duration | None,
        Field(
            description="A request slower than this counts, e.g. 250ms. Must be a bucket bound of the runtime's "
            "latency histogram.",
            json_schema_extra=validated(positive("slo", "250ms")),
        ),
    ] = None
    max_share_above: Annotated[
        Percent,
        Field(
            description="Largest tolerated share of requests slower than slo, e.g. 1%. Says nothing without slo.",
            json_schema_extra=validated(share("maxShareAbove")),
        ),
    ] = Decimal("0.05")
    versus_stable: Annotated[
        SlowerThanStable | None,
        Field(
            description="How much slower than stable at the same time requests may be, judged at every bucket bound "
            "that both histograms have. Needs 5 minutes of stable's answers, usually those before the rollout."
        ),
    ] = None
    warm_up: Annotated[
        Duration,
        Field(
            description="A pod of either revision is left out until so long after its first request, and until it has "
            "answered 200, but at most ten times as long: caches fill and code is compiled. 0s: every request counts."
        ),
    ] = timedelta(seconds=30)


def ordered(low: str, high: str) -> str:
    """CEL: of two optional decimals, written as strings, the first is not above the second. Malformed ones are left to
    the rule of their form."""
    absent = f"!has({low}) || !has({high})"
    malformed = " || ".join(f"!{field}.matches(r'{DECIMAL_PATTERN}')" for field in (low, high))
    return f"{absent} || {malformed} || double({low}) <= double({high})"


class PrometheusCheck(Schema):
    """A plain threshold on a query, for what no preset knows."""

    model_config = ConfigDict(
        json_schema_extra=validated(
            cel("has(self.min) || has(self.max)", "prometheus needs min, max or both, else the check says nothing"),
            cel(
                ordered("self.min", "self.max"),
                "min is above max, so every measurement would fail; raise max or lower min",
                messageExpression=(
                    "'min (%s) is above max (%s), so every measurement would fail; raise max or lower min'"
                    ".format([self.min, self.max])"
                ),
            ),
            cel(
                ordered("self.min", "self.holdBelow"),
                "holdBelow is below min, so it says nothing: a value below min fails already; raise holdBelow",
            ),
            cel(
                ordered("self.holdAbove", "self.max"),
                "holdAbove is above max, so it says nothing: a value above max fails already; lower holdAbove",
            ),
        )
    )
    query: Annotated[
        str,
        Field(
            min_length=1,
            max_length=4096,
            description="PromQL that yields one number. $(candidate) and $(stable) stand for the label matchers of a "
            'revision\'s pods (namespace="..",pod=~".."), $(namespace) and $(name) for those of the object. Every '
            'selector needs one of the first two or namespace="$(namespace)", and no other matcher on that label.',
            json_schema_extra=validated(
                cel(
                    f"!self.replace('{OWN_NAMESPACE}', '').matches(r'{NAMESPACE_MATCHER}')",
                    "query reaches into another namespace: write $(candidate), $(stable) or "
                    'namespace="$(namespace)" and no other matcher on that label',
                )
            ),
        ),
    ]
    min: Annotated[
        Number | None,
        Field(description="A value below this fails the measurement; a decimal as a string, e.g. '0.03'."),
    ] = None
    max: Annotated[
        Number | None, Field(description="A value above this fails the measurement; a decimal as a string, e.g. '0.5'.")
    ] = None
    hold_below: Annotated[
        Number | None,
        Field(
            description="A value below this, but not below min, is inconclusive: it fails nothing, and while it is the "
            "newest the stage is not left; a decimal as a string."
        ),
    ] = None
    hold_above: Annotated[
        Number | None,
        Field(
            description="A value above this, but not above max, is inconclusive: it fails nothing, and while it is the "
            "newest the stage is not left; a decimal as a string."
        ),
    ] = None
    interval: Annotated[
        Duration,
        Field(
            description="Time between two measurements; at least 1s.",
            json_schema_extra=validated(
                cel(
                    f"!self.matches(r'{DURATION_PATTERN}') || duration(self) >= duration('1s')",
                    "interval must be at least 1s",
                )
            ),
        ),
    ] = timedelta(seconds=30)
    initial_delay: Annotated[
        Duration,
        Field(
            description="Measurements count from so long after the candidate's first answered request, e.g. 1m for a "
            "query with rate(..[1m]), which before still looks back on a time without traffic."
        ),
    ] = timedelta()
    failure_limit: Annotated[
        int, Field(ge=0, le=1000, description="Failed measurements that are tolerated; one more fails the check.")
    ] = 0
    consecutive_error_limit: Annotated[
        int,
        Field(
            ge=0,
            le=1000,
            description="Measurements in a row that may yield no value (an error of the query, no data, NaN) once it "
            "has yielded one. With one more the check knows nothing, and the stage is not left.",
        ),
    ] = 0


class Check(Schema):
    """One question that a rollout asks all the time. `type` names the member that holds the settings."""

    model_config = ConfigDict(
        json_schema_extra=validated(
            cel(
                "has(self.rate) == (self.type == 'Rate') && has(self.latency) == (self.type == 'Latency') && "
                "has(self.prometheus) == (self.type == 'Prometheus')",
                "set exactly the member that type names (Rate: rate, Latency: latency, Prometheus: prometheus)",
                messageExpression=(
                    "'check %s has type %s: set %s and no other of rate, latency, prometheus'"
                    ".format([self.name, self.type, self.type.lowerAscii()])"
                ),
            )
        )
    )
    name: Annotated[
        str,
        Field(
            min_length=1, max_length=NAME_LIMIT, pattern=NAME_PATTERN, description="Name shown in status and Events."
        ),
    ]
    type: Annotated[Literal["Rate", "Latency", "Prometheus"], Field(description="Kind of check.")]
    on_fail: Annotated[
        OnFail,
        Field(description="Rollback: traffic to stable at once. Pause: hold the weight. Report: only say so."),
    ] = OnFail.ROLLBACK
    required: Annotated[
        bool,
        Field(
            description="Whether the candidate must be shown to be good enough by this check (verdict Certified, at "
            "95% confidence) before it gets all traffic. Not for onFail Report. A Prometheus check has no certificate: "
            "it only must not fail."
        ),
    ] = True
    rate: Annotated[RateCheck | None, Field(description="Settings of type Rate.")] = None
    latency: Annotated[LatencyCheck | None, Field(description="Settings of type Latency.")] = None
    prometheus: Annotated[PrometheusCheck | None, Field(description="Settings of type Prometheus.")] = None


DEFAULT_CHECKS: Final = (
    Check(name="errors", type="Rate", rate=RateCheck(versus_stable=VersusStable())),
    Check(name="latency", type="Latency", latency=LatencyCheck(versus_stable=SlowerThanStable())),
)


class Analysis(Schema):
    """How the candidate is judged."""

    false_rollback: Annotated[
        Percent,
        Field(
            description="Largest probability with which a good candidate is rolled back in one whole rollout, however "
            "long it takes. The checks on requests share it: two parts go to those of type Rate, one to those of type "
            "Latency. Smaller: a bad one is found later.",
            json_schema_extra=validated(
                cel(
                    "self.matches('[1-9]') && self != '100%'",
                    "falseRollback must be above 0% and below 100%, e.g. 1%",
                )
            ),
        ),
    ] = Decimal("0.01")
    evidence_deadline: Annotated[
        Duration,
        Field(
            description="How long the last step may last without every required check being Certified, in time with "
            "its weight live. Then onDeadline decides.",
            json_schema_extra=validated(positive("evidenceDeadline", "24h")),
        ),
    ] = timedelta(hours=24)
    on_deadline: Annotated[
        OnDeadline,
        Field(
            description="When evidenceDeadline has passed. Hold: the weight stays and a person decides. Promote: "
            "minDuration, minSamples and no check that fails or sees nothing are enough. Rollback: the revision is "
            "rejected."
        ),
    ] = OnDeadline.HOLD
    blind_deadline: Annotated[
        str,
        Field(
            max_length=32,
            pattern=BLIND_DEADLINE_PATTERN,
            description="How long the candidate may keep its weight while no fresh metrics of it arrive, e.g. 90s. "
            "Then its weight goes to 0 until sight returns; it is not rejected. Auto: the larger of 60s and three "
            "scrape intervals. Never: the weight is held.",
            json_schema_extra=validated(
                cel(
                    "self == 'Auto' || self == 'Never' || self.matches('[1-9]')",
                    "blindDeadline must be Auto, Never or longer than 0, e.g. 90s",
                )
            ),
        ),
    ] = "Auto"
    checks: Annotated[
        tuple[Check, ...],
        Field(
            max_length=32,
            description="Checks by name. Absent: errors and latency, each compared with stable.",
            # Atomic: as a map by name, checks that somebody applies later would be merged with the persisted defaults.
            json_schema_extra=validated(
                cel(
                    "self.all(check, self.exists_one(other, other.name == check.name))",
                    "two checks have the same name; names of checks must differ",
                    messageExpression=(
                        "self.transformList(i, check, self.exists(j, other, j < i && other.name == check.name), "
                        "'spec.analysis.checks[%d].name: %s is the name of another check; names of checks must "
                        "differ'.format([i, check.name]))[0]"
                    ),
                )
            ),
        ),
    ] = DEFAULT_CHECKS
