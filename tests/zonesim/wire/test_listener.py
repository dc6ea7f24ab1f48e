"""The door without zone processes: strangers knock, and this process may play one that is awaited.

Clocks jump where all wait: nothing here takes the seconds that it speaks of.
"""

from __future__ import annotations

import errno
import os
import resource
import socket
import tempfile
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from zonesim.wire import listener as door
from zonesim.wire.channel import HEAD, VERSION, Channel, ControlError, frame
from zonesim.wire.listener import HELLO_S, UNKNOWN_MAX, Door
from zonesim.wire.messages import BYTES_MAX, Hello, Ready

ME = os.getpid()
HELLO = frame(Hello(0, ME))


@pytest.fixture
def jumping_clock():
    """Jumps to the next deadline where all have been waiting for a moment, as for no socket."""
    return trio.testing.MockClock(autojump_threshold=0.05)


class Visitors:
    """Who may come in, who did, what they said, and who was refused."""

    def __init__(self) -> None:
        self.awaited: set[int] = set()
        self.said: list[object] = []
        self.refused: list[tuple[str, str]] = []

    async def hear(self, pid: int, channel: Channel) -> None:
        self.awaited.remove(pid)
        self.said.append(pid)
        try:
            while message := await channel.receive():
                self.said.append(message)
        except ControlError as error:
            self.said.append(str(error))

    @property
    def reasons(self) -> list[str]:
        assert {subject for subject, _ in self.refused} <= {f"process {ME} of user {os.getuid()}"}
        return [reason for _, reason in self.refused]


@asynccontextmanager
async def open_door():
    """A door at a short path, and what came of those who knocked."""
    visitors = Visitors()
    with tempfile.TemporaryDirectory() as folder, trio.fail_after(60):
        path = Path(folder) / "control"
        here = Door(
            path,
            lambda pid: pid in visitors.awaited,
            visitors.hear,
            lambda subject, reason: visitors.refused.append((subject, reason)),
        )
        async with trio.open_nursery() as nursery:
            await nursery.start(here.serve)
            yield str(path), visitors
            nursery.cancel_scope.cancel()


async def knock(path: str, said: bytes, eof: bool = True) -> None:
    """Say something, and wait to be shown out."""
    async with await trio.open_unix_socket(path) as stream:
        try:
            await stream.send_all(said)
            if eof:
                await stream.send_eof()
            assert await stream.receive_some() == b""
        except trio.BrokenResourceError:  # shown out before all was said
            pass


async def come_in(path: str, visitors: Visitors) -> None:
    """One that is awaited comes, speaks and goes."""
    visitors.awaited.add(ME)
    visitors.said.clear()
    await knock(path, HELLO + frame(Ready({1: 7})))
    assert visitors.said == [ME, Ready({1: 7})]


@pytest.mark.trio
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"", "it ended without a word"),
        (b"\x02", "it ended after 1 of 6 bytes"),
        (HELLO[:-1], f"it ended after {len(HELLO) - HEAD.size - 1} of"),
        (b"GET / HTTP/1.1\r\n\r\n", f"expected a message of version {VERSION}, found 71"),
        (
            bytes([VERSION + 1]) + HELLO[1:],
            f"expected a message of version {VERSION}, found {VERSION + 1}",
        ),
        (frame(Ready({1: 7})), "expected Hello, found a message of kind 1"),
        (HEAD.pack(VERSION, 0, 2**32 - 1), f"expected at most {BYTES_MAX[Hello]} bytes of Hello"),
        (HEAD.pack(VERSION, 0, 1) + b"\xc0", "1 bytes are no Hello: Expected `object`"),
        (frame(Hello(0, ME + 1)), f"it says that it is process {ME + 1}"),
        (HELLO, "no zone process of this run that is waited for"),
    ],
    ids=[
        "nothing",
        "a byte",
        "a hello cut short",
        "http",
        "another version",
        "another message",
        "an oversized hello",
        "no hello inside",
        "another process",
        "nobody awaited",
    ],
)
async def test_a_stranger_is_shown_out_with_a_reason_and_the_door_stays_open(said, reason):
    async with open_door() as (path, visitors):
        for _ in range(2):
            await knock(path, said)
        assert [told.startswith(reason) for told in visitors.reasons] == [True, True], visitors
        assert visitors.said == []
        await come_in(path, visitors)


@pytest.mark.trio
async def test_one_that_is_awaited_comes_in_once():
    async with open_door() as (path, visitors):
        await come_in(path, visitors)
        await knock(path, HELLO)
        assert visitors.reasons == ["no zone process of this run that is waited for"]


