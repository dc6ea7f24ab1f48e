"""A slot whose process is a stand-in and whose channel is a socket pair; restarts; stacks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from corororo.processes import ANSWER_S, STACK_CHARACTERS
from zonesim.processes import slot as slots
from zonesim.processes.slot import ProcessSlot, Restarts, stacks_of
from zonesim.scenario.supervision import Supervision
from zonesim.wire.channel import Channel
from zonesim.wire.messages import Adopt, FromController, FromZones, Halt
from zonesim.workloads.base import ZoneSpec

NO_PID = 2**31 - 1  # no process has this id
EIGHTH_S = 0.125  # times are multiples of it, so sums are exact


class StandIn:
    """A zone process that only counts how often it was killed."""

    def __init__(self) -> None:
        self.pid = NO_PID
        self.kills = 0

    def kill(self) -> None:
        self.kills += 1


def slot_of(*zones: int) -> ProcessSlot:
    slot = ProcessSlot(4, Supervision())
    for zone in zones:
        slot.specs[zone] = ZoneSpec(zone, 1, 0.4, "chains", "")
    return slot


@asynccontextmanager
async def connection(slot: ProcessSlot):
    """Connect the slot; the process's end of the channel."""
    near, far = trio.socket.socketpair()
    async with (
        Channel(trio.SocketStream(near), FromZones) as channel,
        Channel(trio.SocketStream(far), FromController) as its_end,
    ):
        slot.connected(channel)
        with trio.fail_after(30):
            yield its_end


def test_a_slot_is_titled_by_its_zones_or_its_number():
    assert slot_of().title == "zone process 4"
    assert slot_of(7).title == "zonesim zone 7"
    assert slot_of(9, 7, 8).title == "zonesim zones 7-9"


def test_a_slot_is_up_once_its_process_has_created_all_of_its_zones():
    slot = slot_of(7, 8)
    slot.attach(StandIn())
    slot.connected(object())
    slot.made.add(7)
    assert not slot.is_up
    slot.made |= {8, 9}
    assert slot.is_up
    slot.specs[10] = slot.specs[7]
    assert not slot.is_up
    assert not slot_of().is_up


def test_a_new_process_starts_without_the_state_of_the_previous_one():
    slot = slot_of(7)
    slot.attach(StandIn())
    slot.connected(object())
    slot.assigned, slot.made = {7}, {7}
    slot.step_ordered = slot.step_done = 3
    slot.kill("killed: too slow")
    slot.detach()
    assert (slot.is_up, slot.handle, slot.channel, slot.missed) == (False, None, None, {7})

    slot.attach(successor := StandIn())

    assert slot.handle is successor
    assert (slot.channel, slot.assigned, slot.made, slot.why_killed) == (None, set(), set(), "")
    assert (slot.step_ordered, slot.step_done) == (0, 0)
    assert 0 < slot.died_ns <= slot.heard_ns


def test_a_process_that_is_killed_twice_died_of_the_first_reason():
    slot = slot_of(7)
    slot.kill("there is no process")
    slot.attach(process := StandIn())
    slot.kill("killed: too slow")
    slot.kill("the run ends")
    assert slot.why_killed == "killed: too slow"
    assert process.kills == 2


@pytest.mark.trio
async def test_an_order_to_a_process_that_is_gone_or_not_connected_is_dropped():
    slot = slot_of(7)
    await slot.send(Halt())
    async with connection(slot) as its_end, trio.open_nursery() as nursery:
        nursery.start_soon(slot.send, Adopt(1, 7, bytes(3 << 20)))  # more than the socket holds
        await trio.testing.wait_all_tasks_blocked()
        await its_end._stream.aclose()
    await slot.send(Halt())


# -- restarts


def waits(restarts: Restarts, *deaths_s: float) -> list[float | None]:
    return [restarts.after_death(death_s) for death_s in deaths_s]


def test_the_wait_doubles_with_each_death_up_to_the_longest():
    restarts = Restarts(Supervision(restarts=10, backoff_s=0.5, backoff_max_s=3.0))
    assert waits(restarts, 0, 1, 2, 3, 4) == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_a_death_counts_for_as_long_as_the_window():
    policy = Supervision(restarts=1, window_s=10.0, backoff_s=1.0)
    assert waits(Restarts(policy), 0, 10) == [1.0, 1.0]
    assert waits(Restarts(policy), 0, 10 - EIGHTH_S) == [1.0, None]
    assert waits(Restarts(Supervision(restarts=0)), 5) == [None]


