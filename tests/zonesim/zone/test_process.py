"""A zone process inside this process: orders come through a socket pair, calls run inline."""

from __future__ import annotations

import socket
import time
from contextlib import asynccontextmanager

import msgspec
import pytest
import trio
import trio.testing

import corororo as cr
from zonesim.wire.channel import Channel, frame
from zonesim.wire.messages import (
    Adopt,
    Adopted,
    Assign,
    Beat,
    Drain,
    Drained,
    Failed,
    FromController,
    FromZones,
    Halt,
    Leg,
    LegDone,
    Ready,
    Saving,
    Stop,
    Ticks,
    ZoneEvent,
)
from zonesim.workloads.base import ZoneSpec
from zonesim.world.graph import write_graph
from zonesim.world.make import make_map
from zonesim.zone.checkpoint import checkpoint_path, load
from zonesim.zone.process import REPORT_INTERVAL_S, ZoneProcess
from zonesim.zone.schedule import due_times

pytestmark = pytest.mark.trio

PERIOD_NS = 1_000_000
LIVES = dict.fromkeys(range(8), 1)
HOUR_NS = 3_600_000_000_000


def spec(zone: int = 0, **changes: object) -> ZoneSpec:
    plain = ZoneSpec(zone=zone, seed=1, period_s=0.001, workload="chains", graph="", chains=2)
    return msgspec.structs.replace(plain, **changes)


def leg(until: int | None, *zones: int, realtime: bool = False, step: int = 1) -> Leg:
    """Each zone ticks until the tick of that number, or for an hour."""
    now_ns = time.monotonic_ns()
    end_ns = now_ns + HOUR_NS if until is None else None
    return Leg(step, now_ns, now_ns, PERIOD_NS, dict.fromkeys(zones, until), end_ns, realtime)


@pytest.fixture
def saving(tmp_path) -> Saving:
    return Saving(str(tmp_path), 0)


@asynccontextmanager
async def serving():
    """The controller's end of the connection to a zone process."""
    near, far = trio.socket.socketpair()
    for end in (near, far):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with cr.WorkerPool(0) as pool, cr.SlackCollector() as garbage:
        async with (
            Channel(trio.SocketStream(near), FromZones) as wire,
            Channel(trio.SocketStream(far), FromController) as its_end,
            trio.open_nursery() as nursery,
        ):
            process = ZoneProcess(its_end, pool, garbage)
            nursery.start_soon(process.serve)
            yield wire
            await wire.send(Stop())


async def heard(wire: Channel) -> msgspec.Struct | None:
    """The next message that is not a heartbeat."""
    while isinstance(message := await wire.receive(), Beat):
        pass
    return message


async def rows_until_done(wire: Channel) -> list:
    rows = []
    while not isinstance(message := await heard(wire), LegDone):
        assert isinstance(message, Ticks), message
        rows += message.rows
    return rows


async def test_a_process_makes_its_zones_and_ticks_each_of_a_leg(saving):
    async with serving() as wire:
        await wire.send(Assign([spec(0), spec(1), spec(2)], LIVES, saving))
        assert await heard(wire) == Ready({0: 0, 1: 0, 2: 0})
        await wire.send(leg(5, 0, 2))
        rows = await rows_until_done(wire)

    assert sorted((row.zone, row.tick) for row in rows) == [
        (zone, tick) for zone in (0, 2) for tick in range(5)
    ]
    assert {(row.tasks, row.async_submitted, row.async_completed) for row in rows} == {(8, 2, 2)}


async def test_a_halt_that_arrives_with_its_leg_ends_it(saving):
    async with serving() as wire:
        await wire.send(Assign([spec(0)], LIVES, saving))
        await heard(wire)
        # In one piece, so that both arrive together.
        await wire._stream.send_all(frame(leg(None, 0, realtime=True)) + frame(Halt()))
        rows = await rows_until_done(wire)

    assert len(rows) <= 1


