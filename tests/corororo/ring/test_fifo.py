"""Descriptors through one FIFO, with both ends in this process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from corororo._exceptions import FifoFull, PoolClosed
from corororo._ring import Descriptor, FifoReader, FifoWriter, Kind, make_fifo


@pytest.fixture
def path(tmp_path: Path) -> Path:
    make_fifo(tmp_path / "fifo")
    return tmp_path / "fifo"


@pytest.fixture
def reader(path: Path) -> Iterator[FifoReader]:
    reader = FifoReader(path, blocking=False)
    yield reader
    reader.close()


@pytest.fixture
def writer(path: Path, reader: FifoReader) -> Iterator[FifoWriter]:
    writer = FifoWriter(path)
    yield writer
    writer.close()


def write(writer: FifoWriter, sequence: int) -> None:
    writer.write_nowait(Descriptor(Kind.CALLS, sequence=sequence))


def test_descriptors_come_out_in_the_order_in_which_they_went_in(
    reader: FifoReader, writer: FifoWriter
) -> None:
    for sequence in range(100):
        write(writer, sequence)
    assert [d.sequence for d in reader.read_nowait()] == list(range(100))
    assert reader.read_nowait() == []


def test_the_end_of_the_last_writer_is_the_end_of_the_fifo(path: Path, writer: FifoWriter) -> None:
    worker_end = FifoReader(path, blocking=True)
    write(writer, 1)
    writer.close()
    assert worker_end.read_one() is not None
    assert worker_end.read_one() is None
    worker_end.close()


def test_a_full_fifo_refuses_and_takes_again_when_it_has_been_read(
    reader: FifoReader, writer: FifoWriter
) -> None:
    written = 0
    with contextlib.suppress(FifoFull):
        while written < 1_000_000:
            write(writer, written)
            written += 1
    with pytest.raises(FifoFull):
        write(writer, written)
    taken = [d.sequence for d in reader.read_nowait()]
    write(writer, written)
    while more := reader.read_nowait():
        taken += [d.sequence for d in more]
    assert taken == list(range(written + 1))


def test_a_fifo_without_a_reader_is_a_closed_pool(path: Path) -> None:
    with pytest.raises(PoolClosed, match="no reader"):
        FifoWriter(path)
    with pytest.raises(PoolClosed, match="no reader"):
        FifoWriter(path.with_name("missing"))


def test_a_writer_hears_that_the_last_reader_has_gone(
    reader: FifoReader, writer: FifoWriter
) -> None:
    reader.close()
    with pytest.raises(PoolClosed, match="last reader"):
        write(writer, 1)


def test_a_reader_that_stops_waiting_still_reads_what_is_there(tmp_path: Path) -> None:
    make_fifo(tmp_path / "fifo")
    reader = FifoReader(tmp_path / "fifo", blocking=True)
    writer = FifoWriter(tmp_path / "fifo")
    reader.stop_waiting()
    with pytest.raises(BlockingIOError):
        reader.read_one()
    os.write(writer.fileno(), bytes(32))
    assert reader.read_one() is not None
    reader.close()
    writer.close()
