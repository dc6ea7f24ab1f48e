"""Messages over a socket pair, valid and invalid ones."""

from __future__ import annotations

import os

import msgspec
import pytest
import trio

from zonesim.scenario.faults import WORKERS_MAX
from zonesim.wire.channel import (
    LENGTH,
    MESSAGE_BYTES_MAX,
    Channel,
    ControlError,
    MessageTooLong,
    frame,
)
from zonesim.wire.messages import (
    DETAIL_CHARACTERS,
    REASON_CHARACTERS,
    Adopt,
    Assign,
    Failed,
    FromController,
    FromZones,
    Halt,
    Leg,
    LegDone,
    Ready,
    Saving,
    Stop,
    TickRow,
    Ticks,
    WorkerTotals,
    failed,
    zone_event,
)
from zonesim.workloads.base import ZoneSpec
from zonesim.zone.reporter import ROWS_IN_A_MESSAGE

ROW = TickRow(*range(5), False, *range(6, 23), 2**64 - 1)
SPEC = ZoneSpec(zone=3, seed=1, period_s=0.4, workload="chains", graph="")
ASSIGN = Assign([SPEC], {3: 1}, Saving("/nowhere", 10))
WIDEST = 2**63 - 1


@pytest.fixture
async def wire():
    """The controller's end, as a channel, and the raw end of a zone process."""
    near, far = trio.socket.socketpair()
    async with trio.SocketStream(far) as stream, Channel(trio.SocketStream(near), FromZones) as end:
        yield end, stream


@pytest.mark.trio
@pytest.mark.parametrize(
    "message",
    [Ready({4: 7}), Ticks([ROW], [WorkerTotals(1, 2, 3, 4)]), LegDone(1), Failed("reason", "why")],
    ids=lambda message: type(message).__name__,
)
async def test_a_message_of_a_zone_process_arrives_unchanged(wire, message):
    end, stream = wire
    await stream.send_all(frame(message))
    assert await end.receive() == message


@pytest.mark.trio
@pytest.mark.parametrize(
    "order",
    [ASSIGN, Leg(1, 2, 3, 4, {0: None, 7: 9}, 2**62, True), Halt(), Stop(), Adopt(1, 2, b"p")],
    ids=lambda message: type(message).__name__,
)
async def test_an_order_of_the_controller_arrives_unchanged(wire, order):
    end, stream = wire
    zone = Channel(stream, FromController)
    await end.send(order)
    assert await zone.receive() == order


@pytest.mark.trio
async def test_messages_may_arrive_byte_by_byte_or_together(wire):
    end, stream = wire
    wanted = [Ready({1: 7}), LegDone(2), Ready({3: 7})]
    data = b"".join(map(frame, wanted))

    async with trio.open_nursery() as nursery:

        async def trickle() -> None:
            for at in range(len(data) - 1):
                await stream.send_all(data[at : at + 1])
            await stream.send_all(data[-1:] + data)

        nursery.start_soon(trickle)
        found = [await end.receive() for _ in range(6)]

    assert found == wanted * 2


@pytest.mark.trio
async def test_two_tasks_that_send_at_once_do_not_mix_their_messages(wire):
    end, stream = wire
    zone = Channel(stream, FromController)
    wide = msgspec.structs.replace(ASSIGN, zones=[SPEC] * 20_000)  # fills the socket

    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(end.send, wide)
        nursery.start_soon(end.send, Halt())
        found = [await zone.receive() for _ in range(3)]

    assert sorted(type(order).__name__ for order in found) == ["Assign", "Assign", "Halt"]


@pytest.mark.trio
@pytest.mark.parametrize("kept", range(len(frame(LegDone(2)))))
async def test_the_end_of_a_connection_is_none_also_inside_a_message(wire, kept):
    end, stream = wire
    await stream.send_all(frame(Ready({1: 7})) + frame(LegDone(2))[:kept])
    await stream.send_eof()

    assert await end.receive() == Ready({1: 7})
    assert await end.receive() is None


@pytest.mark.trio
async def test_an_oversized_message_is_refused_before_it_is_read_or_sent(wire):
    end, stream = wire
    expected = f"a message must be at most {MESSAGE_BYTES_MAX} bytes, got"
    await stream.send_all(LENGTH.pack(MESSAGE_BYTES_MAX + 1))
    with pytest.raises(ControlError, match=expected):
        await end.receive()
    with pytest.raises(MessageTooLong, match=f"Adopt: {expected}"):
        await end.send(Adopt(1, 2, bytes(MESSAGE_BYTES_MAX)))


def tagged(**fields: object) -> bytes:
    return msgspec.msgpack.encode({"type": "Ready", **fields})


@pytest.mark.trio
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xff",
        msgspec.msgpack.encode([1, 2, 3]),
        msgspec.msgpack.encode(Halt()),
        tagged(),
        tagged(next_ticks="many"),
        tagged(next_ticks={}, more=2),
        tagged(**{"\x1b[2J\nall is well": 1}),
        b"\x82\xa4type\xa5Ticks\xa4rows" + b"\x91" * 50_000,
        b"\x82\xa4type\xa5Ticks\xa4rows\xdd\xff\xff\xff\xff",
        b"\x82\xa4type\xa6Failed\xa6reason\xa2\xff\xfe",
    ],
    ids=[
        "empty",
        "noise",
        "no message",
        "of the other end",
        "incomplete",
        "wrong type",
        "unknown field",
        "control characters",
        "deep",
        "endless",
        "no UTF-8",
    ],
)
async def test_an_invalid_message_is_refused_with_one_short_line(wire, data):
    end, stream = wire
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.send_all, LENGTH.pack(len(data)) + data)
        with pytest.raises(ControlError, match=f"invalid message of {len(data)} bytes: ") as caught:
            await end.receive()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


@pytest.mark.trio
async def test_sending_to_an_end_that_is_gone_raises_control_error(wire):
    end, stream = wire
    await stream.aclose()
    with pytest.raises(ControlError, match="the other end of the control channel is gone"):
        await end.send(Stop())


@pytest.mark.trio
async def test_a_peer_of_another_user_is_refused_with_both_users(monkeypatch):
    near, far = trio.socket.socketpair()
    with near, far:
        me = os.getuid()
        monkeypatch.setattr(os, "getuid", lambda: me + 1)
        with pytest.raises(ControlError, match=f"of user {me + 1}, found one of user {me}"):
            Channel(trio.SocketStream(near), FromZones)


def test_the_largest_bundle_of_ticks_can_be_sent():
    row = TickRow(*[WIDEST] * 5, True, *[WIDEST] * 17, 2**64 - 1)
    totals = WorkerTotals(*[WIDEST] * 4)
    frame(Ticks([row] * ROWS_IN_A_MESSAGE, [totals] * 10 * WORKERS_MAX))


def test_a_failure_can_be_sent_with_any_text():
    message = failed("x" * 10**6 + "\udce9", "first" + "\U0001f4a5" * 10**6 + "last \udce9")
    assert frame(message)
    assert len(message.reason) == REASON_CHARACTERS
    assert len(message.detail) == DETAIL_CHARACTERS
    assert message.detail.endswith("last \\udce9")
    event = zone_event("checkpoint-unusable", 3, "\udcff " + "x" * 10**6)
    assert frame(event)
    assert len(event.detail) == REASON_CHARACTERS
