"""When does a status take a checkpoint of the evidence along?"""

from datetime import datetime, timedelta
from typing import Final

from sluice.runtime.schedule import Key

CHECKPOINT_EVERY: Final = timedelta(minutes=5)
"""A status that is written anyway takes a new checkpoint along when the last one is so old. While there are requests
its words are written once a minute, so a restart reads six minutes again at most: two answers of each metric
(poller.PIECE). More often would cost etcd some kilobytes each time and spare a restart half a second."""

CHECKPOINT_ALONE: Final = timedelta(minutes=30)
"""A status with nothing else to say is written for the checkpoint's sake when that is so old: a rollout that waits
through a night without requests has no other words, and a restart in the morning would read all of the night again."""


class Checkpoints:
    """When the last one of each rollout was asked for. every: see CHECKPOINT_EVERY."""

    def __init__(self, every: timedelta = CHECKPOINT_EVERY) -> None:
        self._every = every
        self._asked: dict[Key, datetime] = {}

    def due(self, key: Key, now: datetime, writing: bool) -> bool:
        """Whether it is time for one; asked for it counts as taken. writing: the status is written anyway.

        A rollout that is new to this process has one with the first status that is written: if the process lives for a
        few minutes only, again and again, its successors do not read more each time.
        """
        if now - self._asked.setdefault(key, now - self._every) < (self._every if writing else CHECKPOINT_ALONE):
            return False
        self._asked[key] = now
        return True

    def forget(self, key: Key) -> None:
        """The object is gone."""
        self._asked.pop(key, None)
