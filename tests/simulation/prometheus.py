"""A Prometheus in memory: discovers pods late, scrapes each at its own offset, answers with raw samples."""

import asyncio
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache, partial
from operator import itemgetter
from random import Random
from typing import Any, Final

from simulation.clockwork import EPOCH, Agenda, WorldClock
from simulation.data_plane import DataPlane
from simulation.fake_cluster import ApiServer
from sluice.core.metrics import MetricPreset, Series
from sluice.ports import ProviderError

INTERVAL: Final = 2.0
TIMEOUT: Final = 3.0
PRESET: Final = MetricPreset(requests="model_requests_total", latency="model_request_seconds", bounds=(0.5, 1.0))
PROXIES: Final = ("envoy-0", "envoy-1")
_QUERY: Final = re.compile(r"^(?P<metric>\w*)\{(?P<matchers>.*)\}\[(?P<window>\d+)s(:(?P<step>\d+)s)?\]$")
_MATCHER: Final = re.compile(r'(\w+)=~?"([^"]*)"')


class Mood(StrEnum):
    """How it behaves now."""

    WELL = "well"
    DOWN = "down"
    """Connections are refused, nothing is scraped."""
    HUNG = "hung"
    """Questions time out; scraping goes on."""
    BLANK = "blank"
    """Nothing is scraped, and questions are answered with what there is."""


@dataclass(slots=True)
class Target:
    """One pod: times of its scrapes and (up, answered, failed, quick) at each."""

    times: list[float] = field(default_factory=list)
    values: list[tuple[float, float, float, float] | None] = field(default_factory=list)
    successes: list[float] = field(default_factory=list)
    """Times of all successful scrapes, also of those that were forgotten."""


class FakePrometheus:
    """`ports.MetricSource` fed by the data plane."""

    def __init__(
        self,
        agenda: Agenda,
        clock: WorldClock,
        server: ApiServer,
        plane: DataPlane,
        random: Random,
        addresses: Mapping[str, str],
        gateway: bool = False,
    ) -> None:
        """addresses: of pods. gateway: whether it scrapes the proxies of the gateway."""
        self._agenda = agenda
        self._clock = clock
        self._server = server
        self._plane = plane
        self._random = random
        self._targets: dict[tuple[str, str], Target] = {}
        self.mood = Mood.WELL
        self.forgot_at = 0.0
        """When it last lost its storage."""
        self.answered_at = 0.0
        """When it last answered a question with what it had."""
        self.proxies_unseen = False
        """Whether scrapes of the gateway's proxies fail."""
        self._addresses = addresses
        self._proxies: dict[str, list[tuple[float, dict[str, tuple[float, ...]]]]] = {}
        """By proxy, of each scrape: its time, and the counters of each endpoint's address."""
        for number, proxy in enumerate(PROXIES if gateway else ()):
            self._agenda.after(0.4 + 0.9 * number, partial(self._scrape_proxy, proxy, 1 / len(PROXIES)))
        server.listeners.append(self._heard)

    def forget(self) -> None:
        """Its storage is lost."""
        self.forgot_at = self._agenda.now
        for target in self._targets.values():
            target.times.clear()
            target.values.clear()
        self._proxies.clear()

    def fresh(self, pod: str, within: float) -> int:
        """Successful scrapes of a pod in the last `within` seconds: the truth, for the invariants."""
        target = next((t for (_, name), t in self._targets.items() if name == pod), Target())
        oldest = EPOCH + self._agenda.now - within
        return len(target.successes) - bisect_right(target.successes, oldest)

    # --- scraping --------------------------------------------------------------------------------------------------

    def _heard(self, change: str, kind: str, obj: dict[str, Any]) -> None:
        if kind == "Pod" and change == "ADDED":
            key = (obj["metadata"]["namespace"], obj["metadata"]["name"])
            self._agenda.after(self._random.uniform(2.0, 7.0), lambda: self._scrape(key))

    def _scrape(self, key: tuple[str, str]) -> None:
        if self._server.find("Pod", *key) is None:
            return
        self._agenda.after(INTERVAL, lambda: self._scrape(key))
        if self.mood in (Mood.DOWN, Mood.BLANK):
            return
        target = self._targets.setdefault(key, Target())
        server = self._plane.servers.get(key[1])
        target.times.append(EPOCH + self._agenda.now)
        if server is None or not server.alive:
            target.values.append(None)
            return
        self._plane.settle()
        target.successes.append(EPOCH + self._agenda.now)
        target.values.append(
            (
                1.0,
                float(int(server.answered)),
                float(int(server.failed)),
                float(int(server.answered) - int(server.slow)),
            )
        )

    def _scrape_proxy(self, proxy: str, part: float) -> None:
        """Each proxy carries its part of the requests."""
        self._agenda.after(INTERVAL, partial(self._scrape_proxy, proxy, part))
        if self.mood in (Mood.DOWN, Mood.BLANK) or self.proxies_unseen:
            return
        self._plane.settle()
        told = {self._addresses[pod]: toll.told(part) for pod, toll in self._plane.tolls.items()}
        self._proxies.setdefault(proxy, []).append((EPOCH + self._agenda.now, told))

    # --- answering -------------------------------------------------------------------------------------------------

    async def query(self, promql: str, at: datetime | None = None) -> tuple[Series, ...]:
        """See ports.MetricSource."""
        if self.mood is Mood.HUNG:
            await asyncio.sleep(TIMEOUT)
            raise ProviderError(f"no answer within {TIMEOUT:g} s")
        await asyncio.sleep(self._random.uniform(0.002, 0.03))
        if self.mood is Mood.DOWN:
            raise ProviderError("connection refused")
        self.answered_at = self._agenda.now
        return self.tell(promql, (at or self._clock.now()).timestamp())

    def tell(self, promql: str, until: float) -> tuple[Series, ...]:
        """What it has, in whatever mood it is."""
        metric, namespace, pod, window, step, route = _parsed(promql)
        if route:
            return tuple(self._of_proxies(metric, until - window, until, step))
        return tuple(
            series
            for key, target in self._targets.items()
            if namespace.fullmatch(key[0]) and pod.fullmatch(key[1])
            for series in self._series(metric, key, target, until - window, until, step)
        )

    def _of_proxies(self, metric: str, since: float, until: float, step: float) -> Iterator[Series]:
        """There is one route in a world."""
        for proxy, scrapes in self._proxies.items():
            first = bisect_right(scrapes, since, key=itemgetter(0))
            last = bisect_right(scrapes, until, key=itemgetter(0))
            times, values = [time for time, _ in scrapes[first:last]], [told for _, told in scrapes[first:last]]
            if step:
                times, values = _at_steps(times, values, until, step)
            for address in dict.fromkeys(address for told in values for address in told):
                for k, name in enumerate(("total", "success", "error", "active")):
                    if re.fullmatch(metric, f"envoy_cluster_endpoint_rq_{name}"):
                        yield Series(
                            {
                                "__name__": f"envoy_cluster_endpoint_rq_{name}",
                                **{"namespace": "gateway", "pod": proxy, "instance": f"{proxy}:19001", "job": "pods"},
                                "envoy_cluster_name": "httproute/shop/m/rule/0/backend/0",
                                "envoy_endpoint_address": f"{address}:8080",
                            },
                            tuple(
                                (time, told[address][k])
                                for time, told in zip(times, values, strict=True)
                                if address in told
                            ),
                        )

    def _series(
        self, metric: str, key: tuple[str, str], target: Target, since: float, until: float, step: float
    ) -> Iterator[Series]:
        first, last = bisect_right(target.times, since), bisect_right(target.times, until)
        times, values = target.times[first:last], target.values[first:last]
        if step:
            times, values = _at_steps(times, values, until, step)
        labels = {"__name__": metric, "namespace": key[0], "pod": key[1], "job": "pods"}
        labels["instance"] = f"{self._addresses.get(key[1], key[1])}:8080"
        if metric == "up":
            points = tuple((t, 1.0 if v else 0.0) for t, v in zip(times, values, strict=True))
            if points:
                yield Series(labels, points)
            return
        seen = [(t, v) for t, v in zip(times, values, strict=True) if v]
        for extra, points in _parts(metric, seen):
            if points:
                yield Series({**labels, **extra}, points)


