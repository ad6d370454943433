"""The way in from outside: listens on 127.0.0.1 of the machine, connects inside the node's network namespace.

A socket stays in the namespace it was made in. So the parent makes the listening sockets, and this process enters the
namespace before it makes any other. For kubectl, browsers and single requests; loads run inside the namespace.

Started as `python -m sluice_dev.cluster.forwarder NAMESPACE_FILE FD:HOST:PORT...` with the sockets inherited.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import socket
import sys

CLONE_NEWNET = 0x40000000


def free_listener(preferred: int) -> socket.socket:
    """A listening socket on loopback, at the preferred port if that is free, else at any."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", preferred))
    except OSError:
        listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    return listener


def enter_namespace(path: str) -> None:
    """setns(2); os.setns exists only since Python 3.12. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    os.close(descriptor)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copies until the end of the input, then says so to the other side, which may still be answering."""
    while block := await reader.read(65536):
        writer.write(block)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def _serve(listener: socket.socket, host: str, port: int) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A peer that goes away in the middle is its own affair: the other side sees the connection end.
        with contextlib.suppress(ConnectionError):
            target_reader, target_writer = await asyncio.open_connection(host, port)
            try:
                await asyncio.gather(_pipe(reader, target_writer), _pipe(target_reader, writer))
            finally:
                target_writer.close()
        writer.close()

    server = await asyncio.start_server(handle, sock=listener)
    async with server:
        await server.serve_forever()


async def _serve_all(targets: list[tuple[socket.socket, str, int]]) -> None:
    await asyncio.gather(*(_serve(*target) for target in targets))


def main(namespace: str, *targets: str) -> None:
    """targets: FD:HOST:PORT, FD an inherited listening socket."""
    listeners = []
    for target in targets:
        descriptor, host, port = target.split(":")
        listeners.append((socket.socket(fileno=int(descriptor)), host, int(port)))
    enter_namespace(namespace)
    asyncio.run(_serve_all(listeners))


if __name__ == "__main__":
    main(*sys.argv[1:])
