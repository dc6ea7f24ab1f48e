"""The same small programs under trio and under a Scheduler: what each of their tasks sees.

Programs are made by hypothesis: nested scopes, nurseries, sleeps, cancels, shields, failures. Each
statement that lets time pass takes a time of its own, so that no two tasks act at one moment and
the order of events is the same however the tasks of one moment are ordered.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple

import trio
import trio.testing
from hypothesis import example, given, settings
from hypothesis import strategies as st

import corororo as cr
from corororo.testing import MockClock

Statement = tuple[Any, ...]
Body = list[Statement]
TIMES = 1 << 20  # more than any program has moments: the low bits of a time tell whose it is


class Library(NamedTuple):
    """What a program needs of the library that runs it."""

    sleep: Callable[[float], Any]
    checkpoint: Callable[[], Any]
    scope: Callable[..., Any]
    nursery: Callable[[], AbstractAsyncContextManager[Any]]
    cancelled: type[BaseException]
    now: Callable[[], float]


class Failure(Exception):
    """What a program raises on purpose; its argument says where."""


def outcome(error: BaseException | None) -> Any:
    """An outcome that can be compared between the libraries."""
    if isinstance(error, BaseExceptionGroup):
        return ["group", *sorted(map(str, map(outcome, error.exceptions)))]
    if error is None or isinstance(error, Failure):
        return repr(error)
    return type(error).__name__


class Program:
    """One run: the statements interpreted, the events of each task noted with their time."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.scopes: dict[int, Any] = {}
        self.events: dict[str, list[Any]] = {}

    def note(self, task: str, *event: Any) -> None:
        self.events.setdefault(task, []).append((self.library.now(), *event))

    async def run(self, task: str, body: Body) -> None:
        for kind, number, *rest in body:
            await getattr(self, f"do_{kind}")(task, number, *rest)

    async def pass_time(self, task: str, number: int, units: int) -> None:
        await self.library.sleep(units * TIMES + (1 << number))
        self.note(task, "slept", number)

    async def do_sleep(self, task: str, number: int, units: int) -> None:
        await self.pass_time(task, number, units)

    async def do_checkpoint(self, task: str, number: int) -> None:
        await self.library.checkpoint()
        self.note(task, "went on", number)

    async def do_cancel(self, task: str, number: int, units: int, which: int) -> None:
        await self.pass_time(task, number, units)
        if scope := self.scopes.get(which):
            scope.cancel()

    async def do_shield(self, task: str, number: int, units: int, which: int, on: bool) -> None:
        await self.pass_time(task, number, units)
        if scope := self.scopes.get(which):
            scope.shield = on

    async def do_move(self, task: str, number: int, units: int, which: int, by: int) -> None:
        await self.pass_time(task, number, units)
        if scope := self.scopes.get(which):
            scope.deadline = self.library.now() + by * TIMES + (1 << number)

    async def do_fail(self, task: str, number: int, units: int) -> None:
        await self.pass_time(task, number, units)
        raise Failure(number)

    async def do_scope(
        self, task: str, number: int, units: int | None, shield: bool, body: Body
    ) -> None:
        deadline = {}
        if units is not None:
            deadline["deadline"] = self.library.now() + units * TIMES + (1 << number)
        with self.library.scope(shield=shield, **deadline) as scope:
            self.scopes[number] = scope
            await self.run(task, body)
        self.note(task, "left scope", number, scope.cancelled_caught)

    async def do_nursery(self, task: str, number: int, body: Body, children: list[Body]) -> None:
        async with self.library.nursery() as nursery:
            self.scopes[number] = nursery.cancel_scope
            for i, child in enumerate(children):
                nursery.start_soon(self.child, f"{task}/{number}.{i}", child)
            await self.run(task, body)
        self.note(task, "left nursery", number, nursery.cancel_scope.cancelled_caught)

    async def child(self, task: str, body: Body) -> None:
        self.note(task, "began")
        try:
            await self.run(task, body)
        except BaseException as error:
            self.note(task, "ended", outcome(error))
            raise
        self.note(task, "ended")

    async def do_swallow(self, task: str, number: int, body: Body) -> None:
        try:
            await self.run(task, body)
        except self.library.cancelled:
            self.note(task, "swallowed", number)

    async def do_finally(self, task: str, number: int, body: Body, cleanup: Body) -> None:
        try:
            await self.run(task, body)
        finally:
            self.note(task, "cleans up", number)
            await self.run(task, cleanup)

    async def main(self, body: Body) -> None:
        try:
            await self.child("main", body)
        except BaseException as error:
            if not isinstance(error, Failure | ExceptionGroup):
                raise


