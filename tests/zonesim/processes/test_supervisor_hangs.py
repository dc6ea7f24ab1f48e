"""Silent processes: what hangs, what is only slow. Stand-ins on a jumping clock, and real ones."""

from __future__ import annotations

import itertools
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from stand_ins import HOUR_NS, NO_PID, PERIOD_S, POLICY, Observer, StandIn, follow_trio, make_slot

from corororo.processes import HAS_PROC, process_state
from zonesim.processes import slot as slots
from zonesim.processes import supervisor
from zonesim.processes.slot import ProcessSlot, stacks_of
from zonesim.processes.supervisor import (
    ASLEEP_CHECKS,
    CHECK_S,
    OWN_DELAY_S,
    STARTUP_S,
    STOPPED,
    TIMES_ALLOWED,
    TIMES_BUSIEST,
    Observation,
    why_it_hangs,
)
from zonesim.scenario import supervision
from zonesim.scenario.supervision import Supervision

needs_proc = pytest.mark.skipif(not HAS_PROC, reason="process states are unknown")

ALLOWED_S = POLICY.silence_s(PERIOD_S)
ENOUGH_CPU_S = ALLOWED_S / 2

CHILD = """
import faulthandler, signal, sys, time

def loop_without_end():
    print("ready", flush=True)
    while True:
        pass

def sleep_too_long():
    print("ready", flush=True)
    time.sleep(600)

signal.alarm(120)
stacks = open(sys.argv[1], "wb")
faulthandler.register(signal.SIGUSR1, stacks)
globals()[sys.argv[2]]()
"""


class RealOne(StandIn):
    """A child of this process instead of a zone process."""

    def __init__(self, process: subprocess.Popen[str], stack_path: Path) -> None:
        super().__init__(process.pid)
        self.stack_path = stack_path
        self.process = process

    async def stacks(self) -> str:
        return await stacks_of(self.pid, self.stack_path)

    def kill(self) -> None:
        self.process.kill()
        super().kill()

    def was_killed(self) -> bool:
        return self.process.wait(timeout=60) == -signal.SIGKILL


def filled(process: StandIn, zone: int = 7) -> ProcessSlot:
    """A slot whose process has created its zones and has run a tick."""
    slot = make_slot(zone=zone)
    slot.attach(process)
    slot.connected(object())
    slot.made.add(zone)
    slot.longest_busy_ns = 1_000_000
    process.on_end = slot.detach
    return slot


@asynccontextmanager
async def watching(observer: Observer, *slots: ProcessSlot):
    """While the supervisor watches, at most a minute of the test's clock."""
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(observer.supervisor.watch, lambda: slots)
            yield
            nursery.cancel_scope.cancel()


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - a supervisor sets no trio.Event
        await trio.sleep(CHECK_S / 4)


@pytest.fixture
def start(tmp_path, monkeypatch) -> Iterator[Callable[[str], RealOne]]:
    """Start a process that is inside a function of that name and answers with its stacks."""
    monkeypatch.setattr(slots, "ANSWER_S", 60.0)
    started = []

    def start(function: str) -> RealOne:
        stack = tmp_path / f"{len(started)}.stack"
        command = [sys.executable, "-S", "-E", "-c", CHILD, str(stack), function]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        deadline_s = time.monotonic() + 30
        while function == "sleep_too_long" and process_state(process.pid) != "S":
            assert time.monotonic() < deadline_s
            time.sleep(0.001)
        return RealOne(process, stack)

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def system(monkeypatch):
    """The state and the CPU time of each process id."""
    system = SimpleNamespace(states={}, cpu_s={})
    monkeypatch.setattr(supervisor, "process_state", lambda pid: system.states.get(pid, "R"))
    monkeypatch.setattr(
        supervisor, "cpu_ns", lambda pid: round(system.cpu_s.get(pid, lambda: 0.0)() * 1e9)
    )
    return system


# -- real processes


def stop(pid: int) -> None:
    """Stop a child and wait until it is stopped."""
    os.kill(pid, signal.SIGSTOP)
    os.waitpid(pid, os.WUNTRACED)


@needs_proc
@pytest.mark.trio
async def test_a_stopped_process_is_reported_with_its_stack_and_killed(start):
    observer, process = Observer(may_be_busy=True), start("sleep_too_long")
    slot = filled(process)
    slot.heard_ns -= 3 * round(ALLOWED_S * 1e9)
    stop(process.pid)
    async with watching(observer, slot):
        await until(lambda: process.killed)

    assert process.was_killed()
    [(kind, subject, detail)] = observer.events
    assert (kind, subject) == ("zone-hung", "zone 7")
    first, *stack = detail.splitlines()
    assert first.startswith("silent for ")
    assert first.endswith(" s: it is stopped")
    assert "in sleep_too_long" in "\n".join(stack)
    assert slot.why_killed == f"killed: {first}"
    assert not slot.hung  # a signal stopped it, not its work


