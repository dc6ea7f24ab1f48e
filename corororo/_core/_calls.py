"""Calls of AsyncTasks: grouped until they are sent, and the Tasks that wait for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from corororo._inline import Columns
from corororo.abc import AsyncFunction, Instrument, Transfer

from ._task import CANCELLED_WAITER, Task


def all_hooks(instruments: Sequence[Instrument], name: str) -> Callable[..., None]:
    """Calls a hook of all instruments; ``do_nothing`` where none of them overrides it."""
    hooks = [
        getattr(instrument, name)
        for instrument in instruments
        if getattr(type(instrument), name, None) is not getattr(Instrument, name)
    ]

    def call_all(*args: Any) -> None:
        for hook in hooks:
            hook(*args)

    return call_all if hooks else do_nothing


def do_nothing(*args: Any) -> None:
    """Stand in where no instrument listens and no wait has to be ended."""


class Ticket:
    """The Tasks that wait for calls which were sent together."""

    __slots__ = ("function", "remaining", "tasks")

    def __init__(self, function: AsyncFunction, tasks: list[Task]) -> None:
        self.function = function
        self.tasks = tasks
        self.remaining = len(tasks)


class Calls:
    """The calls of one Scheduler: grouped by function until they are sent, then by ticket."""

    def __init__(self, transfer: Transfer, instruments: Sequence[Instrument]) -> None:
        self.transfer = transfer
        self._on_sent = all_hooks(instruments, "async_task_sent")
        self._on_done = all_hooks(instruments, "async_task_done")
        self.unsent: dict[AsyncFunction, tuple[list[Task], list[tuple[Any, ...]]]] = {}
        self._tickets: set[Ticket] = set()
        self.unwanted = 0  # calls in flight for which no Task waits
        self.sent = self.taken = self.failed = self.dropped = 0

    def group(self, function: AsyncFunction) -> tuple[list[Task], list[tuple[Any, ...]]]:
        """The calls of a function that are to be sent: the Tasks that wait, and their traps."""
        group = self.unsent.get(function)
        if group is None:
            group = self.unsent[function] = ([], [])
        return group

    def send(self, function: AsyncFunction, ticket: Any, arguments: Sequence[Any]) -> None:
        self.sent += len(arguments)
        self.transfer.send_nowait(function, ticket, arguments)
        self._on_sent(function.name, len(arguments))

    def send_early(self) -> None:
        """Send the groups that are worth it already: workers begin while Tasks are stepped."""
        worth = self.transfer.worth_sending
        self._send_groups([f for f, (tasks, _) in self.unsent.items() if len(tasks) >= worth(f)])

    def send_all(self) -> None:
        self._send_groups(list(self.unsent))

    def _send_groups(self, functions: list[AsyncFunction]) -> None:
        for function in functions:
            tasks, traps = self.unsent.pop(function)
            if tasks:
                ticket = Ticket(function, tasks)
                self._tickets.add(ticket)
                self.send(function, ticket, Columns.of_traps(traps))

    def waited_for(self) -> int:
        return self.transfer.in_flight - self.unwanted

    def reach_the_limit(self) -> bool:
        return self.transfer.in_flight >= self.transfer.max_pending

    def count_replies(self, replies: int, failures: int) -> None:
        self.taken += replies
        self.failed += failures
        self._on_done(replies, failures)

    def tasks_answered(self, ticket: Ticket, start: int, replies: int) -> list[Task]:
        places = slice(start, start + replies)
        tasks = ticket.tasks[places]
        ticket.remaining -= replies
        if ticket.remaining:
            ticket.tasks[places] = [CANCELLED_WAITER] * replies  # they may wait elsewhere by now
        else:
            self._tickets.discard(ticket)
        return tasks

    def drop(self, replies: int) -> None:
        """Count replies that no Task waited for."""
        self.unwanted -= replies
        self.dropped += replies

    def take_unsent(self, unwanted: Callable[[Task], bool]) -> list[Task]:
        """Remove the calls of some Tasks that have not been sent; the Tasks."""
        taken: list[Task] = []
        for tasks, traps in self.unsent.values():
            places = [i for i, task in enumerate(tasks) if unwanted(task)]
            taken += [tasks[i] for i in places]
            for i in reversed(places):
                del tasks[i], traps[i]
        return taken

    def take_sent(self, waiting: dict[Task, None]) -> list[Task]:
        """Those of the Tasks that waited for calls in flight; their replies will be dropped."""
        taken: list[Task] = []
        for ticket in self._tickets:
            for place, task in enumerate(ticket.tasks):
                if task in waiting:
                    ticket.tasks[place] = CANCELLED_WAITER
                    taken.append(task)
        self.unwanted += len(taken)
        return taken
