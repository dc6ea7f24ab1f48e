"""The session directory of a pool: made, locked, found stale, removed. Knows no workers.

Its files: ``lock`` (held with flock while the owner lives), ``pool.json``, the FIFOs ``calls``
(zones to workers; one more for each worker that is somebody's home, ``calls.<place>``), ``status``
(workers to pool) and ``lifeline`` (never written: its end of file says that the owner is gone),
``failure.txt`` where the pool gave up, and for each zone ``<ring>.ring`` and ``<ring>.replies``.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from corororo._exceptions import PoolClosed, SessionError
from corororo._platform import HAS_MEMORY_FILES

from ._fifo import FifoReader, FifoWriter, make_fifo, remove_file
from ._forks import told_after_fork

PREFIX = "corororo-"
UNFINISHED_PREFIX = ".corororo-"  # until its lock is held; never taken for stale by its name


class Session:
    """One session directory, as its owner or as a guest sees it."""

    def __init__(self, directory: Path, lock_fd: int | None) -> None:
        self.directory = directory
        self._lock_fd = lock_fd
        told_after_fork(self)

    @classmethod
    def create(cls, room_bytes: int = 0, base: Path | None = None) -> Session:
        """Make one where ``room_bytes`` are free, and hold its lock.

        Sessions that a killed owner left behind are removed first. Without ``base`` it goes to
        /dev/shm, else $XDG_RUNTIME_DIR, else the temporary directory, whichever has the room
        first. Raises SessionError where none has.
        """
        for place in candidate_bases() if base is None else [base]:
            remove_stale_sessions(place)
        place = _choose_base(room_bytes) if base is None else base
        name = f"{os.getuid()}-{os.getpid()}-{secrets.token_hex(4)}"
        unfinished = place / f"{UNFINISHED_PREFIX}{name}"
        lock_fd = None
        try:
            unfinished.mkdir(mode=0o700)
            lock_fd = _make_locked_file(unfinished / "lock")
            for fifo in ("calls", "status", "lifeline"):
                make_fifo(unfinished / fifo)
            directory = place / f"{PREFIX}{name}"
            unfinished.rename(directory)
        except OSError as error:
            if lock_fd is not None:
                os.close(lock_fd)
            shutil.rmtree(unfinished, ignore_errors=True)
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
        try:
            gone = _is_unlocked(self.directory)
        except FileNotFoundError:
            gone = True
        if gone:
            raise PoolClosed(f"{self.directory}: the owner of this pool is gone")

    @property
    def calls(self) -> Path:
        """The FIFO from all zones to whichever worker reads first."""
        return self.directory / "calls"

    def calls_of(self, place: int) -> Path:
        """The FIFO to the worker at one place of the pool; others take from it, too."""
        return self.directory / f"calls.{place}"

    @property
    def status(self) -> Path:
        """The FIFO from workers to the pool."""
        return self.directory / "status"

    @property
    def lifeline(self) -> Path:
        """The FIFO whose end of file says that the owner is gone."""
        return self.directory / "lifeline"

    @property
    def config(self) -> Path:
        """What the pool tells those who attach."""
        return self.directory / "pool.json"

    @property
    def failure(self) -> Path:
        """Why the pool gave up, if it did."""
        return self.directory / "failure.txt"

    def ring(self, ring: int) -> Path:
        """The mapped file of one zone."""
        return self.directory / f"{ring:08x}.ring"

    def replies(self, ring: int) -> Path:
        """The FIFO from the workers to one zone."""
        return self.directory / f"{ring:08x}.replies"

    def spill(self, ring: int, sequence: int) -> Path:
        """The file of a reply that did not fit its record."""
        return self.directory / f"{ring:08x}.{sequence:016x}.spill"

    def all_replies(self) -> list[Path]:
        """The reply FIFOs of all zones that are attached now."""
        try:
            names = os.listdir(self.directory)  # glob would hide that it could not be read
        except FileNotFoundError:
            return []
        return [self.directory / name for name in sorted(names) if name.endswith(".replies")]

    def open_replies(self) -> tuple[int, FifoReader]:
        """A ring's number and the reading end of its reply FIFO, for a new zone.

        No zone of this session has had the number, unless by a chance of 1 in 4 billion. The
        FIFO gets its name once it is read, so that one without a reader is one left behind.
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
        """Remove the files of zones that were killed: nobody reads their replies."""
        for replies in self.all_replies():
            try:
                FifoWriter(replies).close()
            except PoolClosed:
                self.remove_ring(int(replies.stem, 16))

    def remove(self) -> None:
        """Remove the directory and give up its lock; for the owner. Idempotent."""
        if self._lock_fd is not None:
            shutil.rmtree(self.directory, ignore_errors=True)
            self._give_up_lock()
            if self.directory.exists():
                _remove_with_one_file(self.directory)

    def after_fork(self) -> None:
        """In a forked process, which owns nothing: the lock ends with its parent."""
        self._give_up_lock()

    def _give_up_lock(self) -> None:
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None


def candidate_bases() -> list[Path]:
    """Where a session directory may stand, best first."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    places = [
        Path("/dev/shm") if HAS_MEMORY_FILES else None,
        Path(runtime) if runtime else None,
        Path(tempfile.gettempdir()),
    ]
    return [p for p in places if p is not None and p.is_dir() and os.access(p, os.W_OK | os.X_OK)]


def stale_sessions(base: Path) -> Iterator[Path]:
    """Session directories of this user below ``base`` whose owner does not live any more."""
    for prefix in (PREFIX, UNFINISHED_PREFIX):
        for directory in base.glob(f"{prefix}{os.getuid()}-*"):
            if _is_stale(directory):
                yield directory


def remove_stale_sessions(base: Path) -> list[Path]:
    """Remove what killed owners left below ``base``, and return it."""
    stale = list(stale_sessions(base))
    for directory in stale:
        shutil.rmtree(directory, ignore_errors=True)  # another start may be removing it as well
    return stale


def free_bytes(directory: Path) -> int:
    """Room left for this user on the file system of a directory."""
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize


def _remove_with_one_file(directory: Path) -> None:
    """rmtree takes two open files, and failed if the lock was the last that could be had."""
    with contextlib.suppress(FileNotFoundError):  # another start found it unlocked
        for name in os.listdir(directory):
            remove_file(directory / name)
        directory.rmdir()


def _make_locked_file(path: Path) -> int:
    # Locked before it bears its name: nobody ever sees the lock file of a living owner unlocked.
    unnamed = path.with_suffix(".unlocked")
    fd = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    unnamed.rename(path)
    return fd


def _choose_base(room_bytes: int) -> Path:
    places = candidate_bases()
    for place in places:
        if free_bytes(place) >= room_bytes:
            return place
    found = ", ".join(f"{place} has {free_bytes(place) >> 20} MB" for place in places)
    raise SessionError(
        f"the rings need {(room_bytes + (1 << 20) - 1) >> 20} MB, found: {found or 'no place'}; "
        f"free some there, or ask for smaller rings"
    )


def _is_stale(directory: Path) -> bool:
    try:
        return directory.lstat().st_uid == os.getuid() and _is_unlocked(directory)
    except OSError:  # gone in the meantime, or being made: without a lock file it is not ours
        return False


def _is_unlocked(directory: Path) -> bool:
    """Whether nobody holds the lock of a session; raises OSError where there is none to look at."""
    fd = os.open(directory / "lock", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True