def _at_steps(times: list[float], values: list[Any], until: float, step: float) -> tuple[list[float], list[Any]]:
    """A subquery: the newest sample before each multiple of the step."""
    newest = {(time // step + 1) * step: value for time, value in zip(times, values, strict=True)}
    kept = [(moment, value) for moment, value in newest.items() if moment <= until]
    return [moment for moment, _ in kept], [value for _, value in kept]


def _parts(metric: str, seen: list[Any]) -> Iterator[tuple[dict[str, str], tuple[tuple[float, float], ...]]]:
    """The series of one pod: by code, or by bucket. A code that never occurred has no series yet."""
    if metric == PRESET.requests:
        yield {"code": "200"}, tuple((t, v[1] - v[2]) for t, v in seen if v[1] - v[2] > 0)
        yield {"code": "500"}, tuple((t, v[2]) for t, v in seen if v[2] > 0)
    else:
        yield {"le": "0.5"}, tuple((t, v[3] // 2) for t, v in seen if v[1] > 0)
        yield {"le": "1.0"}, tuple((t, v[3]) for t, v in seen if v[1] > 0)
        yield {"le": "+Inf"}, tuple((t, v[1]) for t, v in seen if v[1] > 0)


@lru_cache(maxsize=4096)
def _parsed(promql: str) -> tuple[str, re.Pattern[str], re.Pattern[str], float, float, str]:
    found = _QUERY.match(promql)
    if found is None:
        raise AssertionError(f"the simulation does not know this query: {promql}")
    matchers = dict(_MATCHER.findall(found["matchers"]))
    namespace, pod = re.compile(matchers.get("namespace", "")), re.compile(matchers.get("pod", ""))
    metric, route = found["metric"] or matchers["__name__"], matchers.get("envoy_cluster_name", "")
    return metric, namespace, pod, float(found["window"]), float(found["step"] or 0), route