@pytest.mark.trio
async def test_one_that_is_awaited_and_dies_before_it_speaks_is_no_refusal():
    async with open_door() as (path, visitors):
        visitors.awaited.add(ME)
        for said in (b"", HELLO[:3], HELLO[:-1]):
            await knock(path, said)
        assert visitors.refused == []
        await come_in(path, visitors)


def knock_and_come_in(said: bytes) -> list[str]:
    """What somebody is told who says this, and whether others come in afterwards."""

    async def main() -> list[str]:
        async with open_door() as (path, visitors):
            visitors.awaited.add(ME)
            await knock(path, said)
            reasons = visitors.reasons
            if ME in visitors.awaited:
                await come_in(path, visitors)
            return reasons

    return trio.run(main)


@given(st.binary(max_size=300))
def test_random_bytes_close_their_connection_and_nothing_else(said):
    assert len(knock_and_come_in(said)) <= 1


@given(
    st.integers(0, 255) | st.just(VERSION),
    st.integers(0, 255) | st.just(0),
    st.integers(0, 2**32 - 1) | st.integers(0, 200),
    st.binary(max_size=200),
)
def test_random_messages_close_their_connection_and_nothing_else(version, kind, length, body):
    assert len(knock_and_come_in(HEAD.pack(version, kind, length) + body)) <= 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(-5, 5), inner),
        max_leaves=8,
    ).map(msgspec.msgpack.encode)
)
def test_random_hellos_close_their_connection_and_nothing_else(body):
    reasons = knock_and_come_in(HEAD.pack(VERSION, 0, len(body)) + body)
    assert all(reason.isprintable() for reason in reasons)


def test_every_truncation_of_a_hello_closes_its_connection_and_nothing_else():
    for kept in range(len(HELLO)):
        assert knock_and_come_in(HELLO[:kept]) == []  # an awaited one that died early


@pytest.mark.trio
async def test_a_stranger_that_says_nothing_is_shown_out_after_a_while(jumping_clock):
    async with open_door() as (path, visitors):
        began = trio.current_time()
        await knock(path, b"", eof=False)
        assert trio.current_time() - began == pytest.approx(HELLO_S, abs=0.5)
        assert visitors.reasons == ["it did not say who it is within 5 s"]


@pytest.mark.trio
async def test_a_stranger_that_says_a_byte_a_second_is_shown_out_as_soon(jumping_clock):
    async with open_door() as (path, visitors), await trio.open_unix_socket(path) as stream:
        began = trio.current_time()
        with suppress(trio.BrokenResourceError):
            for byte in HELLO:
                await stream.send_all(bytes([byte]))
                await trio.sleep(1)
        assert trio.current_time() - began < HELLO_S + 2 < len(HELLO)
        assert visitors.reasons == ["it did not say who it is within 5 s"]


@pytest.mark.trio
async def test_a_crowd_of_strangers_keeps_nobody_out_and_is_shown_out(jumping_clock):
    async with open_door() as (path, visitors):
        with ExitStack() as crowd:
            for _ in range(200):
                stranger = crowd.enter_context(trio.socket.socket(socket.AF_UNIX))
                await stranger.connect(path)
            await trio.testing.wait_all_tasks_blocked()
            too_many = [f"{UNKNOWN_MAX} others have not said who they are"]
            assert visitors.reasons == too_many * (200 - UNKNOWN_MAX)
            await come_in(path, visitors)
            await trio.sleep(HELLO_S + 1)
            assert len(visitors.refused) == 200
        await come_in(path, visitors)


@pytest.mark.trio
async def test_a_controller_without_room_for_a_connection_takes_it_later(jumping_clock):
    async with open_door() as (path, visitors):
        with socket.socket(socket.AF_UNIX) as early:
            early.setblocking(False)
            limits = resource.getrlimit(resource.RLIMIT_NOFILE)
            with trio.socket.socket(socket.AF_UNIX) as last:  # it has the lowest number free
                resource.setrlimit(resource.RLIMIT_NOFILE, (last.fileno(), limits[1]))
                try:
                    early.connect(path)
                    await trio.sleep(3 * door.PAUSE_S)
                finally:
                    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            reason = f"no room for it: {os.strerror(errno.EMFILE)}"
        await trio.sleep(2 * door.PAUSE_S)
        assert visitors.refused.pop()[1] == "it ended without a word"
        assert set(visitors.refused) == {("whoever connects", reason)}
        await come_in(path, visitors)


def test_only_this_user_may_open_the_socket_under_any_umask():
    async def mode() -> int:
        async with open_door() as (path, _):
            return os.stat(path).st_mode & 0o777

    before = os.umask(0)
    try:
        assert trio.run(mode) == 0o600
    finally:
        os.umask(before)
