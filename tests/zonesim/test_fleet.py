"""The controller's end of the control socket, without zone processes: strangers knock at it."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager

import msgspec
import pytest
import trio

from zonesim.control import LENGTH, VERSION, Hello
from zonesim.fleet import Fleet, told

pytestmark = pytest.mark.trio


@asynccontextmanager
async def listening(folder):
    fleet = Fleet(folder / "control", str(folder), lambda rows: None)
    async with trio.open_nursery() as nursery:
        await nursery.start(fleet.serve)
        yield fleet
        nursery.cancel_scope.cancel()


def framed(message: object) -> bytes:
    data = msgspec.msgpack.encode(message)
    return LENGTH.pack(len(data)) + data


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\x03",
        b"GET / HTTP/1.1\r\n\r\n",
        LENGTH.pack(2**32 - 1),
        framed({"type": "Explode"}),
        framed(Hello(VERSION + 1, 0, os.getpid())),
        framed(Hello(VERSION, 0, os.getpid())),
        framed(Hello(VERSION, -1, os.getpid())),
    ],
)
async def test_a_stranger_is_shown_the_door_and_the_run_goes_on(tmp_path, said):
    async with listening(tmp_path) as fleet:
        for _ in range(2):
            async with await trio.open_unix_socket(str(tmp_path / "control")) as stream:
                await stream.send_all(said)
                await stream.send_eof()
                with trio.fail_after(30):
                    assert await stream.receive_some() == b""

        assert (fleet.zones_ready, fleet.hosts) == (0, [])


async def test_orders_to_a_fleet_of_nobody_are_done_at_once(tmp_path):
    async with listening(tmp_path) as fleet:
        with trio.fail_after(30):
            await fleet.grow([], 1)
            await fleet.halt()
            await fleet.stop()

    assert fleet.zones_ready == 0


@pytest.mark.parametrize(
    ("code", "words"), [(-9, "by signal 9"), (0, "with exit code 0"), (3, "with exit code 3")]
)
async def test_an_exit_code_is_told_in_words(code, words):
    assert told(code) == words
