"""Probes and metrics over real HTTP."""

import aiohttp
import pytest

from sluice.runtime import health


async def get(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.text()


async def test_probes_say_what_is_wrong_and_metrics_are_served() -> None:
    wrong: dict[str, str | None] = {"alive": None, "ready": "not listed yet: Pod"}
    serving = health.serving(
        "127.0.0.1", 0, alive=lambda: wrong["alive"], ready=lambda: wrong["ready"], render=lambda: b"a 1\n"
    )
    async with serving as port:
        assert await get(port, "/healthz") == (200, "ok")
        assert await get(port, "/readyz") == (503, "not listed yet: Pod")
        assert await get(port, "/metrics") == (200, "a 1\n")
        wrong.update(alive=health.stall(500), ready=None)
        assert await get(port, "/readyz") == (200, "ok")
        status, words = await get(port, "/healthz")
        assert (status, words[:50]) == (503, "the oldest ModelDeployment has waited for 500 s (l")


@pytest.mark.parametrize(("seconds", "fine"), [(0, True), (45, True), (120, True), (121, False)])
def test_a_process_that_was_stopped_for_45_s_is_not_killed_for_it(seconds: float, fine: bool) -> None:
    assert (health.stall(seconds) is None) is fine
