"""Processes that say nothing: stand-ins, and a few real ones.

Where clocks jump, the supervisor's own clock is the one of trio, and nothing here takes the
seconds that it speaks of.
"""

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
from stand_ins import (
    HOUR_NS,
    NOBODY,
    NOWHERE,
    PERIOD_S,
    POLICY,
    Observer,
    StandIn,
    follow_trio,
    place,
)

from corororo.processes import ANSWER_S, HAS_PROC, process_state
from zonesim.processes import health, supervisor
from zonesim.processes.health import ASLEEP_LOOKS, NO_DOUBT
from zonesim.processes.slot import Host
from zonesim.processes.supervisor import COMING_UP_S, LOOK_S, OWN_DELAY_S
from zonesim.scenario import supervision
from zonesim.scenario.supervision import Supervision, beat_s
from zonesim.system import stacks

needs_proc = pytest.mark.skipif(not HAS_PROC, reason="the system does not tell of processes")

ALLOWED_S = POLICY.silence_s(PERIOD_S)

CHILD = """
import faulthandler, signal, sys, time

def loop_without_end():
    print("there", flush=True)
    while True:
        pass

def sleep_too_long():
    print("there", flush=True)
    time.sleep(600)

signal.alarm(120)  # whatever becomes of the tests
stacks = open(sys.argv[1], "wb")
faulthandler.register(signal.SIGUSR1, stacks)
globals()[sys.argv[2]]()
"""


class RealOne(StandIn):
    """A child of this process in the place of a zone process."""

    def __init__(self, process: subprocess.Popen[str], stack_path: Path) -> None:
        super().__init__(process.pid)
        self.stack_path = stack_path
        self.process = process

    def kill(self) -> None:
        self.process.kill()
        super().kill()

    def was_killed(self) -> bool:
        """Whether somebody did; blocks until it has ended."""
        return self.process.wait(timeout=60) == -signal.SIGKILL


def filled(process: StandIn, zone: int = 7) -> Host:
    """A place with a process that has made its zones, and has just said so."""
    host = place(zone=zone)
    host.stands(process)
    host.connected(object())
    host.made.add(zone)
    host.longest_busy_ns = 1_000_000  # it has run a tick
    process.on_end = host.gone  # at once: nobody minds the place who could notice it
    return host


@asynccontextmanager
async def watching(observer: Observer, *hosts: Host):
    """While the supervisor watches; not longer than a minute of whatever clock there is."""
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(observer.supervisor.watch, lambda: hosts)
            yield
            nursery.cancel_scope.cancel()


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - a supervisor sets no trio.Event
        await trio.sleep(LOOK_S / 4)


def wait_until_asleep(pid: int) -> None:
    """It says where it is a moment before."""
    deadline_s = time.monotonic() + 30
    while process_state(pid) != "S":
        assert time.monotonic() < deadline_s
        time.sleep(0.001)


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[[str], RealOne]]:
    """Start a process that is inside a function of that name, and says so when asked."""
    started = []

    def start(function: str) -> RealOne:
        stack = tmp_path / f"{len(started)}.stack"
        process = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", CHILD, str(stack), function],
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        if function == "sleep_too_long":
            wait_until_asleep(process.pid)
        return RealOne(process, stack)

    yield start
    for process in started:
        process.kill()
        process.communicate()


def stop(real: RealOne) -> None:
    """Return once it stands still."""
    real.process.send_signal(signal.SIGSTOP)
    _, status = os.waitpid(real.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)


@pytest.fixture
def system(monkeypatch):
    """What the system says of processes, by process id: a state, and their CPU time."""
    system = SimpleNamespace(states={}, cpu_s={})
    monkeypatch.setattr(supervisor, "process_state", lambda pid: system.states.get(pid, "R"))
    monkeypatch.setattr(
        supervisor, "cpu_ns", lambda pid: round(system.cpu_s.get(pid, lambda: 0.0)() * 1e9)
    )
    return system


@needs_proc
@pytest.mark.trio
async def test_a_process_that_is_stopped_is_found_its_stack_told_and_it_is_killed(
    start, monkeypatch
):
    monkeypatch.setattr(stacks, "ANSWER_S", 60.0)
    observer, process = Observer(), start("sleep_too_long")
    host = filled(process)
    host.heard_ns -= HOUR_NS
    stop(process)
    async with watching(observer, host):
        await until(lambda: process.killed)

    assert process.was_killed()
    [(kind, subject, detail)] = observer.events
    assert (kind, subject) == ("zone-hung", "zone 7")
    first, *stack = detail.splitlines()
    assert first.startswith("silent for ")
    assert first.endswith(" s: it is stopped")
    assert "in sleep_too_long" in "\n".join(stack)
    assert host.why_killed == f"killed: {first}"


