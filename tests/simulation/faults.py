"""What can go wrong, as a table: how each fault begins and how it ends. A new one is a row here and one in scenario."""

from collections.abc import Callable
from typing import Any, Final

from simulation.models import Behaviour
from simulation.process import EVERYTHING, OURS, Process
from simulation.prometheus import Mood
from simulation.scenario import Fault
from sluice.api import names

NAMESPACE: Final = "shop"
TROUBLED: Final = (
    *(names.KIND, names.KIND, "HTTPRoute", "EndpointSlice", "EndpointSlice", "Pod", "Pod", "Deployment", "Service"),
)
"""Kinds whose watches are slow or lossy, as often as something depends on them."""
RELISTED: Final = 20.0
"""Seconds after which a watch that lost events is made good by the operator's own listing."""

Step = Callable[[Any, Fault], None]


def begin(world: Any, fault: Fault) -> None:
    """It goes wrong."""
    world.say(f"FAULT {fault.what} begins")
    TABLE[fault.what][0](world, fault)


def cease(world: Any, fault: Fault) -> None:
    """It goes right again."""
    TABLE[fault.what][1](world, fault)


def cease_all(world: Any) -> None:
    """Everything does."""
    for what in TABLE:
        if what != "prometheus-amnesia":
            cease(world, Fault(what, 0.0))


def _nothing(world: Any, fault: Fault) -> None:
    """Heals by itself."""


def _mood(mood: Mood) -> Step:
    def change(world: Any, fault: Fault) -> None:
        world.prometheus.mood = mood

    return change


def _outage(outage: bool) -> Step:
    def change(world: Any, fault: Fault) -> None:
        world.weather.outage = outage

    return change


def _flaky(world: Any, fault: Fault) -> None:
    world.weather.flaky = 0.1 + 0.3 * fault.argument


def _reliable(world: Any, fault: Fault) -> None:
    world.weather.flaky = 0.0


def _refuses(world: Any, fault: Fault) -> None:
    world.weather.refused = {("Deployment", "Service", "HTTPRoute")[int(fault.argument * 3)]}


def _accepts(world: Any, fault: Fault) -> None:
    world.weather.refused = set()


def _slow_watch(world: Any, fault: Fault) -> None:
    world.watches.slow[_troubled(fault)] = 0.5 + 4 * world.random.random()


def _fast_watches(world: Any, fault: Fault) -> None:
    world.watches.slow.clear()


def _lossy_watch(world: Any, fault: Fault) -> None:
    world.watches.lossy.add(_troubled(fault))


def _listed_again(world: Any, fault: Fault) -> None:
    """A watch that lost its place is begun anew with a listing, which does not tell what is gone."""
    lost, world.watches.lossy = world.watches.lossy, set()
    if lost:
        world.distrust(RELISTED)
    for kind in sorted(lost):
        for process in world.processes:
            process.listed_anew(kind, list(world.server.list(kind, "" if kind in EVERYTHING else OURS)[0]))


def _repeating(repeating: bool) -> Step:
    def change(world: Any, fault: Fault) -> None:
        world.watches.repeating = repeating

    return change


def _troubled(fault: Fault) -> str:
    return TROUBLED[int(fault.argument * len(TROUBLED))]


def _amnesia(world: Any, fault: Fault) -> None:
    world.prometheus.forget()
    world.prometheus.mood = Mood.WELL


def _proxies(unseen: bool) -> Step:
    def change(world: Any, fault: Fault) -> None:
        world.prometheus.proxies_unseen = unseen

    return change


def _gateway(slow: bool) -> Step:
    def change(world: Any, fault: Fault) -> None:
        world.gateway_slow = slow

    return change


def _row_gone(world: Any, fault: Fault) -> None:
    """Somebody takes the runtime's row away."""
    world.runtimes.clear()
    _table_read(world)


def _row_back(world: Any, fault: Fault) -> None:
    if not world.runtimes:
        world.restore_runtimes()
        _table_read(world)


def _table_read(world: Any) -> None:
    for process in world.processes:
        process.hear(process.wake_all)


