"""Session directories from outside: where they may stand, whose they are, who still lives.

Reads names and locks alone. Knows nothing of what is inside.
"""

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

from corororo._clock import file_time
from corororo._platform import HAS_MEMORY_FILES

from ._files import remove_file

PREFIX = "corororo-"
UNFINISHED_PREFIX = ".corororo-"  # until its lock is held
LOCK = "lock"
UNLOCKED_S = 60.0  # what an owner gets to lock its session, or to remove what was locked
_NAME = re.compile(r"\.?corororo-(?P<uid>\d{1,10})-(?P<pid>\d{1,9})-[0-9a-f]{8}")


class FoundSession(NamedTuple):
    """A session directory as anybody sees it."""

    directory: Path
    uid: int  # whose it is
    pid: int  # of its owner
    # unknown: another user's, or without a lock and perhaps just being made or removed
    state: Literal["live", "stale", "unknown"]


def candidate_bases() -> list[Path]:
    """Where a session directory may stand, best first."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    places = [
        Path("/dev/shm") if HAS_MEMORY_FILES else None,
        Path(runtime) if runtime else None,
        temporary_directory(),
    ]
    there = [place for place in dict.fromkeys(places) if place is not None and place.is_dir()]
    return [place for place in there if os.access(place, os.W_OK | os.X_OK)]


def find_sessions(base: Path) -> Iterator[FoundSession]:
    """The sessions below ``base``, of all users; those that end meanwhile are left out."""
    for prefix in (PREFIX, UNFINISHED_PREFIX):
        for directory in sorted(base.glob(f"{prefix}*")):
            name = _NAME.fullmatch(directory.name)
            if name is None:
                continue
            try:
                uid = directory.lstat().st_uid
            except FileNotFoundError:
                continue
            if uid == int(name["uid"]):  # else somebody only calls it so
                pid = int(name["pid"])
                yield FoundSession(directory, uid, pid, _state(directory, pid))


def stale_sessions(base: Path) -> Iterator[Path]:
    """Session directories of this user below ``base`` whose owner does not live any more."""
    for found in find_sessions(base):
        if found.uid == os.getuid() and found.state == "stale":
            yield found.directory


def remove_stale_sessions(base: Path) -> list[Path]:
    """Remove what killed owners left below ``base``; what was removed."""
    removed = []
    for directory in list(stale_sessions(base)):
        with contextlib.suppress(OSError):  # it stands in nobody's way, and `doctor` tells of it
            remove_session(directory)
            removed.append(directory)
    return removed


def remove_session(directory: Path) -> None:
    """Remove a session that has no owner any more; raises OSError where that cannot be done.

    The lock goes last: what is left half-way is stale still. Several may do this at once.
    """
    for name in _names(directory):
        if name != LOCK:
            _remove_entry(directory / name)
    left = [name for name in _names(directory) if name != LOCK]
    if left:
        raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(directory / left[0]))
    remove_file(directory / LOCK)
    with contextlib.suppress(FileNotFoundError):  # another start was faster
        directory.rmdir()


def free_bytes(directory: Path) -> int:
    """Room left for this user on the file system of a directory."""
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize


def is_unlocked(directory: Path) -> bool:
    """Whether nobody holds the lock of a session; raises OSError where there is none to look at."""
    fd = os.open(directory / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def owner_lives(directory: Path) -> bool:
    """Whether the owner of a session holds its lock."""
    try:
        return not is_unlocked(directory)
    except FileNotFoundError:
        return False


def is_left_behind(directory: Path, pid: int) -> bool:
    """Whether something without a lock has stood there for a while, and its owner is gone.

    The owner alone would not do: in another container it may bear a number that nobody has here.
    """
    try:
        changed_s = directory.stat().st_mtime
        os.kill(pid, 0)
    except ProcessLookupError:
        return file_time() - changed_s > UNLOCKED_S
    except OSError:  # gone in the meantime; or the process is there, and another user's
        return False
    return False


def _state(directory: Path, pid: int) -> Literal["live", "stale", "unknown"]:
    try:
        return "stale" if is_unlocked(directory) else "live"
    except FileNotFoundError:  # gone in the meantime, or not locked yet, or not any more
        own = directory.name.lstrip(".").startswith(f"{PREFIX}{os.getuid()}-")
        return "stale" if own and is_left_behind(directory, pid) else "unknown"
    except OSError:  # not for us to look into
        return "unknown"


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:  # another start was faster
        return []


def _remove_entry(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(path)
    else:
        remove_file(path)


def temporary_directory() -> Path | None:
    """Where temporary files go; None where nothing can be written in any of the usual places."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:  # nothing can be written in any of them
        return None
