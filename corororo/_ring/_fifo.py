"""Descriptors, and the named FIFOs that they travel through.

A FIFO is a queue of many writers and many readers that outlives any of them: the kernel wakes
one reader for each write, loses no wake-up, and its lock orders the memory of both sides: the
reader of a descriptor sees all that was written before it was sent.

A descriptor has 32 bytes: under PIPE_BUF, so that the kernel writes it whole, and a divisor of the
page, so that a reader of 32 bytes never gets two halves.
"""

from __future__ import annotations

import array
import enum
import errno
import fcntl
import os
import select
import struct
import termios
from pathlib import Path
from typing import Final, NamedTuple

from corororo._exceptions import FifoFull, PoolClosed

from ._files import call_after_fork

# kind u16, attempt u16, ring u32, offset u32, length u32, sequence u64, worker u32
DESCRIPTOR: Final = struct.Struct("<HHIIIQI4x")
DESCRIPTOR_BYTES: Final = DESCRIPTOR.size
READ_BYTES = 128 * DESCRIPTOR_BYTES  # one page of the pipe
LEAST_CAPACITY = 256  # descriptors in the smallest FIFO that Linux makes
NO_WORKER: Final = 0
ATTEMPTS: Final = 1 << 16  # an attempt has 16 bits


class Kind(enum.IntEnum):
    """What a descriptor says."""

    CALLS = 0xC501  # zone to workers: this record, of this length, waits for you
    REPLY = 0xC502  # worker to zone: the reply stands in the record's extent
    SPILLED = 0xC503  # worker to zone: the reply stands in a file of its own
    WORKER_DIED = 0xC505  # pool to zones: the worker of this number is no more
    WORKER_KILLED = 0xC506  # the same, and a zone asked for it because of a timeout
    READY = 0xC507  # worker to pool: I read descriptors from now on
    KILL = 0xC508  # zone to pool: the worker of this number has had a call for too long
    LOOK = 0xC509  # zone to pool: a batch is out for long, do the workers live?
    RESIZED = 0xC50B  # pool to zones: its workers are as many as the length says from now on
    HUNG = 0xC50C  # zone to pool: the worker of this number is at one batch for too long


class Descriptor(NamedTuple):
    """The 32 bytes that travel, unpacked. What a kind does not use is 0."""

    kind: int
    attempt: int = 0
    ring: int = 0
    offset: int = 0
    length: int = 0
    sequence: int = 0
    worker: int = NO_WORKER


class _Fifo:
    """One end of a FIFO. A forked process closes its copy, which would keep the FIFO open."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        call_after_fork(self, _Fifo.close)

    def fileno(self) -> int:
        """For poll and trio."""
        return self._fd

    def queued(self) -> int:
        """How many descriptors wait in it; at a writing end some systems always say 0."""
        size = array.array("i", [0])
        fcntl.ioctl(self._fd, termios.FIONREAD, size)
        return size[0] // DESCRIPTOR_BYTES

    def capacity(self) -> int:
        """How many descriptors fit; at least, where the system does not tell."""
        if hasattr(fcntl, "F_GETPIPE_SZ"):
            return fcntl.fcntl(self._fd, fcntl.F_GETPIPE_SZ) // DESCRIPTOR_BYTES
        return LEAST_CAPACITY

    def close(self) -> None:
        """Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class FifoReader(_Fifo):
    """The reading end. A zone is the only reader of its replies; all workers read the calls."""

    def __init__(self, path: Path, *, blocking: bool) -> None:
        # Without a writer a blocking open would wait for one, perhaps for ever.
        super().__init__(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        os.set_blocking(self._fd, blocking)

    def read_one(self) -> Descriptor | None:
        """The next descriptor; None when the last writer is gone.

        Waits for it, or raises BlockingIOError where the reader is not ``blocking``.
        """
        data = os.read(self._fd, DESCRIPTOR_BYTES)
        return Descriptor._make(DESCRIPTOR.unpack(data)) if data else None

    def stop_waiting(self) -> None:
        """Do not wait from now on; safe in a signal handler, for the read that it interrupts."""
        os.set_blocking(self._fd, False)

    def read_nowait(self) -> list[Descriptor]:
        """The descriptors that are there, at most a page of them. For a sole reader."""
        try:
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return []
        return [Descriptor._make(fields) for fields in DESCRIPTOR.iter_unpack(data)]


class FifoWriter(_Fifo):
    """A writing end. Never blocks: neither without a reader nor on a FIFO that is full."""

    def __init__(self, path: Path) -> None:
        try:
            super().__init__(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        except OSError as error:
            if error.errno in (errno.ENXIO, errno.ENOENT):
                raise PoolClosed(f"{path}: the FIFO has no reader any more") from None
            raise

    def write_nowait(self, descriptor: Descriptor) -> None:
        """Send one descriptor; raises FifoFull, or PoolClosed when the last reader is gone."""
        try:
            os.write(self._fd, DESCRIPTOR.pack(*descriptor))
        except BlockingIOError:
            raise FifoFull("the FIFO is full") from None
        except BrokenPipeError:
            raise PoolClosed("the last reader of the FIFO is gone") from None

    def wait_until_writable(self, timeout_s: float) -> None:
        """Return when a descriptor fits, the last reader is gone, or the time is over."""
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        poll.poll(timeout_s * 1000)