times_s = st.integers(0, 80).map(lambda count: count * EIGHTH_S)


@given(
    st.builds(
        Supervision,
        restarts=st.integers(0, 6),
        window_s=st.integers(1, 80).map(lambda count: count * EIGHTH_S),
        backoff_s=times_s,
        backoff_max_s=times_s,
    ),
    st.lists(times_s, max_size=60),
)
def test_no_window_holds_more_restarts_than_allowed_and_none_is_denied_before(policy, gaps_s):
    restarts, now_s, restarted_s = Restarts(policy), 0.0, list[float]()
    for gap_s in gaps_s:
        now_s += gap_s
        wait_s = restarts.after_death(now_s)
        in_window = [then_s for then_s in restarted_s if then_s > now_s - policy.window_s]
        assert restarts.recent == len(in_window) + 1
        if wait_s is None:
            assert len(in_window) == policy.restarts
            return
        restarted_s.append(now_s)
        assert len(in_window) < policy.restarts
        assert 0 <= wait_s <= policy.backoff_max_s


def ticks(zone: int, count: int) -> list[SimpleNamespace]:
    return [SimpleNamespace(zone=zone, tick=tick, busy_ns=1) for tick in range(count)]


def hangs_until_quarantined(slot: ProcessSlot, rows: list[SimpleNamespace]) -> int:
    """How often it may hang, an hour apart, when each of its processes runs these ticks."""
    for life in range(50):
        slot.attach(StandIn())
        slot.note_ticks(rows)
        if slot.restarts.after_death(3600.0 * life, hung=True) is None:
            return life
    return 50


@pytest.mark.parametrize(
    ("checkpoint_ticks", "hung_zones", "rows", "hangs"),
    [
        (4, (), ticks(7, 4), 3),  # never past its checkpoint
        (4, (), ticks(7, 300), 50),
        (0, (), ticks(7, 300), 50),
        (4, (7,), ticks(8, 300), 3),  # only a neighbour makes progress
    ],
)
def test_hangs_count_until_the_zone_is_past_its_checkpoint(
    checkpoint_ticks, hung_zones, rows, hangs
):
    slot = ProcessSlot(4, Supervision(checkpoint_ticks=checkpoint_ticks, restarts=3))
    slot.hung_zones = hung_zones
    assert hangs_until_quarantined(slot, rows) == hangs


# -- stacks of a process

CHILD = """
import signal, sys, threading, time
from pathlib import Path
from corororo.processes import dump_stacks_on_signal

def loop():
    for _ in range(40):  # as many as trio has at most
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    print("ready", flush=True)
    while True:
        pass

def sleep():
    print("ready", flush=True)
    time.sleep(600)

signal.alarm(120)
dump_stacks_on_signal(Path(sys.argv[1]))
globals()[sys.argv[2]]()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "zone-process-3.stack"


@pytest.fixture
def start(path, source_environment) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    started = []

    def start(function: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", CHILD, str(path), function]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, env=source_environment, stdout=pipe, text=True))
        assert started[-1].stdout.readline() == "ready\n"
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def stop(pid: int) -> None:
    """Stop a child and wait until it is stopped."""
    os.kill(pid, signal.SIGSTOP)
    os.waitpid(pid, os.WUNTRACED)


@pytest.mark.trio
@pytest.mark.parametrize("is_stopped", [False, True])
@pytest.mark.parametrize("function", ["loop", "sleep"])
async def test_a_process_answers_with_its_main_thread_first(
    start, path, monkeypatch, function, is_stopped
):
    monkeypatch.setattr(slots, "ANSWER_S", 60.0)
    process = start(function)
    if is_stopped:
        stop(process.pid)
    stacks = await stacks_of(process.pid, path)
    assert f"in {function}" in stacks.split("\n\n")[0]
    assert len(stacks) <= STACK_CHARACTERS
    assert process.poll() is None


@pytest.mark.trio
async def test_a_process_that_does_not_answer_has_no_stacks(path, autojump_clock):
    with trio.fail_after(2 * ANSWER_S):
        assert await stacks_of(NO_PID, path) == ""


@pytest.mark.trio
async def test_an_answer_is_awaited_until_it_is_complete(path, autojump_clock):
    async def write_slowly() -> None:
        with path.open("w") as file:
            for part in ("in ", "a_function ", "of_many ", "callers"):
                await trio.sleep(0.75 * slots.STACK_POLL_S)
                file.write(part)
                file.flush()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write_slowly)
        assert await stacks_of(NO_PID, path) == "in a_function of_many callers"
