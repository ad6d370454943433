"""What the CRD says in CEL, said in Python: what a schema cannot say, with the same words.

A rule is found by its message, which is what people read; the few forms that many fields share by their text. A unit
test fails for a rule of the CRD that has no counterpart here, and holds both against the same table of refused specs as
the API server.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from sluice.api import rules as api
from sluice.api.analysis import NAMESPACE_MATCHER, OWN_NAMESPACE
from sluice.api.quantities import DECIMAL_PATTERN, parse_duration
from sluice.api.schema import NAME_LIMIT, NAME_PATTERN
from sluice.cli.lint.finding import Place

Breach = tuple[Place, str]
"""Where below the value, and words; empty words: those of the CRD."""
Rule = Callable[[Any], Iterator[Breach]]

_FORM: Final = re.compile(r"self\.matches\(r'(.*)'\)", re.DOTALL)
_HERE: Final[Breach] = ((), "")


def breaches(value: Any, validations: Sequence[Mapping[str, str]]) -> Iterator[Breach]:
    """The rules of one node that a value of the right type breaks. Words are never empty."""
    for validation in validations:
        rule = counterpart(validation)
        for place, words in rule(value) if rule else ():
            yield place, words or validation["message"]


def counterpart(validation: Mapping[str, str]) -> Rule | None:
    """The Python of one entry of x-kubernetes-validations."""
    if found := _FORM.fullmatch(validation["rule"]):
        return _of_form(found[1])
    return SHARED.get(validation["rule"]) or RULES.get(validation["message"])


def _of_form(pattern: str) -> Rule:
    def rule(value: Any) -> Iterator[Breach]:
        if not re.search(pattern, value) or value.endswith("\n"):
            yield _HERE

    return rule


# --- one function per rule ------------------------------------------------------------------------------------------


def _name(value: Any) -> Iterator[Breach]:
    metadata = value["metadata"]
    name = metadata.get("name") or str(metadata.get("generateName")).rstrip("-")
    if len(name) > NAME_LIMIT or not re.search(NAME_PATTERN, name):
        yield ("metadata", "name"), ""


def _longer_than_0(value: Any) -> Iterator[Breach]:
    if not re.search("[1-9]", value):
        yield _HERE


def _between_0_and_100(value: Any) -> Iterator[Breach]:
    if not re.search("[1-9]", value) or value == "100%":
        yield _HERE


def _secret_reaches(value: Any) -> Iterator[Breach]:
    if "secretRef" in value and not value["uri"].startswith(("https://", "s3://")):
        yield _HERE


def _inside_claim(value: Any) -> Iterator[Breach]:
    if value.startswith("pvc://") and "/.." in value:
        yield _HERE


def _parents_differ(value: Any) -> Iterator[Breach]:
    if any(parent in value[:number] for number, parent in enumerate(value)):
        yield _HERE


def _plain_path(value: Any) -> Iterator[Breach]:
    if re.search(r"//|/[.][.]?(/|$)|%2[fF]", value):
        yield _HERE


def _strategy_member(value: Any) -> Iterator[Breach]:
    if value["type"] != "Canary" and value.get("canary") is not None:
        yield _HERE


def _weights_rise(value: Any) -> Iterator[Breach]:
    for number, (before, step) in enumerate(pairwise(value), start=1):
        if step["weight"] < before["weight"]:
            yield (
                (number, "weight"),
                f"{step['weight']} is below the step before it ({before['weight']}); weights must not fall",
            )


def _names_differ(kind: str) -> Rule:
    """Items without a name have none in common."""

    def rule(value: Any) -> Iterator[Breach]:
        seen = set()
        for number, name in enumerate(item.get("name") for item in value):
            if name is not None and name in seen:
                yield (number, "name"), f"{name} is the name of another {kind}; names of {kind}s must differ"
            seen.add(name)

    return rule


def _check_member(value: Any) -> Iterator[Breach]:
    wanted = value["type"].lower()
    if {member for member in ("rate", "latency", "prometheus") if value.get(member) is not None} != {wanted}:
        yield (
            (),
            f"check {value['name']} has type {value['type']}: set {wanted} and no other of rate, latency, prometheus",
        )


def _rate_limit(value: Any) -> Iterator[Breach]:
    if value.get("max") is None and value.get("versusStable") is None:
        yield _HERE


def _latency_limit(value: Any) -> Iterator[Breach]:
    if value.get("slo") is None and value.get("versusStable") is None:
        yield _HERE


def _at_least_one(value: Any) -> Iterator[Breach]:
    if re.search(DECIMAL_PATTERN, value) and Decimal(value) < 1:
        yield _HERE


def _some_threshold(value: Any) -> Iterator[Breach]:
    if value.get("min") is None and value.get("max") is None:
        yield _HERE


def _min_below_max(value: Any) -> Iterator[Breach]:
    low, high = value.get("min"), value.get("max")
    if low is not None and high is not None and Decimal(low) > Decimal(high):
        yield (), f"min ({low}) is above max ({high}), so every measurement would fail; raise max or lower min"


def _falls(low: str, high: str) -> Rule:
    """Two optional decimals, the first of which must not be above the second."""

    def rule(value: Any) -> Iterator[Breach]:
        one, other = value.get(low), value.get(high)
        if one is not None and other is not None and Decimal(one) > Decimal(other):
            yield _HERE

    return rule


def _own_namespace(value: Any) -> Iterator[Breach]:
    if re.search(NAMESPACE_MATCHER.replace("[:space:]", r"\s"), value.replace(OWN_NAMESPACE, "")):
        yield _HERE


def _interval(value: Any) -> Iterator[Breach]:
    length = parse_duration(value)
    if isinstance(length, timedelta) and length < timedelta(seconds=1):
        yield _HERE


def _blind_deadline(value: Any) -> Iterator[Breach]:
    if value not in ("Auto", "Never") and not re.search("[1-9]", value):
        yield _HERE


SHARED: Final[Mapping[str, Rule]] = {
    api.positive("", "")["rule"]: _longer_than_0,
    api.share("")["rule"]: _between_0_and_100,
}
"""Text of a CEL rule that stands at several fields -> the same in Python."""

RULES: Final[Mapping[str, Rule]] = {
    "metadata.name must be at most 32 characters: lower-case letters, digits and '-', beginning with a letter and "
    "ending with a letter or digit; longer names make Kubernetes cut the names of pods": _name,
    "secretRef is for https and s3: a claim needs none, and over http it could be read on the way; "
    "remove it or correct uri": _secret_reaches,
    "a path in a claim must not lead out of it; write it without ..": _inside_claim,
    "parentRefs names the same listener twice; remove one of the two": _parents_differ,
    "value must be a plain path: no empty, '.' or '..' elements and no encoded slash, e.g. /v2/models": _plain_path,
    "canary is set but type names another strategy; set only the member that type names": _strategy_member,
    "a weight is below the step before it; weights must not fall": _weights_rise,
    "two steps have the same name; names of steps must differ": _names_differ("step"),
    "two checks have the same name; names of checks must differ": _names_differ("check"),
    "set exactly the member that type names (Rate: rate, Latency: latency, Prometheus: prometheus)": _check_member,
    "rate needs max, versusStable or both": _rate_limit,
    "latency needs slo, versusStable or both": _latency_limit,
    "ratio must be at least '1': a candidate as good as stable would fail": _at_least_one,
    "slowdown must be at least '1': a candidate as fast as stable would fail": _at_least_one,
    "prometheus needs min, max or both, else the check says nothing": _some_threshold,
    "min is above max, so every measurement would fail; raise max or lower min": _min_below_max,
    "holdBelow is below min, so it says nothing: a value below min fails already; raise holdBelow": _falls(
        "min", "holdBelow"
    ),
    "holdAbove is above max, so it says nothing: a value above max fails already; lower holdAbove": _falls(
        "holdAbove", "max"
    ),
    "query reaches into another namespace: write $(candidate), $(stable) or "
    'namespace="$(namespace)" and no other matcher on that label': _own_namespace,
    "interval must be at least 1s": _interval,
    "blindDeadline must be Auto, Never or longer than 0, e.g. 90s": _blind_deadline,
}
"""Message of a CEL rule -> the same in Python."""
