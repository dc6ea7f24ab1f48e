"""Snapshots of runs that sessions of this process stand in for, and `zonesim top`."""

from __future__ import annotations

import json
import os
import time

import msgspec
import pytest
from live_states import RUNNING, state

from corororo._ring import Session
from zonesim.cli.main import BAD_INPUT, DONE, main
from zonesim.live.progress import Progress
from zonesim.live.view_file import (
    VIEW_FILE,
    NoView,
    ViewError,
    ViewFile,
    choose,
    follow,
    read_view,
    silent_s,
    watched_runs,
)
from zonesim.system import sessions
from zonesim.system.text import encodable


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """The only folder in which sessions are looked for."""
    monkeypatch.setattr(sessions, "candidate_bases", lambda: [tmp_path])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def begin(place):
    """Begin a run whose folder has this name."""
    made: list[Session] = []

    def begin_run(name: str) -> Session:
        made.append(Session.create(base=place))
        (made[-1].directory / "control").touch()
        ViewFile(made[-1].directory, place / name).publish(state(scenario=encodable(name)))
        return made[-1]

    yield begin_run
    for session in made:
        session.remove()


def test_the_latest_snapshot_is_what_others_see(tmp_path):
    file = ViewFile(tmp_path, tmp_path / "reports" / ".." / os.fsdecode(b"run\xff"))
    file.publish(RUNNING)
    file.publish(state(ticks=57))

    view = read_view(tmp_path)

    assert view.progress == state(ticks=57)
    assert view.folder == f"{tmp_path}/run\\udcff"
    assert [path.name for path in tmp_path.iterdir()] == [VIEW_FILE]


def test_a_run_goes_on_if_its_view_cannot_be_written(tmp_path):
    ViewFile(tmp_path / "gone", tmp_path).publish(RUNNING)

    with pytest.raises(NoView, match="expected the view of a run, found no such file"):
        read_view(tmp_path / "gone")


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"[]", b'{"format": 2}'])
def test_a_view_of_another_format_is_refused_in_one_line(tmp_path, content):
    (tmp_path / VIEW_FILE).write_bytes(content)

    with pytest.raises(ViewError, match="expected the view of a run in format 1, found: ") as error:
        read_view(tmp_path)
    assert "\n" not in str(error.value)


def test_runs_that_go_on_and_have_a_view_can_be_watched(begin, place):
    first, second, hidden = begin("first"), begin("second"), begin("hidden")
    (hidden.directory / VIEW_FILE).unlink()
    other_program = Session.create(base=place)
    left_behind = place / f"corororo-{os.getuid()}-1-00000000"
    left_behind.mkdir(mode=0o700)
    for name in ("lock", "control"):
        (left_behind / name).touch()

    assert {run.session for run in watched_runs()} == {first.directory, second.directory}
    first.remove()
    other_program.remove()
    assert [run.session for run in watched_runs()] == [second.directory]
    assert list(follow(hidden.directory)) == []


def test_a_run_is_chosen_by_the_path_or_name_of_its_folder_or_session(begin, place):
    session = begin("first")
    assert choose(watched_runs(), None).session == session.directory
    begin("second")
    runs = watched_runs()

    for name in ("elsewhere", "first"):
        (place / name).mkdir()
    (place / "first" / "run.sqlite").touch()
    in_it = str(place / "first" / "run.sqlite")
    for name in (str(place / "first"), "first", "elsewhere/../first", in_it):
        assert choose(runs, name).session == session.directory
    for name in (str(session.directory), session.directory.name):
        assert choose(runs, name).view.folder == str(place / "first")


def test_a_run_whose_name_is_no_utf_8_is_found_by_it(begin, place):
    name = os.fsdecode(b"run\xff")
    session = begin(name)
    begin("second")
    assert choose(watched_runs(), str(place / name)).session == session.directory


def test_a_path_counts_more_than_a_name(begin):
    here = begin("run")
    begin("elsewhere/run")

    assert choose(watched_runs(), "run").session == here.directory


def test_following_ends_with_the_run(begin):
    session = begin("run")
    seen = []

    for view in follow(session.directory, sleep=lambda _: None):
        seen.append(view.progress.ticks)
        if len(seen) == 3:
            session.remove()

    assert seen == [56, 56, 56]


def test_a_run_that_publishes_nothing_for_long_is_silent(begin):
    view = read_view(begin("run").directory)
    long_ago = msgspec.structs.replace(view, at_ns=time.monotonic_ns() - 60_000_000_000)

    assert silent_s(view) == 0.0
    assert 60 <= silent_s(long_ago) < 120


def test_top_without_a_run_says_so(capsys):
    assert main(["top"]) == DONE
    assert capsys.readouterr() == ("no run is in progress\n", "")
    assert main(["top", "--json"]) == DONE
    assert capsys.readouterr() == ("null\n", "no run is in progress\n")


def test_top_once_prints_the_table_as_text(begin, capsys):
    begin("scale")

    assert main(["top", "--once"]) == DONE

    text = capsys.readouterr().out
    assert text.startswith("zonesim scale   step 2 of 7: 5 zones, running")
    assert "MSPT p50" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_top_json_prints_one_progress(begin, capsys):
    begin("scale")

    assert main(["top", "--json"]) == DONE

    document = json.loads(capsys.readouterr().out)
    assert msgspec.convert(document, Progress) == state(scenario="scale")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "2 runs are in progress; give the folder or session of one"),
        (["gone"], "gone: expected the folder or session of a run in progress, found none"),
        (
            ["past"],
            "past: expected the folder or session of a run in progress, found one that is not; "
            "zonesim report past draws it",
        ),
    ],
)
def test_top_lists_the_runs_if_it_cannot_tell_which_is_meant(
    begin, place, monkeypatch, capsys, arguments, complaint
):
    monkeypatch.chdir(place)
    (place / "past").mkdir()
    (place / "past" / "run.sqlite").touch()
    begin("first")
    begin("second")

    assert main(["top", *arguments]) == BAD_INPUT

    output, error = capsys.readouterr()
    assert output == ""
    *listed, last = error.splitlines()
    assert [line.split()[0] for line in sorted(listed)] == [
        str(place / "first"),
        str(place / "second"),
    ]
    assert listed[0].endswith("step 2 of 7: 5 zones, running for 4 s")
    assert last.startswith(f"zonesim: error: {complaint}")
