"""The control socket: this process connects, as a stranger or as a process of the run."""

from __future__ import annotations

import os
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from zonesim.wire.channel import Channel, ControlError, Listener, frame, socket_name
from zonesim.wire.messages import Ready

ME = os.getpid()
READY = frame(Ready({1: 7}))


class Run:
    """Which process is expected, what it sent, and who was refused."""

    def __init__(self) -> None:
        self.expected: set[int] = set()
        self.starting = False
        self.received: list[object] = []
        self.refused: list[tuple[str, str]] = []

    async def serve(self, pid: int, channel: Channel) -> None:
        self.expected.remove(pid)
        try:
            while message := await channel.receive():
                self.received.append(message)
        except ControlError as error:
            self.received.append(str(error))


@asynccontextmanager
async def listening(below: str = ""):
    run = Run()
    with tempfile.TemporaryDirectory() as folder, trio.fail_after(60):
        path = Path(folder) / below / "control"
        path.parent.mkdir(exist_ok=True)
        listener = Listener(
            path,
            run.expected.__contains__,
            run.serve,
            lambda *refused: run.refused.append(refused),
            lambda: run.starting,
        )
        async with trio.open_nursery() as nursery:
            await nursery.start(listener.serve)
            yield str(path), run
            nursery.cancel_scope.cancel()


async def connect(path: str, data: bytes = b"") -> None:
    """Send data and wait until the connection is closed."""
    async with await trio.open_unix_socket(path) as stream:
        try:
            await stream.send_all(data)
            await stream.send_eof()
            assert await stream.receive_some() == b""
        except trio.BrokenResourceError:  # closed before all was sent
            pass


@pytest.mark.trio
@pytest.mark.parametrize("data", [b"", b"GET / HTTP/1.1\r\n\r\n", READY])
async def test_a_stranger_is_refused_with_one_event_and_others_are_accepted_later(data):
    async with listening() as (path, run):
        for _ in range(2):
            await connect(path, data)
        subject = f"process {ME} of user {os.getuid()}"
        assert run.refused == [(subject, "not a zone process that this run waits for")] * 2
        assert run.received == []
        run.expected.add(ME)
        await connect(path, READY)
        assert run.received == [Ready({1: 7})]
        assert len(run.refused) == 2


@pytest.mark.trio
async def test_an_expected_process_is_accepted_once():
    async with listening() as (path, run):
        run.expected.add(ME)
        await connect(path, READY)
        await connect(path, READY)
        assert run.received == [Ready({1: 7})]
        assert len(run.refused) == 1


@pytest.mark.trio
async def test_an_invalid_message_ends_its_connection_alone():
    async with listening() as (path, run):
        for data in (READY + b"\xff" * 9, READY):
            run.expected.add(ME)
            await connect(path, data)
        assert [type(message) for message in run.received] == [Ready, str, Ready]


@pytest.mark.trio
@pytest.mark.parametrize("is_ours", [True, False])
async def test_while_a_process_is_being_started_a_connection_waits_for_its_id(is_ours):
    async with listening() as (path, run), trio.open_nursery() as nursery:
        run.starting = True
        nursery.start_soon(connect, path, READY)
        await trio.testing.wait_all_tasks_blocked()
        assert (run.received, run.refused) == ([], [])
        if is_ours:
            run.expected.add(ME)
        run.starting = False
        nursery.cancel_scope.shield = True
        while not (run.received or run.refused):  # noqa: ASYNC110 - the listener sets no event
            await trio.sleep(0.001)
        assert (len(run.received), len(run.refused)) == ((1, 0) if is_ours else (0, 1))


def test_only_this_user_may_open_the_socket_under_any_umask():
    async def mode() -> int:
        async with listening() as (path, _):
            return os.stat(path).st_mode & 0o777

    before = os.umask(0)
    try:
        assert trio.run(mode) == 0o600
    finally:
        os.umask(before)


@pytest.mark.trio
async def test_the_path_of_the_socket_may_be_longer_than_the_system_allows():
    async with listening("n" * 200) as (path, run):
        run.expected.add(ME)
        with socket_name(Path(path)) as name:
            assert len(name) < 100
            await connect(name, READY)
        assert run.received == [Ready({1: 7})]
