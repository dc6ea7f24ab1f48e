"""Who waits for what was sent, and who minds the Tasks that nobody waits for. Advances nothing."""

from __future__ import annotations

from typing import Any

from corororo.abc import AsyncFunction

from ._task import HUSK, Task


class Ticket:
    """The Tasks that wait for calls which were sent together."""

    __slots__ = ("answered", "function", "remaining", "tasks")

    def __init__(self, function: AsyncFunction, tasks: list[Task]) -> None:
        self.function = function
        self.tasks = tasks
        self.remaining = len(tasks)
        self.answered: list[range] = []  # places whose Tasks have gone on

    def take_out(self, waiting: dict[Task, None]) -> list[Task]:
        """Put husks where these Tasks wait: the replies find nobody, however late they come."""
        found = []
        for place, task in enumerate(self.tasks):
            if task in waiting and not any(place in places for places in self.answered):
                self.tasks[place] = HUSK
                found.append(task)
        return found


class Roots:
    """Minds the Tasks that nobody awaits: keeps what they raised until their tick has ended."""

    def __init__(self) -> None:
        self._failures: list[BaseException] = []

    def child_done(self, index: int, value: Any, error: BaseException | None) -> None:
        """Keep an error."""
        if error is not None:
            self._failures.append(error)

    def take(self) -> list[BaseException]:
        """The errors since the last time."""
        failures, self._failures = self._failures, []
        return failures