@needs_proc
@pytest.mark.trio
async def test_a_process_in_an_endless_loop_is_found_by_its_cpu_time(start, monkeypatch):
    # On any machine it is found by its CPU time alone.
    monkeypatch.setattr(supervisor, "TIMES_ALLOWED", math.inf)
    monkeypatch.setattr(supervisor, "OWN_DELAY_S", math.inf)
    monkeypatch.setattr(supervision, "SHORTEST_SILENCE_S", 0.1)
    observer = Observer(Supervision(missed_beats=1), period_s=0.01)
    process = start("loop_without_end")
    async with watching(observer, filled(process)):
        await until(lambda: process.killed)

    assert process.was_killed()
    [(kind, _, detail)] = observer.events
    assert kind == "zone-hung"
    assert "it runs and does not come back" in detail.splitlines()[0]
    assert "in loop_without_end" in detail


# -- stand-ins


@pytest.mark.trio
@pytest.mark.parametrize(
    ("state", "why"),
    [("S", "it sleeps, or waits for"), ("R", "it runs and does not come back"), ("", "unknown")],
)
async def test_a_process_that_is_heard_in_time_is_well_and_hangs_once_it_is_silent(
    system, jumping, state, why
):
    observer, slot = Observer(), filled(process := StandIn(5))
    system.states[5], system.cpu_s[5] = state, trio.current_time
    async with watching(observer, slot):
        for _ in range(20):
            await trio.sleep(0.9 * ALLOWED_S)
            slot.heard()
        assert observer.events == []
        await until(lambda: process.killed)
    [(kind, _, detail)] = observer.events
    assert kind == "zone-hung"
    assert why in detail
    assert slot.hung


@pytest.mark.trio
async def test_a_process_that_sleeps_in_a_few_checks_may_wait_for_a_lock(
    system, monkeypatch, jumping
):
    seen = itertools.cycle(["S"] * (ASLEEP_CHECKS - 1) + ["R"])
    monkeypatch.setattr(supervisor, "process_state", lambda pid: next(seen))
    observer, slot = Observer(), filled(StandIn(5))
    async with watching(observer, slot):
        await trio.sleep(TIMES_ALLOWED * ALLOWED_S - CHECK_S)
    assert observer.events == []


@pytest.mark.trio
async def test_slots_that_are_empty_retiring_or_starting_up_are_not_judged(system, jumping):
    observer = Observer()
    system.states[5] = "S"
    empty, newcomer = make_slot(), make_slot()
    newcomer.attach(StandIn(5))
    busy_creating, gone, leaving = (filled(StandIn(5)) for _ in range(3))
    busy_creating.made.clear()
    gone.detach()
    leaving.retiring = True
    async with watching(observer, empty, newcomer, busy_creating, gone, leaving):
        await trio.sleep(2 * ALLOWED_S)
    assert observer.events == []


def starting_up(is_connected: bool) -> tuple[ProcessSlot, StandIn]:
    slot, process = make_slot(), StandIn(5)
    slot.attach(process)
    process.on_end = slot.detach
    if is_connected:
        slot.connected(object())
    return slot, process


@pytest.mark.trio
@pytest.mark.parametrize("is_connected", [True, False])
@pytest.mark.parametrize(
    ("state", "after_s", "why"),
    [("T", ALLOWED_S, "it is stopped"), *((s, STARTUP_S, "it does not come up") for s in "SRD")],
)
async def test_a_process_has_a_bounded_time_to_come_up(
    is_connected, state, after_s, why, system, jumping
):
    observer, (slot, process) = Observer(), starting_up(is_connected)
    system.states[5], system.cpu_s[5] = state, trio.current_time
    async with watching(observer, slot):
        await trio.sleep(after_s)
        assert observer.events == []
        await trio.sleep(2 * CHECK_S)

    assert process.killed
    [(kind, _, detail)] = observer.events
    assert kind == "zone-hung"
    assert detail.endswith(f" s: {why}")


@pytest.mark.trio
async def test_a_process_is_asked_for_its_stacks_once_and_killed_once(system, jumping):
    observer, slot = Observer(), filled(process := StandIn(5))
    process.on_end = lambda: None  # its end is not noticed yet
    system.states[5] = "S"
    asked, answered = [], trio.Event()

    async def stacks() -> str:
        asked.append(trio.current_time())
        await answered.wait()
        return "in its_last_function"

    process.stacks = stacks
    async with watching(observer, slot):
        await trio.sleep(10 * ALLOWED_S)
        assert len(asked) == 1
        assert (observer.events, process.killed) == ([], False)
        answered.set()
        await trio.sleep(2 * ALLOWED_S)

    assert process.killed
    [(_, _, detail)] = observer.events
    assert detail.splitlines()[1:] == ["in its_last_function"]


