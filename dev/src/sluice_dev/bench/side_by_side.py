"""How are rollouts played in several namespaces at once, and their ends collected in one place?"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, Queue
from typing import TypeVar

Stage = TypeVar("Stage")
Task = TypeVar("Task")
Ended = TypeVar("Ended")


def side_by_side(
    stages: Sequence[Stage], tasks: Sequence[Task], play: Callable[[Stage, Task], Ended]
) -> Iterator[Ended]:
    """What `play` returns for each task, in the order of their ends; each stage takes the next when it is free.

    Raises what `play` raised; the other stages then begin nothing more.
    """
    left: Queue[Task] = Queue()
    for task in tasks:
        left.put(task)
    ends: Queue[Ended | BaseException] = Queue()
    over = threading.Event()

    def work(stage: Stage) -> None:
        while not over.is_set():
            try:
                task = left.get_nowait()
            except Empty:
                return
            try:
                ends.put(play(stage, task))
            except BaseException as failed:  # it is raised where the ends are collected
                ends.put(failed)
                return

    # Daemons: one that was broken off must not wait for rollouts that go on.
    workers = [threading.Thread(target=work, args=(stage,), daemon=True) for stage in stages[: len(tasks)]]
    for worker in workers:
        worker.start()
    try:
        for _ in tasks:
            ended = ends.get()
            if isinstance(ended, BaseException):
                raise ended
            yield ended
    finally:
        over.set()
