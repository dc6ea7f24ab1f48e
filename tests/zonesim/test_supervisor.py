"""Places that have to be filled, and processes that say nothing: stand-ins, and a few real ones.

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

from corororo._platform import HAS_PROC
from zonesim import health, stacks, supervision, supervisor
from zonesim.health import ASLEEP_LOOKS, NO_DOUBT
from zonesim.host import Host
from zonesim.stacks import ANSWER_S
from zonesim.supervision import Supervision, beat_s
from zonesim.supervisor import COMING_UP_S, LOOK_S, OWN_DELAY_S, Supervisor
from zonesim.system import process_state
from zonesim.workloads.base import ZoneSpec

needs_proc = pytest.mark.skipif(not HAS_PROC, reason="the system does not tell of processes")

HOUR_NS = 3_600_000_000_000
PERIOD_S = 0.5
POLICY = Supervision(missed_beats=4)
ALLOWED_S = POLICY.silence_s(PERIOD_S)
NOBODY = 2**31 - 1  # no system gives a process such a number
NOWHERE = Path("/nowhere/zone-process.stack")

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


class StandIn:
    """In the place of a zone process: ends by itself after a while, or when it is killed."""

    def __init__(self, pid: int = NOBODY, lasts_s: float = math.inf) -> None:
        self.pid = pid
        self.stack_path = NOWHERE
        self.killed = False
        self.on_end: Callable[[], None] = lambda: None
        self._lasts_s = lasts_s
        self._ended = trio.Event()

    async def wait_until_ended(self) -> None:
        with trio.move_on_after(self._lasts_s):
            await self._ended.wait()

    def told(self) -> str:
        return "by signal 9" if self.killed else "with exit code 3"

    def kill(self) -> None:
        self.killed = True
        self._ended.set()
        self.on_end()


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


class Observer:
    """Starts what it is told to start, and keeps all that the supervisor says."""

    def __init__(
        self,
        policy: Supervision = POLICY,
        period_s: float = PERIOD_S,
        may_be_busy: bool = False,
    ) -> None:
        self.lives: list[StandIn | Exception] = []  # those to come
        self.started_s: list[float] = []
        self.events: list[tuple[str, str, str]] = []
        self.deaths: list[Host] = []
        self.given_up: list[tuple[Host, str]] = []
        self.supervisor = Supervisor(
            self._start,
            policy,
            period_s,
            may_be_busy,
            self.deaths.append,
            lambda host, why: self.given_up.append((host, why)),
            lambda *event: self.events.append(event),
        )

    async def _start(self, host: Host) -> StandIn:
        self.started_s.append(trio.current_time())
        life = self.lives.pop(0)
        if isinstance(life, Exception):
            raise life
        return life

    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.events]


def place(policy: Supervision = POLICY, zone: int = 7) -> Host:
    host = Host(zone, policy)
    host.specs[zone] = ZoneSpec(zone, 1, PERIOD_S, "chains", "")
    return host


def filled(process: StandIn, zone: int = 7) -> Host:
    """A place with a process that has made its zones, and has just said so."""
    host = place(zone=zone)
    host.stands(process)
    host.connected(object())
    host.made.add(zone)
    host.longest_busy_ns = 1_000_000  # it has run a tick
    process.on_end = host.gone  # at once: nobody minds the place who could notice it
    return host


def follow_trio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have supervisor and places know no other time than that of trio."""
    clock = SimpleNamespace(monotonic_ns=lambda: HOUR_NS + round(trio.current_time() * 1e9))
    monkeypatch.setattr("zonesim.supervisor.time", clock)
    monkeypatch.setattr("zonesim.host.time", clock)


@pytest.fixture
def jumping(monkeypatch, autojump_clock):
    """The clock of a test that waits for nothing but the next deadline."""
    follow_trio(monkeypatch)
    return autojump_clock


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


# -- a process for every place


@pytest.mark.trio
async def test_whoever_dies_is_started_again_and_waits_twice_as_long_each_time(jumping):
    policy = Supervision(restarts=3, backoff_s=1.0)
    observer, host = Observer(policy), place(policy)
    observer.lives = [StandIn(lasts_s=10) for _ in range(4)]

    await observer.supervisor.keep(host)

    assert observer.started_s == [0, 10 + 1, 21 + 2, 33 + 4]
    assert observer.deaths == [host] * 4
    died = ("zone-died", "zonesim zone 7", "with exit code 3")
    why = "died 4 times, the last time with exit code 3"
    quarantined = ("zone-quarantined", "zonesim zone 7", f"{why}; it is not started again")
    assert observer.events == [died] * 4 + [quarantined]
    assert observer.given_up == [(host, why)]
    assert host.given_up


@pytest.mark.trio
async def test_whoever_dies_seldom_is_never_given_up(jumping):
    policy = Supervision(restarts=1, window_s=60.0, backoff_s=1.0)
    observer, host = Observer(policy), place(policy)
    observer.lives = [StandIn(lasts_s=60) for _ in range(20)]
    observer.lives.append(StandIn())
    with trio.move_on_after(20 * 61 + 30):
        await observer.supervisor.keep(host)

    assert observer.started_s == [61 * life for life in range(21)]
    assert observer.given_up == []
    assert not host.given_up


