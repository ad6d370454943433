"""The first requests of a pod say nothing about latency."""

import numpy as np

from sluice.core.analysis.exposure import Exposure
from sluice.core.analysis.warmup import LONGEST, REQUESTS, WarmUp

POD = "a"
SECONDS = 30.0


def scrape(time: float, requests: float, interval: float = 2, uncounted: float = 0) -> Exposure:
    return Exposure(time, requests, np.zeros(1), time - interval, uncounted)


def counts_at(pod: WarmUp, rate: float, until: float, interval: float = 2) -> float:
    """Begin of the first scrape interval that counts; the first request is seen at time 0."""
    assert not pod.is_over(POD, scrape(0, rate * interval, interval))
    time = 0.0
    while time < until:
        time += interval
        if pod.is_over(POD, scrape(time, rate * interval, interval)):
            return time - interval
    return float("inf")


def test_whichever_of_time_and_requests_is_later() -> None:
    assert counts_at(WarmUp(SECONDS), rate=100, until=100) == SECONDS
    assert counts_at(WarmUp(SECONDS), rate=2, until=200) == REQUESTS / 2 - 2  # the first scrape told of two seconds


def test_after_five_minutes_a_pod_counts_however_few_requests_it_had() -> None:
    assert counts_at(WarmUp(SECONDS), rate=0.01, until=400) == LONGEST * SECONDS


def test_an_interval_that_began_cold_does_not_count() -> None:
    assert counts_at(WarmUp(SECONDS), rate=100, until=200, interval=60) == 60


def test_a_pod_that_was_at_work_before_anybody_looked_is_warm() -> None:
    assert WarmUp(SECONDS).is_over(POD, scrape(0, 10, uncounted=REQUESTS))
    assert not WarmUp(SECONDS).is_over(POD, scrape(0, 10, uncounted=REQUESTS - 1))


def test_each_pod_warms_up_by_itself() -> None:
    pods = WarmUp(SECONDS)
    for second in range(0, 60, 2):
        pods.is_over(POD, scrape(second, 100))
    assert pods.is_over(POD, scrape(60, 100))
    assert not pods.is_over("b", scrape(60, 100))


def test_without_a_warm_up_every_request_counts() -> None:
    assert WarmUp(0.0).is_over(POD, scrape(0, 1))
