"""A stream of one object that outlives ends of watches, old versions and a server that goes away."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from itertools import islice
from typing import Any

import pytest

from sluice.cli.cluster import Cluster
from sluice.cli.errors import Denied, NotFound
from sluice.cli.following import Lost, follow, reading
from unit.operator.cli.fake_api import FakeApi, status
from unit.operator.cli.rollouts import Object, rolling

Stream = Generator[Any, None, None]
PATIENCE = 200
"""Items that are looked at, most of them ticks of 50 ms."""


@pytest.fixture
def stream(lab: FakeApi) -> Iterator[Stream]:
    """Of shop/flights."""
    lab.put(rolling())
    with closing(follow(Cluster.connect(), "shop", "flights")) as opened:
        yield opened
    assert not reading()


def numbered(number: int) -> Object:
    return {**rolling(), "number": number}


def until(stream: Stream, wanted: Callable[[Any], bool]) -> Any:
    """The first item that is as wanted."""
    for item in islice(stream, PATIENCE):
        if wanted(item):
            return item
    raise AssertionError("it did not come")


def numbers(stream: Stream, last: int) -> list[int]:
    """Numbers of the states that come, up to one of them."""
    found: list[int] = []
    for item in islice(stream, PATIENCE):
        if isinstance(item, dict):
            found.append(item["number"])
            if item["number"] == last:
                return found
    raise AssertionError(f"{last} did not come, only {found}")


def test_it_begins_with_what_is_there_and_ticks(stream: Stream) -> None:
    assert next(stream)["metadata"]["name"] == "flights"
    assert next(stream) is None


def test_changes_come_through_the_end_of_each_watch(lab: FakeApi, stream: Stream) -> None:
    """The fake ends a watch after each batch of events, and after half a second without any."""
    next(stream)
    for number in range(4):
        lab.put(numbered(number))
        assert numbers(stream, number) == [number]
    assert lab.watches >= 4


def test_a_version_that_is_too_old_is_read_again(lab: FakeApi, stream: Stream) -> None:
    next(stream)
    lab.forget()
    lab.put(numbered(1))
    assert numbers(stream, 1)[-1] == 1


def test_a_server_that_comes_back(lab: FakeApi, stream: Stream) -> None:
    """What happened meanwhile is seen."""
    next(stream)
    lab.down = True
    lost = until(stream, lambda item: isinstance(item, Lost))
    assert f"{lab.url} (context lab) does not answer" in lost.message
    lab.put(numbered(1))
    lab.down = False
    assert numbers(stream, 1) == [1]


def test_the_end_of_the_object_is_the_end(lab: FakeApi, stream: Stream) -> None:
    next(stream)
    lab.remove(rolling())
    with pytest.raises(NotFound, match="shop/flights was deleted"):
        until(stream, lambda item: False)


def test_what_no_patience_cures_ends_it(lab: FakeApi, stream: Stream) -> None:
    next(stream)
    lab.answer = (403, status(403, "not any more"))
    with pytest.raises(Denied, match="not any more"):
        until(stream, lambda item: False)


def test_what_is_not_there_at_first_is_told_at_once(lab: FakeApi) -> None:
    with pytest.raises(NotFound):
        next(follow(Cluster.connect(), "shop", "flights"))
