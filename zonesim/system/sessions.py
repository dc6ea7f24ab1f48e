"""The sessions on this machine: live ones, and what killed owners left behind."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import msgspec

import corororo as cr
from corororo.processes import (
    FoundSession,
    candidate_bases,
    find_sessions,
    is_left_behind,
    remove_session,
    stale_sessions,
)

State: TypeAlias = Literal["live", "stale", "unknown"]

CONTROL = "control"  # the socket of a run's controller, in its session directory
_TRIAL = re.compile(r"zonesim-trial-(?P<pid>\d{1,9})-\w+")


class SessionReport(msgspec.Struct, frozen=True):
    """One session, for people to read."""

    directory: str
    state: State  # unknown: another user's, or just being made
    user: str
    own: bool  # of this user
    pid: int  # of its owner
    age_s: float
    size_bytes: int | None  # None where it is not readable
    zones: int | None  # with a ring; inline zones have none
    workers: int | None  # of a live pool


class LiveRun(NamedTuple):
    """A live run of this user."""

    directory: Path
    owner_pid: int
    started: float  # in the time of time.time()


class Kept(msgspec.Struct, frozen=True):
    """A session that could not be removed."""

    directory: str
    reason: str


def live_runs() -> list[LiveRun]:
    """The live runs of this user, oldest first."""
    found = [
        LiveRun(session.directory, session.pid, started)
        for session in _all_sessions()
        if session.state == "live"
        and _is_own(session)
        and (session.directory / CONTROL).exists()
        and (started := _started(session.directory)) is not None
    ]
    return sorted(found, key=lambda run: run.started)


def describe_sessions() -> list[SessionReport]:
    """All sessions of all users, oldest first."""
    now = time.time()
    found = [
        _describe(session, now - started)
        for session in _all_sessions()
        if (started := _started(session.directory)) is not None
    ]
    return sorted(found, key=lambda session: -session.age_s)


def clean_up() -> tuple[list[str], list[Kept]]:
    """Remove what killed owners of this user left behind; return what is gone and what is not."""
    sessions = {directory for base in candidate_bases() for directory in stale_sessions(base)}
    trials = {t.directory for t in _all_trials() if t.state == "stale" and _is_own(t)}
    removed, kept = [], []
    for directory in (*sorted(sessions), *sorted(trials)):
        try:
            remove_session(directory) if directory in sessions else shutil.rmtree(directory)
        except OSError as error:
            kept.append(Kept(str(directory), f"{error.filename}: {error.strerror}"))
        else:
            removed.append(str(directory))
    return removed, kept


def trial_prefix() -> str:
    """The prefix of this process's temporary directories for measurements."""
    return f"zonesim-trial-{os.getpid()}-"


def _is_own(session: FoundSession) -> bool:
    return session.uid == os.getuid()


def _all_sessions() -> Iterator[FoundSession]:
    for base in candidate_bases():
        yield from find_sessions(base)
    yield from _all_trials()


def _all_trials() -> Iterator[FoundSession]:
    """The directories of measurements; a doctor's hold a session, a bench's hold none."""
    directories = (path for base in candidate_bases() for path in base.glob("zonesim-trial-*"))
    for directory in directories:
        name = _TRIAL.fullmatch(directory.name)
        with suppress(FileNotFoundError):
            if name is not None:
                pid, uid = int(name["pid"]), directory.lstat().st_uid
                is_live = any(session.state == "live" for session in find_sessions(directory))
                is_stale = not is_live and is_left_behind(directory, pid)
                state: State = "live" if is_live else "stale" if is_stale else "unknown"
                yield FoundSession(directory, uid, pid, state)


def _started(directory: Path) -> float | None:
    """When its lock was created; None when it is gone."""
    for path in (directory / "lock", directory):
        try:
            return path.stat().st_mtime
        except OSError:
            continue
    return None


def _describe(session: FoundSession, age_s: float) -> SessionReport:
    size_bytes, rings = _contents(session.directory)
    return SessionReport(
        directory=str(session.directory),
        state=session.state,
        user=_user(session.uid),
        own=_is_own(session),
        pid=session.pid,
        age_s=age_s,
        size_bytes=size_bytes,
        zones=rings,
        workers=_workers(session),
    )


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _contents(directory: Path) -> tuple[int | None, int | None]:
    """The bytes of its files, and its number of rings; None where it is not readable."""
    size_bytes = rings = 0
    try:
        for folder, _, names in os.walk(directory, onerror=_raise):
            rings += sum(name.endswith(".ring") for name in names)
            size_bytes += sum(os.lstat(f"{folder}/{name}").st_blocks * 512 for name in names)
    except OSError:  # another user's, or being removed
        return None, None
    return size_bytes, rings


def _raise(error: OSError) -> None:
    raise error


def _workers(session: FoundSession) -> int | None:
    if session.state != "live":
        return None
    try:
        return cr.WorkerPool.attach(str(session.directory)).workers
    except (cr.PoolClosed, cr.SessionError, OSError):  # it has ended, or just begins
        return None
