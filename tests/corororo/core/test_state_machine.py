"""Nurseries, cancellation and replies in random order: each Task ends exactly once."""

from __future__ import annotations

from typing import Any

from hand_transfer import HandTransfer
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import corororo as cr
from corororo.testing import MockClock


@cr.async_task
def double(x: int) -> int:
    return 2 * x


class Life:
    """One coroutine, from outside: whether it runs, waits, or has ended, and what it saw."""

    def __init__(self) -> None:
        self.began = self.ended = 0
        self.waits_for: int | None = None


class SchedulerMachine(RuleBasedStateMachine):
    """Starts children with scripts in nurseries and at top level; answers, cancels, ticks."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = MockClock()
        self.hand = HandTransfer()
        self.scheduler = cr.Scheduler(self.hand, clock=self.clock)
        self.lives: list[Life] = []
        self.scopes: list[cr.CancelScope] = []
        self.nurseries: list[cr.Nursery] = []
        self.calls = 0

    # -- what the Tasks do

    async def live(self, script: list[str]) -> None:
        life = Life()
        self.lives.append(life)
        life.began += 1
        try:
            for step in script:
                await getattr(self, f"do_{step}")(life)
        finally:
            life.ended += 1

    async def do_call(self, life: Life) -> None:
        self.calls += 1
        mine = self.calls
        life.waits_for = mine
        try:
            value = await double(mine)
        finally:
            assert life.waits_for == mine  # it was not resumed for anything else meanwhile
            life.waits_for = None
        assert value == 2 * mine

    async def do_map(self, life: Life) -> None:
        start = self.calls
        self.calls += 3
        values = await double.map(range(start, start + 3))
        assert values == [2 * i for i in range(start, start + 3)]

    async def do_gather(self, life: Life) -> None:
        await cr.gather(self.live(["call"]), self.live(["checkpoint", "call"]), cr.sleep(1))

    async def do_sleep(self, life: Life) -> None:
        until = self.clock.now() + 1
        await cr.sleep(1)
        assert self.clock.now() >= until

    async def do_checkpoint(self, life: Life) -> None:
        ticks = self.scheduler.statistics().ticks
        await cr.checkpoint()
        assert self.scheduler.statistics().ticks == ticks + 1

    async def do_scope(self, life: Life) -> None:
        with cr.move_on_after(2) as scope:
            self.scopes.append(scope)
            await self.do_call(life)
            await cr.checkpoint()

    async def do_shield(self, life: Life) -> None:
        with cr.CancelScope(shield=True) as scope:
            self.scopes.append(scope)
            await self.do_call(life)

    async def do_nursery(self, life: Life) -> None:
        async with cr.open_nursery() as nursery:
            self.nurseries.append(nursery)
            nursery.start_soon(self.live, ["call"])
            nursery.start_soon(self.live, ["checkpoint", "sleep", "call"])
            await self.do_call(life)

    async def do_swallow(self, life: Life) -> None:
        try:
            await self.do_call(life)
        except cr.Cancelled:
            await self.do_call(life)  # cancelled again, if the scope is still open

    # -- what happens to them

    steps = st.sampled_from(
        ["call", "map", "gather", "sleep", "checkpoint", "scope", "shield", "nursery", "swallow"]
    )

    @rule(script=st.lists(steps, max_size=4))
    def start(self, script: list[str]) -> None:
        self.scheduler.schedule(self.live(script))

    @precondition(lambda self: self.nurseries)
    @rule(data=st.data(), script=st.lists(steps, max_size=2))
    def start_in_a_nursery(self, data: Any, script: list[str]) -> None:
        nursery = data.draw(st.sampled_from(self.nurseries))
        try:
            nursery.start_soon(self.live, script)
        except RuntimeError:  # it has been left
            self.nurseries.remove(nursery)

    @precondition(lambda self: self.nurseries)
    @rule(data=st.data())
    def cancel_a_nursery(self, data: Any) -> None:
        data.draw(st.sampled_from(self.nurseries)).cancel_scope.cancel()

    @precondition(lambda self: self.scopes)
    @rule(data=st.data())
    def cancel_a_scope(self, data: Any) -> None:
        data.draw(st.sampled_from(self.scopes)).cancel()

    @precondition(lambda self: self.scopes)
    @rule(data=st.data(), on=st.booleans())
    def turn_a_shield(self, data: Any, on: bool) -> None:
        data.draw(st.sampled_from(self.scopes)).shield = on

    @precondition(lambda self: self.hand.batches)
    @rule(data=st.data(), calls=st.integers(1, 3))
    def answer(self, data: Any, calls: int) -> None:
        batch = data.draw(st.integers(0, len(self.hand.batches) - 1))
        self.hand.answer_part(batch, calls)

    @rule()
    def tick(self) -> None:
        self.scheduler.tick(deadline=0, late="carry")

    @rule(seconds=st.integers(1, 3))
    def let_time_pass(self, seconds: int) -> None:
        self.clock.jump(seconds)

    # -- what always holds

    @invariant()
    def each_task_ends_at_most_once(self) -> None:
        assert all(life.began == 1 and life.ended <= 1 for life in self.lives)

    @invariant()
    def the_counts_add_up(self) -> None:
        counts = self.scheduler.statistics()
        assert counts.async_tasks_sent == counts.async_tasks_taken + counts.async_tasks_in_flight
        assert counts.async_tasks_dropped <= counts.async_tasks_taken
        assert counts.tasks_finished <= counts.tasks_started

    def teardown(self) -> None:
        """Let everything come back: then every Task has ended, exactly once."""
        for _ in range(200):
            self.hand.answer_all()
            self.clock.jump(1)
            self.scheduler.tick(deadline=0, late="carry")
        counts = self.scheduler.statistics()
        assert counts.tasks_started == counts.tasks_finished
        assert (counts.async_tasks_in_flight, counts.timers, counts.tasks_runnable) == (0, 0, 0)
        assert [life.ended for life in self.lives] == [1] * len(self.lives)
        self.scheduler.tick()  # waits for nothing
        self.scheduler.close()


SchedulerMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, derandomize=True
)
TestEachTaskEndsOnce = SchedulerMachine.TestCase
