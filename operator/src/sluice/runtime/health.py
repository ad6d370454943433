"""Answers probes and Prometheus: /healthz, /readyz and /metrics.

It runs in the loop that does the work: a loop that is stuck answers no probe, which is the answer.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

STALL_LIMIT: Final = 120.0
"""Seconds that the oldest pass may take or wait. One pass is a handful of requests of at most 4 s each; a process that
was stopped for 45 s (a tolerated pause) sees its passes age by that and must not be killed for it."""

Problem = Callable[[], str | None]
"""Says what is wrong in a sentence, or None."""


def stall(seconds: float) -> str | None:
    """What is wrong when the oldest pass has this age."""
    if seconds <= STALL_LIMIT:
        return None
    return f"the oldest ModelDeployment has waited for {seconds:.0f} s (limit {STALL_LIMIT:.0f} s)"


@asynccontextmanager
async def serving(
    host: str, port: int, *, alive: Problem, ready: Problem, render: Callable[[], bytes]
) -> AsyncIterator[int]:
    """Serve until the context ends; yields the port (asked for 0: the one that the system chose).

    alive: behind /healthz. ready: behind /readyz. render: /metrics in the text format.
    """

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=render(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    app = web.Application()
    app.router.add_get("/healthz", _probe(alive))
    app.router.add_get("/readyz", _probe(ready))
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _probe(problem: Problem) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.StreamResponse:
        wrong = problem()
        return web.Response(text=wrong or "ok", status=503 if wrong else 200)

    return answer
