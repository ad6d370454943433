"""Requests since the stage began, however late a scrape becomes known."""

from sluice.core.analysis.ledger import Ledger


def test_only_scrapes_after_the_stage_began_count() -> None:
    ledger = Ledger()
    for time in (1, 2, 3):
        ledger.add(time, 10, before=time - 1)
    assert ledger.since(2) == 10
    assert (ledger.first, ledger.total) == (1, 30)


def test_a_scrape_of_before_the_stage_that_arrives_late_does_not_count() -> None:
    ledger = Ledger()
    ledger.add(3, 10)
    assert ledger.since(2) == 10
    ledger.add(1.5, 5)
    assert ledger.since(2) == 10
    ledger.add(2.5, 5)
    assert ledger.since(2) == 15
    assert (ledger.first, ledger.total) == (1.5, 20)


def test_a_scrape_without_requests_is_not_the_first_exposure() -> None:
    ledger = Ledger()
    ledger.add(1, 0)
    assert ledger.first is None


def test_what_a_scrape_tells_of_both_stages_counts_for_neither() -> None:
    ledger = Ledger()
    ledger.add(3, 10, before=1)
    ledger.add(5, 7, before=3)
    assert ledger.since(2) == 7
    assert (ledger.first, ledger.total) == (3, 17)
