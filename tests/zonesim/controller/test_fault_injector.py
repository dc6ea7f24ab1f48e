"""Real processes, each a `sleep` of its own, killed and stopped; time goes by at once."""

from __future__ import annotations

import signal
import subprocess
import time
from contextlib import asynccontextmanager

import pytest
import trio
from stand_ins import Events

from zonesim.controller.fault_injector import Wrecker
from zonesim.scenario.faults import (
    KillWorker,
    KillZone,
    SlowDisk,
    StallWorker,
    StallZone,
    SurgeFault,
)

PATIENCE_S = 10.0  # with the system, which does not do at once what signals say


class Sleepers:
    """Targets that sleep."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[bytes]] = []
        self.worker_processes: dict[int, subprocess.Popen[bytes]] = {}
        self.zone_processes: dict[int, subprocess.Popen[bytes]] = {}
        self.slowed: list[tuple[float, float]] = []

    def start(self) -> subprocess.Popen[bytes]:
        self.processes.append(subprocess.Popen(["sleep", "60"]))
        return self.processes[-1]

    def start_worker(self, number: int) -> subprocess.Popen[bytes]:
        process = self.worker_processes[number] = self.start()
        return process

    def start_zone(self, zone: int) -> subprocess.Popen[bytes]:
        process = self.zone_processes[zone] = self.start()
        return process

    def workers(self) -> dict[int, int]:
        return {number: process.pid for number, process in self.worker_processes.items()}

    def zones(self) -> dict[int, int]:
        return {zone: process.pid for zone, process in self.zone_processes.items()}

    async def slow_disk(self, delay_s: float, for_s: float) -> None:
        self.slowed.append((delay_s, for_s))
        await trio.sleep(for_s)


@pytest.fixture
def sleepers():
    sleepers = Sleepers()
    yield sleepers
    for process in sleepers.processes:
        process.kill()
        process.wait()


@pytest.fixture
def events():
    return Events()


@pytest.fixture
def wrecking(sleepers, events):
    """A wrecker at work, from the moment that the first tick is due.

    Tests ask for ``autojump_clock`` beside it: only what a test itself asks for becomes its clock.
    """

    @asynccontextmanager
    async def wrecking(*faults, seed=1, begin_in_s=0.0):
        def now_ns() -> int:
            return round(trio.current_time() * 1e9)

        wrecker = Wrecker(faults, seed, sleepers, events.note, now_ns)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wrecker.run)
            wrecker.begin(now_ns() + round(begin_in_s * 1e9))
            yield wrecker
            nursery.cancel_scope.cancel()

    return wrecking


def is_stopped(process) -> bool:
    shown = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(process.pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout.startswith("T")


def becomes(process, *, stopped: bool) -> bool:
    """Whether it soon stands still, or goes on."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if is_stopped(process) == stopped:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.trio
async def test_a_worker_is_killed_when_its_time_has_come(
    sleepers, events, wrecking, autojump_clock
):
    others, victim = [sleepers.start_worker(1), sleepers.start_worker(3)], sleepers.start_worker(2)
    async with wrecking(KillWorker(at_s=5, worker=2)):
        await trio.sleep(4.9)
        assert events == []
        await trio.sleep(0.2)
        assert victim.wait(PATIENCE_S) == -signal.SIGKILL
    assert events == [("fault", "worker 2", "killed")]
    assert [process.poll() for process in others] == [None, None]


@pytest.mark.trio
async def test_time_counts_from_the_moment_that_the_first_tick_is_due(
    sleepers, events, wrecking, autojump_clock
):
    sleepers.start_worker(1)
    async with wrecking(KillWorker(at_s=1), begin_in_s=2):
        await trio.sleep(2.9)
        assert events == []
        await trio.sleep(0.2)
        assert len(events) == 1


@pytest.mark.trio
async def test_a_rate_kills_one_after_another(sleepers, events, wrecking, autojump_clock):
    for number in range(1, 5):
        sleepers.start_worker(number)
    async with wrecking(KillWorker(every_s=2)):
        for _ in range(3):
            await trio.sleep(2.1)
            struck = sleepers.worker_processes.pop(int(events[-1][1].removeprefix("worker ")))
            assert struck.wait(PATIENCE_S) == -signal.SIGKILL
    (left,) = sleepers.worker_processes.values()
    assert (len(events), left.poll()) == (3, None)


@pytest.mark.trio
async def test_a_zone_is_killed_when_it_has_come_to_a_tick(
    sleepers, events, wrecking, autojump_clock
):
    bystander, victim = sleepers.start_zone(0), sleepers.start_zone(1)
    async with wrecking(KillZone(at_tick=3, zone=1)) as wrecker:
        for zone, tick in ((0, 3), (1, 2)):
            wrecker.note_tick(zone, tick)
            await trio.sleep(1)
            assert events == []
        wrecker.note_tick(1, 3)
        await trio.sleep(1)
        assert victim.wait(PATIENCE_S) == -signal.SIGKILL
    assert events == [("fault", "zone 1", "killed")]
    assert bystander.poll() is None


@pytest.mark.trio
async def test_zones_that_share_a_process_die_together_and_the_event_says_so(
    sleepers, events, wrecking, autojump_clock
):
    process = sleepers.start_zone(0)
    sleepers.zone_processes |= {1: process, 2: process}
    async with wrecking(KillZone(at_s=0, zone=1)):
        await trio.sleep(1)
    assert events == [("fault", "zone 1", "killed, and 2 more zones of its process")]


