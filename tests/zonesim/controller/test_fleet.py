"""A fleet without zone processes: strangers knock, and this process may play one that is due."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import trio
import trio.testing
from stand_ins import Events

from zonesim.controller.fleet import START_S, Fleet, FleetPlan
from zonesim.controller.zone_states import ZoneState
from zonesim.processes.slot import Host
from zonesim.system.errors import RunFailed
from zonesim.wire.channel import HEAD, VERSION, Channel, frame
from zonesim.wire.messages import (
    Assign,
    Drain,
    Failed,
    FromController,
    Hello,
    Leg,
    LegDone,
    Ready,
    SlowDisk,
    Stop,
)
from zonesim.workloads.base import ZoneSpec

pytestmark = pytest.mark.trio

TITLE = "zonesim zone 7"
LEG = Leg(1, origin_ns=0, start_ns=0, period_ns=1, until={3: None}, end_ns=None, realtime=True)


class Impostor:
    """This process in the place of a zone process."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.killed = trio.Event()

    def kill(self) -> None:
        self.killed.set()

    async def stop(self) -> None:
        """Nothing has to be ended."""


def place(fleet: Fleet) -> Host:
    """The one that this process has."""
    return fleet._host_at(7)


@asynccontextmanager
async def listening(*, awaited: bool = False, events: Events | None = None):
    """A fleet, and those whom it refused. ``awaited``: this process is one of it."""
    refused = []
    with tempfile.TemporaryDirectory() as folder, trio.fail_after(60):
        fleet = Fleet(
            FleetPlan(Path(folder) / "control", folder),
            lambda rows: None,
            lambda subject, reason: refused.append((subject, reason)),
            (Events() if events is None else events).note,
        )
        if awaited:
            host = place(fleet)
            host.specs[7] = ZoneSpec(7, 1, 0.4, "chains", "")
            fleet._states.create(7)
            host.stands(Impostor())
        async with trio.open_nursery() as nursery:
            await nursery.start(fleet.serve)
            yield fleet, refused, f"{folder}/control"
            nursery.cancel_scope.cancel()


async def knock(path: str, *said: bytes) -> None:
    """Say something, and listen until the other end has closed."""
    async with await trio.open_unix_socket(path) as stream:
        for part in said:
            await stream.send_all(part)
        await stream.send_eof()
        while await stream.receive_some():
            pass  # orders, to one that may come in


@pytest.mark.parametrize(
    "said",
    [b"", b"GET / HTTP/1.1\r\n\r\n", frame(Hello(0, os.getpid()))],
    ids=["nothing", "http", "hello"],
)
async def test_a_stranger_is_refused_and_the_run_goes_on(said):
    async with listening() as (fleet, refused, path):
        await knock(path, said)

        assert fleet.zone_states() == {}
        assert [subject for subject, _ in refused] == [
            f"process {os.getpid()} of user {os.getuid()}"
        ]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (HEAD.pack(VERSION, 4, 2**32 - 1), "expected at most 4194304 bytes of Ticks"),
        (HEAD.pack(VERSION + 1, 1, 1), "expected a message of version"),
        (bytes([VERSION, 0xFF]) * 20, "expected Ready or Ticks"),
        (HEAD.pack(VERSION, 1, 2) + b"\xff\xff", "2 bytes are no Ready"),
        (frame(Hello(0, os.getpid())), "expected Ready or Ticks"),
    ],
    ids=["oversized", "another version", "noise", "no message inside", "a second hello"],
)
async def test_a_zone_process_that_speaks_another_language_is_killed(said, reason):
    async with listening(awaited=True) as (fleet, refused, path):
        await knock(path, frame(Hello(0, os.getpid())), frame(Ready({7: 0})), said)
        await place(fleet).handle.killed.wait()
        [(subject, why)] = refused
        assert (subject, why.startswith(reason)) == (TITLE, True)
        assert place(fleet).why_killed == f"killed: {why}"


@pytest.mark.parametrize("kept", range(len(frame(LegDone(1))) + 1))
async def test_a_zone_process_that_ends_inside_a_message_has_ended_and_no_more(kept):
    async with listening(awaited=True) as (fleet, refused, path):
        await knock(path, frame(Hello(0, os.getpid())), frame(LegDone(3)), frame(LegDone(5))[:kept])
        assert place(fleet).step_done == (5 if kept == len(frame(LegDone(5))) else 3)
        assert refused == []


async def test_a_zone_process_that_comes_when_all_end_is_told_to_stop():
    async with listening(awaited=True) as (fleet, _, path):
        await fleet.stop()
        async with Channel(await trio.open_unix_socket(path), FromController) as channel:
            await channel.send(Hello(0, os.getpid()))
            assert await channel.receive() == Stop()


async def test_an_order_to_a_process_whose_end_nobody_has_noticed_yet_goes_nowhere():
    async with listening(awaited=True) as (fleet, refused, path):
        await knock(path, frame(Hello(0, os.getpid())), frame(Ready({7: 0})))
        assert isinstance(place(fleet).channel, Channel)
        await fleet.halt()
        assert refused == []


