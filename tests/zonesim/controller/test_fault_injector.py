"""Faults against real processes, each a `sleep`; the clock of the injector jumps."""

from __future__ import annotations

import signal
import subprocess
import time
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from stand_ins import Events

from zonesim.controller.fault_injector import FaultInjector, FaultSchedule, FaultTargets
from zonesim.scenario.faults import (
    Fault,
    KillWorker,
    KillZone,
    SlowDisk,
    StallWorker,
    StallZone,
    SurgeFault,
)

PATIENCE_S = 10.0  # for the system to deliver a signal
S = 1_000_000_000
TENTHS = st.integers(0, 100)


class Sleepers:
    """Processes that sleep, as the targets of faults."""

    def __init__(self) -> None:
        self.started: list[subprocess.Popen[bytes]] = []
        self.workers: dict[int, subprocess.Popen[bytes]] = {}
        self.zones: dict[int, subprocess.Popen[bytes]] = {}
        self.slowed: list[tuple[float, float]] = []
        self.targets = FaultTargets(
            lambda: {number: process.pid for number, process in self.workers.items()},
            lambda: {zone: process.pid for zone, process in self.zones.items()},
            self._slow_disk,
        )

    def start(self, processes: dict[int, subprocess.Popen[bytes]], number: int):
        self.started.append(subprocess.Popen(["sleep", "60"]))
        processes[number] = self.started[-1]
        return self.started[-1]

    async def _slow_disk(self, delay_s: float, for_s: float) -> None:
        self.slowed.append((delay_s, for_s))
        await trio.sleep(for_s)


@pytest.fixture
def sleepers():
    sleepers = Sleepers()
    yield sleepers
    for process in sleepers.started:
        process.kill()
        process.wait()


@pytest.fixture
def events():
    return Events()


@pytest.fixture
def injecting(sleepers, events):
    """Run an injector whose first tick is due at once, or a little later."""

    @asynccontextmanager
    async def injecting(*faults, seed=1, begin_in_s=0.0):
        def now_ns() -> int:
            return round(trio.current_time() * S)

        injector = FaultInjector(faults, seed, sleepers.targets, events.note, now_ns)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(injector.run)
            injector.begin(now_ns() + round(begin_in_s * S))
            yield injector
            nursery.cancel_scope.cancel()

    return injecting


def ticks(zone: int, tick: int) -> list[SimpleNamespace]:
    return [SimpleNamespace(zone=zone, tick=tick)]


def is_stopped(process) -> bool:
    command = ["ps", "-o", "stat=", "-p", str(process.pid)]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    return shown.stdout.startswith("T")


