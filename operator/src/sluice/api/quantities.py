"""The small value types of the API: durations as Go writes them, percentages and decimals as strings.

Strings, not floats: the Kubernetes API conventions forbid floats, as they do not survive a round trip.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from sluice.api.rules import VALIDATIONS, form

_MICROSECONDS: Final = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000}
DURATION_PATTERN: Final = r"^([0-9]{1,6}(\.[0-9]{1,3})?(ms|s|m|h)){1,4}$"
"""At most 999999.999 of each unit: four of them fit a timedelta, and its microseconds hold three decimals of 1 ms."""
PERCENT_PATTERN: Final = r"^(100|[0-9]{1,2}(\.[0-9]{1,4})?)%$"
DECIMAL_PATTERN: Final = r"^-?[0-9]{1,15}(\.[0-9]{1,15})?$"
"""No exponent: 1e-3 and 0.001 would be two spellings of one spec, and CEL, Python and people read one of them."""


def parse_duration(text: object) -> object:
    """`"1m30s"` -> 90 s. Anything that is not such a string is returned as it is, for pydantic to judge."""
    if not isinstance(text, str) or not re.fullmatch(DURATION_PATTERN, text):
        return text
    parts = re.findall(r"([0-9.]+)(ms|s|m|h)", text)
    return timedelta(microseconds=int(sum(Decimal(count) * _MICROSECONDS[unit] for count, unit in parts)))


def format_duration(value: timedelta) -> str:
    """90 s -> `"1m30s"`, 0.5 s -> `"500ms"`, 1.5 ms -> `"1.5ms"`, nothing -> `"0s"`. The value must not be negative."""
    rest = value // timedelta(microseconds=1)
    parts = []
    for unit in ("h", "m", "s"):
        count, rest = divmod(rest, _MICROSECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    if rest:
        parts.append(f"{(Decimal(rest) / 1000).normalize():f}ms")
    return "".join(parts) or "0s"


def parse_percent(text: object) -> object:
    """`"5%"` -> Decimal("0.05"). Anything that is not such a string is returned as it is, for pydantic to judge."""
    if isinstance(text, str) and re.fullmatch(PERCENT_PATTERN, text):
        return Decimal(text[:-1]) / 100
    return text


def format_percent(value: Decimal) -> str:
    """Decimal("0.05") -> `"5%"`."""
    return f"{(value * 100).normalize():f}%"


def format_number(value: Decimal) -> str:
    """Decimal("1E-3") -> `"0.001"`: never with an exponent."""
    return f"{value:f}"


@lru_cache(8192)  # a status is written out in each pass, and most of its times are those of the pass before
def format_time(value: datetime) -> str:
    """RFC 3339 in UTC with microseconds, the form of Kubernetes' MicroTime."""
    return f"{value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _schema(pattern: str, limit: int, words: str) -> dict[str, Any]:
    return {"type": "string", "pattern": pattern, "maxLength": limit, VALIDATIONS: [form(pattern, words)]}


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(_schema(DURATION_PATTERN, 32, "a duration such as 500ms, 30s or 1h30m")),
]
"""A length of time as Go writes it: `500ms`, `30s`, `1h30m`."""

Percent = Annotated[
    Decimal,
    BeforeValidator(parse_percent),
    PlainSerializer(format_percent, return_type=str),
    WithJsonSchema(_schema(PERCENT_PATTERN, 9, "a percentage such as 5% or 0.5%")),
]
"""A share, written `"5%"`, held as a fraction: 0.05."""

Number = Annotated[
    Decimal,
    PlainSerializer(format_number, return_type=str),
    WithJsonSchema(_schema(DECIMAL_PATTERN, 32, "a decimal number such as 0.03, without an exponent")),
]
"""A decimal number, written as a string without an exponent."""

Time = Annotated[
    datetime,
    PlainSerializer(format_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment, always with its time zone."""
