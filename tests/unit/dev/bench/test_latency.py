"""The figures of versions that are slower."""

from dataclasses import replace

from sluice_dev.bench.latency import ROUNDS, Round, summary, told

PLAYED = [
    Round(slowdown, None if slowdown == 1.0 else 30.0, 500, "evidence")
    for slowdown, count in ROUNDS.items()
    for _ in range(count)
]


def test_it_holds_if_slow_ones_were_found_and_equal_ones_were_not() -> None:
    assert summary(PLAYED).met


def test_it_does_not_hold_otherwise() -> None:
    missed = [replace(PLAYED[0], seconds=None), *PLAYED[1:]]
    late = [replace(one, seconds=61.0) if one.slowdown == 1.5 else one for one in PLAYED]
    false = [*PLAYED[:-1], replace(PLAYED[-1], seconds=10.0)]
    for broken in (missed, late, false, PLAYED[:-1], []):
        assert not summary(broken).met


def test_smaller_slow_downs_are_only_reported() -> None:
    assert summary([replace(one, seconds=None) if one.slowdown in (1.2, 1.3) else one for one in PLAYED]).met


def test_a_round_in_words() -> None:
    assert told(PLAYED[0]) == "1.5 times as long: 30.0 s after the warm-up, 500 requests; evidence"
    assert "never" in told(PLAYED[-1])