async def test_a_process_that_is_here_before_its_id_is_known_comes_in():
    async with listening() as (fleet, refused, path):
        host = place(fleet)
        host.specs[7] = ZoneSpec(7, 1, 0.4, "chains", "")
        fleet._states.create(7)
        host.is_starting = True
        async with Channel(await trio.open_unix_socket(path), FromController) as channel:
            await channel.send(Hello(7, os.getpid()))
            await trio.testing.wait_all_tasks_blocked()
            host.stands(Impostor())
            assert isinstance(await channel.receive(), Assign)
        assert refused == []


async def test_a_process_that_comes_while_the_disk_is_slow_hears_of_it():
    async with listening(awaited=True) as (fleet, _, path):
        until_ns = time.monotonic_ns() + 10**12
        await fleet.slow_disk(0.5, until_ns)
        async with Channel(await trio.open_unix_socket(path), FromController) as channel:
            await channel.send(Hello(7, os.getpid()))
            assign = await channel.receive()
            await fleet.slow_disk(0.25, until_ns + 1)
            later = await channel.receive()

    assert assign.saving.slow == SlowDisk(0.5, until_ns)
    assert later == SlowDisk(0.25, until_ns + 1)


async def test_orders_to_a_fleet_of_nobody_are_done_at_once():
    async with listening() as (fleet, _, _):
        with trio.fail_after(30):
            await fleet.grow([], 1)
            await fleet.until_done()
            await fleet.halt()
            await fleet.stop()

    assert fleet.zone_states() == {}


class Wire:
    """To a process that reads nothing until ``reads``."""

    def __init__(self) -> None:
        self.reads = trio.Event()
        self.sent = []

    async def send(self, order) -> None:
        await self.reads.wait()
        self.sent.append(order)


async def test_orders_go_to_all_whoever_among_them_reads_nothing():
    async with listening() as (fleet, _, _), trio.open_nursery() as nursery:
        wires = [Wire(), Wire(), Wire()]
        for zone, wire in enumerate(wires):
            host = fleet._host_at(zone)
            host.specs[zone] = ZoneSpec(zone, 1, 0.4, "chains", "")
            host.made.add(zone)
            host.channel = wire
            fleet._states.create(zone)
            fleet._states.move(zone, ZoneState.STARTING)
            fleet._states.move(zone, ZoneState.READY)
        wires[1].reads.set()
        wires[2].reads.set()
        leg = msgspec.structs.replace(LEG, until=dict.fromkeys(range(3)))
        nursery.start_soon(fleet.order, leg)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(fleet.drain, range(3), ())
        await trio.testing.wait_all_tasks_blocked()
        kinds = [[type(order) for order in wire.sent] for wire in wires]
        assert kinds == [[], [Leg, Drain], [Leg, Drain]]
        nursery.cancel_scope.cancel()


async def test_a_place_whose_process_died_before_its_turn_has_not_been_ordered_anything():
    async with listening(awaited=True) as (fleet, _, _):
        await fleet._order_one(place(fleet), LEG)
        assert place(fleet).step_ordered == 0  # so whoever comes is told


async def say_failed(path: str) -> None:
    """As the process that is due, which cannot make its zone."""
    await knock(path, frame(Hello(0, os.getpid())), frame(Failed("no room for a ring", "a trace")))


async def test_a_zone_that_cannot_be_made_while_others_tick_is_an_event_and_a_death():
    events = Events()
    async with listening(awaited=True, events=events) as (fleet, _, path):
        await fleet.order(LEG)
        await say_failed(path)
        await place(fleet).handle.killed.wait()
        assert place(fleet).why_killed == "failed: no room for a ring"

    assert events == [("zone-failed", "zone 7", "no room for a ring\na trace")]


async def test_a_zone_that_cannot_be_made_at_the_beginning_ends_the_run():
    async def run() -> None:
        async with listening(awaited=True) as (_, _, path):
            await say_failed(path)
            await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        await run()
    failures, others = caught.value.split(lambda error: isinstance(error, RunFailed))
    assert others is None
    [failure] = leaves(failures)
    assert str(failure) == f"{TITLE}: no room for a ring"


def leaves(error: BaseException) -> list[BaseException]:
    """What stands in groups, whatever their depth."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for inner in error.exceptions for leaf in leaves(inner)]


async def test_the_wait_for_a_turn_to_be_started_is_no_part_of_the_time_for_it(
    monkeypatch, mock_clock
):
    monkeypatch.setattr("zonesim.controller.fleet.ZoneProcessHandle", lambda *given: given[0])
    async with listening() as (fleet, _, _), trio.open_nursery() as nursery:
        started = []

        async def start() -> None:
            started.append(await fleet._start(place(fleet)))

        await fleet._starting.acquire_on_behalf_of("another place")
        nursery.start_soon(start)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(2 * START_S)
        await trio.testing.wait_all_tasks_blocked()
        assert started == []
        fleet._starting.release_on_behalf_of("another place")

    assert started == [7]