@needs_proc
@pytest.mark.trio
async def test_a_process_in_an_endless_loop_is_found_by_its_cpu_time(start, monkeypatch):
    monkeypatch.setattr(stacks, "ANSWER_S", 60.0)
    # However little of this machine it gets, it is its CPU time that gives it away.
    monkeypatch.setattr(health, "NO_DOUBT", math.inf)
    monkeypatch.setattr(supervisor, "OWN_DELAY_S", math.inf)
    monkeypatch.setattr(supervision, "SHORTEST_SILENCE_S", 0.1)
    observer = Observer(Supervision(missed_beats=1), period_s=0.01)
    process = start("loop_without_end")
    host = filled(process)
    async with watching(observer, host):
        await until(lambda: process.killed)

    assert process.was_killed()
    [(kind, _, detail)] = observer.events
    assert kind == "zone-hung"
    assert "it runs and does not come back" in detail.splitlines()[0]
    assert "in loop_without_end" in detail


@needs_proc
@pytest.mark.trio
async def test_a_quiet_process_is_left_alone_as_long_as_it_is_heard_now_and_then(start, jumping):
    observer, process = Observer(), start("sleep_too_long")
    host = filled(process)
    async with watching(observer, host):
        for _ in range(25):
            await trio.sleep(0.9 * ALLOWED_S)
            host.heard()
        assert observer.events == []
        assert process.process.poll() is None
        await until(lambda: process.killed)

    assert process.was_killed()
    assert observer.kinds() == ["zone-hung"]
    assert "it sleeps, or waits for something that does not come" in observer.events[0][2]


@needs_proc
@pytest.mark.trio
@pytest.mark.parametrize("function", ["loop_without_end", "sleep_too_long"])
async def test_a_process_that_may_be_busy_is_left_alone_until_it_is_stopped(
    start, function, jumping
):
    observer, process = Observer(may_be_busy=True), start(function)
    host = filled(process)
    async with watching(observer, host):
        await trio.sleep(2 * NO_DOUBT * ALLOWED_S)
        assert observer.events == []
        stop(process)
        await until(lambda: process.killed)

    assert process.was_killed()
    assert "it is stopped" in observer.events[0][2]
    assert not host.hung  # no work of its own has stopped it


@pytest.mark.trio
async def test_cpu_time_is_not_held_against_a_process_that_is_heard(system, jumping):
    observer, host = Observer(), filled(StandIn(5))
    system.cpu_s[5] = trio.current_time
    async with watching(observer, host):
        for _ in range(25):
            await trio.sleep(0.9 * ALLOWED_S)
            host.heard()
    assert observer.events == []


@pytest.mark.trio
async def test_what_a_process_did_before_it_was_heard_is_not_held_against_it(system, jumping):
    observer, host = Observer(), filled(StandIn(5))
    works_until_s = 20 * ALLOWED_S
    system.cpu_s[5] = lambda: min(works_until_s, trio.current_time())
    async with watching(observer, host):
        while trio.current_time() < works_until_s:
            await trio.sleep(0.9 * ALLOWED_S)
            host.heard()
        await trio.sleep(4 * ALLOWED_S)
    assert observer.events == []


@pytest.mark.trio
async def test_a_process_that_never_gets_its_turn_is_given_up_only_after_very_long(system, jumping):
    observer, host = Observer(), filled(process := StandIn(5))
    async with watching(observer, host):
        await trio.sleep(NO_DOUBT * ALLOWED_S - LOOK_S)
        assert observer.events == []
        await until(lambda: process.killed)
    assert "it is in state R" in observer.events[0][2]


@pytest.mark.trio
async def test_who_is_seen_asleep_now_and_then_may_wait_for_a_lock(system, monkeypatch, jumping):
    seen = itertools.cycle(["S"] * (ASLEEP_LOOKS - 1) + ["R"])
    monkeypatch.setattr(supervisor, "process_state", lambda pid: next(seen))
    observer, host = Observer(), filled(process := StandIn(5))
    async with watching(observer, host):
        await trio.sleep(NO_DOUBT * ALLOWED_S - LOOK_S)
        assert observer.events == []
        monkeypatch.setattr(supervisor, "process_state", lambda pid: "S")
        await trio.sleep((ASLEEP_LOOKS + 0.5) * LOOK_S + ANSWER_S)

    assert process.killed
    assert "it sleeps, or waits for something that does not come" in observer.events[0][2]


