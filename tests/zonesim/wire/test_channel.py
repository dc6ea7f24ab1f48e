from __future__ import annotations

import os
import socket

import msgspec
import pytest
import trio

from zonesim.wire.channel import (
    HEAD,
    VERSION,
    Channel,
    ControlError,
    CutOff,
    MessageTooLong,
    check_peer,
    frame,
)
from zonesim.wire.messages import (
    BYTES_MAX,
    Assign,
    Failed,
    FromController,
    FromZones,
    Halt,
    Hello,
    Leg,
    LegDone,
    Ready,
    Saving,
    Stop,
    Ticks,
    WorkerTotals,
)
from zonesim.wire.ticks import TickRow
from zonesim.workloads.base import ZoneSpec

pytestmark = pytest.mark.trio

ROW = TickRow(*range(5), False, *range(6, 23), 2**64 - 1)
SAVING = Saving("/nowhere", 10)
SPEC = ZoneSpec(zone=3, seed=1, period_s=0.4, workload="chains", graph="")


@pytest.fixture
async def wire():
    """The controller's end, as a channel, and the raw end of a zone process."""
    near, far = trio.socket.socketpair()
    async with trio.SocketStream(far) as stream, Channel(trio.SocketStream(near), FromZones) as end:
        yield end, stream


def number_of(kind: type) -> int:
    return list(BYTES_MAX).index(kind)


def framed(kind: type, content: object) -> bytes:
    """Anything at all, as a message of a kind."""
    data = msgspec.msgpack.encode(content)
    return HEAD.pack(VERSION, number_of(kind), len(data)) + data


@pytest.mark.parametrize(
    "message",
    [
        Ready({4: 7}),
        Ticks([ROW], [WorkerTotals(1, 2, 3, 4)]),
        LegDone(1),
        Failed("reason", "detail"),
    ],
    ids=lambda message: type(message).__name__,
)
async def test_what_a_zone_process_says_arrives_as_it_was_said(wire, message):
    end, stream = wire

    await stream.send_all(frame(message))

    assert await end.receive() == message


