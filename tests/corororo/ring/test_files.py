from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from corororo._ring import RingMemory, Session, make_fifo, remove_file, write_file


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


def test_a_file_is_written_whole_in_place_of_another(tmp_path: Path) -> None:
    write_file(tmp_path / "file", b"a long beginning")
    write_file(tmp_path / "file", b"short")
    assert (tmp_path / "file").read_bytes() == b"short"


def test_a_file_may_be_removed_twice(tmp_path: Path) -> None:
    write_file(tmp_path / "file", b"")
    remove_file(tmp_path / "file")
    remove_file(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_only_this_user_may_open_a_fifo(tmp_path: Path) -> None:
    make_fifo(tmp_path / "fifo")
    assert (mode(tmp_path / "fifo"), (tmp_path / "fifo").is_fifo()) == (0o600, True)
    with pytest.raises(FileExistsError):
        make_fifo(tmp_path / "fifo")
