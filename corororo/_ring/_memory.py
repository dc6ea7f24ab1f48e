"""The mapped file of a ring: records are written, read and locked here.

A worker locks the first byte of a record before it looks at it, marks it as its own, and holds
the lock until the reply stands. The lock is the kernel's (fcntl) and ends with its holder, which
makes it safe to give the record to another worker: while one has the lock, no other process
writes into the record, and a descriptor of an older attempt is void.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

from corororo._exceptions import SessionError
from corororo._platform import HAS_FALLOCATE

from ._files import PRIVATE, call_after_fork
from ._layout import (
    CONTENT,
    CONTENT_OFFSET,
    HOLDER_OFFSET,
    PROGRESS_OFFSET,
    RECORD_HEADER,
    WORD,
    Descriptor,
    RecordHeader,
    holder,
    progress,
)


class RingMemory:
    """A ring's bytes, shared by the zone that made them and the workers that opened them."""

    def __init__(self, fd: int, size_bytes: int) -> None:
        self._fd = fd
        self.size_bytes = size_bytes
        self._map = mmap.mmap(fd, size_bytes)
        self._view = memoryview(self._map)
        call_after_fork(self, RingMemory._disown)

    @classmethod
    def create(cls, path: Path, size_bytes: int) -> RingMemory:
        """Make the file with all its room; raises SessionError where the room is not there."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
        try:
            _allocate(fd, size_bytes)
            return cls(fd, size_bytes)
        except OSError as error:
            os.close(fd)
            path.unlink()
            raise SessionError(
                f"{path}: expected room for a ring of {size_bytes} bytes, found: {error.strerror}; "
                f"free some there, or ask for smaller rings: WorkerPool(ring_bytes=...)"
            ) from None

    @classmethod
    def open(cls, path: Path) -> RingMemory:
        """Map a ring that a zone made; raises FileNotFoundError when it is gone."""
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            return cls(fd, os.fstat(fd).st_size)
        except BaseException:
            os.close(fd)
            raise

    @property
    def removed(self) -> bool:
        """Whether the file has been removed: its zone has ended."""
        return os.fstat(self._fd).st_nlink == 0

    # -- records

    def write_record(
        self,
        offset: int,
        attempt: int,
        sequence: int,
        name: bytes,
        request: bytes,
        *,
        reply_room: int,
        calls: int,
        timed: bool,
    ) -> None:
        """Write all of a record but its reply; the descriptor makes it visible later."""
        content = CONTENT.pack(sequence, len(name), len(request), reply_room, calls, timed)
        content += name + request
        self.renew(offset, attempt)
        start = offset + CONTENT_OFFSET
        self._map[start : start + len(content)] = content

    def header(self, offset: int) -> RecordHeader:
        """The header that stands there; raises IndexError when it would leave the ring."""
        if not 0 <= offset <= self.size_bytes - RECORD_HEADER.size:
            raise IndexError(f"no record can stand at {offset} of {self.size_bytes} bytes")
        return RecordHeader._make(RECORD_HEADER.unpack_from(self._map, offset))

    def waits(self, descriptor: Descriptor) -> RecordHeader | None:
        """The header of the record that a descriptor speaks of, if it still waits for a worker."""
        if descriptor.offset > self.size_bytes - RECORD_HEADER.size:
            return None  # forged: no zone sends that
        header = RecordHeader._make(RECORD_HEADER.unpack_from(self._map, descriptor.offset))
        awaited = header.holder == holder(descriptor.attempt)
        return header if awaited and header.sequence == descriptor.sequence else None

    @contextlib.contextmanager
    def view(self, start: int, end: int) -> Iterator[memoryview]:
        """Some bytes in place, for as long as the block lasts."""
        with self._view[start:end] as view:
            yield view

    def read(self, offset: int, length: int) -> bytes:
        """A copy of some bytes."""
        return self._map[offset : offset + length]

    def write(self, offset: int, data: bytes | bytearray) -> None:
        """Overwrite some bytes."""
        self._map[offset : offset + len(data)] = data

    # -- the state of a record

    def mark(self, offset: int, attempt: int, worker: int) -> None:
        """Say which worker has the record; under its lock."""
        WORD.pack_into(self._map, offset + HOLDER_OFFSET, holder(attempt, worker))

    def note_progress(self, offset: int, call: int, now_ns: int) -> None:
        """Say which call runs from now on; under the record's lock."""
        WORD.pack_into(self._map, offset + PROGRESS_OFFSET, progress(call, now_ns))

    def renew(self, offset: int, attempt: int) -> None:
        """Begin another attempt on the record, under its lock: older descriptors are void now."""
        WORD.pack_into(self._map, offset + PROGRESS_OFFSET, 0)
        WORD.pack_into(self._map, offset + HOLDER_OFFSET, holder(attempt))

    def try_lock(self, offset: int) -> bool:
        """Take the record's lock unless another process has it."""
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
        except (
            BlockingIOError,
            PermissionError,
        ):  # POSIX allows either
            return False
        return True

    def unlock(self, offset: int) -> None:
        """Give the record's lock back."""
        fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, offset)

    def give_up_pages(self) -> None:
        """Free the memory of a ring that is not used any more, though workers still map it."""
        if hasattr(mmap, "MADV_REMOVE"):
            with contextlib.suppress(OSError):  # a file system that cannot: it goes with the file
                self._map.madvise(mmap.MADV_REMOVE)

    def close(self) -> None:
        """Unmap; idempotent."""
        if self._fd >= 0:
            self._view.release()
            self._map.close()
            os.close(self._fd)
            self._fd = -1

    def _disown(self) -> None:
        """In a forked process: close the file; its copy of the map may be in use."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _allocate(fd: int, size_bytes: int) -> None:
    """Reserve every page now: a write to a page that cannot be had later is a SIGBUS."""
    if HAS_FALLOCATE:
        os.posix_fallocate(fd, 0, size_bytes)
        return
    # What cannot fit is not begun: meanwhile other programs would find the file system full.
    status = os.fstatvfs(fd)
    if size_bytes > status.f_bavail * status.f_frsize:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    zeros = memoryview(bytes(min(size_bytes, 1 << 20)))
    left = size_bytes
    while left:
        left -= os.write(fd, zeros[:left])