@pytest.mark.parametrize(
    "order",
    [
        Assign([SPEC], {0: 1}, SAVING),
        Leg(1, 2, 3, 4, {0: None, 7: 9}, 2**62, True),
        Leg(1, 2, 3, 4, {}, None, False),
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


async def test_two_that_send_at_once_do_not_mix_their_messages(wire):
    end, stream = wire
    zone = Channel(stream, FromController)
    wide = Assign([SPEC] * 20_000, {0: 1}, SAVING)  # more than the socket takes at once

    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(end.send, wide)
        nursery.start_soon(end.send, Halt())
        found = [await zone.receive() for _ in range(3)]

    assert sorted(type(order).__name__ for order in found) == ["Assign", "Assign", "Halt"]


async def test_an_end_of_file_between_messages_is_the_end(wire):
    end, stream = wire
    await stream.send_all(frame(Ready({1: 7})))
    await stream.send_eof()

    assert await end.receive() == Ready({1: 7})
    assert await end.receive() is None


@pytest.mark.parametrize("kept", range(1, len(frame(LegDone(2)))))
async def test_an_end_of_file_inside_a_message_says_so(wire, kept):
    end, stream = wire
    await stream.send_all(frame(Ready({1: 7})) + frame(LegDone(2))[:kept])
    await stream.send_eof()

    assert await end.receive() == Ready({1: 7})
    with pytest.raises(CutOff, match=r"it ended after \d+ of \d+ bytes"):
        await end.receive()


@pytest.mark.parametrize("kind", [Ready, Ticks, Failed])
async def test_an_oversized_message_is_refused_before_it_is_read(wire, kind):
    end, stream = wire
    await stream.send_all(HEAD.pack(VERSION, number_of(kind), BYTES_MAX[kind] + 1))

    expected = f"expected at most {BYTES_MAX[kind]} bytes of {kind.__name__}, found"
    with pytest.raises(ControlError, match=expected):
        await end.receive()


async def test_a_message_that_nobody_would_take_is_not_sent(wire):
    end, _ = wire
    with pytest.raises(MessageTooLong, match="expected at most 16777216 bytes of Assign, found"):
        await end.send(Assign([SPEC] * 200_000, {0: 1}, SAVING))


async def test_another_version_is_refused_by_its_first_byte(wire):
    end, stream = wire
    await stream.send_all(bytes([VERSION + 1]) + bytes(HEAD.size - 1))

    with pytest.raises(ControlError, match=f"expected a message of version {VERSION}, found"):
        await end.receive()


@pytest.mark.parametrize("number", [number_of(Hello), number_of(Halt), len(BYTES_MAX), 255])
async def test_a_kind_that_may_not_arrive_here_is_refused(wire, number):
    end, stream = wire
    await stream.send_all(HEAD.pack(VERSION, number, 3) + bytes(3))

    kinds = "Ready or Ticks or LegDone or Failed or Beat or Drained or Adopted or Told"
    expected = f"expected {kinds}, found a message of kind {number}"
    with pytest.raises(ControlError, match=expected):
        await end.receive()


async def test_what_may_arrive_changes_once_somebody_has_introduced_himself():
    near, far = trio.socket.socketpair()
    async with (
        trio.SocketStream(far) as stream,
        Channel(trio.SocketStream(near), Hello) as end,
    ):
        await stream.send_all(frame(Hello(1, 2)) + frame(Ready({3: 7})))
        assert await end.receive() == Hello(1, 2)
        end.expect(FromZones)
        assert await end.receive() == Ready({3: 7})
        await stream.send_all(frame(Hello(1, 2)))
        with pytest.raises(ControlError, match="found a message of kind 0"):
            await end.receive()


async def test_of_a_stranger_no_more_is_read_than_a_hello_may_have():
    near, far = trio.socket.socketpair()
    async with trio.SocketStream(far) as stream, trio.SocketStream(near) as raw:
        end = Channel(raw, Hello)
        said = HEAD.pack(VERSION, number_of(Hello), BYTES_MAX[Hello]) + bytes(4000)
        await stream.send_all(said)
        with pytest.raises(ControlError):
            await end.receive()
        await stream.send_eof()
        left = 0
        while data := await raw.receive_some(65_536):
            left += len(data)
    assert len(said) - left <= 2 * (HEAD.size + BYTES_MAX[Hello])


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"zones": "many"},
        {"zones": 1, "more": 2},
        {"zones": 1.5},
        [1, 2, 3],
        None,
        {"zones": "\udce9".encode(errors="surrogatepass")},
        {"\x1b[2J\nall is well": 1},
    ],
    ids=ascii,
)
async def test_a_message_of_another_language_is_refused_in_one_line(wire, content):
    end, stream = wire
    await stream.send_all(framed(Ready, content))

    with pytest.raises(ControlError, match=r"\d+ bytes are no Ready: ") as caught:
        await end.receive()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (Ticks, b"\x82\xa4rows" + b"\x91" * 50_000),
        (Ticks, b"\x82\xa4rows\xdd\xff\xff\xff\xff"),
        (Ticks, b"\x81\xda\xff\xff" + b"x" * 65_535),
        (Failed, b"\x81\xa6reason\xa2\xff\xfe"),
        (Failed, b"\x81\xa6reason\xdb\xff\xff\xff\xff"),
    ],
    ids=["deep", "endless", "a long name", "no text", "an endless text"],
)
async def test_what_no_decoder_likes_is_refused_as_well(wire, kind, data):
    end, stream = wire
    async with trio.open_nursery() as nursery:
        head = HEAD.pack(VERSION, number_of(kind), len(data))
        nursery.start_soon(stream.send_all, head + data)
        with pytest.raises(ControlError, match=f"bytes are no {kind.__name__}") as caught:
            await end.receive()
    assert len(str(caught.value)) < 300


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
                check_peer(accepted)


@pytest.mark.skipif(os.getuid() == 0, reason="root has a second user for this")
async def test_a_peer_of_another_user_is_refused_with_both_users(monkeypatch):
    near, far = trio.socket.socketpair()
    with near, far:
        me = os.getuid()
        monkeypatch.setattr(os, "getuid", lambda: me + 1)
        with pytest.raises(ControlError, match=f"of user {me + 1}, found one of user {me}"):
            Channel(trio.SocketStream(near), FromZones)
