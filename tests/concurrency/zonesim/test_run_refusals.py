"""Bad input, and machines that are too small: one line, exit code 2, and nothing is left."""

from __future__ import annotations

import multiprocessing
import resource

import pytest
from zonesim_runs import Ended

from zonesim.cli.main import main

MAP = "type octile\nheight 4\nwidth 5\nmap\n.....\n.@@@.\n.....\n.....\n"
SCEN = "version 1\n0\tother.map\t9\t9\t0\t0\t3\t3\t4.24264069\n"


@pytest.fixture(autouse=True)
def _files(tmp_path):
    (tmp_path / "unknown.toml").write_text('workload = "chains"\n[chains]\nchain = 3\n')
    (tmp_path / "far.toml").write_text('[map]\npath = "gone.map"\n')
    (tmp_path / "whole.map").write_text(MAP)
    (tmp_path / "half.map").write_text(MAP[: len(MAP) // 2])
    (tmp_path / "other.scen").write_text(SCEN)
    (tmp_path / "walls.scen").write_text("version 1\n0\twhole.map\t5\t4\t1\t1\t0\t0\t1\n")
    (tmp_path / "file").touch()


def expect_refused(ended: Ended, *parts: str) -> None:
    assert (ended.code, ended.output) == (2, "")
    assert ended.error == f"zonesim: error: {ended.complaint}\n"
    assert all(part in ended.complaint for part in parts), ended.complaint


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["run", "unknown.toml"], ["unknown.toml: $.chains.chain: unknown key; nearest: chains"]),
        (["run", "chains", "--zones", "0"], ["$.zones", "from 1 to 1000", 'found "0"']),
        (["run", "far.toml"], ["far.toml: $.map.path: expected", "found no file", "gone.map"]),
        (["run", "field", "--set", "map.path=half.map"], ["half.map", "expected", "found"]),
        (["paths", "whole.map", "other.scen"], ["other.scen", "expected", "found"]),
        (["paths", "whole.map", "gone.scen"], ["gone.scen", "expected", "found"]),
        (["paths", "whole.map", "walls.scen"], ["walls.scen: line 2: expected", "1 that does not"]),
        (["run", "chains", "--out", "file/run"], ["file/run", "here: Not a directory", "--out"]),
        (["run", "chains", "--out", "n" * 300], ["nnn", "here: File name too long", "--out"]),
        (["report", "file"], ["file: expected the folder of a run, found no run.sqlite in it"]),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path, monkeypatch, capsys, arguments, parts):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())

    expect_refused(Ended(main(arguments), *capsys.readouterr()), *parts)

    assert sorted(path for path in tmp_path.iterdir() if path.name != "reports") == before
    assert list(tmp_path.glob("reports/*")) == []
    assert multiprocessing.active_children() == []


def test_rings_that_do_not_fit_in_memory_are_refused(start):
    ended = start("run", "chains", "--zones", "1000", "--set", "ring_mb=1024").finish()
    expect_refused(ended, "the rings need 1024000 MB, found: /", "--set ring_mb=...")


def limit_to(number: int, what: int = resource.RLIMIT_FSIZE):
    return lambda: resource.setrlimit(what, (number, number))


@pytest.mark.parametrize(
    ("limit_bytes", "arguments", "what"),
    [
        (60 << 10, ["field", "--workers", "1"], "graph"),
        (600 << 10, ["chains", "--workers", "1"], "ring"),
        (4 << 10, ["chains", "--workers", "0", "--set", "chains.chains=1"], "run.sqlite"),
    ],
)
def test_no_room_for_a_file_is_one_line_that_names_it(start, limit_bytes, arguments, what):
    limit = limit_to(limit_bytes)
    ended = start("run", *arguments, "--ticks", "2", "--out", "run", preexec_fn=limit).finish()
    assert (ended.code, ended.output) == (2, "")
    assert what in ended.complaint


def test_a_low_limit_on_open_files_is_raised_as_far_as_the_system_allows(start):
    def allow_few_files_at_first():
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, hard))

    small = ("--ticks", "2", "--pace", "max", "--set", "chains.chains=1", "--workers", "1")
    together = ("--zones", "40", "--zones-per-process", "20")
    command = start("run", "chains", *together, *small, preexec_fn=allow_few_files_at_first)
    ended = command.finish()
    assert ended.code == 0, ended.error
    assert "zones 40 Ready, " in ended.error
    assert "ticks 80, " in ended.error

    few = limit_to(64, resource.RLIMIT_NOFILE)
    ended = start("run", "chains", "--zones", "9", preexec_fn=few).finish()
    expect_refused(ended, "9 zones need ", "the hard limit is 64")