@pytest.mark.trio
async def test_a_successor_is_not_killed_for_the_hang_of_the_previous_process(system, jumping):
    observer, slot = Observer(), filled(hung := StandIn(5))
    system.states[5] = "S"

    async def stacks() -> str:
        slot.detach()
        slot.attach(StandIn(6))
        return ""

    hung.stacks = stacks
    async with watching(observer, slot):
        await until(lambda: observer.events != [])
        await trio.sleep(CHECK_S)

    assert (hung.killed, slot.handle.killed, slot.why_killed) == (False, False, "")


@pytest.mark.trio
@pytest.mark.parametrize("late_s", [0.0, OWN_DELAY_S / 2, 2 * OWN_DELAY_S, 100.0])
async def test_a_supervisor_that_is_late_itself_blames_no_process(
    system, monkeypatch, mock_clock, late_s
):
    follow_trio(monkeypatch)
    observer, slot = Observer(), filled(process := StandIn())
    heard_ns = slot.heard_ns = slot.heard_ns - HOUR_NS // 2
    system.states[NO_PID] = ""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(observer.supervisor.watch, lambda: [slot])
        for wait_s in (CHECK_S + late_s, CHECK_S):
            await trio.testing.wait_all_tasks_blocked()
            mock_clock.jump(wait_s)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    if late_s > OWN_DELAY_S:
        assert (observer.events, process.killed) == ([], False)
        assert slot.heard_ns > heard_ns  # its silence starts again
    else:
        assert (observer.kinds(), process.killed) == (["zone-hung"], True)


@pytest.mark.trio
async def test_a_process_that_runs_its_calls_itself_may_be_silent_as_long_as_a_tick_may_take(
    system, jumping
):
    policy = Supervision(tick_hang_s=40.0)
    observer, slot = Observer(policy, may_be_busy=True), filled(process := StandIn(5))
    system.cpu_s[5] = trio.current_time
    async with watching(observer, slot):
        await trio.sleep(40.0)
        assert observer.events == []
        await trio.sleep(2 * CHECK_S)

    assert process.killed
    assert " s: its tick does not end; raise supervision.tick_hang_s" in observer.events[0][2]
    assert slot.hung


# -- the judgement


def why(
    silent_s: float = ALLOWED_S + 0.1,
    state: str = "R",
    cpu_s: float = 0.0,
    asleep: int = ASLEEP_CHECKS,
    busiest_s: float = 0.01,
    **how: bool,
) -> str | None:
    seen = Observation(silent_s, state, cpu_s, asleep if state == "S" else 0)
    return why_it_hangs(seen, ALLOWED_S, busiest_s, **how)


LONGEST_S = TIMES_ALLOWED * ALLOWED_S
RUNS = "it runs and does not come back: 1.0 s of CPU since"


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({"silent_s": ALLOWED_S, "state": "T"}, None),
        ({"state": "T", "may_be_busy": True}, "it is stopped"),
        ({"state": "t"}, "it is stopped"),
        ({"state": ""}, "its state is unknown"),
        ({"state": "S"}, "it sleeps, or waits for something that does not come"),
        ({"state": "S", "asleep": ASLEEP_CHECKS - 1}, None),
        ({"state": "S", "asleep": 1, "cpu_s": ENOUGH_CPU_S}, RUNS),
        ({"cpu_s": ENOUGH_CPU_S}, RUNS),
        ({"cpu_s": 0.99 * ENOUGH_CPU_S}, None),
        ({"cpu_s": TIMES_BUSIEST * 5.0 - 0.1, "busiest_s": 5.0}, None),  # its ticks take long
        ({"cpu_s": 100.0, "busiest_s": 0.0}, None),  # it has not run a tick yet
        ({"silent_s": LONGEST_S}, None),
        ({"silent_s": LONGEST_S + 0.1, "state": "D"}, "it is in state D"),
    ],
)
def test_what_a_silent_process_did_decides_whether_it_hangs(seen, expected):
    assert why(**seen) == expected


@given(
    st.floats(0, 1000), st.sampled_from(["", *"RSDTtZXI"]), st.floats(0, 1000), st.integers(0, 6)
)
def test_only_a_stopped_process_hangs_where_it_may_be_busy(silent_s, state, cpu_s, asleep):
    found = why(silent_s, state, cpu_s, asleep, may_be_busy=True)
    assert (found is not None) == (silent_s > ALLOWED_S and state in STOPPED)
