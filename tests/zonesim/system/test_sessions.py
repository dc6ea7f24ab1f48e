"""Sessions in a folder of the test."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from corororo._ring import Session
from zonesim.system.sessions import CONTROL, clean_up, describe_sessions, live_runs, trial_prefix


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder in which sessions are looked for."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def abandoned(folder) -> Session:
    """A session whose owner was killed."""
    session = Session.create(base=folder)
    os.close(session._lock_fd)
    session._lock_fd, session._owned = None, False
    return session


def below(folder) -> dict:
    """The sessions in the folder of a test, by their directories."""
    found = {session.directory: session for session in describe_sessions()}
    return {name: found[name] for name in found if name.startswith(str(folder))}


def test_a_live_session_is_described_with_owner_age_and_contents(folder):
    session = Session.create(base=folder)
    (session.directory / "0000abcd.ring").write_bytes(bytes(1 << 16))
    os.utime(session.directory / "lock", (0, time.time() - 90))

    [found] = below(folder).values()

    assert (found.state, found.pid, found.zones) == ("live", os.getpid(), 1)
    assert found.user == pwd.getpwuid(os.getuid()).pw_name
    assert 90 <= found.age_s < 90 + 60
    assert 1 << 16 <= found.size_bytes < 1 << 20
    assert found.workers is None  # its pool has not started
    session.remove()


def test_what_a_killed_owner_left_is_stale_until_it_is_cleaned_up(folder):
    living, dead = Session.create(base=folder), abandoned(folder)
    states = {path: session.state for path, session in below(folder).items()}
    assert states == {str(living.directory): "live", str(dead.directory): "stale"}

    removed, kept = clean_up()

    assert str(dead.directory) in removed
    assert [entry for entry in kept if entry.directory.startswith(str(folder))] == []
    assert [path.name for path in folder.iterdir()] == [living.directory.name]
    living.remove()


def test_what_cannot_be_removed_is_reported_with_its_reason_and_retried(folder, monkeypatch):
    dead = abandoned(folder)
    (dead.directory / "kept").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda path: None)  # as for another user's files
        kept = clean_up()[1]

    [mine] = [entry for entry in kept if entry.directory == str(dead.directory)]
    assert mine.reason == f"{dead.directory / 'kept'}: Directory not empty"
    assert below(folder)[str(dead.directory)].state == "stale"
    assert str(dead.directory) in clean_up()[0]
    assert list(folder.iterdir()) == []


def test_a_session_is_a_run_when_a_controller_listens_in_it(folder):
    pool, run, dead = (Session.create(base=folder) for _ in range(3))
    for session, age_s in ((run, 10), (dead, 20)):
        (session.directory / CONTROL).touch()
        os.utime(session.directory / "lock", (0, time.time() - age_s))
    os.close(dead._lock_fd)
    dead._lock_fd = None

    [found] = [run for run in live_runs() if run.directory.parent == folder]

    assert (found.directory, found.owner_pid) == (run.directory, os.getpid())
    assert time.time() - found.started == pytest.approx(10, abs=5)
    for session in (pool, run, dead):
        session.remove()


def test_what_a_killed_measurement_left_is_stale_and_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    living = Path(tempfile.mkdtemp(prefix=trial_prefix()))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = tmp_path / living.name.replace(str(os.getpid()), str(ended.pid))
    left.mkdir()
    abandoned(left)
    (left / "map.graph").touch()
    assert below(tmp_path)[str(left)].state == "unknown"  # it may be of another container
    os.utime(left, (0, time.time() - 1_000))
    found = {name: session.state for name, session in below(tmp_path).items()}
    assert found == {str(living): "unknown", str(left): "stale"}

    assert str(left) in clean_up()[0]

    assert list(tmp_path.iterdir()) == [living]


def test_sessions_are_found_where_no_temporary_directory_is_writable(folder, monkeypatch):
    def refuse() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    dead = abandoned(folder)
    monkeypatch.setattr(tempfile, "gettempdir", refuse)
    assert below(folder)[str(dead.directory)].state == "stale"
    assert live_runs() is not None
    assert str(dead.directory) in clean_up()[0]
