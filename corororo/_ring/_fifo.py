"""Descriptors through named FIFOs.

A FIFO is a queue of many writers and many readers that outlives any of them: the kernel wakes
one reader a write, loses no wake-up, and its lock orders the memory of both sides, so who has
read a descriptor sees all that was written before it was sent.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import select
import termios
from pathlib import Path

from corororo._exceptions import FifoFull, PoolClosed

from ._files import call_after_fork
from ._layout import DESCRIPTOR, DESCRIPTOR_BYTES, KINDS, Descriptor

READ_BYTES = 128 * DESCRIPTOR_BYTES  # one page of the pipe
LEAST_CAPACITY = 256  # descriptors in the smallest FIFO that Linux makes
JUNK = Descriptor(0)


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
        """The next descriptor; None when the last writer is gone, JUNK for anything else.

        Waits for it, or raises BlockingIOError where the reader is not ``blocking``.
        """
        data = os.read(self._fd, DESCRIPTOR_BYTES)
        if not data:
            return None
        if len(data) != DESCRIPTOR_BYTES:
            return JUNK
        descriptor = Descriptor._make(DESCRIPTOR.unpack(data))
        return descriptor if descriptor.kind in KINDS else JUNK

    def stop_waiting(self) -> None:
        """Do not wait from now on; safe in a signal handler, for the read that it interrupts."""
        os.set_blocking(self._fd, False)

    def read_nowait(self) -> list[Descriptor]:
        """The descriptors that are there, at most a page of them. For a sole reader."""
        try:
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return []
        whole = len(data) - len(data) % DESCRIPTOR_BYTES  # more is junk of another program
        found = [Descriptor._make(fields) for fields in DESCRIPTOR.iter_unpack(data[:whole])]
        return [descriptor for descriptor in found if descriptor.kind in KINDS]


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