@pytest.mark.trio
async def test_how_long_it_slept_before_it_was_heard_is_not_held_against_a_process(
    system, monkeypatch, jumping
):
    observer, host = Observer(), filled(process := StandIn(5))
    async with watching(observer, host):
        system.states[5] = "S"
        await trio.sleep(0.9 * ALLOWED_S)
        system.states[5] = "R"
        host.heard()
        await trio.sleep(ALLOWED_S - LOOK_S / 2)
        system.states[5] = "S"
        await trio.sleep((ASLEEP_LOOKS - 1) * LOOK_S)
        system.states[5] = "R"
        await trio.sleep(ALLOWED_S)
    assert (observer.events, process.killed) == ([], False)


@pytest.mark.trio
async def test_a_process_that_beats_in_time_is_well_though_no_beat_may_be_missed(system, jumping):
    period_s = 1.0
    observer, host = Observer(Supervision(missed_beats=1), period_s), filled(StandIn(5))
    system.states[5] = "S"
    async with watching(observer, host):
        for _ in range(10):
            await trio.sleep(beat_s(period_s))
            host.heard()
    assert observer.events == []


@pytest.mark.trio
async def test_of_many_only_the_one_that_hangs_is_killed_also_if_it_came_later(system, jumping):
    observer = Observer()
    processes = {zone: StandIn(zone) for zone in (1, 2)}
    hosts = {zone: filled(process, zone) for zone, process in processes.items()}
    for host in hosts.values():
        host.heard_ns += HOUR_NS  # they are heard all the time
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(observer.supervisor.watch, hosts.values)
            await trio.sleep(5)
            hosts[3] = filled(late := StandIn(3), 3)
            system.states[3] = "S"
            await until(lambda: late.killed)
            nursery.cancel_scope.cancel()

    assert [subject for _, subject, _ in observer.events] == ["zone 3"]
    assert [process.killed for process in (*processes.values(), late)] == [False, False, True]
    assert [host.handle for host in hosts.values()] == [*processes.values(), None]


@pytest.mark.trio
async def test_nobody_is_judged_who_has_just_come_up_or_is_to_end_or_is_not_there(system, jumping):
    observer = Observer()
    system.states[5] = "S"
    nobody, newcomer = place(), place()
    newcomer.stands(StandIn(5))
    busy_making, gone, leaving = (filled(StandIn(5)) for _ in range(3))
    busy_making.made.clear()
    gone.gone()
    leaving.is_leaving = True
    async with watching(observer, nobody, newcomer, busy_making, gone, leaving):
        await trio.sleep(2 * ALLOWED_S)
    assert observer.events == []


def before_hello() -> tuple[Host, StandIn]:
    host, process = place(), StandIn(5)
    host.stands(process)
    process.on_end = host.gone
    return host, process


def before_its_zones_are_made() -> tuple[Host, StandIn]:
    host, process = before_hello()
    host.connected(object())
    return host, process


each_way_up = pytest.mark.parametrize("coming_up", [before_hello, before_its_zones_are_made])


@pytest.mark.trio
@each_way_up
async def test_a_process_that_is_stopped_while_it_comes_up_is_found_as_at_any_time(
    coming_up, system, jumping
):
    observer, (host, process) = Observer(), coming_up()
    system.states[5] = "T"
    async with watching(observer, host):
        await trio.sleep(ALLOWED_S)
        assert observer.events == []
        await trio.sleep(2 * LOOK_S + ANSWER_S)

    assert process.killed
    [(kind, _, detail)] = observer.events
    assert kind == "zone-hung"
    assert detail.endswith(" s: it is stopped")


@pytest.mark.trio
@each_way_up
@pytest.mark.parametrize("may_be_busy", [True, False])
@pytest.mark.parametrize("state", ["S", "R", "D", ""])
async def test_a_process_that_comes_up_has_long_for_it_but_not_for_ever(
    coming_up, state, may_be_busy, system, jumping
):
    observer, (host, process) = Observer(may_be_busy=may_be_busy), coming_up()
    system.states[5], system.cpu_s[5] = state, trio.current_time
    async with trio.open_nursery() as nursery:
        nursery.start_soon(observer.supervisor.watch, lambda: [host])
        await trio.sleep(COMING_UP_S)
        assert observer.events == []
        await trio.sleep(2 * LOOK_S + ANSWER_S)
        nursery.cancel_scope.cancel()

    assert process.killed
    [(kind, _, detail)] = observer.events
    assert kind == "zone-hung"
    assert detail.endswith(" s: it does not come up")


@pytest.mark.trio
async def test_who_may_be_silent_for_longer_has_that_long_to_come_up(system, jumping):
    policy = Supervision(missed_beats=100)
    allowed_s = policy.silence_s(2.0)
    assert allowed_s > 2 * COMING_UP_S
    observer, (host, process) = Observer(policy, 2.0), before_hello()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(observer.supervisor.watch, lambda: [host])
        await trio.sleep(allowed_s)
        assert observer.events == []
        await trio.sleep(2 * LOOK_S + ANSWER_S)
        nursery.cancel_scope.cancel()
    assert process.killed


