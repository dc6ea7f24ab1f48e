"""Session directories seen from outside: where they may stand, whose they are, who still lives."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from corororo._platform import HAS_MEMORY_FILES, file_time

from ._files import remove_file

PREFIX = "corororo-"
LOCK = "lock"
UNLOCKED_S = 60.0  # how long a living owner may take to lock its session, or to remove it
_NAME = re.compile(r"corororo-(?P<uid>\d{1,10})-(?P<pid>\d{1,9})-[0-9a-f]{8}")

State = Literal["live", "stale", "unknown"]


class FoundSession(NamedTuple):
    """A session directory as any process sees it."""

    directory: Path
    uid: int  # of the user it belongs to
    pid: int  # of its owner
    state: State  # unknown: another user's, or just being made or removed


def candidate_bases() -> list[Path]:
    """Where a session directory may stand, best first."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    places = [
        Path("/dev/shm") if HAS_MEMORY_FILES else None,
        Path(runtime) if runtime else None,
        temporary_directory(),
    ]
    there = [place for place in dict.fromkeys(places) if place and os.path.isdir(place)]
    return [place for place in there if os.access(place, os.W_OK | os.X_OK)]


def temporary_directory() -> Path | None:
    """Where temporary files go; None where no usual place can be written."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        return None


def free_bytes(directory: Path) -> int:
    """Free space for this user on the file system of a directory."""
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize


def find_sessions(base: Path) -> Iterator[FoundSession]:
    """The sessions of all users below ``base``."""
    for directory in sorted(base.glob(f"{PREFIX}*")):
        name = _NAME.fullmatch(directory.name)
        if name is None:
            continue
        with contextlib.suppress(FileNotFoundError):  # it has just ended
            uid, pid = directory.lstat().st_uid, int(name["pid"])
            if uid == int(name["uid"]):  # else its name is a forgery
                yield FoundSession(directory, uid, pid, _state(directory, uid, pid))


def stale_sessions(base: Path) -> Iterator[Path]:
    """Session directories of this user below ``base`` whose owner is dead."""
    for found in find_sessions(base):
        if found.uid == os.getuid() and found.state == "stale":
            yield found.directory


def remove_stale_sessions(base: Path) -> list[Path]:
    """Remove what killed owners left below ``base``; returns what was removed."""
    removed = []
    for directory in list(stale_sessions(base)):
        with contextlib.suppress(OSError):  # it does no harm, and `zonesim doctor` reports it
            remove_session(directory)
            removed.append(directory)
    return removed


def remove_session(directory: Path) -> None:
    """Remove a session whose owner is dead; raises OSError where that fails.

    The lock goes last, so that what is left is still stale. Several processes may do this at once.
    """
    with contextlib.suppress(FileNotFoundError):  # another process was faster
        for name in _names(directory):
            _remove_entry(directory / name)
        if left := _names(directory):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(directory / left[0]))
        remove_file(directory / LOCK)
        directory.rmdir()


def owner_lives(directory: Path) -> bool:
    """Whether the owner of a session holds its lock; False where the session is gone."""
    try:
        return not _is_unlocked(directory)
    except FileNotFoundError:
        return False


def is_left_behind(directory: Path, pid: int) -> bool:
    """Whether a directory without a lock is a minute old and its owner is gone.

    Its age counts because an owner in another container has a pid that means nothing here.
    """
    try:
        changed_s = directory.stat().st_mtime
        os.kill(pid, 0)
    except ProcessLookupError:
        return file_time() - changed_s > UNLOCKED_S
    except OSError:  # the directory is gone, or the process is another user's
        return False
    return False


def _is_unlocked(directory: Path) -> bool:
    """Raises OSError where no lock file can be opened."""
    fd = os.open(directory / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def _state(directory: Path, uid: int, pid: int) -> State:
    try:
        return "stale" if _is_unlocked(directory) else "live"
    except FileNotFoundError:  # gone in the meantime, or not locked yet, or not any more
        left_behind = uid == os.getuid() and is_left_behind(directory, pid)
        return "stale" if left_behind else "unknown"
    except OSError:  # another user's
        return "unknown"


def _names(directory: Path) -> list[str]:
    return [name for name in os.listdir(directory) if name != LOCK]


def _remove_entry(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
