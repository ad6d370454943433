"""The queue's decisions, with the time given as numbers."""

import pytest

from sluice.runtime.schedule import BACKOFF_FIRST, BACKOFF_MOST, Schedule

A, B, C = ("shop", "a"), ("shop", "b"), ("shop", "c")


@pytest.fixture
def schedule() -> Schedule:
    # 0.5 is the middle of the jitter: delays come out as they went in.
    return Schedule(random=lambda: 0.5)


def test_keys_come_out_in_the_order_they_came_in_and_once(schedule: Schedule) -> None:
    for key in (A, B, A):
        schedule.add(key, 0)
    assert [schedule.take(0), schedule.take(0), schedule.take(0)] == [A, B, None]


def test_urgent_keys_overtake_also_when_they_were_waiting_already(schedule: Schedule) -> None:
    for key in (A, B, C):
        schedule.add(key, 0)
    schedule.add(C, 0, urgent=True)
    assert [schedule.take(0), schedule.take(0), schedule.take(0), schedule.take(0)] == [C, A, B, None]


def test_only_urgent_keys_are_taken_when_all_workers_are_busy(schedule: Schedule) -> None:
    schedule.add(A, 0)
    assert schedule.take(0, urgent_only=True) is None
    schedule.add(B, 0, urgent=True)
    assert schedule.take(0, urgent_only=True) == B


def test_a_key_that_is_worked_on_waits_for_its_end_and_then_runs_once_more(schedule: Schedule) -> None:
    schedule.add(A, 0)
    schedule.take(0)
    schedule.add(A, 1)
    schedule.add(A, 2, urgent=True)
    assert schedule.take(3) is None
    schedule.done(A, 4, None)
    assert schedule.take(4, urgent_only=True) == A
    schedule.done(A, 5, None)
    assert schedule.take(5) is None


def test_a_delayed_key_comes_at_its_time(schedule: Schedule) -> None:
    schedule.add_at(A, 10)
    assert schedule.next_due() == 10
    assert schedule.take(9.9) is None
    assert schedule.take(10) == A


def test_of_two_delays_the_earlier_one_counts(schedule: Schedule) -> None:
    schedule.add_at(A, 10)
    schedule.add_at(A, 20)
    assert schedule.next_due() == 10
    schedule.add_at(A, 5)
    assert schedule.next_due() == 5


def test_a_pass_makes_earlier_wishes_void_and_says_when_to_come_back(schedule: Schedule) -> None:
    schedule.add_at(A, 10)
    schedule.add(A, 1)
    assert schedule.take(1) == A
    assert schedule.next_due() is None
    schedule.done(A, 2, 30)
    assert schedule.next_due() == 32


def test_a_wish_made_during_a_pass_outlives_it(schedule: Schedule) -> None:
    schedule.add(A, 0)
    schedule.take(0)
    schedule.add_at(A, 3)
    schedule.done(A, 1, None)
    assert schedule.take(3) == A


def test_failures_wait_longer_and_longer_up_to_a_limit_and_a_success_forgets_them(schedule: Schedule) -> None:
    delays, now = [], 0.0
    schedule.add(A, now)
    for _ in range(12):
        assert schedule.take(now) == A
        delays.append(schedule.failed(A, now))
        now += delays[-1]
    assert delays[:4] == pytest.approx([BACKOFF_FIRST * factor for factor in (1, 2, 4, 8)])
    assert delays[-1] == BACKOFF_MOST
    assert schedule.take(now) == A
    schedule.done(A, now, None)
    schedule.add(A, now)
    schedule.take(now)
    assert schedule.failed(A, now) == pytest.approx(BACKOFF_FIRST)


def test_an_event_shortens_the_wait_after_a_failure_but_cannot_make_it_spin(schedule: Schedule) -> None:
    now = 0.0
    schedule.add(A, now)
    for _ in range(8):
        schedule.take(now)
        now += schedule.failed(A, now)
    schedule.take(now)
    schedule.failed(A, now)
    schedule.add(A, now)
    assert schedule.take(now) is None
    assert schedule.take(now + BACKOFF_FIRST) == A


def test_an_urgent_key_does_not_wait_for_its_backoff(schedule: Schedule) -> None:
    schedule.add(A, 0)
    schedule.take(0)
    schedule.failed(A, 0)
    schedule.add(A, 0, urgent=True)
    assert schedule.take(0) == A


@pytest.mark.parametrize(("random", "expected"), [(0.0, 8.0), (0.5, 10.0), (1.0, 12.0)])
def test_delays_are_spread_by_a_fifth(random: float, expected: float) -> None:
    schedule = Schedule(random=lambda: random)
    schedule.add(A, 0)
    schedule.take(0)
    schedule.done(A, 0, 10)
    assert schedule.next_due() == pytest.approx(expected)


def test_the_oldest_waiting_or_running_key_is_known(schedule: Schedule) -> None:
    assert schedule.waiting_since() is None
    schedule.add(A, 3)
    schedule.take(5)
    schedule.add(B, 7)
    assert schedule.waiting_since() == 5
    schedule.done(A, 9, 60)
    assert schedule.waiting_since() == 7
    assert schedule.ready() == 1
