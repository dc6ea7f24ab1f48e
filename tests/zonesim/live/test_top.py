"""Following a run, without one: sessions of this process stand in for it."""

from __future__ import annotations

import json
import os
import time

import msgspec
import pytest
from live_states import state

from corororo._ring import Session
from zonesim.cli.main import BAD_INPUT, DONE, main
from zonesim.live import top
from zonesim.live.progress import Progress
from zonesim.live.view_file import VIEW_FILE, ViewError, ViewFile, read_view
from zonesim.system import sessions


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A folder that is the only one where sessions are looked for."""
    monkeypatch.setattr(sessions, "candidate_bases", lambda: [tmp_path])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def begin(place):
    """Have a run go on, whose folder has this name."""
    made: list[Session] = []

    def begin_run(name: str) -> Session:
        made.append(Session.create(base=place))
        (made[-1].directory / "control").touch()
        ViewFile(made[-1].directory, place / name).publish(state(scenario=name))
        return made[-1]

    yield begin_run
    for session in made:
        session.remove()


def sessions_now():
    return {run.directory for run in sessions.live_runs()}


def test_a_run_goes_on_while_its_session_is_locked(begin, place):
    first, second = begin("first"), begin("second")
    no_run = Session.create(base=place)  # the pool of some other program

    assert sessions_now() == {first.directory, second.directory}
    first.remove()
    no_run.remove()
    assert sessions_now() == {second.directory}


def test_a_session_that_a_killed_run_left_behind_is_none_that_goes_on(place):
    left = place / f"corororo-{os.getuid()}-1-00000000"
    left.mkdir(mode=0o700)
    (left / "lock").touch()
    (left / "control").touch()

    assert sessions_now() == set()


def test_a_run_that_has_not_shown_itself_yet_is_not_there_to_watch(begin):
    session = begin("run")
    (session.directory / VIEW_FILE).unlink()

    assert sessions_now() == {session.directory}
    assert top.watched_runs() == []
    assert list(top.follow(session.directory)) == []


def test_no_other_user_can_look_into_the_session_of_a_run(begin):
    assert begin("run").directory.stat().st_mode & 0o077 == 0


def test_the_only_run_needs_no_name(begin):
    begin("only")

    assert top.choose(top.watched_runs(), None).view.progress.scenario == "only"


def test_a_run_is_chosen_by_its_folder_its_session_or_the_name_of_either(begin, place):
    session = begin("first")
    begin("second")
    runs = top.watched_runs()

    (place / "elsewhere").mkdir()
    for name in (str(place / "first"), "first", "elsewhere/../first"):
        assert top.choose(runs, name).session == session.directory
    for name in (str(session.directory), session.directory.name):
        assert top.choose(runs, name).view.folder == str(place / "first")


def test_a_folder_that_is_there_is_meant_and_none_elsewhere_of_the_same_name(begin, place):
    here = begin("run")
    begin("elsewhere/run")
    (place / "run").mkdir()
    runs = top.watched_runs()

    assert top.choose(runs, "run").session == here.directory
    with pytest.raises(top.NoSuchRun, match="2 runs go on"):
        top.choose(runs, None)
    here.remove()  # its folder is still there
    with pytest.raises(top.NoSuchRun, match="found none"):
        top.choose(top.watched_runs(), "run")


def test_a_run_whose_folder_was_removed_is_found_by_its_path_and_its_name(begin, place):
    session = begin("gone")

    for name in (str(place / "gone"), "gone"):
        assert top.choose(top.watched_runs(), name).session == session.directory


def test_following_ends_with_the_run(begin):
    session = begin("run")
    seen = []

    for view in top.follow(session.directory, sleep=lambda _: None):
        seen.append(view.progress.ticks)
        if len(seen) == 3:
            session.remove()

    assert seen == [56, 56, 56]


def test_a_view_that_cannot_be_read_is_an_error_while_the_run_goes_on(begin):
    session = begin("run")
    (session.directory / VIEW_FILE).write_text("{}")

    with pytest.raises(ViewError, match="expected the view of a run"):
        top.watched_runs()
    with pytest.raises(ViewError, match="expected the view of a run"):
        list(top.follow(session.directory))


def test_a_run_that_is_not_heard_of_for_long_stands_still(begin):
    view = read_view(begin("run").directory)
    long_ago = msgspec.structs.replace(view, at_ns=time.monotonic_ns() - 60_000_000_000)

    assert top.silent_s(view) == 0.0
    assert 60 <= top.silent_s(long_ago) < 120


def test_without_a_run_there_is_nothing_to_see(capsys):
    assert main(["top"]) == DONE
    assert capsys.readouterr().out == "no run is going on\n"
    assert main(["top", "--once"]) == DONE
    assert capsys.readouterr().out == "no run is going on\n"
    assert main(["top", "--json"]) == DONE
    assert capsys.readouterr() == ("null\n", "no run is going on\n")


def test_once_prints_the_table_as_text(begin, capsys):
    begin("scale")

    assert main(["top", "--once"]) == DONE

    text = capsys.readouterr().out
    assert text.startswith("zonesim scale   step 2 of 7: 5 zones, running")
    assert "MSPT p50" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_json_prints_one_progress(begin, capsys):
    begin("scale")

    assert main(["top", "--json"]) == DONE

    document = json.loads(capsys.readouterr().out)
    assert msgspec.convert(document, Progress) == state(scenario="scale")


@pytest.mark.parametrize("options", [[], ["--once"], ["--json"]])
def test_of_several_runs_one_has_to_be_named(begin, place, capsys, options):
    begin("first")
    begin("second")

    assert main(["top", *options]) == BAD_INPUT

    output, error = capsys.readouterr()
    assert output == ""
    *listed, complaint = error.splitlines()
    assert [line.split("  ")[0].strip() for line in sorted(listed)] == [
        str(place / "first"),
        str(place / "second"),
    ]
    assert listed[0].endswith("step 2 of 7: 5 zones, running for 4 s")
    expected = "2 runs go on; expected the folder or session of one"
    assert complaint == f"zonesim: error: {expected}"


@pytest.mark.parametrize("others", [0, 1])
def test_a_run_that_does_not_go_on_is_not_found(begin, capsys, others):
    for number in range(others):
        begin(f"other{number}")

    assert main(["top", "reports/past"]) == BAD_INPUT

    *listed, complaint = capsys.readouterr().err.splitlines()
    assert len(listed) == others
    assert complaint.startswith("zonesim: error: reports/past: expected the folder or session of")


def test_ctrl_c_leaves_quietly(begin, capsys, monkeypatch):
    begin("run")

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(top.follow, "__defaults__", (interrupted,))

    assert main(["top"]) == DONE
    assert capsys.readouterr() == ("step 2 of 7, 5 zones: running\n", "")
