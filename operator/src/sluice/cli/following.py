"""How does one object change? A watch that goes on by itself, as a stream that also ticks."""

import queue
import threading
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sluice.cli.cluster import Events, Expired, Object
from sluice.cli.errors import NotFound, Unreachable

AGAIN: Final = (0.5, 1.0, 2.0, 5.0)
"""Seconds until the API server is asked again after it did not answer; the last one from then on."""
TICK: Final = 1.0
"""Seconds after which the stream says that nothing happened: clocks on the screen move, and deadlines are kept."""
FAREWELL: Final = 1.0
"""Seconds that the reading thread is given to end; one that waits for a connection takes longer."""


class Source(Protocol):
    """What is needed of a cluster."""

    def get(self, namespace: str, name: str) -> Object: ...

    def watch(self, namespace: str, name: str, since: str) -> Events: ...


@dataclass(frozen=True, slots=True)
class Lost:
    """The API server does not answer; it is asked again. message: why."""

    message: str


Item = Object | Lost | None


def follow(source: Source, namespace: str, name: str) -> Generator[Any, None, None]:
    """The object, then each newer state of it; Lost while the API server is away; None when nothing happened for TICK
    seconds.

    The first answer is waited for: what is wrong then is raised at once. Raises NotFound when it is deleted, and any
    PluginError that trying again would not cure. To be closed, as it has a thread.
    """
    reader = _Reader(source, namespace, name, source.get(namespace, name))
    yield reader.known
    reader.start()
    try:
        while True:
            try:
                item = reader.news.get(timeout=TICK)
            except queue.Empty:
                item = None
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        reader.end()


def reading() -> bool:
    """Whether a stream that was closed still waits for a server that does not answer."""
    return any(isinstance(thread, _Reader) for thread in threading.enumerate())


class _Reader(threading.Thread):
    """Watches, and begins again where it ended, until it is told to end."""

    def __init__(self, source: Source, namespace: str, name: str, known: Object) -> None:
        super().__init__(name=f"watch {namespace}/{name}", daemon=True)
        self.known = known
        self.news: queue.SimpleQueue[Item | Exception] = queue.SimpleQueue()
        self._source, self._namespace, self._name = source, namespace, name
        self._ended = threading.Event()
        self._events: Events | None = None

    def end(self) -> None:
        """From another thread: interrupts what it reads, and waits for its end."""
        self._ended.set()
        if self._events is not None:
            self._events.stop()
        self.join(FAREWELL)

    def run(self) -> None:
        failures, again = 0, False
        while not self._ended.is_set():
            try:
                if again:
                    self.known = self._source.get(self._namespace, self._name)
                    self.news.put(self.known)
                failures, again = 0, False
                self._watch()
            except Expired:
                again = True
            except Unreachable as away:
                again = True
                self.news.put(Lost(str(away)))
                self._ended.wait(AGAIN[min(failures, len(AGAIN) - 1)])
                failures += 1
            except Exception as final:  # whatever it is, it must end the stream and not only this thread
                self.news.put(final)
                return

    def _watch(self) -> None:
        self._events = self._source.watch(self._namespace, self._name, self.known["metadata"]["resourceVersion"])
        for change, found in self._events:
            if change == "DELETED":
                raise NotFound(f"{self._namespace}/{self._name} was deleted")
            self.known = found
            self.news.put(found)