@pytest.mark.trio
@pytest.mark.parametrize("state", ["S", "T"])
async def test_a_process_that_takes_its_time_to_die_is_told_of_once(state, system, jumping):
    observer, host = Observer(), filled(process := StandIn(5))
    process.on_end = lambda: None  # it is killed, and its end is not noticed yet
    system.states[5] = state
    async with watching(observer, host):
        await trio.sleep(2 * NO_DOUBT * ALLOWED_S)

    assert process.killed
    assert host.handle is process
    assert observer.kinds() == ["zone-hung"]


@pytest.mark.trio
async def test_while_one_is_asked_where_it_stands_it_is_not_asked_again(
    system, monkeypatch, jumping
):
    observer, host = Observer(), filled(process := StandIn(5))
    system.states[5] = "S"
    asked, answered = [], trio.Event()

    async def ask(pid: int, path: Path) -> str:
        asked.append((pid, path))
        await answered.wait()
        return "in its_last_function"

    monkeypatch.setattr(supervisor, "stacks_of", ask)
    async with watching(observer, host):
        await trio.sleep(10 * ALLOWED_S)
        assert asked == [(5, NOWHERE)]
        assert (observer.events, process.killed) == ([], False)
        answered.set()
        await until(lambda: process.killed)

    [(_, _, detail)] = observer.events
    assert detail.splitlines()[1:] == ["in its_last_function"]


@pytest.mark.trio
async def test_who_has_taken_the_place_of_one_that_hung_is_not_killed_for_it(
    system, monkeypatch, jumping
):
    observer, host = Observer(), filled(hung := StandIn(5))
    system.states[5] = "S"

    async def ask(pid: int, path: Path) -> str:
        host.gone()
        host.stands(StandIn(6))
        return ""

    monkeypatch.setattr(supervisor, "stacks_of", ask)
    async with watching(observer, host):
        await until(lambda: observer.events != [])
        await trio.sleep(LOOK_S)

    assert (hung.killed, host.handle.killed, host.why_killed) == (False, False, "")


@pytest.mark.trio
async def test_a_successor_is_judged_by_its_own_cpu_time(system, jumping):
    observer, host = Observer(), filled(hung := StandIn(5))
    system.cpu_s[5] = lambda: 1000 + trio.current_time()
    async with watching(observer, host):
        await until(lambda: hung.killed)
        host.stands(successor := StandIn(6))
        host.connected(object())
        host.made.add(7)
        began_s = trio.current_time()
        system.cpu_s[6] = lambda: trio.current_time() - began_s
        await until(lambda: successor.killed)

    assert observer.kinds() == ["zone-hung"] * 2
    assert "it runs and does not come back" in observer.events[1][2]


@pytest.mark.trio
@pytest.mark.parametrize("late_s", [0.0, OWN_DELAY_S / 2, 2 * OWN_DELAY_S, 100.0])
async def test_a_watcher_that_comes_late_itself_blames_nobody(
    system, monkeypatch, mock_clock, late_s
):
    follow_trio(monkeypatch)
    observer, host = Observer(), filled(process := StandIn())
    heard_ns = host.heard_ns = host.heard_ns - HOUR_NS // 2
    system.states[NOBODY] = ""  # nobody can tell: whoever looks in time finds it at once
    async with trio.open_nursery() as nursery:
        nursery.start_soon(observer.supervisor.watch, lambda: [host])
        for wait_s in (LOOK_S + late_s, ANSWER_S, LOOK_S, ANSWER_S):
            await trio.testing.wait_all_tasks_blocked()
            mock_clock.jump(wait_s)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    if late_s > OWN_DELAY_S:
        assert (observer.events, process.killed) == ([], False)
        assert host.heard_ns > heard_ns  # its silence begins anew
    else:
        assert (observer.kinds(), process.killed) == (["zone-hung"], True)


@pytest.mark.trio
async def test_a_process_that_may_be_busy_may_be_so_for_as_long_as_a_tick_may_take(system, jumping):
    policy = Supervision(tick_hang_s=40.0)
    observer, process = Observer(policy, may_be_busy=True), StandIn(5)
    host = filled(process)
    system.cpu_s[5] = trio.current_time
    async with trio.open_nursery() as nursery:
        nursery.start_soon(observer.supervisor.watch, lambda: [host])
        await trio.sleep(40.0)
        assert observer.events == []
        await trio.sleep(2 * LOOK_S + ANSWER_S)
        nursery.cancel_scope.cancel()

    assert process.killed
    [(kind, _, detail)] = observer.events
    assert kind == "zone-hung"
    assert " s: it runs and does not come back" in detail
    assert host.hung