def becomes(process, *, stopped: bool) -> bool:
    """Whether a process soon is stopped, or runs."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if is_stopped(process) == stopped:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.trio
async def test_a_worker_is_killed_at_its_time_since_the_first_tick(
    sleepers, events, injecting, autojump_clock
):
    others = [sleepers.start(sleepers.workers, number) for number in (1, 3)]
    victim = sleepers.start(sleepers.workers, 2)
    async with injecting(KillWorker(at_s=5, worker=2), begin_in_s=2):
        await trio.sleep(6.9)
        assert events == []
        await trio.sleep(0.2)
        assert victim.wait(PATIENCE_S) == -signal.SIGKILL
    assert events == [("fault", "worker 2", "killed")]
    assert [process.poll() for process in others] == [None, None]


@pytest.mark.trio
async def test_a_zone_is_killed_at_its_tick_and_the_event_counts_the_zones_beside_it(
    sleepers, events, injecting, autojump_clock
):
    bystander, victim = (sleepers.start(sleepers.zones, zone) for zone in (0, 1))
    sleepers.zones |= {2: victim, 3: victim}
    async with injecting(KillZone(at_tick=3, zone=1)) as injector:
        for zone, tick in ((0, 3), (1, 2)):
            injector.note_ticks(ticks(zone, tick))
            await trio.sleep(1)
            assert events == []
        injector.note_ticks(ticks(1, 3))
        await trio.sleep(1)
        assert victim.wait(PATIENCE_S) == -signal.SIGKILL
    assert events == [("fault", "zone 1", "killed, and 2 more zones of its process")]
    assert bystander.poll() is None


@pytest.mark.trio
async def test_a_stall_lasts_for_its_time_or_until_the_injector_ends(
    sleepers, events, injecting, autojump_clock
):
    worker = sleepers.start(sleepers.workers, 1)
    zone = sleepers.start(sleepers.zones, 0)
    async with injecting(StallWorker(at_s=1, for_s=3), StallZone(at_s=1)):
        await trio.sleep(1.1)
        assert becomes(worker, stopped=True)
        assert becomes(zone, stopped=True)
        await trio.sleep(3)
        assert becomes(worker, stopped=False)
        assert is_stopped(zone)
    assert becomes(zone, stopped=False)
    assert events == [("fault", "worker 1", "stopped for 3 s"), ("fault", "zone 0", "stopped")]


@pytest.mark.trio
async def test_a_stopped_process_is_not_stopped_again_but_can_be_killed_and_its_successor_stopped(
    sleepers, events, injecting, autojump_clock
):
    victim = sleepers.start(sleepers.workers, 1)
    stall = StallWorker(at_s=2, worker=1)
    async with injecting(StallWorker(at_s=1), stall, KillWorker(at_s=3), StallWorker(at_s=4)):
        await trio.sleep(3.1)
        assert victim.wait(PATIENCE_S) == -signal.SIGKILL
        successor = sleepers.start(sleepers.workers, 1)
        await trio.sleep(1)
        assert becomes(successor, stopped=True)
    assert events == [
        ("fault", "worker 1", "stopped"),
        ("fault", "worker 1", "stall-worker found no worker running"),
        ("fault", "worker 1", "killed"),
        ("fault", "worker 1", "stopped"),
    ]


@pytest.mark.trio
async def test_a_fault_that_finds_no_process_is_an_event_too(
    sleepers, events, injecting, monkeypatch, autojump_clock
):
    def kill(pid, signal_number):
        raise ProcessLookupError  # it has ended just now

    sleepers.start(sleepers.workers, 1)
    monkeypatch.setattr("zonesim.controller.fault_injector.os.kill", kill)
    async with injecting(KillWorker(at_s=1), KillWorker(at_s=2, worker=7), StallZone(at_s=3)):
        await trio.sleep(4)
    assert events == [
        ("fault", "", "kill-worker found no worker alive"),
        ("fault", "worker 7", "kill-worker found no worker alive"),
        ("fault", "", "stall-zone found no zone running"),
    ]


@pytest.mark.trio
async def test_a_slow_disk_delays_no_other_fault_and_surges_are_announced(
    sleepers, events, injecting, autojump_clock
):
    faults = (
        SlowDisk(at_s=1, delay_ms=250, for_s=60),
        SurgeFault(at_s=2, players=20, for_s=10),
        SurgeFault(at_tick=5, zone=3, players=1, for_s=1),
    )
    async with injecting(*faults) as injector:
        await trio.sleep(3)
        injector.note_ticks(ticks(3, 5))
        await trio.sleep(1)
    assert sleepers.slowed == [(0.25, 60)]
    assert events == [
        ("fault", "", "disk: each write 250 ms longer for 60 s"),
        ("fault", "", "20 more players for 10 s in all zones"),
        ("fault", "zone 3", "1 more player for 1 s"),
    ]


@pytest.mark.trio
async def test_the_same_seed_hits_the_same_processes_whatever_their_order(
    sleepers, events, injecting, autojump_clock
):
    for number in range(1, 9):
        sleepers.start(sleepers.workers, number)

    async def hit(seed: int) -> list[str]:
        events.clear()
        async with injecting(StallWorker(every_s=1), StallWorker(every_s=1), seed=seed):
            await trio.sleep(3.1)
        return [process for _, process, _ in events]

    first = await hit(1)
    sleepers.workers = dict(reversed(sleepers.workers.items()))
    assert await hit(1) == first
    assert await hit(2) != first
    assert len(set(first)) == 6


def due(schedule: FaultSchedule, *moments_s: float) -> list[list[int]]:
    return [schedule.take_due(round(moment_s * S)) for moment_s in moments_s]


def test_faults_are_due_once_and_together_in_the_order_of_the_scenario():
    schedule = FaultSchedule([KillWorker(at_s=2), KillZone(at_tick=1), KillZone(at_s=1)])
    assert schedule.next_ns() == S
    assert due(schedule, -0.1, 0.9) == [[], []]
    schedule.note_tick(0, 5)
    assert due(schedule, 3, 9) == [[0, 1, 2], []]
    assert schedule.next_ns() is None


@given(
    faults=st.lists(
        st.one_of(
            TENTHS.map(lambda at: KillWorker(at_s=at / 10)),
            st.tuples(st.integers(1, 40), TENTHS).map(
                lambda t: KillZone(every_s=t[0] / 10, first_s=t[1] / 10)
            ),
        ),
        max_size=4,
    ),
    steps=st.lists(st.integers(0, 30), max_size=20),
)
def test_a_fault_is_due_once_where_any_of_its_times_has_come(faults, steps):
    schedule, before = FaultSchedule(faults), -1
    for now in (sum(steps[: n + 1]) for n in range(len(steps))):
        expected = [n for n, fault in enumerate(faults) if is_due(fault, before, now)]
        assert schedule.take_due(now * S // 10) == expected
        before = now


def is_due(fault: Fault, after: int, up_to: int) -> bool:
    """Whether one of its times lies after a moment and up to another, all in tenths."""
    tenths = {
        name: round(value * 10)
        for name in ("at_s", "every_s", "first_s")
        if (value := getattr(fault, name)) is not None
    }
    if "at_s" in tenths:
        return after < tenths["at_s"] <= up_to
    times = range(tenths["first_s"], up_to + 1, tenths["every_s"])
    return any(after < moment for moment in times)