def _night(world: Any, fault: Fault) -> None:
    world.plane.change_rate(0.0)


def _day(world: Any, fault: Fault) -> None:
    world.plane.change_rate(world.scenario.rate)


# --- the operator ---------------------------------------------------------------------------------------------------


def _kill(world: Any, fault: Fault) -> None:
    if leader := world.leader():
        world.kill(leader)


def _stop(world: Any, fault: Fault) -> None:
    if leader := world.leader():
        world.say(f"{leader.name} stopped")
        leader.stop()
        _restart_when_gone(world, leader)


def _restart_when_gone(world: Any, process: Process) -> None:
    if process not in world.processes:
        return
    if process.alive:
        world.agenda.after(0.5, lambda: _restart_when_gone(world, process))
    else:
        world.restart_later(process, 1.0)


def _freeze(world: Any, fault: Fault) -> None:
    if leader := world.leader():
        world.say(f"{leader.name} frozen")
        leader.frozen = True


def _thaw(world: Any, fault: Fault) -> None:
    for process in world.processes:
        process.frozen = False


# --- pods -----------------------------------------------------------------------------------------------------------


def _living(world: Any, place: str) -> tuple[str, list[str]]:
    revision = (world.status.get(place) or {}).get("revision", "")
    pods = [p for p in world.server.all("Pod") if p["metadata"]["labels"].get(names.LABEL_REVISION) == revision]
    return revision, [p["metadata"]["name"] for p in pods if not p["metadata"].get("deletionTimestamp")]


def _evict(place: str) -> Step:
    def drain(world: Any, fault: Fault) -> None:
        for pod in _living(world, place)[1][:1]:
            world.kubelet.evict(NAMESPACE, pod)

    return drain


def _lose(place: str, most: int) -> Step:
    def lose(world: Any, fault: Fault) -> None:
        for pod in _living(world, place)[1][:most]:
            world.kubelet.lose(NAMESPACE, pod)

    return lose


def _exit(world: Any, fault: Fault) -> None:
    """A container of a good candidate dies once, by its node's fault: that is tolerated, a second time is not."""
    revision, pods = _living(world, "candidate")
    model = world.model(revision)
    if not pods or model is None or model.behaviour is not Behaviour.GOOD or revision in world.exits_injected:
        return
    server = world.plane.servers.get(pods[0])
    if server is not None and server.alive:
        world.exits_injected.add(revision)
        world.plane.ended(pods[0])
        world.kubelet.exited(NAMESPACE, pods[0], 137)


TABLE: Final[dict[str, tuple[Step, Step]]] = {
    "api-outage": (_outage(True), _outage(False)),
    "api-flaky": (_flaky, _reliable),
    "api-refuses": (_refuses, _accepts),
    "watch-slow": (_slow_watch, _fast_watches),
    "watch-lossy": (_lossy_watch, _listed_again),
    "watch-repeats": (_repeating(True), _repeating(False)),
    "prometheus-down": (_mood(Mood.DOWN), _mood(Mood.WELL)),
    "prometheus-hung": (_mood(Mood.HUNG), _mood(Mood.WELL)),
    "prometheus-blank": (_mood(Mood.BLANK), _mood(Mood.WELL)),
    "prometheus-amnesia": (_mood(Mood.DOWN), _amnesia),
    "proxies-unseen": (_proxies(True), _proxies(False)),
    "gateway-slow": (_gateway(True), _gateway(False)),
    "evict-candidate": (_evict("candidate"), _nothing),
    "evict-stable": (_evict("stable"), _nothing),
    "lose-candidate": (_lose("candidate", 1), _nothing),
    "lose-stable": (_lose("stable", 99), _nothing),
    "container-exit": (_exit, _nothing),
    "operator-killed": (_kill, _nothing),
    "operator-stopped": (_stop, _nothing),
    "operator-frozen": (_freeze, _thaw),
    "night": (_night, _day),
    "runtime-gone": (_row_gone, _row_back),
}
"""What begins, what ends it."""
