from __future__ import annotations

import os
import random
import socket

import msgspec
import pytest
import trio

from zonesim import control
from zonesim.control import (
    LENGTH,
    MESSAGE_BYTES_MAX,
    Assign,
    Channel,
    ControlError,
    Failed,
    FromController,
    FromZones,
    Halt,
    Hello,
    Leg,
    LegDone,
    Ready,
    Stop,
    Ticks,
    WorkerTotals,
)
from zonesim.ticks import TickRow
from zonesim.workloads.base import ZoneSpec

pytestmark = pytest.mark.trio

ROW = TickRow(*range(5), False, *range(6, 23), 2**64 - 1)
SPEC = ZoneSpec(zone=3, seed=1, period_s=0.4, workload="chains", graph="")


@pytest.fixture
async def wire():
    """The controller's end, as a channel, and the raw end of a zone process."""
    near, far = trio.socket.socketpair()
    async with trio.SocketStream(far) as stream, Channel(trio.SocketStream(near), FromZones) as end:
        yield end, stream


def framed(message: object) -> bytes:
    data = msgspec.msgpack.encode(message)
    return LENGTH.pack(len(data)) + data


@pytest.mark.parametrize(
    "message",
    [
        Hello(1, 2, 3),
        Ready(4),
        Ticks([ROW], [WorkerTotals(1, 2, 3, 4)]),
        LegDone(1),
        Failed("reason", "detail"),
    ],
    ids=lambda message: type(message).__name__,
)
async def test_what_a_zone_process_says_arrives_as_it_was_said(wire, message):
    end, stream = wire

    await stream.send_all(framed(message))

    assert await end.receive() == message


@pytest.mark.parametrize(
    "order",
    [
        Assign([SPEC]),
        Leg(1, 2, 3, {0: 5, 7: 9}, None, 2**62, True),
        Leg(1, 2, 3, {}, 30, None, False),
        Halt(),
        Stop(),
    ],
    ids=lambda message: type(message).__name__,
)
async def test_what_the_controller_orders_arrives_as_it_was_ordered(wire, order):
    end, stream = wire
    zone = Channel(stream, FromController)

    await end.send(order)

    assert await zone.receive() == order


async def test_messages_that_arrive_byte_by_byte_or_together_are_told_apart(wire):
    end, stream = wire
    wanted = [Ready(1), LegDone(2), Ready(3)]
    data = b"".join(map(framed, wanted))

    async with trio.open_nursery() as nursery:

        async def trickle() -> None:
            for at in range(len(data) - 1):
                await stream.send_all(data[at : at + 1])
            await stream.send_all(data[-1:] + data)

        nursery.start_soon(trickle)
        found = [await end.receive() for _ in range(6)]

    assert found == wanted * 2


async def test_two_that_send_at_once_do_not_mix_their_messages(wire):
    end, stream = wire
    zone = Channel(stream, FromController)
    wide = Assign([SPEC] * 20_000)  # more than the socket takes at once

    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(end.send, wide)
        nursery.start_soon(end.send, Halt())
        found = [await zone.receive() for _ in range(3)]

    assert sorted(type(order).__name__ for order in found) == ["Assign", "Assign", "Halt"]


async def test_an_end_of_file_between_messages_or_inside_one_is_the_end(wire):
    end, stream = wire
    await stream.send_all(framed(Ready(1)) + framed(LegDone(2))[:-1])
    await stream.send_eof()

    assert await end.receive() == Ready(1)
    assert await end.receive() is None


async def test_an_oversized_message_is_refused_before_it_is_read(wire):
    end, stream = wire
    await stream.send_all(LENGTH.pack(MESSAGE_BYTES_MAX + 1))

    with pytest.raises(ControlError, match=f"at most {MESSAGE_BYTES_MAX} bytes, one announced"):
        await end.receive()


@pytest.mark.parametrize(
    "message",
    [
        {"type": "Explode"},
        {"type": "Halt"},
        {"type": "Ready"},
        {"type": "Ready", "zones": "many"},
        {"type": "Ticks", "rows": [[1, 2, 3]], "workers": []},
        [1, 2, 3],
        None,
    ],
    ids=str,
)
async def test_a_message_of_another_language_is_refused_in_one_line(wire, message):
    end, stream = wire
    await stream.send_all(framed(message))

    with pytest.raises(ControlError, match="is none that is known") as caught:
        await end.receive()
    assert "\n" not in str(caught.value)


async def test_random_bytes_are_refused_or_end_with_the_file(wire):
    chance = random.Random(1)
    for _ in range(50):
        near, far = trio.socket.socketpair()
        async with (
            trio.SocketStream(far) as stream,
            Channel(trio.SocketStream(near), FromZones) as end,
        ):
            body = chance.randbytes(chance.randrange(64))
            length = chance.choice([len(body), len(body) + 1, chance.randrange(2**32)])
            await stream.send_all(LENGTH.pack(length) + body)
            await stream.send_eof()
            try:
                found = await end.receive()
            except ControlError as error:
                found = None if "\n" not in str(error) else error
            assert found is None


async def test_an_empty_message_is_refused(wire):
    end, stream = wire
    await stream.send_all(LENGTH.pack(0))

    with pytest.raises(ControlError, match="a message of 0 bytes"):
        await end.receive()


async def test_sending_to_an_end_that_is_gone_raises_control_error(wire):
    end, stream = wire
    await stream.aclose()

    with pytest.raises(ControlError, match="the other end of the control channel is gone"):
        await end.send(Stop())


async def test_a_peer_of_the_same_user_is_let_in(tmp_path):
    listening = trio.socket.socket(socket.AF_UNIX)
    with listening:
        await listening.bind(str(tmp_path / "control"))
        listening.listen()
        async with await trio.open_unix_socket(str(tmp_path / "control")):
            accepted, _ = await listening.accept()
            with accepted:
                control.check_peer(accepted)


async def test_a_peer_of_another_user_is_refused_with_both_users(monkeypatch):
    near, far = trio.socket.socketpair()
    with near, far:
        me = os.getuid()
        monkeypatch.setattr(os, "getuid", lambda: me + 1)
        with pytest.raises(ControlError, match=f"only user {me + 1} may connect here, user {me} "):
            Channel(trio.SocketStream(near), FromZones)
