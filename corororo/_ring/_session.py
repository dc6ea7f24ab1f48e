"""The session directory of a pool: made, locked, attached to, removed.

``Session`` names its files. The owner holds ``lock`` with flock while it lives.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from pathlib import Path
from typing import Literal

import msgspec

from corororo._exceptions import PoolClosed, PoolFailed, SessionError

from ._fifo import FifoReader, FifoWriter
from ._files import PRIVATE, call_after_fork, make_fifo, remove_file, write_file
from ._memory import RingMemory
from ._places import (
    LOCK,
    PREFIX,
    candidate_bases,
    free_bytes,
    owner_lives,
    remove_session,
    remove_stale_sessions,
)

OWNER_GONE = "the pool is closed, or its owner has died; start another pool and Scheduler"


class PoolConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The contents of ``pool.json``, which tells those who attach how to use the pool."""

    workers: int
    ring_bytes: int
    max_batch: int
    max_message_bytes: int
    max_pending: int = 100_000
    hang_timeout: float | None = None
    main: str | None = None  # path of the main module that workers run to find its functions
    format: Literal[5] = 5


class Session:
    """One session directory, as its owner or as a guest sees it."""

    def __init__(self, directory: Path, lock_fd: int | None) -> None:
        self.directory = directory
        self.calls = directory / "calls"  # FIFO from all zones to the worker that reads first
        self.status = directory / "status"  # FIFO from workers and zones to the pool
        self.lifeline = directory / "lifeline"  # FIFO whose end of file says: the owner is gone
        self.config = directory / "pool.json"  # what the pool tells those who attach
        self.failure = directory / "failure.txt"  # why the pool gave up, if it did
        self._lock_fd = lock_fd  # of the owner
        call_after_fork(self, Session._give_up_lock)  # it is the parent's

    @classmethod
    def create(cls, room_bytes: int = 0, base: Path | None = None) -> Session:
        """Make one where ``room_bytes`` are free, and hold its lock.

        Sessions of killed owners are removed first. Without ``base`` it goes to the first candidate
        base that has the room; raises SessionError where none has.
        """
        for place in candidate_bases() if base is None else [base]:
            remove_stale_sessions(place)
        place = _choose_base(room_bytes) if base is None else base
        name = f"{os.getuid()}-{os.getpid()}-{secrets.token_hex(4)}"
        directory = place / f"{PREFIX}{name}"
        lock_fd = None
        try:
            directory.mkdir(mode=0o700)
            lock_fd = _make_locked_file(directory / LOCK)
            for fifo in ("calls", "status", "lifeline"):
                make_fifo(directory / fifo)
        except OSError as error:
            if lock_fd is not None:
                os.close(lock_fd)
            shutil.rmtree(directory, ignore_errors=True)
            raise SessionError(f"{place}: cannot make a session directory: {error}") from None
        return cls(directory, lock_fd)

    @classmethod
    def attach(cls, address: str) -> Session:
        """See a session that another process owns; raises PoolClosed or SessionError."""
        directory = Path(address)
        try:
            status = directory.stat()
        except FileNotFoundError:
            raise PoolClosed(f"{address}: no session directory stands there any more") from None
        if status.st_uid != os.getuid() or status.st_mode & 0o077:
            raise SessionError(
                f"{address}: expected a directory of this user with mode 0700, found user "
                f"{status.st_uid} and mode {status.st_mode & 0o777:04o}"
            )
        session = cls(directory, None)
        session.check_owner_lives()
        return session

    def check_owner_lives(self) -> None:
        """Raise PoolClosed unless the owner holds its lock."""
        if not owner_lives(self.directory):
            raise PoolClosed(f"{self.directory}: the owner of this pool is gone")

    def owner_gone(self) -> PoolClosed:
        """The error for a pool without an owner, with the reason if the pool gave up."""
        try:
            return PoolFailed(self.failure.read_text())
        except OSError:  # it was closed, or its owner was killed
            return PoolClosed(OWNER_GONE)

    def write_config(self, config: PoolConfig) -> None:
        """Replace the configuration atomically; raises PoolClosed if the pool is gone."""
        unfinished = self.config.with_suffix(".new")
        try:
            write_file(unfinished, msgspec.json.encode(config))
            unfinished.replace(self.config)
        except FileNotFoundError:
            raise PoolClosed(f"{self.directory}: the pool is gone") from None

    def read_config(self) -> PoolConfig:
        """Raises PoolClosed if the pool is gone, SessionError if it is of another version."""
        try:
            return msgspec.json.decode(self.config.read_bytes(), type=PoolConfig)
        except FileNotFoundError:
            raise PoolClosed(f"{self.directory}: the pool is gone") from None
        except msgspec.DecodeError as error:
            raise SessionError(f"{self.config}: not the configuration of a pool: {error}") from None

    def ring(self, ring: int) -> Path:
        """The mapped file of one zone."""
        return self.directory / f"{ring:08x}.ring"

    def replies(self, ring: int) -> Path:
        """The FIFO from the workers to one zone."""
        return self.directory / f"{ring:08x}.replies"

    def spill(self, ring: int, sequence: int) -> Path:
        """The file of a reply that did not fit its record."""
        return self.directory / f"{ring:08x}.{sequence:016x}.spill"

    def stacks(self, worker: int) -> Path:
        """Where a worker writes its stacks when it is asked for them."""
        return self.directory / f"{worker}.stacks"

    def all_replies(self) -> list[Path]:
        """The reply FIFOs of all zones that are attached now."""
        try:
            names = os.listdir(self.directory)  # glob would hide that it could not be read
        except FileNotFoundError:
            return []
        return [self.directory / name for name in sorted(names) if name.endswith(".replies")]

    def open_replies(self) -> tuple[int, FifoReader]:
        """A ring's number and the reading end of its reply FIFO, for a new zone.

        The FIFO gets its name when it has a reader: one without a reader was left behind.
        """
        unnamed = self.directory / f"{os.getpid()}-{secrets.token_hex(8)}.fifo"
        make_fifo(unnamed)
        reader = FifoReader(unnamed, blocking=False)
        try:
            while True:
                number = secrets.randbits(32)
                with contextlib.suppress(FileExistsError):
                    os.link(unnamed, self.replies(number))
                    return number, reader
        except BaseException:
            reader.close()
            raise
        finally:
            unnamed.unlink()

    def remove_ring(self, ring: int) -> None:
        """Remove all files of a zone that has ended."""
        remove_file(self.replies(ring))
        remove_file(self.ring(ring))
        for spill in self.directory.glob(f"{ring:08x}.*.spill"):
            remove_file(spill)

    def remove_rings_left_behind(self) -> None:
        """Remove the files of zones that were killed: their replies have no reader."""
        for replies in self.all_replies():
            try:
                FifoWriter(replies).close()
            except PoolClosed:
                ring = int(replies.stem, 16)
                self._release_memory(ring)
                self.remove_ring(ring)

    def _release_memory(self, ring: int) -> None:
        """Free the memory of a killed zone's ring, though workers still map it."""
        with (
            contextlib.suppress(OSError, ValueError),  # it was killed before it had one
            contextlib.closing(RingMemory.open(self.ring(ring))) as memory,
        ):
            memory.release(0)

    def remove(self) -> None:
        """Give up the lock and remove the directory; for the owner. Idempotent."""
        if self._lock_fd is not None:
            self._give_up_lock()  # first: it may be the last file that could be had
            # A process may still write there; the next start removes what is left.
            with contextlib.suppress(OSError):
                remove_session(self.directory)

    def _give_up_lock(self) -> None:
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None


def _make_locked_file(path: Path) -> int:
    # Locked before it has its name: the lock of a living owner is never seen unlocked.
    unnamed = path.with_suffix(".unlocked")
    fd = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    fcntl.flock(fd, fcntl.LOCK_EX)
    unnamed.rename(path)
    return fd


def _choose_base(room_bytes: int) -> Path:
    places = candidate_bases()
    for place in places:
        if free_bytes(place) >= room_bytes:
            return place
    if not places:
        raise SessionError(
            "a session directory needs /dev/shm, $XDG_RUNTIME_DIR or $TMPDIR, found none of them "
            "that can be written; set one, or WorkerPool(directory=...)"
        )
    found = ", ".join(f"{place} has {free_bytes(place) >> 20} MB" for place in places)
    raise SessionError(
        f"the rings need {(room_bytes + (1 << 20) - 1) >> 20} MB, found: {found}; free some there, "
        f"or ask for smaller rings: WorkerPool(ring_bytes=...)"
    )
