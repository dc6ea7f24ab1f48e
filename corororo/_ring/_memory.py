"""The memory of a ring: the layout of a record, and the mapped file.

A record begins on a multiple of ALIGNMENT and holds one batch::

    0            8              16             24        28        32        36        40        44
    | holder u64 | progress u64 | sequence u64 | name    | request | reply   | calls   | timed   |
    |            |              |              | length  | length  | room    | u32     | u32     |
    | function name, request, padding to 8 | reply extent ... padding to ALIGNMENT |

    holder:   | attempt, the lower 32 bits | worker, the upper 32 bits |
    progress: | call, the lower 20 bits | since when, in microseconds, the upper 44 bits |

The zone writes all but the worker, the progress and the reply extent, which belong to the worker
that holds the record's lock. The progress names the call that runs and its start in ``timed``
records; in others it stays with the first call. A sequence is never used twice.

Holder and progress are read while another process writes them. Each is a word in the order of the
machine, which every CPU stores and loads at once. A zone never uses an attempt twice in a row at
one place, so the holder of a record's lock never takes an old attempt for the present one.

A large record stands behind the ring, in the same file. The zone makes the file larger before it
writes there, and a worker maps it again when a descriptor points behind what it has mapped.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import mmap
import os
import struct
from pathlib import Path
from typing import Any, Final, NamedTuple

from corororo._exceptions import SessionError
from corororo._platform import HAS_FALLOCATE

from ._fifo import Descriptor
from ._files import PRIVATE, call_after_fork

RECORD_HEADER: Final = struct.Struct("@QQQIIIII")
WORD: Final = struct.Struct("@Q")  # "@": as the machine stores it, all of it at once
PROGRESS_OFFSET: Final = 8
CALL_BITS: Final = 20
CALLS_MAX: Final = 1 << CALL_BITS  # of one batch
HEAP_BLOCK_BYTES: Final = (32 << 20) - (64 << 10)  # glibc keeps none above 32 MB
_CLOCK_MASK: Final = (1 << 64 - CALL_BITS) - 1


class RecordHeader(NamedTuple):
    """The first 48 bytes of a record, unpacked."""

    holder: int
    progress: int
    sequence: int
    name_length: int
    request_length: int
    reply_room: int
    calls: int
    timed: int

    @property
    def worker(self) -> int:
        """The worker that has it, or NO_WORKER."""
        return self.holder >> 32

    @property
    def current(self) -> int:
        """The call that runs."""
        return self.progress & CALLS_MAX - 1

    def runs_for_ns(self, now_ns: int) -> int:
        """How long it has been running."""
        return _since_ns(self.progress, now_ns)

    @property
    def request_offset(self) -> int:
        """Where the request begins, from the start of the record."""
        return RECORD_HEADER.size + self.name_length

    @property
    def reply_offset(self) -> int:
        """Where the reply extent begins, from the start of the record."""
        return reply_offset(self.name_length, self.request_length)


def reply_offset(name_length: int, request_length: int) -> int:
    """Where the reply extent of such a record begins, from its start."""
    return (RECORD_HEADER.size + name_length + request_length + 7) & ~7


def _since_ns(progress: int, now_ns: int) -> int:
    return ((now_ns // 1000 - (progress >> CALL_BITS)) & _CLOCK_MASK) * 1000


class RingMemory:
    """A ring's bytes, mapped by the zone that made them and the workers that opened them.

    A worker locks the first byte of a record before it looks at it, marks it as its own, and holds
    the lock until the reply stands. The lock is the kernel's (fcntl) and ends with its holder, so
    the record can be given to another worker: while one process has the lock, no other writes into
    the record, and a descriptor of an older attempt is void.
    """

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd = fd
        self._map_file()
        self._reserved = self.size_bytes  # every page before it is there
        call_after_fork(self, RingMemory._disown)

    @classmethod
    def create(cls, path: Path, size_bytes: int) -> RingMemory:
        """Make the file with all its room; raises SessionError where the room is not there."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
        try:
            _allocate(fd, 0, size_bytes)
            return cls(path, fd)
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
            return cls(path, fd)
        except BaseException:
            os.close(fd)
            raise

    @property
    def removed(self) -> bool:
        """Whether the file has been removed: its zone has ended."""
        return os.fstat(self._fd).st_nlink == 0

    def reserve(self, end: int) -> None:
        """Have room up to an offset; raises OSError where there is none. For the zone."""
        if end > self._reserved:
            _allocate(self._fd, self._reserved, end - self._reserved)
            self._reserved = end
            self._map_again()

    def release(self, start: int) -> None:
        """Free the memory from an offset on, which no record takes, though workers map it."""
        start = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
        if start < self._reserved:
            with contextlib.suppress(AttributeError, OSError):  # only some systems can
                self._map.madvise(mmap.MADV_REMOVE, start, self._reserved - start)
                self._reserved = start

    # -- records

    def write_record(
        self, offset: int, header: tuple[int, ...], name: bytes, request: list[Any]
    ) -> None:
        """Write all of a record but its reply; the descriptor makes it visible later.

        ``header`` is in the order of RecordHeader.
        """
        RECORD_HEADER.pack_into(self._map, offset, *header)
        self.write(offset + RECORD_HEADER.size, name, *request)

    def runs_for_ns(self, offset: int, now_ns: int) -> int:
        """How long the call that the record's progress names has been running."""
        (progress,) = WORD.unpack_from(self._map, offset + PROGRESS_OFFSET)
        return _since_ns(progress, now_ns)

    def header(self, offset: int) -> RecordHeader:
        """The header that stands there."""
        return RecordHeader._make(RECORD_HEADER.unpack_from(self._map, offset))

    def waits(self, descriptor: Descriptor) -> RecordHeader | None:
        """The header of the record that a descriptor speaks of, if it still waits for a worker."""
        length = descriptor.length
        if not RECORD_HEADER.size <= length <= self.size_bytes - descriptor.offset:
            self._map_again()  # the zone may have made it larger
            if not RECORD_HEADER.size <= length <= self.size_bytes - descriptor.offset:
                return None  # forged: no zone sends that
        header = self.header(descriptor.offset)
        awaited = header.holder == descriptor.attempt
        return header if awaited and header.sequence == descriptor.sequence else None

    def view(self, start: int, end: int) -> memoryview:
        """Some bytes in place; to be released before ``close``."""
        return self._view[start:end]

    def read(self, offset: int, length: int) -> bytes:
        """A copy of some bytes."""
        return self._map[offset : offset + length]

    def write(self, offset: int, *parts: Any) -> None:
        """Overwrite some bytes with those of bytes objects and arrays, one behind the other."""
        for part in parts:
            end = offset + len(part)
            self._map[offset:end] = part
            offset = end

    # -- the state of a record, changed under its lock

    def mark(self, offset: int, attempt: int, worker: int) -> None:
        """Say which worker has the record."""
        WORD.pack_into(self._map, offset, worker << 32 | attempt)

    def note_progress(self, offset: int, call: int, now_ns: int) -> None:
        """Say which call runs from now on."""
        progress = (now_ns // 1000 & _CLOCK_MASK) << CALL_BITS | call
        WORD.pack_into(self._map, offset + PROGRESS_OFFSET, progress)

    def renew(self, offset: int, attempt: int) -> None:
        """Begin another attempt on the record: older descriptors are void now."""
        WORD.pack_into(self._map, offset + PROGRESS_OFFSET, 0)
        WORD.pack_into(self._map, offset, attempt)

    def try_lock(self, offset: int) -> bool:
        """Take the record's lock unless another process has it."""
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
        except (BlockingIOError, PermissionError):  # POSIX allows either
            return False
        return True

    def unlock(self, offset: int) -> None:
        """Give the record's lock back."""
        fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, offset)

    def close(self) -> None:
        """Unmap; idempotent."""
        if self._fd >= 0:
            self._unmap()
            self._disown()

    def _map_file(self) -> None:
        self.size_bytes = os.fstat(self._fd).st_size
        self._map = mmap.mmap(self._fd, self.size_bytes)
        self._view = memoryview(self._map)

    def _unmap(self) -> None:
        self._view.release()
        self._map.close()

    def _map_again(self) -> None:
        if os.fstat(self._fd).st_size != self.size_bytes:
            self._unmap()
            self._map_file()

    def _disown(self) -> None:
        """In a forked process: close the file; its copy of the map may be in use."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


@functools.cache
def keep_freed_blocks() -> None:
    """Let this process use the memory of freed blocks again; for one that has large records.

    glibc gives a large block back to the system when it is freed, unless a larger one was freed
    before. The new pages of the next block took half of the time of 1 MB there and back. No byte of
    the block that is freed here is ever touched.
    """
    bytes(HEAP_BLOCK_BYTES)


def _allocate(fd: int, start: int, size_bytes: int) -> None:
    """Reserve every page now: a write to a page that cannot be had later is a SIGBUS."""
    if HAS_FALLOCATE:
        os.posix_fallocate(fd, start, size_bytes)
        return
    # What cannot fit is not begun: meanwhile other programs would find the file system full.
    status = os.fstatvfs(fd)
    if size_bytes > status.f_bavail * status.f_frsize:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    zeros = memoryview(bytes(min(size_bytes, 1 << 20)))
    left = size_bytes
    while left:
        left -= os.pwrite(fd, zeros[:left], start + size_bytes - left)
