"""A fleet without zone processes: this process connects to it, as one of them or as a stranger."""

from __future__ import annotations

import os
import tempfile
from contextlib import asynccontextmanager
from typing import NamedTuple

import msgspec
import pytest
import trio
import trio.testing
from stand_ins import Events

import corororo as cr
from zonesim.controller.fleet import Fleet
from zonesim.controller.slots import ZoneState
from zonesim.processes.slot import ProcessSlot
from zonesim.scenario.loading import Scenario
from zonesim.system.errors import RunFailed, leaves_of
from zonesim.wire.channel import LENGTH, Channel, frame
from zonesim.wire.messages import (
    Assign,
    Drain,
    Failed,
    FromController,
    Leg,
    Ready,
)
from zonesim.workloads.base import ZoneSpec

pytestmark = pytest.mark.trio

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


class Pool(NamedTuple):
    """A pool that has not failed."""

    address: str
    workers: int = 1

    def statistics(self) -> cr.PoolStatistics:
        return cr.PoolStatistics((), (), 0, None)


def slot_of(fleet: Fleet) -> ProcessSlot:
    return fleet.slots.slots_with([7])[0]


@asynccontextmanager
async def serving(*, awaited: bool = False):
    """A fleet, its events and its socket. ``awaited``: this process is one of the fleet."""
    events = Events()
    with tempfile.TemporaryDirectory() as folder, trio.fail_after(60):
        fleet = Fleet(Scenario(), Pool(folder), [], events.note)
        if awaited:
            fleet.slots.add_zone(ZoneSpec(7, 1, 0.4, "chains", ""), 7).attach(Impostor())
        async with trio.open_nursery() as nursery:
            await nursery.start(fleet.serve)
            yield fleet, events, f"{folder}/control"
            nursery.cancel_scope.cancel()


async def send(path: str, *parts: bytes) -> None:
    """Send bytes, and read until the fleet has closed the connection."""
    async with await trio.open_unix_socket(path) as stream:
        for part in parts:
            await stream.send_all(part)
        await stream.send_eof()
        while await stream.receive_some():
            pass


async def test_a_stranger_is_refused_with_one_event():
    async with serving() as (fleet, events, path):
        await send(path)
        assert [kind for kind, _, _ in events] == ["connection-refused"]
        assert fleet.slots.states() == {}


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (LENGTH.pack(2**32 - 1), "a message must be at most"),
        (frame(Drain([7])), "invalid message of"),
    ],
    ids=["oversized", "a message of the other end"],
)
async def test_a_zone_process_that_sends_a_bad_message_is_killed(sent, reason):
    async with serving(awaited=True) as (fleet, _, path):
        await send(path, frame(Ready({7: 0})), sent)
        await slot_of(fleet).handle.killed.wait()
        assert slot_of(fleet).why_killed.startswith(f"killed: {reason}")


async def test_a_process_may_connect_before_its_id_is_known():
    async with serving() as (fleet, events, path):
        slot = fleet.slots.add_zone(ZoneSpec(7, 1, 0.4, "chains", ""), 7)
        slot.is_starting = True
        async with Channel(await trio.open_unix_socket(path), FromController) as channel:
            await trio.testing.wait_all_tasks_blocked()
            slot.attach(Impostor())
            assert isinstance(await channel.receive(), Assign)
        assert events == []


class Wire:
    """A channel to a process that reads nothing until ``reads``."""

    def __init__(self) -> None:
        self.reads = trio.Event()
        self.sent = []

    async def send(self, order) -> None:
        await self.reads.wait()
        self.sent.append(order)


async def test_a_process_that_reads_nothing_holds_up_no_order_to_others():
    async with serving() as (fleet, _, _), trio.open_nursery() as nursery:
        wires = [Wire(), Wire(), Wire()]
        for zone, wire in enumerate(wires):
            slot = fleet.slots.add_zone(ZoneSpec(zone, 1, 0.4, "chains", ""), zone)
            slot.made.add(zone)
            slot.channel = wire
            fleet.slots.move(zone, ZoneState.STARTING)
            fleet.slots.move(zone, ZoneState.READY)
        wires[1].reads.set()
        wires[2].reads.set()
        nursery.start_soon(
            fleet.dispatcher.order_leg, msgspec.structs.replace(LEG, until=dict.fromkeys(range(3)))
        )
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(fleet.drain, range(3), ())
        await trio.testing.wait_all_tasks_blocked()
        kinds = [[type(order) for order in wire.sent] for wire in wires]
        assert kinds == [[], [Leg, Drain], [Leg, Drain]]
        nursery.cancel_scope.cancel()


FAILED = frame(Failed("no room for a ring", "a trace"))


async def test_a_zone_that_cannot_be_made_while_others_tick_is_replaced():
    async with serving(awaited=True) as (fleet, events, path):
        await fleet.dispatcher.order_leg(LEG)
        await send(path, FAILED)
        await slot_of(fleet).handle.killed.wait()
        assert slot_of(fleet).why_killed == "failed: no room for a ring"
    assert events == [("zone-failed", "zone 7", "no room for a ring\na trace")]


async def test_a_zone_that_cannot_be_made_at_the_beginning_ends_the_run():
    async def run() -> None:
        async with serving(awaited=True) as (_, _, path):
            await send(path, FAILED)
            await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        await run()
    failures, others = caught.value.split(lambda error: isinstance(error, RunFailed))
    assert others is None
    [failure] = leaves_of(failures)
    assert str(failure) == "zonesim zone 7: no room for a ring"
