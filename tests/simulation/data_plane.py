"""Where the requests really went: the one witness of a simulated world that no part of the operator can talk to."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from simulation.clockwork import Agenda
from simulation.models import Behaviour, Model


@dataclass(slots=True)
class Server:
    """The process in a pod. Its counters are those that it exposes; they begin anew when it does."""

    model: Model
    alive: bool = True
    answered: float = 0.0
    failed: float = 0.0
    slow: float = 0.0

    def restart(self) -> None:
        """A new process."""
        self.alive, self.answered, self.failed, self.slow = True, 0.0, 0.0, 0.0

    def serve(self, requests: float) -> None:
        """Answer them."""
        self.answered += requests
        self.failed += requests * self.model.failure_share
        self.slow += requests * self.model.slow_share

    @property
    def left(self) -> float:
        """Requests until it exits."""
        if self.model.behaviour is not Behaviour.EXITS:
            return float("inf")
        return max(0.0, self.model.exits_after - self.answered)


@dataclass(slots=True)
class Toll:
    """What came of the requests that the gateway sent to one endpoint.

    given_up: by the client. refused: connections that could not be made, so that nothing was sent.
    """

    succeeded: float = 0.0
    failed: float = 0.0
    given_up: float = 0.0
    refused: float = 0.0

    def told(self, part: float) -> tuple[float, float, float, float]:
        """As a proxy that carries a part of them tells it, whole requests: sent, succeeded, failed, under way."""
        succeeded, failed, given_up, refused = (
            float(int(part * count)) for count in (self.succeeded, self.failed, self.given_up, self.refused)
        )
        return succeeded + failed + given_up, succeeded, failed + refused, 0.0


@dataclass(slots=True)
class Exposure:
    """What one revision did since its weight last rose from 0, by weight.

    seconds, answered: time at that weight and requests that its pods answered meanwhile.
    """

    seconds: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    answered: dict[int, float] = field(default_factory=lambda: defaultdict(float))


@dataclass(frozen=True, slots=True)
class Share:
    """From `at` on the gateway sent these percentages."""

    at: float
    weights: Mapping[str, int]


class DataPlane:
    """A gateway at work: a constant stream of requests, split by weight and then evenly by endpoint.

    on_exit: told when a pod's process ends by itself.
    """

    def __init__(self, agenda: Agenda, rate: float, on_exit: Callable[[str], None]) -> None:
        self._agenda = agenda
        self._on_exit = on_exit
        self._settled_at = 0.0
        self._epoch = 0
        self.rate = rate
        self.weights: dict[str, int] = {}
        self.endpoints: dict[str, tuple[str, ...]] = {}
        self.servers: dict[str, Server] = {}
        self.history: list[Share] = []
        self.exposure: dict[str, Exposure] = defaultdict(Exposure)
        self.served: dict[str, float] = defaultdict(float)
        self.unanswered = 0.0
        """503s of the gateway."""
        self.tolls: dict[str, Toll] = defaultdict(Toll)
        """By pod, as long as it is an endpoint of a backend with weight."""
        self.bad: dict[str, float] = defaultdict(float)
        """Per revision: errors and slow answers, and 503s of the gateway for a share that nobody answers."""

    def settle(self) -> None:
        """Account for everything up to now."""
        seconds = self._agenda.now - self._settled_at
        if seconds <= 0:
            return
        self._settled_at = self._agenda.now
        for revision, weight in self.weights.items():
            requests = self.rate * weight / 100 * seconds
            pods = self.endpoints.get(revision, ())
            exposure = self.exposure[revision]
            exposure.seconds[weight] += seconds
            if not pods:
                self.bad[revision] += requests
                self.unanswered += requests
                continue
            for pod in pods:
                server = self.servers.get(pod)
                part = requests / len(pods)
                if server is None or not server.alive:
                    self.bad[revision] += part
                    self.unanswered += part
                    self.tolls[pod].refused += part
                    continue
                hung = part * server.model.hung_share
                answered = part - hung
                server.serve(answered)
                exposure.answered[weight] += answered
                self.served[revision] += answered
                self.bad[revision] += hung + answered * (server.model.failure_share + server.model.slow_share)
                # of what hangs the gateway gives up one half, and clients the other
                toll, failed = self.tolls[pod], answered * server.model.failure_share
                toll.succeeded += answered - failed
                toll.failed += failed + hung / 2
                toll.given_up += hung / 2

    def route(self, weights: Mapping[str, int]) -> None:
        """The gateway carries a new configuration."""
        self.settle()
        wanted = {revision: weight for revision, weight in weights.items() if weight > 0}
        if wanted == self.weights:
            return
        for revision in set(self.weights) - set(wanted):
            self.exposure.pop(revision, None)
        self.weights = wanted
        self._forget_tolls()
        self.history.append(Share(self._agenda.now, wanted))
        self._foresee()

    def reach(self, revision: str, pods: Iterable[str]) -> None:
        """The gateway knows these endpoints of a revision."""
        self.settle()
        self.endpoints[revision] = tuple(pods)
        self._forget_tolls()
        self._foresee()

    def _forget_tolls(self) -> None:
        """The counters of an endpoint that is none any more begin anew if it returns."""
        kept = {pod for revision in self.weights for pod in self.endpoints.get(revision, ())}
        for pod in set(self.tolls) - kept:
            del self.tolls[pod]

    def change_rate(self, rate: float) -> None:
        """People send more or fewer requests, in requests/s."""
        self.settle()
        self.rate = rate
        self._foresee()

    def started(self, pod: str, model: Model) -> None:
        """A process begins in a pod."""
        self.settle()
        server = self.servers.get(pod)
        if server is None:
            self.servers[pod] = Server(model)
        else:
            server.restart()
        self._foresee()

    def ended(self, pod: str) -> None:
        """A process ends."""
        self.settle()
        if pod in self.servers:
            self.servers[pod].alive = False
        self._foresee()

    def answers(self, revision: str) -> bool:
        """Is there anybody behind this backend?"""
        servers = (self.servers.get(pod) for pod in self.endpoints.get(revision, ()))
        return any(server is not None and server.alive for server in servers)

    def _foresee(self) -> None:
        """Plan the next exit under load; whatever changes before it plans anew."""
        self._epoch += 1
        epoch, soonest = self._epoch, float("inf")
        for revision, weight in self.weights.items():
            pods = self.endpoints.get(revision, ())
            for pod in pods:
                server = self.servers.get(pod)
                if server and server.alive and server.model.behaviour is Behaviour.EXITS and self.rate:
                    soonest = min(soonest, server.left / (self.rate * weight / 100 / len(pods)))
        if soonest < float("inf"):
            self._agenda.after(soonest + 1e-6, lambda: self._exit_due(epoch))

    def _exit_due(self, epoch: int) -> None:
        if epoch != self._epoch:
            return
        self.settle()
        for pod, server in list(self.servers.items()):
            if server.alive and server.left <= 1e-3:
                server.alive = False
                self._on_exit(pod)
        self._foresee()
