"""The samples as pyperf reads them."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from zonesim.bench import pyperf_file
from zonesim.bench.figures import Comparison, alone
from zonesim.bench.launches import Amount, ratio
from zonesim.bench.suite import BenchError, Group, Options, Report, Suite, begin
from zonesim.cli.main import BAD_INPUT, main

OURS, THEIRS = [[1.0, 2.0], [3.0, 2.0]], [[4.0, 4.0], [4.0, 4.0]]
OTHERS = [[5.0, 6.0], [6.0, 5.0]]


@pytest.fixture
def report() -> Report:
    empty = begin(
        Suite("b", {"g": Group(lambda _: iter(()), Amount(2, 2), Amount(1, 1))}), Options(["g"])
    )
    rows = [
        Comparison("g", "a tick", "them", "us", ratio).row(OURS, THEIRS),
        Comparison("g", "a tick", "others", "us", ratio).row(OURS, OTHERS),
        Comparison("g", "a tick", "Ray", "us", ratio).row(THEIRS, OURS),
        alone("g", "a round", "ms", [[100.0]]),
        alone("g", "a Task", "bytes", [[700.0]]),
        alone("g", "calls lost", "", [[0.0]]),
        alone("g", "no time at all", "ms", [[0.0]]),
    ]
    return msgspec.structs.replace(empty, rows=rows)


def test_every_candidate_is_a_benchmark_with_a_run_for_each_launch(report, tmp_path: Path) -> None:
    pyperf = pytest.importorskip("pyperf")
    file = pyperf_file.write(report, tmp_path / "samples.json")
    suite = pyperf.BenchmarkSuite.load(str(file))
    assert suite.get_benchmark_names() == [
        "g: a tick",
        "g: a tick: them",
        "g: a tick: others",
        "g: a tick (beside Ray)",
        "g: a tick: Ray",
        "g: a round",
        "g: a Task",
    ]
    ours = suite.get_benchmark("g: a tick")
    assert [run.values for run in ours.get_runs()] == [(1e-6, 2e-6), (3e-6, 2e-6)]
    assert ours.get_unit() == "second"
    assert ours.get_metadata()["cpu_model_name"] == report.machine["cpu"]
    assert suite.get_benchmark("g: a round").get_values() == (0.1,)
    assert suite.get_benchmark("g: a Task").get_unit() == "byte"


def test_the_file_names_neither_the_host_nor_its_user(report, tmp_path: Path) -> None:
    pytest.importorskip("pyperf")
    document = json.loads(pyperf_file.write(report, tmp_path / "samples.json").read_text())
    assert "hostname" not in json.dumps(document)


def test_nothing_is_written_where_nothing_has_a_unit(report, tmp_path: Path) -> None:
    pytest.importorskip("pyperf")
    bare = msgspec.structs.replace(report, rows=report.rows[-2:])
    assert pyperf_file.write(bare, tmp_path / "samples.json") is None
    assert list(tmp_path.iterdir()) == []


def test_without_pyperf_nothing_is_measured(monkeypatch, tmp_path: Path, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pyperf_file, "LIBRARY", "no_such_library")
    assert main(["bench", "memory", "--pyperf", "samples.json"]) == BAD_INPUT
    (line,) = capsys.readouterr().err.splitlines()
    assert "--pyperf: expected pyperf, found none; pip install" in line
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_could_not_be_written_is_refused_at_once(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pyperf_file, "LIBRARY", "json")
    there = tmp_path / "there.json"
    there.touch()
    with pytest.raises(BenchError, match="expected the name of a new file"):
        pyperf_file.check(there)
    with pytest.raises(BenchError, match="expected a folder that can be written"):
        pyperf_file.check(tmp_path / "nowhere" / "samples.json")
