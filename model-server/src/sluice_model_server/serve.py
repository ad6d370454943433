"""How does the server start, and how does it end?"""

import asyncio
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import structlog
import uvicorn

from sluice_model_server.app import ModelApp
from sluice_model_server.faults import Faults
from sluice_model_server.formats import loader, memory_of
from sluice_model_server.guard import Guard
from sluice_model_server.isolation import check_in_child
from sluice_model_server.lifecycle import Lifecycle
from sluice_model_server.load import load_model
from sluice_model_server.manifest import read_manifest
from sluice_model_server.metrics import Metrics
from sluice_model_server.settings import Settings
from sluice_model_server.whole import WholeProtocol

_log = structlog.get_logger()


class DrainingServer(uvicorn.Server):
    """uvicorn that is not ready at once on SIGTERM, serves on for a while, then finishes what runs and exits 0.

    Exit 0 matters: plain uvicorn raises the signal again, and a pod that ended as asked would look like a failed one.
    """

    def __init__(
        self, config: uvicorn.Config, lifecycle: Lifecycle, drain_seconds: float, listening: Callable[[], None]
    ) -> None:
        """listening: called once the server does."""
        super().__init__(config)
        self._listening = listening
        self._lifecycle = lifecycle
        self._drain_seconds = drain_seconds
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: Any = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets=sockets)
        self._listening()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """First signal: drain. A second one ends the drain early."""
        if self._lifecycle.draining or self._loop is None:
            self.should_exit = True
            return
        self._lifecycle.drain()
        self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        _log.info("draining", seconds=self._drain_seconds, connections=len(self.server_state.connections))
        asyncio.get_running_loop().call_later(self._drain_seconds, self._stop)

    def _stop(self) -> None:
        self.should_exit = True


def serve(directory: Path, port: int, settings: Settings, metrics: Metrics | None = None) -> None:
    """Loads the model and serves it until SIGTERM. Raises a ModelServerError when the model is not fit to serve.

    metrics: who counts; its own by default.
    """
    # Process 1 of a container ignores SIGTERM unless it says otherwise; until uvicorn takes over, ending is enough.
    signal.signal(signal.SIGTERM, _end)
    guard = Guard(settings.token_file) if settings.token_file else None
    load = partial(load_model, directory, max_bytes=settings.max_model_bytes, compiled=settings.compiled)
    manifest, _ = read_manifest(directory)
    loader(manifest)  # what it imports, the child finds imported
    check_in_child(load, str(directory), seconds=settings.load_seconds, memory=memory_of(directory, manifest))
    model = load()
    manifest = model.manifest
    metrics = metrics or Metrics()
    metrics.model(name=manifest.name, version=manifest.version, digest=model.digest, format=manifest.format)
    lifecycle = Lifecycle()
    lifecycle.probed()
    faults = Faults(settings.faults, background_error_share=settings.background_error_share, host=settings.hostname)
    if faults.active:
        _log.warning(
            "this server misbehaves on purpose", plan=settings.faults.model_dump(), error_share=faults.error_share
        )
    config = uvicorn.Config(
        ModelApp(model, settings, metrics, lifecycle, faults, guard),
        host=settings.host,
        port=port,
        loop="uvloop",
        http=WholeProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.finish_seconds,
    )
    listening = partial(
        _log.info,
        "serving",
        model=manifest.name,
        version=manifest.version,
        digest=model.digest,
        port=port,
        path=model.predictor.path,
    )
    DrainingServer(config, lifecycle, settings.drain_seconds, listening).run()
    _log.info("ended")


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)
