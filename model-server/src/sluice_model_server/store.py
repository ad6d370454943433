"""A static store of packed models over HTTP, for demos and tests: read-only files of one directory, nothing else."""

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class _Files(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the client's log says what was fetched."""


def store_server(directory: Path, host: str, port: int) -> ThreadingHTTPServer:
    """A server of `directory`; port 0 takes a free one. The caller runs serve_forever and server_close."""
    return ThreadingHTTPServer((host, port), partial(_Files, directory=str(directory)))
