"""What does a real connection look like after a refusal? httptools and uvicorn in between, over loopback."""

import asyncio
import json

import pytest

from model_server.test_process import END_SECONDS, start

__all__ = ["start"]

BIG = 300_000
"""Bytes: more than uvicorn reads ahead before the application asks for the body."""


class Wire:
    """One HTTP/1.1 connection, spoken by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, head: str, body: bytes = b"") -> tuple[int, dict[str, str], dict]:
        self.writer.write(head.encode() + b"\r\n\r\n" + body)
        async with asyncio.timeout(END_SECONDS):
            status, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines)
            content = await self.reader.readexactly(int(headers["content-length"]))
        return int(status.split()[1]), headers, json.loads(content)


async def wire(server) -> Wire:
    host, port = server.url.removeprefix("http://").rsplit(":", 1)
    return Wire(*await asyncio.open_connection(host, int(port)))


def post(length: int, *headers: str) -> str:
    return "\r\n".join(("POST /v2/models/delay/infer HTTP/1.1", "host: x", f"content-length: {length}", *headers))


@pytest.fixture
def body(data, matrix) -> bytes:
    return json.dumps(matrix(data.rows[:1])).encode()


async def test_a_connection_serves_on_after_a_request_that_was_refused_unread(start, tmp_path, body):
    """401 is said before the body is read: its bytes must not become the next request."""
    (tmp_path / "tokens").write_text("first")
    connection = await wire(start(SLUICE_MODEL_TOKEN_FILE=str(tmp_path / "tokens")))
    for _ in range(3):
        status, headers, _ = await connection.ask(post(BIG), b" " * BIG)
        assert (status, headers["www-authenticate"]) == (401, "bearer")
        status, _, answer = await connection.ask(post(len(body), "authorization: Bearer first"), body)
        assert (status, answer["model_name"]) == (200, "delay")


async def test_a_body_that_stops_coming_is_408_and_the_connection_ends(start):
    connection = await wire(start(SLUICE_MODEL_REQUEST_SECONDS="0.2"))
    status, headers, answer = await connection.ask(post(100), b'{"inputs"')
    assert (status, headers["connection"]) == (408, "close")
    assert "SLUICE_MODEL_REQUEST_SECONDS" in answer["error"]
    assert await asyncio.wait_for(connection.reader.read(), END_SECONDS) == b""


async def test_an_answer_that_takes_too_long_is_504_and_the_connection_serves_on(start, body):
    connection = await wire(start(SLUICE_MODEL_REQUEST_SECONDS="0.2", SLUICE_MODEL_FAULTS='{"delay_seconds": 30}'))
    for _ in range(2):
        status, headers, _ = await connection.ask(post(len(body)), body)
        assert (status, headers["retry-after"]) == (504, "1")


async def test_a_binary_answer_says_where_its_json_ends(start, data, matrix):
    asked = json.dumps(matrix(data.rows[:2], parameters={"binary_data_output": True})).encode()
    connection = await wire(start())
    connection.writer.write(post(len(asked)).encode() + b"\r\n\r\n" + asked)
    async with asyncio.timeout(END_SECONDS):
        head = (await connection.reader.readuntil(b"\r\n\r\n")).decode().lower()
        headers = dict(line.split(": ", 1) for line in head.strip().split("\r\n")[1:])
        content = await connection.reader.readexactly(int(headers["content-length"]))
    length = int(headers["inference-header-content-length"])
    sizes = [output["parameters"]["binary_data_size"] for output in json.loads(content[:length])["outputs"]]
    assert length + sum(sizes) == len(content)
