from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonesim.bench.transfers.buffers import FrameBuffer
from zonesim.bench.transfers.frames import (
    PIPE_BYTES,
    FrameReader,
    FrameWriter,
    framed,
    read_frame,
    write_all,
)

MESSAGES = st.lists(st.binary(max_size=40), max_size=8)
CUTS = st.lists(st.integers(1, 60), min_size=1, max_size=30)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for fd in ends:
        if fd_is_open(fd):
            os.close(fd)


def fd_is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def read_in_parts(kind: type[Any], data: bytes, sizes: list[int]) -> list[bytes]:
    """What a reader makes of data that comes in parts, none larger than a pipe."""
    reading, writing = os.pipe()
    try:
        reader = kind(reading)
        found: list[bytes] = []
        turn = 0
        while data:
            size = sizes[turn % len(sizes)]
            turn += 1
            os.write(writing, data[:size])
            data = data[size:]
            found += map(bytes, reader.read())
        return found
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("kind", [FrameReader, FrameBuffer])
@given(messages=MESSAGES, sizes=CUTS)
def test_messages_are_whole_however_they_come(
    kind: type[Any], messages: list[bytes], sizes: list[int]
) -> None:
    data = b"".join(map(framed, messages))
    assert read_in_parts(kind, data, sizes) == messages


@pytest.mark.parametrize("kind", [FrameReader, FrameBuffer])
def test_messages_may_be_larger_than_any_buffer(kind: type[Any]) -> None:
    messages = [bytes([i]) * size for i, size in enumerate((10, 70_000, 0, 200_000, 65_532, 3))]
    data = b"".join(map(framed, messages))
    assert read_in_parts(kind, data, [50_000, 7, 65_000]) == messages


@pytest.mark.parametrize("kind", [FrameReader, FrameBuffer])
def test_the_end_of_a_pipe_and_an_empty_one_are_told_apart(
    kind: type[Any], pipe: tuple[int, int]
) -> None:
    reading, writing = pipe
    os.set_blocking(reading, False)
    reader = kind(reading)
    with pytest.raises(BlockingIOError):
        reader.read()
    os.write(writing, framed(b"whole") + b"\0\0")
    os.close(writing)
    assert [bytes(message) for message in reader.read()] == [b"whole"]
    with pytest.raises(EOFError):
        reader.read()


def test_a_worker_reads_one_message_and_leaves_the_next(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    write_all(writing, framed(b"first") + framed(b"") + framed(b"third"))
    assert [read_frame(reading) for _ in range(3)] == [b"first", b"", b"third"]
    os.close(writing)
    with pytest.raises(EOFError):
        read_frame(reading)


def test_what_a_full_pipe_does_not_take_follows_in_order(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = FrameWriter(writing)
    parts = [bytes([i]) * 3_000 for i in range(100)]
    for part in parts:
        writer.write_nowait(part)
    assert writer.is_full
    found = b""
    while len(found) < 300_000:
        found += os.read(reading, PIPE_BYTES)
        writer.flush()
    assert found == b"".join(parts)
    assert not writer.is_full


def test_whoever_writes_to_nobody_is_not_told_by_this_pipe(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = FrameWriter(writing)
    writer.write_nowait(bytes(200_000))
    os.close(reading)
    writer.flush()
    assert not writer.is_full
    writer.write_nowait(b"more")
    assert not writer.is_full
