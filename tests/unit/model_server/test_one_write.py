"""Does an answer leave in one piece, and whatever else is written all the same?"""

import asyncio

import pytest

from sluice_model_server.one_write import OneWrite


class Wire(asyncio.Transport):
    def __init__(self):
        super().__init__()
        self.sent, self.closed = [], False

    def write(self, data):
        assert not self.closed
        self.sent.append(bytes(data))

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed


@pytest.fixture
async def wire():
    return Wire()


async def test_head_and_body_are_one_write(wire):
    joined = OneWrite(wire, asyncio.get_running_loop())
    joined.write(b"head ")
    joined.write(b"body")
    assert wire.sent == [b"head body"]
    await asyncio.sleep(0)
    assert wire.sent == [b"head body"]


async def test_what_nothing_follows_leaves_at_the_end_of_the_turn(wire):
    joined = OneWrite(wire, asyncio.get_running_loop())
    joined.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert wire.sent == []
    await asyncio.sleep(0)
    assert wire.sent == [b"HTTP/1.1 100 Continue\r\n\r\n"]


async def test_writes_keep_their_order_however_they_are_spread_over_turns(wire):
    joined = OneWrite(wire, asyncio.get_running_loop())
    for number in range(50):
        joined.write(b"%d " % number)
        if number % 3 == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert b"".join(wire.sent) == b"".join(b"%d " % number for number in range(50))


async def test_closing_loses_nothing(wire):
    joined = OneWrite(wire, asyncio.get_running_loop())
    joined.write(b"head")
    joined.close()
    assert wire.sent == [b"head"]
    assert wire.closed
    assert joined.is_closing()
    await asyncio.sleep(0)
    assert wire.sent == [b"head"]