@pytest.mark.parametrize("realtime", [True, False])
async def test_a_halt_ends_a_leg_and_the_next_leg_runs_again(realtime, saving):
    async with serving() as wire:
        await wire.send(Assign([spec(0)], LIVES, saving))
        await heard(wire)
        await wire.send(leg(None, 0, realtime=realtime))
        first = await heard(wire)
        await wire.send(Halt())
        ended = await rows_until_done(wire)
        ran = ended[-1].tick + 1 if ended else first.rows[-1].tick + 1
        await wire.send(leg(ran + 3, 0, realtime=realtime, step=2))
        rows = await rows_until_done(wire)

    assert isinstance(first, Ticks)
    ticks = [row.tick for row in (*first.rows, *ended, *rows)]
    assert ticks == list(range(len(ticks)))
    assert len(rows) == 3


async def test_a_later_leg_moves_the_end_of_zones_that_tick_and_ends_those_it_leaves_out(saving):
    unbounded = leg(None, 0, 1, realtime=True)
    async with serving() as wire:
        await wire.send(Assign([spec(0), spec(1)], LIVES, saving))
        await heard(wire)
        await wire.send(msgspec.structs.replace(unbounded, end_ns=None))
        first = await heard(wire)
        start_ns = time.monotonic_ns() + 20 * PERIOD_NS
        last = msgspec.structs.replace(
            unbounded, step=2, start_ns=start_ns, until={0: None}, end_ns=start_ns + 10 * PERIOD_NS
        )
        await wire.send(last)
        rows = [*first.rows, *await rows_until_done(wire)]

    for zone, end_ns in {0: last.end_ns, 1: last.start_ns}.items():
        mine = [row for row in rows if row.zone == zone]
        due = due_times(unbounded.origin_ns, zone, PERIOD_NS, unbounded.start_ns).before(end_ns)
        assert len(mine) + sum(row.missed for row in mine) == due
        assert all(row.scheduled_ns < end_ns for row in mine)


async def test_no_row_is_lost_or_cut_when_a_leg_ends_while_the_wire_is_full(saving):
    """The controller reads slowly, and a leg without a schedule ends meanwhile."""
    ticks = 3000
    async with serving() as wire:
        await wire.send(Assign([spec(0)], LIVES, saving))
        await heard(wire)
        await wire.send(leg(ticks, 0))
        # Longer than the wait for the next bundle.
        await trio.testing.wait_all_tasks_blocked(cushion=3 * REPORT_INTERVAL_S)
        rows = await rows_until_done(wire)

    assert [row.tick for row in rows] == list(range(ticks))


async def test_a_world_that_cannot_be_created_is_a_failure_with_its_cause(saving):
    async with serving() as wire:
        await wire.send(
            Assign([spec(0, workload="field", graph="/nowhere/gone.graph")], LIVES, saving)
        )
        failed = await heard(wire)

    assert isinstance(failed, Failed)
    assert "gone.graph" in failed.reason
    assert "\n" not in failed.reason


async def test_a_process_ends_when_its_controller_is_gone(saving):
    near, far = trio.socket.socketpair()
    with cr.WorkerPool(0) as pool, cr.SlackCollector() as garbage, trio.fail_after(30):
        async with Channel(trio.SocketStream(far), FromController) as its_end:
            process = ZoneProcess(its_end, pool, garbage)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(process.serve)
                async with Channel(trio.SocketStream(near), FromZones) as wire:
                    await wire.send(Assign([spec(0)], LIVES, saving))
                    assert await heard(wire) == Ready({0: 0})
                    await wire.send(leg(None, 0))
            assert not nursery.cancel_scope.cancelled_caught


async def test_a_quiet_process_sends_heartbeats(saving):
    async with serving() as wire:
        await wire.send(Assign([spec(0)], LIVES, saving))
        assert await wire.receive() == Ready({0: 0})
        with trio.fail_after(30):
            assert [await wire.receive() for _ in range(3)] == [Beat()] * 3


