"""Quantities: what a user writes is what the operator computes with, and is written back as the same quantity."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from sluice.api.quantities import (
    DECIMAL_PATTERN,
    DURATION_PATTERN,
    PERCENT_PATTERN,
    Duration,
    Number,
    Percent,
    Time,
    format_duration,
    format_number,
    format_percent,
    parse_duration,
)

DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)
PERCENT: TypeAdapter[Decimal] = TypeAdapter(Percent)
NUMBER: TypeAdapter[Decimal] = TypeAdapter(Number)
TIME: TypeAdapter[datetime] = TypeAdapter(Time)

LONGEST = timedelta(hours=999_999)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0s", timedelta()),
        ("500ms", timedelta(milliseconds=500)),
        ("1.5ms", timedelta(microseconds=1500)),
        ("90s", timedelta(seconds=90)),
        ("1m30s", timedelta(seconds=90)),
        ("1.5h", timedelta(minutes=90)),
        ("604800s", timedelta(days=7)),
        ("1h2m3s4ms", timedelta(hours=1, minutes=2, seconds=3, milliseconds=4)),
    ],
)
def test_durations_mean_what_go_means_by_them(text: str, value: timedelta) -> None:
    assert DURATION.validate_python(text) == value


@given(st.timedeltas(min_value=timedelta(), max_value=LONGEST))
@example(timedelta(hours=1, microseconds=1))
@example(LONGEST)
def test_every_duration_survives_being_written_and_read(value: timedelta) -> None:
    text = format_duration(value)
    assert re.fullmatch(DURATION_PATTERN, text)
    assert len(text) <= 32
    assert parse_duration(text) == value


@given(st.from_regex(DURATION_PATTERN, fullmatch=True))
def test_every_text_the_api_server_accepts_is_a_duration(text: str) -> None:
    value = DURATION.validate_python(text)
    assert value >= timedelta()
    assert (value > timedelta()) == bool(re.search("[1-9]", text)), "the CEL rule for `longer than 0` reads digits"


@pytest.mark.parametrize("text", ["", "30", "s", "-1s", "1d", "1 m", "1m\n", "1e3s", "5.s", "30S"])
def test_no_other_text_is_a_duration(text: str) -> None:
    assert re.fullmatch(DURATION_PATTERN, text) is None
    assert parse_duration(text) == text


@pytest.mark.parametrize(
    ("text", "value"), [("5%", "0.05"), ("0.5%", "0.005"), ("0.0001%", "0.000001"), ("100%", "1"), ("0%", "0")]
)
def test_percentages_are_fractions(text: str, value: str) -> None:
    assert PERCENT.validate_python(text) == Decimal(value)
    assert format_percent(Decimal(value)) == text


@given(st.decimals(min_value=0, max_value=100, places=4))
def test_every_percentage_survives_being_written_and_read(percent: Decimal) -> None:
    text = format_percent(percent / 100)
    assert re.fullmatch(PERCENT_PATTERN, text)
    assert PERCENT.validate_python(text) == percent / 100


@given(st.from_regex(PERCENT_PATTERN, fullmatch=True))
def test_every_text_the_api_server_accepts_is_a_share(text: str) -> None:
    value = PERCENT.validate_python(text)
    assert 0 <= value <= 1
    assert (0 < value < 1) == bool(re.search("[1-9]", text) and text != "100%"), "what the CEL rule of max says"


@pytest.mark.parametrize("text", ["five%", "101%", "-1%", "5 %", "%", "1e1%"])
def test_a_malformed_percentage_is_a_validation_error(text: str) -> None:
    assert re.fullmatch(PERCENT_PATTERN, text) is None
    with pytest.raises(ValidationError):
        PERCENT.validate_python(text)


@given(st.from_regex(DECIMAL_PATTERN, fullmatch=True))
def test_every_number_survives_being_read_and_written(text: str) -> None:
    value = NUMBER.validate_python(text)
    written = format_number(value)
    assert re.fullmatch(DECIMAL_PATTERN, written)
    assert len(written) <= 32
    assert NUMBER.validate_python(written) == value


def test_a_small_number_is_written_without_an_exponent() -> None:
    assert str(Decimal("0.0000001")) == "1E-7"
    assert NUMBER.dump_python(Decimal("0.0000001")) == "0.0000001"


@given(st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.timezones()))
def test_every_time_survives_being_written_and_read(value: datetime) -> None:
    text = TIME.dump_python(value)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text)
    assert TIME.validate_python(text) == value.astimezone(UTC)