def under_trio(body: Body) -> dict[str, list[Any]]:
    program = Program(
        Library(
            trio.sleep,
            trio.lowlevel.checkpoint,
            trio.CancelScope,
            trio.open_nursery,
            trio.Cancelled,
            trio.current_time,
        )
    )
    trio.run(program.main, body, clock=trio.testing.MockClock(autojump_threshold=0))
    return program.events


def under_corororo(body: Body) -> dict[str, list[Any]]:
    clock = MockClock()
    program = Program(
        Library(cr.sleep, cr.checkpoint, cr.CancelScope, cr.open_nursery, cr.Cancelled, clock.now)
    )
    with cr.Scheduler(clock=clock) as scheduler:
        scheduler.run(program.main(body))
        left = scheduler.statistics()
    assert left.tasks_started == left.tasks_finished
    assert (left.tasks_runnable, left.timers) == (0, 0)
    return program.events


def numbered(body: Body, numbers: list[int]) -> Body:
    """Give each statement a number of its own, in the order of the text."""
    out: Body = []
    for kind, *rest in body:
        number = len(numbers)
        numbers.append(number)
        out.append((kind, number, *(_numbered_part(part, numbers) for part in rest)))
    return out


def _numbered_part(part: Any, numbers: list[int]) -> Any:
    if isinstance(part, list):
        if part and isinstance(part[0], list):
            return [numbered(body, numbers) for body in part]
        return numbered(part, numbers)
    return part


UNITS = st.integers(0, 4)
WHICH = st.integers(0, 8)
LEAVES = st.one_of(
    st.tuples(st.just("sleep"), UNITS),
    st.tuples(st.just("checkpoint")),
    st.tuples(st.just("cancel"), UNITS, WHICH),
    st.tuples(st.just("fail"), UNITS),
    st.tuples(st.just("shield"), UNITS, WHICH, st.booleans()),
    st.tuples(st.just("move"), UNITS, WHICH, UNITS),
)


def _compound(statements: st.SearchStrategy[Statement]) -> st.SearchStrategy[Statement]:
    body = st.lists(statements, min_size=1, max_size=3)
    return st.one_of(
        st.tuples(st.just("scope"), st.none() | UNITS, st.booleans(), body),
        st.tuples(st.just("nursery"), body, st.lists(body, min_size=1, max_size=3)),
        st.tuples(st.just("swallow"), body),
        st.tuples(st.just("finally"), body, body),
    )


PROGRAMS = st.lists(st.recursive(LEAVES, _compound, max_leaves=14), min_size=1, max_size=4).filter(
    lambda body: len(_count(body)) <= 19
)


def _count(body: Body) -> list[int]:
    numbers: list[int] = []
    numbered(body, numbers)
    return numbers


CHILDREN_BY_THEMSELVES = [("nursery", [("sleep", 1)], [[("sleep", 2)], [("sleep", 3)]])]
A_CHILD_FAILS = [("nursery", [("sleep", 4)], [[("fail", 1)], [("finally", [("sleep", 3)], [])]])]
OUTER_AND_INNER_AT_ONCE = [
    ("scope", 3, False, [("scope", None, False, [("finally", [("sleep", 4)], [("sleep", 1)])])])
]
A_SHIELDED_CLEANUP = [
    ("scope", 1, False, [("finally", [("sleep", 4)], [("scope", None, True, [("sleep", 2)])])])
]
A_SHIELD_TAKEN_AWAY = [
    (
        "scope",
        1,
        False,
        [("nursery", [("scope", None, True, [("sleep", 4)])], [[("shield", 2, 2, False)]])],
    )
]


@example(CHILDREN_BY_THEMSELVES)
@example(A_CHILD_FAILS)
@example(OUTER_AND_INNER_AT_ONCE)
@example(A_SHIELDED_CLEANUP)
@example(A_SHIELD_TAKEN_AWAY)
@given(PROGRAMS)
@settings(max_examples=150)
def test_a_program_sees_under_a_scheduler_what_it_sees_under_trio(body: Body) -> None:
    program = numbered(body, [])
    assert under_corororo(program) == under_trio(program)
