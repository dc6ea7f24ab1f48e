"""Records in the mapped file of a ring, as its zone and a worker see them."""

from __future__ import annotations

import mmap
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corororo._exceptions import SessionError
from corororo._ring import Descriptor, Kind, RecordHeader, RingMemory
from corororo._ring._fifo import DESCRIPTOR_BYTES
from corororo._ring._memory import RECORD_HEADER

LENGTHS = st.integers(0, 1 << 20)


def test_a_descriptor_is_written_whole_and_its_size_divides_the_page() -> None:
    assert DESCRIPTOR_BYTES <= select.PIPE_BUF
    assert mmap.PAGESIZE % DESCRIPTOR_BYTES == 0


@given(LENGTHS, LENGTHS, LENGTHS)
def test_a_record_holds_its_parts_without_overlap(name: int, request: int, room: int) -> None:
    header = RecordHeader(1, 0, 7, name, request, room, 1, 0)
    assert header.request_offset == RECORD_HEADER.size + name
    assert header.request_offset + request <= header.reply_offset
    assert header.reply_offset % 8 == 0


SIZE = 1 << 14


HEADER = RecordHeader(1, 0, 7, 4, 3, 100, 1, 0)


TRY_LOCK = """
import sys
from pathlib import Path
from corororo._ring import RingMemory
memory = RingMemory.open(Path(sys.argv[1]))
print(memory.try_lock(int(sys.argv[2])))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "zone.ring"


@pytest.fixture
def zone(path: Path) -> Iterator[RingMemory]:
    memory = RingMemory.create(path, SIZE)
    yield memory
    memory.close()


@pytest.fixture
def worker(zone: RingMemory, path: Path) -> Iterator[RingMemory]:
    memory = RingMemory.open(path)
    yield memory
    memory.close()


def write_record(memory: RingMemory, offset: int) -> Descriptor:
    """Write the record of HEADER; its descriptor."""
    memory.write_record(offset, HEADER, b"name", [b"a", b"bc"])
    return Descriptor(Kind.CALLS, 1, 3, offset, 192, 7)


def test_a_record_is_seen_whole_by_who_maps_the_file(zone: RingMemory, worker: RingMemory) -> None:
    write_record(zone, 128)
    assert worker.header(128) == HEADER
    assert worker.read(128 + HEADER.request_offset - 4, 7) == b"nameabc"


def test_marking_and_renewing_touch_nothing_else(zone: RingMemory, worker: RingMemory) -> None:
    write_record(zone, 0)
    worker.mark(0, 1, 9)
    assert zone.header(0) == HEADER._replace(holder=9 << 32 | 1)
    assert zone.header(0).worker == 9
    worker.note_progress(0, 3, 5_000_000)
    assert zone.header(0).current == 3
    assert zone.header(0).runs_for_ns(7_000_000) == 2_000_000
    zone.renew(0, 2)
    assert worker.header(0) == HEADER._replace(holder=2)


def test_a_record_waits_until_it_is_marked_and_for_its_own_descriptor_alone(
    zone: RingMemory, worker: RingMemory
) -> None:
    descriptor = write_record(zone, 64)
    assert worker.waits(descriptor) == HEADER
    for other in ({"attempt": 2}, {"sequence": 8}, {"offset": 128}, {"offset": 1 << 31}):
        assert worker.waits(descriptor._replace(**other)) is None
    worker.mark(64, 1, 9)
    assert worker.waits(descriptor) is None


def test_a_worker_sees_records_behind_what_it_has_mapped(
    zone: RingMemory, worker: RingMemory
) -> None:
    zone.reserve(3 * SIZE)
    zone.release(SIZE)
    zone.reserve(2 * SIZE)
    descriptor = write_record(zone, SIZE)
    assert worker.waits(descriptor._replace(offset=3 * SIZE)) is None
    assert worker.waits(descriptor) == HEADER
    with pytest.raises(OSError, match=r"No space left|File too large"):
        zone.reserve(1 << 60)
    assert zone.header(SIZE) == HEADER


def test_a_file_system_without_room_is_a_clear_error_and_leaves_nothing(path: Path) -> None:
    with pytest.raises(SessionError, match="smaller rings"):
        RingMemory.create(path, 1 << 60)
    assert not path.exists()


def test_a_lock_keeps_other_processes_out_of_its_record_alone(
    zone: RingMemory, path: Path, source_environment: dict[str, str]
) -> None:
    def other_process_gets(offset: int) -> str:
        command = [sys.executable, "-c", TRY_LOCK, str(path), str(offset)]
        return subprocess.run(
            command, env=source_environment, capture_output=True, text=True, check=True, timeout=30
        ).stdout.strip()

    assert zone.try_lock(64)
    assert other_process_gets(64) == "False"
    assert other_process_gets(128) == "True"
    zone.unlock(64)
    assert other_process_gets(64) == "True"
