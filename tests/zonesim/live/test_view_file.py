from __future__ import annotations

import os
import time

import msgspec
import pytest
from live_states import RUNNING, crowded, state

from zonesim.live.view_file import (
    VIEW_BYTES_MAX,
    VIEW_FILE,
    NoView,
    View,
    ViewError,
    ViewFile,
    read_view,
)


def test_what_was_published_last_is_what_others_see(tmp_path):
    file = ViewFile(tmp_path, tmp_path / "reports" / ".." / "run")
    file.publish(RUNNING)
    file.publish(state(ticks=57))

    view = read_view(tmp_path)

    assert view.progress == state(ticks=57)
    assert view.folder == str(tmp_path / "run")
    assert 0 <= time.monotonic_ns() - view.at_ns < 60e9
    assert [path.name for path in tmp_path.iterdir()] == [VIEW_FILE]


def test_a_folder_whose_name_is_no_text_is_shown_as_what_it_is(tmp_path):
    ViewFile(tmp_path, tmp_path / os.fsdecode(b"run\xff")).publish(RUNNING)

    assert read_view(tmp_path).folder == f"{tmp_path}/run\\udcff"


def test_no_other_user_can_read_it_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        ViewFile(tmp_path, tmp_path).publish(RUNNING)
    finally:
        os.umask(before)

    assert (tmp_path / VIEW_FILE).stat().st_mode & 0o777 == 0o600


def test_a_reader_that_is_half_way_through_keeps_what_it_began_to_read(tmp_path):
    file = ViewFile(tmp_path, tmp_path)
    file.publish(RUNNING)
    with open(tmp_path / VIEW_FILE, "rb") as reader:
        begin = reader.read(10)
        file.publish(crowded())
        rest = reader.read()

    assert msgspec.json.decode(begin + rest, type=View).progress == RUNNING


def test_the_most_that_a_run_shows_can_be_read(tmp_path):
    ViewFile(tmp_path, tmp_path).publish(crowded())

    assert (tmp_path / VIEW_FILE).stat().st_size < VIEW_BYTES_MAX / 4
    assert read_view(tmp_path).progress.zones == 1000


def test_a_run_goes_on_where_its_view_cannot_be_written(tmp_path):
    ViewFile(tmp_path / "gone", tmp_path).publish(RUNNING)

    with pytest.raises(NoView, match="expected the view of a run, found no such file"):
        read_view(tmp_path / "gone")


def test_what_is_no_file_is_no_view(tmp_path):
    (tmp_path / VIEW_FILE).mkdir()

    with pytest.raises(ViewError, match="the view of a run cannot be read: Is a directory"):
        read_view(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 100, b"[]", b'{"format": 1}', b'{"format": 2, "folder": "run", "x": 1}'],
)
def test_a_view_of_another_format_or_none_is_refused_in_one_line(tmp_path, content):
    (tmp_path / VIEW_FILE).write_bytes(content)

    with pytest.raises(ViewError, match="expected the view of a run in format 2, found: ") as error:
        read_view(tmp_path)

    assert "\n" not in str(error.value)
