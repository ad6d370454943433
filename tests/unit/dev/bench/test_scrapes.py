"""The figures of rollbacks at several scrape intervals, and how the interval is set."""

import pytest

from sluice_dev.bench.scrapes import ROUNDS, Round, summary
from sluice_dev.cluster import ClusterError
from sluice_dev.cluster.layout import Layout
from sluice_dev.scene.scraping import interval_of, with_interval


def rounds(bad: int = 20) -> list[Round]:
    """As many as are wanted at each interval, every one with so many bad requests; twenty more at longer ones."""
    return [
        Round(every, bad if every == 2 else bad + 20, 100, 3.0, "")
        for every, count in ROUNDS.items()
        for _ in range(count)
    ]


def test_only_the_shortest_interval_has_a_target() -> None:
    assert summary(rounds(40)).met
    assert not summary(rounds(41)).met
    assert summary(rounds(40)).details["bad requests, every 30 s"]["median"] == 60


def test_it_does_not_hold_before_all_were_played() -> None:
    assert not summary(rounds()[:-1]).met
    assert not summary([]).met


def test_the_interval_is_set_in_the_cluster_s_own_configuration() -> None:
    manifest = (Layout.here().manifests / "prometheus.yaml").read_text()
    assert "global: {scrape_interval: 15s, scrape_timeout: 1500ms}" in with_interval(manifest, 15)
    assert with_interval(manifest, 2) == manifest
    assert (interval_of(manifest), interval_of(with_interval(manifest, 15))) == (2, 15)


@pytest.mark.parametrize("config", ["global: {}", "scrape_interval: 2s\nscrape_interval: 5s"])
def test_another_configuration_is_left_alone(config: str) -> None:
    with pytest.raises(ClusterError, match="scrape intervals, not one"):
        with_interval(config, 15)