@pytest.mark.trio
async def test_a_worker_stands_still_for_its_time_and_goes_on(
    sleepers, events, wrecking, autojump_clock
):
    victim = sleepers.start_worker(1)
    async with wrecking(StallWorker(at_s=1, for_s=3)):
        await trio.sleep(1.1)
        assert becomes(victim, stopped=True)
        await trio.sleep(2.8)
        assert is_stopped(victim)
        await trio.sleep(0.2)
        assert becomes(victim, stopped=False)
    assert events == [("fault", "worker 1", "stopped for 3 s")]
    assert victim.poll() is None


@pytest.mark.trio
async def test_a_stall_without_an_end_lasts_until_the_wrecker_ends(
    sleepers, events, wrecking, autojump_clock
):
    zone, worker = sleepers.start_zone(0), sleepers.start_worker(1)
    async with wrecking(StallZone(at_s=0), StallWorker(at_s=0, for_s=5000)):
        await trio.sleep(1000)
        assert becomes(zone, stopped=True)
        assert becomes(worker, stopped=True)
    assert becomes(zone, stopped=False)
    assert becomes(worker, stopped=False)
    assert events[0] == ("fault", "zone 0", "stopped")


@pytest.mark.trio
async def test_who_was_replaced_while_it_stood_still_is_sent_no_signal_any_more(
    sleepers, wrecking, autojump_clock
):
    given_up, worker = sleepers.start_zone(0), sleepers.start_worker(1)
    async with wrecking(StallZone(at_s=0), StallWorker(at_s=0, for_s=3)):
        await trio.sleep(1)
        assert becomes(given_up, stopped=True)
        assert becomes(worker, stopped=True)
        sleepers.start_zone(0)
        sleepers.worker_processes.clear()
        await trio.sleep(9)
    assert is_stopped(given_up)
    assert is_stopped(worker)


@pytest.mark.trio
async def test_who_stands_still_is_not_stopped_again_but_can_be_killed(
    sleepers, events, wrecking, autojump_clock
):
    victim = sleepers.start_worker(1)
    faults = (StallWorker(at_s=1), StallWorker(at_s=2, worker=1), KillWorker(at_s=3))
    async with wrecking(*faults):
        await trio.sleep(3.1)
        assert victim.wait(PATIENCE_S) == -signal.SIGKILL
        replacement = sleepers.start_worker(1)
    assert events == [
        ("fault", "worker 1", "stopped"),
        ("fault", "worker 1", "stall-worker found no worker running"),
        ("fault", "worker 1", "killed"),
    ]
    assert not is_stopped(replacement)


@pytest.mark.trio
async def test_a_replacement_can_be_stopped_as_the_one_before_it(
    sleepers, events, wrecking, autojump_clock
):
    sleepers.start_worker(1)
    async with wrecking(StallWorker(every_s=1)):
        await trio.sleep(1.1)
        replacement = sleepers.start_worker(1)
        await trio.sleep(1)
        assert becomes(replacement, stopped=True)
    assert [detail for _, _, detail in events] == ["stopped"] * 2


@pytest.mark.trio
async def test_a_fault_that_finds_nobody_is_an_event_too(events, wrecking, autojump_clock):
    faults = (KillWorker(at_s=1), KillWorker(at_s=2, worker=7), StallZone(at_s=3))
    async with wrecking(*faults):
        await trio.sleep(4)
    assert events == [
        ("fault", "", "kill-worker found no worker alive"),
        ("fault", "worker 7", "kill-worker found no worker alive"),
        ("fault", "", "stall-zone found no zone running"),
    ]


@pytest.mark.trio
async def test_who_has_ended_in_this_very_moment_is_nobody(
    sleepers, events, wrecking, monkeypatch, autojump_clock
):
    def kill(pid, signal_number):
        raise ProcessLookupError

    sleepers.start_worker(1)
    async with wrecking(KillWorker(at_s=1), StallWorker(at_s=2)):
        with monkeypatch.context() as patched:
            patched.setattr("zonesim.controller.fault_injector.os.kill", kill)
            await trio.sleep(3)
    assert [detail for _, _, detail in events] == [
        "kill-worker found no worker alive",
        "stall-worker found no worker running",
    ]


@pytest.mark.trio
async def test_the_disk_is_slow_for_a_while_and_other_faults_do_not_wait(
    sleepers, events, wrecking, autojump_clock
):
    async with wrecking(SlowDisk(at_s=1, delay_ms=250, for_s=60), KillWorker(at_s=2)):
        await trio.sleep(2.1)
    assert sleepers.slowed == [(0.25, 60)]
    assert events[0] == ("fault", "", "disk: each write 250 ms longer for 60 s")
    assert len(events) == 2


@pytest.mark.trio
async def test_surges_are_told_of_when_they_begin(events, wrecking, autojump_clock):
    faults = (
        SurgeFault(every_s=60, players=20, for_s=10),
        SurgeFault(at_tick=5, zone=3, players=1, for_s=1),
    )
    async with wrecking(*faults) as wrecker:
        await trio.sleep(121)
        wrecker.note_tick(3, 5)
        await trio.sleep(1)
    assert events == [
        ("fault", "", "20 more players for 10 s in all zones"),
        ("fault", "", "20 more players for 10 s in all zones"),
        ("fault", "zone 3", "1 more player for 1 s"),
    ]


@pytest.mark.trio
async def test_the_same_seed_strikes_the_same_ones(sleepers, events, wrecking, autojump_clock):
    for number in range(1, 9):
        sleepers.start_worker(number)

    async def struck(seed: int) -> list[str]:
        events.clear()
        async with wrecking(StallWorker(every_s=1), StallWorker(every_s=1), seed=seed):
            await trio.sleep(3.1)
        return [subject for _, subject, _ in events]

    assert await struck(1) == await struck(1)
    assert await struck(1) != await struck(2)
    assert len(set(await struck(1))) == 6
