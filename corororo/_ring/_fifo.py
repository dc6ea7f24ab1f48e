"""Descriptors through named FIFOs. Knows no rings and no processes.

A FIFO is a queue of many writers and many readers that outlives any of them: the kernel wakes
one sleeper a write, loses no wake-up, and its lock orders the memory of both sides, so whoever
has read a descriptor sees all that was written before it was sent.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
from pathlib import Path

from corororo._exceptions import FifoFull, PoolClosed

from ._layout import DESCRIPTOR, DESCRIPTOR_BYTES, Descriptor

READ_BYTES = 128 * DESCRIPTOR_BYTES  # one page of the pipe


class FifoReader:
    """The reading end. A zone is the only reader of its replies; all workers read the calls."""

    def __init__(self, path: Path, *, blocking: bool) -> None:
        # Without a writer a blocking open would wait for one, perhaps for ever.
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.set_blocking(self._fd, blocking)

    def fileno(self) -> int:
        """For poll and trio."""
        return self._fd

    def read_one(self) -> Descriptor | None:
        """The next descriptor; None when the last writer is gone.

        Waits for it, or raises BlockingIOError where the reader is not ``blocking``.
        """
        data = os.read(self._fd, DESCRIPTOR_BYTES)
        if not data:
            return None
        return Descriptor._make(DESCRIPTOR.unpack(data.ljust(DESCRIPTOR_BYTES, b"\0")))

    def read_nowait(self) -> list[Descriptor]:
        """The descriptors that are there, at most a page of them."""
        try:
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return []
        whole = len(data) - len(data) % DESCRIPTOR_BYTES  # whatever else is there, it is not ours
        return [Descriptor._make(fields) for fields in DESCRIPTOR.iter_unpack(data[:whole])]

    def close(self) -> None:
        """Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class FifoWriter:
    """A writing end. Never blocks: neither on a reader that is gone nor on a FIFO that is full."""

    def __init__(self, path: Path) -> None:
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in (errno.ENXIO, errno.ENOENT):
                raise PoolClosed(f"nobody reads {path} any more") from None
            raise

    def fileno(self) -> int:
        """For poll and trio."""
        return self._fd

    def write_nowait(self, *fields: int) -> None:
        """Send one descriptor; raises FifoFull, or PoolClosed when the last reader is gone."""
        try:
            os.write(self._fd, DESCRIPTOR.pack(*fields))
        except BlockingIOError:
            raise FifoFull("the FIFO is full") from None
        except BrokenPipeError:
            raise PoolClosed("the last reader of the FIFO is gone") from None

    def wait_until_writable(self, timeout_s: float) -> None:
        """Return when a descriptor fits, the last reader is gone, or the time is over."""
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        poll.poll(timeout_s * 1000)

    def close(self) -> None:
        """Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def make_fifo(path: Path) -> None:
    """A new FIFO that only this user can open; raises FileExistsError where one stands."""
    os.mkfifo(path, 0o600)


def remove_file(path: Path) -> None:
    """Unlink a FIFO or a file that may be gone already."""
    with contextlib.suppress(FileNotFoundError):  # its owner, or the owner's heir, was faster
        path.unlink()
