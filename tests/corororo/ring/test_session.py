"""Session directories in a folder of the test's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from corororo._exceptions import PoolClosed, SessionError
from corororo._ring import (
    RingMemory,
    Session,
    _session,
    find_sessions,
    make_fifo,
    remove_stale_sessions,
    stale_sessions,
    write_file,
)


def abandon(session: Session) -> Path:
    """What the end of a killed owner does: the lock is gone, the directory stands."""
    assert session._lock_fd is not None
    os.close(session._lock_fd)
    session._lock_fd = None
    return session.directory


def open_files() -> int:
    return len(os.listdir("/dev/fd"))


def test_a_session_is_a_private_directory_with_its_lock_and_fifos(tmp_path: Path) -> None:
    session = Session.create(base=tmp_path)
    assert session.directory.stat().st_mode & 0o777 == 0o700
    assert {p.name for p in session.directory.iterdir()} == {"lock", "calls", "status", "lifeline"}
    assert session.calls.is_fifo()
    session.remove()


def test_the_next_start_removes_what_a_killed_owner_left_and_nothing_else(tmp_path: Path) -> None:
    living = Session.create(base=tmp_path)
    dead = abandon(Session.create(base=tmp_path))
    stranger = tmp_path / f"corororo-{os.getuid()}-without-a-lock"
    stranger.mkdir()
    next_one = Session.create(base=tmp_path)
    assert not dead.exists()
    assert living.directory.exists()
    assert stranger.exists()
    for session in (living, next_one):
        session.remove()


def test_a_session_whose_owner_lives_is_never_stale(tmp_path: Path) -> None:
    session = Session.create(base=tmp_path)
    assert list(stale_sessions(tmp_path)) == []
    session.check_owner_lives()
    directory = abandon(session)
    assert list(stale_sessions(tmp_path)) == [directory]
    assert remove_stale_sessions(tmp_path) == [directory]
    assert list(tmp_path.iterdir()) == []


def test_sessions_are_found_with_their_owners_and_who_lives(tmp_path: Path) -> None:
    living, made = Session.create(base=tmp_path), Session.create(base=tmp_path)
    dead = abandon(Session.create(base=tmp_path))
    (made.directory / "lock").unlink()  # as before a start has its lock
    (tmp_path / f"corororo-{os.getuid() + 1}-{os.getpid()}-01234567").mkdir()  # not that user's
    (tmp_path / "corororo-of-somebody").mkdir()

    found = {session.directory: session for session in find_sessions(tmp_path)}

    assert {path: session.state for path, session in found.items()} == {
        living.directory: "live",
        dead: "stale",
        made.directory: "unknown",
    }
    assert {(s.uid, s.pid) for s in found.values()} == {(os.getuid(), os.getpid())}
    for session in (living, made):
        session.remove()


def test_a_start_that_fails_leaves_neither_files_nor_descriptors(tmp_path: Path) -> None:
    before = open_files()
    with (
        mock.patch.object(_session, "make_fifo", side_effect=OSError("no more")),
        pytest.raises(SessionError, match="no more"),
    ):
        Session.create(base=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert open_files() == before


def test_attaching_to_what_is_gone_is_a_closed_pool(tmp_path: Path) -> None:
    with pytest.raises(PoolClosed, match="no session directory"):
        Session.attach(str(tmp_path / "gone"))


def test_a_directory_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(SessionError, match="0755"):
        Session.attach(str(tmp_path))


def test_what_a_killed_zone_left_is_removed_and_a_living_zone_keeps_its_files(
    tmp_path: Path,
) -> None:
    session = Session.create(base=tmp_path)
    (living, reader), (dead, dead_reader) = session.open_replies(), session.open_replies()
    for number in (living, dead):
        session.ring(number).write_bytes(b"ring")
        session.spill(number, 7).write_bytes(b"reply")
    dead_reader.close()
    session.remove_rings_left_behind()
    assert not any(session.directory.glob(f"{dead:08x}.*"))
    assert len(list(session.directory.glob(f"{living:08x}.*"))) == 3
    reader.close()
    session.remove()


def test_where_no_place_has_the_room_the_error_says_what_was_found() -> None:
    with pytest.raises(SessionError, match=r"rings need \d+ MB, found: .* has \d+ MB"):
        Session.create(room_bytes=1 << 60)


@pytest.fixture(params=[0, 0o022, 0o077], ids=oct)
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.mark.usefixtures("_umask")
def test_what_is_made_in_a_session_is_this_user_s_alone_whatever_the_umask(tmp_path: Path) -> None:
    session = Session.create(base=tmp_path)
    number, reader = session.open_replies()
    memory = RingMemory.create(session.ring(number), 1 << 14)
    write_file(session.config, b"{}")
    write_file(session.spill(number, 1), b"a reply")
    make_fifo(session.directory / "fifo")

    made = {path.name: mode(path) for path in session.directory.iterdir()}

    assert mode(session.directory) == 0o700
    assert made == dict.fromkeys(made, 0o600)
    assert len(made) == 9
    memory.close()
    reader.close()
    session.remove()
