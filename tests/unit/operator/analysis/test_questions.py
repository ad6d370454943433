"""The PromQL that is written, and what it matches."""

import re
from math import inf
from typing import Any

import pytest

from sluice.core.analysis.questions import SampleQuestion, samples_query, spellings


@pytest.mark.parametrize(
    ("bound", "written", "others"),
    [
        (1, ["1", "1.0", "1.00"], ["10", "1.5", "11", "0.1"]),
        (10, ["10", "10.0"], ["1", "100", "1.0"]),
        (0.25, ["0.25", "0.250"], ["0.2", "0.255", "0x25", "10.25"]),
        (2.5, ["2.5", "2.50"], ["2", "2.55"]),
        (0.00001, ["0.00001", "1e-05"], ["1"]),
        (0.0001 * 1.5, ["0.00015", "0.00015000000000000001"], ["0.000151", "0x00015000000000000001"]),
        (inf, ["+Inf"], ["Inf", "1"]),
    ],
)
def test_a_bound_is_found_however_it_is_written(bound: float, written: list[str], others: list[str]) -> None:
    pattern = re.compile(spellings(bound))
    assert all(pattern.fullmatch(text) for text in written)
    assert not any(pattern.fullmatch(text) for text in others)


def test_one_query_serves_several_rollouts(world: Any) -> None:
    subjects = [world.subject(), world.subject(namespace="test", name="prices")]
    assert samples_query(SampleQuestion("up", 0.0), subjects, (), 12) == (
        'up{namespace=~"prod|test",pod=~"flights-8b21de07-[a-z0-9]+-[a-z0-9]{5}|prices-8b21de07-[a-z0-9]+-[a-z0-9]{5}"}'
        "[12s]"
    )
    assert samples_query(SampleQuestion("h_bucket", 0.0), subjects[:1], (inf, 0.5), 12).endswith(
        ',le=~"0[.]50*|[+]Inf"}[12s]'
    )