@pytest.mark.trio
async def test_a_process_stands_at_its_place_while_it_lives_and_no_longer(jumping):
    observer, host = Observer(), place()
    observer.lives = [first := StandIn(lasts_s=10), second := StandIn()]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(observer.supervisor.keep, host)
        await trio.sleep(9)
        assert host.handle is first
        host.connected(object())
        await trio.sleep(1 + POLICY.backoff_s / 2)
        assert (host.handle, host.channel) == (None, None)
        assert host.died_ns == HOUR_NS + 10_000_000_000
        await trio.sleep(POLICY.backoff_s)
        assert host.handle is second
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_whoever_was_killed_died_of_the_reason_why(jumping):
    policy = Supervision(restarts=0)
    observer, host = Observer(policy), place(policy)
    observer.lives = [StandIn()]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(observer.supervisor.keep, host)
        await trio.sleep(1)
        host.kill("killed: too slow")

    assert observer.events[0] == ("zone-died", "zonesim zone 7", "killed: too slow")
    assert observer.given_up[0][1] == "died 1 times, the last time killed: too slow"


@pytest.mark.trio
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BlockingIOError(11, "Resource temporarily unavailable"), "Resource temporarily"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (EOFError("unexpected EOF"), "unexpected EOF"),
        (EOFError(), "EOFError"),
        (OSError(), "OSError"),
    ],
    ids=["no room", "no fork server", "a fork server that dies", "silently", "without a number"],
)
async def test_a_process_that_cannot_be_started_has_died_and_is_tried_again(error, told, jumping):
    observer, host = Observer(), place()
    observer.lives = [error, StandIn()]
    with trio.move_on_after(10):
        await observer.supervisor.keep(host)

    assert observer.started_s == [0, POLICY.backoff_s]
    assert observer.deaths == [host]
    [(kind, _, detail)] = observer.events
    assert kind == "zone-died"
    assert detail.startswith("before it began: ")
    assert told in detail
    assert host.died_ns == HOUR_NS
    assert host.restarts.recent == 1


@pytest.mark.trio
async def test_a_place_where_nobody_can_ever_be_started_is_given_up(jumping):
    policy = Supervision(restarts=2)
    observer, host = Observer(policy), place(policy)
    observer.lives = [OSError("no room") for _ in range(3)]

    await observer.supervisor.keep(host)

    assert observer.kinds() == ["zone-died"] * 3 + ["zone-quarantined"]
    assert observer.given_up == [(host, "died 3 times, the last time before it began: no room")]
    assert host.handle is None


@pytest.mark.trio
async def test_other_errors_of_a_start_are_for_the_run_to_see(jumping):
    observer = Observer()
    observer.lives = [ValueError("a mistake")]
    with pytest.raises(ValueError, match="a mistake"):
        await observer.supervisor.keep(place())


@pytest.mark.trio
async def test_whoever_has_been_told_to_end_is_not_missed(jumping):
    observer, host = Observer(), place()
    observer.lives = [StandIn(lasts_s=10)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(observer.supervisor.keep, host)
        await trio.sleep(5)
        host.is_leaving = True

    assert (observer.events, observer.deaths, observer.given_up) == ([], [], [])
    assert observer.started_s == [0]


@pytest.mark.trio
async def test_nobody_is_started_at_a_place_that_was_left_before_the_wait_was_over(jumping):
    policy = Supervision(backoff_s=10.0, backoff_max_s=10.0)
    observer, host = Observer(policy), place(policy)
    observer.lives = [StandIn(lasts_s=1)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(observer.supervisor.keep, host)
        await trio.sleep(5)
        host.is_leaving = True

    assert observer.started_s == [0]
    assert observer.kinds() == ["zone-died"]
    assert (host.handle, host.given_up) == (None, False)


@pytest.mark.trio
async def test_nobody_is_started_at_a_place_that_is_left_already(jumping):
    observer, host = Observer(), place()
    host.is_leaving = True
    await observer.supervisor.keep(host)
    assert (observer.started_s, observer.events) == ([], [])


@pytest.mark.trio
async def test_who_dies_when_all_are_to_end_is_told_of_and_not_started_again(jumping):
    observer, host = Observer(), place()
    observer.lives = [StandIn(lasts_s=10)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(observer.supervisor.keep, host)
        await trio.sleep(5)
        observer.supervisor.ending = True

    assert observer.kinds() == ["zone-died"]
    assert observer.deaths == [host]
    assert (host.given_up, host.restarts.recent) == (False, 0)


@pytest.mark.trio
async def test_nobody_is_started_who_still_waits_for_it_when_all_are_to_end(jumping):
    policy = Supervision(backoff_s=10.0, backoff_max_s=10.0)
    observer, host = Observer(policy), place(policy)
    observer.lives = [StandIn(lasts_s=1)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(observer.supervisor.keep, host)
        await trio.sleep(5)
        observer.supervisor.ending = True

    assert observer.started_s == [0]
    assert not host.given_up


@pytest.mark.trio
async def test_where_all_are_to_end_already_nobody_is_started_at_all(jumping):
    observer = Observer()
    observer.supervisor.ending = True
    await observer.supervisor.keep(place())
    assert observer.started_s == []
    assert observer.events == []


@pytest.mark.trio
async def test_no_place_waits_for_the_troubles_of_another(jumping):
    policy = Supervision(restarts=0)
    observer, poor, well = Observer(policy), place(policy, 1), place(policy, 2)
    observer.lives = [StandIn(lasts_s=1), healthy := StandIn()]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(observer.supervisor.keep, poor)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(observer.supervisor.keep, well)
        await trio.sleep(100)
        nursery.cancel_scope.cancel()

    assert (poor.given_up, well.given_up) == (True, False)
    assert well.handle is healthy
    assert observer.given_up[0][0] is poor


# -- processes that say nothing


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
    assert (kind, subject) == ("zone-hung", "zonesim zone 7")
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

    assert [subject for _, subject, _ in observer.events] == ["zonesim zone 3"]
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
