"""Bad input, and machines that have no room: one line, exit code 2, and nothing is left."""

from __future__ import annotations

import multiprocessing
import resource

import pytest
from zonesim_runs import Ended

from zonesim.cli.main import main

GROUND = ".....\n.@@@.\n.....\n.....\n.....\n"
MAP = f"type octile\nheight 5\nwidth 5\nmap\n{GROUND}"
SCEN = "version 1\n0\tother.map\t9\t9\t0\t0\t3\t3\t4.24264069\n"


@pytest.fixture(autouse=True)
def _files(tmp_path):
    (tmp_path / "unknown.toml").write_text('workload = "chains"\n[chains]\nchain = 3\n')
    (tmp_path / "far.toml").write_text('[map]\npath = "gone.map"\n')
    (tmp_path / "whole.map").write_text(MAP)
    (tmp_path / "half.map").write_text(MAP[: len(MAP) // 2])
    (tmp_path / "other.scen").write_text(SCEN)
    (tmp_path / "file").touch()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["run", "unknown.toml"], ["unknown.toml: $.chains.chain: unknown key; nearest: chains"]),
        (["run", "chains", "--zones", "0"], ["$.zones", "from 1 to 1000", "found 0"]),
        (["run", "far.toml"], ["far.toml: $.map.path: expected", "found no file", "gone.map"]),
        (["run", "field", "--set", "map.path=half.map"], ["half.map", "expected", "found"]),
        (["paths", "half.map", "other.scen"], ["half.map", "expected", "found"]),
        (["paths", "whole.map", "other.scen"], ["other.scen", "expected", "found"]),
        (["paths", "whole.map", "gone.scen"], ["gone.scen", "expected", "found"]),
        (["run", "chains", "--out", "file/run"], ["file/run", "found: Not a directory", "--out"]),
        (["run", "chains", "--out", "n" * 300], ["nnn", "found: File name too long", "--out"]),
        (["check", "n" * 300], ["nnn"]),
        (["report", "file"], ["file: a run's folder holds run.sqlite, this one does not"]),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path, monkeypatch, capsys, arguments, parts):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())

    ended = Ended(main(arguments), *capsys.readouterr())

    assert_refused(ended, *parts)
    assert_left(tmp_path, before)
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["run", "unknown.toml"], "unknown.toml: $.chains.chain: unknown key; nearest: chains"),
        (
            ["run", "chains", "--zones", "1000", "--set", "ring_mb=1024"],
            "the rings need 1024000 MB, found: /",
        ),
    ],
    ids=["a scenario", "a machine"],
)
def test_a_program_that_refuses_leaves_nothing_either(start, tmp_path, arguments, part):
    before = sorted(tmp_path.iterdir())

    ended = start(*arguments).finish()

    assert_refused(ended, part)
    assert_left(tmp_path, before)


def assert_refused(ended, *parts):
    assert (ended.code, ended.output) == (2, "")
    assert ended.error == f"zonesim: error: {ended.complaint}\n"
    assert all(part in ended.complaint for part in parts), ended.complaint


def assert_left(folder, before):
    """A run that names its own folder leaves at most the folder of all reports, empty."""
    assert sorted(p for p in folder.iterdir() if p.name != "reports") == before
    assert list(folder.glob("reports/*")) == []


def refuse_files_over(limit_bytes):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))


@pytest.mark.parametrize(
    ("limit_bytes", "arguments", "what"),
    [
        (60 << 10, ["field", "--workers", "1"], "graph"),
        (600 << 10, ["chains", "--workers", "1"], "ring"),
        (4 << 10, ["chains", "--workers", "0", "--set", "chains.chains=1"], "run.sqlite"),
    ],
)
def test_no_room_for_a_file_is_one_line_that_names_it(start, limit_bytes, arguments, what):
    limit = refuse_files_over(limit_bytes)

    ended = start("run", *arguments, "--ticks", "2", "--out", "run", preexec_fn=limit).finish()

    assert (ended.code, ended.output) == (2, "")
    assert what in ended.complaint


def test_no_room_for_the_graph_of_paths_is_one_line(start, tmp_path):
    wide = "type octile\nheight 400\nwidth 400\nmap\n" + ("." * 400 + "\n") * 400
    (tmp_path / "wide.map").write_text(wide)
    row = "0\twide.map\t400\t400\t0\t0\t3\t3\t4.24264069\n"
    (tmp_path / "wide.scen").write_text("version 1\n" + row)
    limit = refuse_files_over(1200 << 10)  # the ring of 1 MB has room

    ended = start("paths", "wide.map", "wide.scen", "--workers", "1", preexec_fn=limit).finish()

    assert (ended.code, ended.output) == (2, "")
    assert "graph" in ended.complaint


def test_a_usual_limit_on_open_files_is_raised_for_every_process_of_a_run(start):
    def allow_few_files_at_first():
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, hard))

    small = ("--ticks", "2", "--pace", "max", "--set", "chains.chains=1", "--workers", "1")
    together = ("--zones", "40", "--zones-per-process", "20")
    command = start("run", "chains", *together, *small, preexec_fn=allow_few_files_at_first)
    ended = command.finish()

    assert ended.code == 0, ended.error
    assert "Traceback" not in ended.error
    assert "40 Ready, 80 ticks" in ended.error


def test_too_few_open_files_are_refused_with_the_number_needed(start):
    def allow_few_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    ended = start("run", "chains", "--zones", "9", preexec_fn=allow_few_files).finish()

    assert (ended.code, ended.output) == (2, "")
    assert "9 zones need " in ended.complaint
    assert "the hard limit is 64" in ended.complaint


def test_a_map_whose_name_is_no_utf8_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    try:
        (tmp_path / "latin-\udce9.map").write_text(MAP)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")

    code = main(["run", "field", "--ticks", "1", "--set", "map.path=latin-\udce9.map"])

    assert_refused(
        Ended(code, *capsys.readouterr()), "$.map.path: expected a path in UTF-8, found "
    )
