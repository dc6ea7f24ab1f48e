"""The sessions on this machine: those that live, and those that killed owners left behind.

Knows where they stand and what their files say; talks to no process.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

import corororo as cr
from corororo.processes import (
    FoundSession,
    candidate_bases,
    find_sessions,
    is_left_behind,
    remove_session,
    stale_sessions,
    temporary_directory,
)

CONTROL = "control"  # the socket of a run's controller, in its session directory
_TRIAL = re.compile(r"zonesim-trial-(?P<pid>\d{1,9})-\w+")


class SessionReport(msgspec.Struct, frozen=True):
    """One session, for people to read."""

    directory: str
    state: Literal["live", "stale", "unknown"]  # unknown: another user's, or just being made
    user: str
    own: bool  # of the user who asks
    pid: int  # of its owner
    age_s: float
    size_bytes: int | None  # None where it cannot be looked into
    zones: int | None  # that have a ring in it; those that run their work inline have none
    workers: int | None  # of a pool that lives


class LiveRun(NamedTuple):
    """A run of this user that goes on now."""

    directory: Path
    owner_pid: int
    started: float  # as time.time() has it


class Kept(msgspec.Struct, frozen=True):
    """A session that should have been removed, and could not be."""

    directory: str
    reason: str


def live_runs() -> list[LiveRun]:
    """The runs of this user whose controllers live, oldest first."""
    found = [
        LiveRun(session.directory, session.pid, started)
        for session in _all_sessions()
        if session.state == "live"
        and session.uid == os.getuid()
        and (session.directory / CONTROL).exists()
        and (started := _started(session.directory)) is not None
    ]
    return sorted(found, key=lambda run: run.started)


def describe_sessions() -> list[SessionReport]:
    """All sessions of all users, wherever one may stand; oldest first."""
    now = time.time()
    found = [
        _describe(session, now - started)
        for session in _all_sessions()
        if (started := _started(session.directory)) is not None
    ]
    return sorted(found, key=lambda session: -session.age_s)


def clean_up() -> tuple[list[str], list[Kept]]:
    """Remove what killed owners of this user left behind: what is gone, and what could not be."""
    removed, kept = [], []
    for base in candidate_bases():
        for directory in list(stale_sessions(base)):
            try:
                remove_session(directory)
            except OSError as error:
                kept.append(Kept(str(directory), f"{error.filename}: {error.strerror}"))
            else:
                removed.append(str(directory))
    for trial in _all_trials():
        if trial.state == "stale" and trial.uid == os.getuid():
            try:
                shutil.rmtree(trial.directory)
            except OSError as error:
                kept.append(Kept(str(trial.directory), f"{error.filename}: {error.strerror}"))
            else:
                removed.append(str(trial.directory))
    return removed, kept


def trial_prefix() -> str:
    """How the name begins of a temporary directory that this process has for a measurement."""
    return f"zonesim-trial-{os.getpid()}-"


def _all_sessions() -> Iterator[FoundSession]:
    for base in candidate_bases():
        yield from find_sessions(base)
    yield from _all_trials()


def _all_trials() -> Iterator[FoundSession]:
    """The directories of measurements, in which a session stands for itself."""
    place = temporary_directory()
    for directory in sorted(place.glob("zonesim-trial-*")) if place is not None else ():
        name = _TRIAL.fullmatch(directory.name)
        try:
            uid = directory.lstat().st_uid
        except FileNotFoundError:
            continue
        if name is not None:
            pid = int(name["pid"])
            yield FoundSession(directory, uid, pid, _state_of_trial(directory, pid))


def _state_of_trial(directory: Path, pid: int) -> Literal["live", "stale", "unknown"]:
    if any(session.state == "live" for session in find_sessions(directory)):
        return "live"
    return "stale" if is_left_behind(directory, pid) else "unknown"


def _started(directory: Path) -> float | None:
    """When its lock was made, which nobody writes to; None when it is gone."""
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
        own=session.uid == os.getuid(),
        pid=session.pid,
        age_s=max(0.0, age_s),  # somebody may have set the clock back
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
    """What its files take, and how many rings they are; None where it cannot be looked into."""
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
    except (cr.PoolClosed, cr.SessionError, OSError):  # it is over, or just begins
        return None