async def test_ticks_on_time_are_the_only_heartbeat(saving):
    period_ns = 50_000_000
    async with serving() as wire:
        await wire.send(Assign([spec(0, period_s=0.05)], LIVES, saving))
        await wire.receive()
        ticks = msgspec.structs.replace(leg(20, 0, realtime=True), period_ns=period_ns)
        await wire.send(ticks)
        said = []
        while not isinstance(message := await wire.receive(), LegDone):
            said.append(type(message))

    assert said.count(Ticks) == 20
    assert said.count(Beat) <= 1  # a machine may stand still for a moment


async def test_a_zone_continues_from_its_checkpoint(tmp_path):
    saving = Saving(str(tmp_path), 4)
    async with serving() as wire:
        await wire.send(Assign([spec(2)], LIVES, saving))
        await heard(wire)
        slowly = msgspec.structs.replace(leg(11, 2, realtime=True), period_ns=20 * PERIOD_NS)
        await wire.send(slowly)
        first = await rows_until_done(wire)
    async with serving() as wire:
        await wire.send(Assign([spec(2)], LIVES, saving))
        assert await heard(wire) == Ready({2: 10})  # 2, 6, 10: each zone has its own ticks
        await wire.send(leg(11, 2))
        rows = await rows_until_done(wire)

    assert [(row.tick, row.world_hash) for row in rows] == [(10, first[10].world_hash)]


async def test_a_zone_with_an_unusable_checkpoint_starts_anew_and_reports_why(saving, tmp_path):
    checkpoint_path(tmp_path, 0).write_bytes(b"nonsense")
    async with serving() as wire:
        await wire.send(Assign([spec(0)], LIVES, saving))
        said = [await heard(wire), await heard(wire)]

    assert Ready({0: 0}) in said
    [told] = [message for message in said if isinstance(message, ZoneEvent)]
    assert (told.kind, told.zone) == ("checkpoint-unusable", 0)
    assert "expected a checkpoint" in told.detail


@pytest.fixture
def field(tmp_path) -> dict[str, object]:
    """The spec of a zone with players."""
    write_graph(make_map("caves", 32, 32, 3), tmp_path / "map.graph")
    return {"workload": "field", "graph": str(tmp_path / "map.graph"), "mobs": 4, "players": 3}


async def test_a_drained_zone_ends_after_its_tick_and_releases_its_players(saving, tmp_path, field):
    async with serving() as wire:
        await wire.send(Assign([spec(0, **field), spec(1, **field)], LIVES, saving))
        await heard(wire)
        await wire.send(leg(None, 0, 1))
        await heard(wire)
        await wire.send(leg(None, 0, step=2))  # which leaves zone 1 out
        await wire.send(Drain([1]))
        while not isinstance(drained := await heard(wire), Drained):
            pass
        await wire.send(Drain([1]))  # repeated
        await wire.send(Adopt(5, 0, drained.players))
        rows = []
        while not isinstance(message := await heard(wire), Adopted):
            rows += message.rows
        await wire.send(Adopt(5, 0, drained.players))  # repeated: nothing changes
        while not isinstance(await heard(wire), Adopted):
            pass
        await wire.send(leg(None, 0, step=3))
        while not rows or rows[-1].players == 3:
            rows += (await heard(wire)).rows
        await wire.send(Halt())
        rows += await rows_until_done(wire)

    assert (drained.zone, message) == (1, Adopted(5))
    players = [row.players for row in rows if row.zone == 0]
    assert players == sorted(players)
    assert players[-1] == 6
    assert load(checkpoint_path(tmp_path, 0)).adopted == (5,)
    assert load(checkpoint_path(tmp_path, 1)).released == drained.players


@pytest.mark.parametrize("_repeat", range(4))  # trio runs tasks in random order
async def test_two_arrivals_at_once_are_both_in_the_checkpoint(saving, tmp_path, field, _repeat):
    async with serving() as wire:
        await wire.send(Assign([spec(zone, **field) for zone in range(3)], LIVES, saving))
        await heard(wire)
        await wire.send(Drain([1, 2]))
        gone = [await heard(wire), await heard(wire)]
        assert {type(message) for message in gone} == {Drained}
        arrivals = [Adopt(5 + i, 0, drained.players) for i, drained in enumerate(gone)]
        # In one piece, so that both arrive together.
        await wire._stream.send_all(b"".join(map(frame, arrivals)))
        assert {(await heard(wire)).number for _ in arrivals} == {5, 6}

    assert load(checkpoint_path(tmp_path, 0)).adopted == (5, 6)


