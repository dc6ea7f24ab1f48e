"""Tasks in the order in which they are to be advanced."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ._task import Task

Advance = Callable[[Any], Any]  # send or throw of a Task


class Queue:
    """Tasks, the method that advances each of them, and the value that it is given."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.advances: list[Advance] = []
        self.values: list[Any] = []

    def __len__(self) -> int:
        return len(self.tasks)

    def add(self, task: Task, advance: Advance, value: Any) -> None:
        self.tasks.append(task)
        self.advances.append(advance)
        self.values.append(value)

    def start(self, tasks: Sequence[Task], coroutines: Iterable[Any]) -> None:
        self.tasks += tasks
        self.advances += [task.send for task in tasks]
        self.values += coroutines

    def remove(self, task: Task) -> bool:
        """False where it is not in the queue."""
        if task not in self.tasks:
            return False
        i = self.tasks.index(task)
        del self.tasks[i], self.advances[i], self.values[i]
        return True

    def put_first(self, queue: Queue, begin: int = 0) -> None:
        """Take over what another queue holds from a place on, before all that is here."""
        self.tasks[:0] = queue.tasks[begin:]
        self.advances[:0] = queue.advances[begin:]
        self.values[:0] = queue.values[begin:]