# -- players that move while the disk fails


@pytest.fixture
def missing(tmp_path, monkeypatch) -> Saving:
    """A folder that does not exist, and a short timeout."""
    monkeypatch.setattr("zonesim.zone.handover.SAVE_TIMEOUT_S", 0.1)
    return Saving(str(tmp_path / "missing"), 0)


async def heard_of(wire: Channel, kind: type[msgspec.Struct]) -> msgspec.Struct:
    """The next message of a kind."""
    while not isinstance(message := await wire.receive(), kind):
        assert message is not None
    return message


async def test_players_are_reported_as_unsaved_until_a_checkpoint_holds_them(
    missing, tmp_path, field
):
    async with serving() as wire:
        await wire.send(Assign([spec(0, **field), spec(1, **field)], LIVES, missing))
        await heard_of(wire, Ready)
        await wire.send(Drain([1]))
        drained = await heard_of(wire, Drained)
        await wire.send(Adopt(5, 0, drained.players))
        assert await heard_of(wire, Adopted) == Adopted(5, saved=False)
        await wire.send(leg(3, 0))
        rows = await rows_until_done(wire)
        (tmp_path / "missing").mkdir()
        assert await heard_of(wire, Adopted) == Adopted(5)

    assert {row.players for row in rows} == {6}
    assert load(checkpoint_path(tmp_path / "missing", 0)).adopted == (5,)


async def test_a_drained_zone_reports_which_arrivals_its_players_include(missing, field):
    async with serving() as wire:
        await wire.send(
            Assign([spec(zone, **field) for zone in range(3)], dict.fromkeys(range(3), 1), missing)
        )
        await heard_of(wire, Ready)
        await wire.send(Drain([2]))
        drained = await heard_of(wire, Drained)
        assert drained.adopted == ()
        await wire.send(Adopt(5, 1, drained.players))
        await heard_of(wire, Adopted)
        await wire.send(Adopt(6, 1, drained.players, next_tick=1))  # which it never comes to
        await wire.send(Drain([1]))
        assert (await heard_of(wire, Drained)).adopted == (5,)


async def test_players_that_arrive_too_late_for_a_zone_are_not_in_its_next_life(saving, field):
    def assign(life: int) -> Assign:
        return Assign([spec(1, **field)], {1: life}, saving)

    async with serving() as wire:
        await wire.send(Assign([spec(0, **field), spec(1, **field)], LIVES, saving))
        await heard_of(wire, Ready)
        await wire.send(Drain([1]))
        drained = await heard_of(wire, Drained)
        await wire.send(Adopt(5, 1, drained.players))  # sent before Drained was received
        await wire.send(assign(2))
        await heard_of(wire, Ready)
        await wire.send(leg(3, 1))
        rows = await rows_until_done(wire)

    assert {row.players for row in rows} == {0}


async def test_players_that_arrive_while_a_zone_ends_are_not_taken_in(missing, field, monkeypatch):
    async with serving() as wire:
        await wire.send(Assign([spec(0, **field), spec(1, **field)], LIVES, missing))
        await heard_of(wire, Ready)
        await wire.send(Drain([1]))
        drained = await heard_of(wire, Drained)
        monkeypatch.setattr("zonesim.zone.handover.SAVE_TIMEOUT_S", 1.0)
        await wire.send(Drain([0]))
        while (await heard_of(wire, ZoneEvent)).zone != 0:
            pass
        # It has released its players and waits for the disk.
        await wire.send(Adopt(5, 0, drained.players))
        ended = await heard_of(wire, Drained)

    assert (ended.zone, ended.adopted) == (0, ())
