"""`zonesim bench spectrum` runs, saves all that it tells, and leaves nothing; times are free."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
from pathlib import Path
from typing import NamedTuple

import pytest

import corororo as cr
from corororo._ring import candidate_bases
from zonesim.bench import noise
from zonesim.bench.core import COROUTINES
from zonesim.bench.impact_parts import COMPONENTS, open_components
from zonesim.bench.plan import ORIGINAL, PLAN, impact_ms
from zonesim.bench.spectrum import SUITE
from zonesim.bench.suite import Report, load
from zonesim.cli.main import BAD_INPUT, DONE, main
from zonesim.system.operating_system import cpus_to_hold

pytestmark = pytest.mark.timeout(100)


class Run(NamedTuple):
    report: Report
    told: str
    picture: bytes


def run_groups(folder: Path, *groups: str) -> Run:
    chosen = ["--only", ",".join(groups)] if groups else []
    amount = ["--quick", "--launches", "1", "--rounds", "1"]
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as out:
        patch.setattr(noise, "LOOK_S", 0.02)
        assert main(["bench", "spectrum", *chosen, *amount, "--out", str(folder)]) == DONE
    return Run(load(folder), out.getvalue(), (folder / "spectrum.png").read_bytes())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_groups(tmp_path_factory.mktemp("run"), "patterns", "queue")


@pytest.fixture(autouse=True)
def _nothing_is_left_behind():
    yield
    assert multiprocessing.active_children() == []
    pattern = f"*corororo-{os.getuid()}-{os.getpid()}-*"
    assert [found for base in candidate_bases() for found in base.glob(pattern)] == []


def test_a_run_saves_and_draws_what_it_tells(run: Run) -> None:
    assert run.report.complete
    groups = {row.group for row in run.report.rows}
    assert groups == {"patterns", "queue", "targets", "criteria"}
    for row in run.report.rows:
        assert row.ours > 0
        assert row.interval is None  # of a single round
        assert row.name in run.told
    assert all(note in run.told for note in run.report.notes)
    assert run.picture.startswith(b"\x89PNG")


def test_every_pattern_stands_beside_the_plan_s_with_its_impact(run: Run) -> None:
    rows = {(row.name, row.against): row for row in run.report.rows if row.group == "patterns"}
    overheads = [row for row in rows.values() if row.unit == "us" and row.against == PLAN]
    assert len(overheads) == 6
    for row in overheads:
        impact = rows[f"{row.name}: impact", PLAN]
        assert impact.ours == pytest.approx(impact_ms(row.ours))
        assert impact.theirs == pytest.approx(impact_ms(row.theirs or 0), rel=0.003)
    assert sum(row.against == ORIGINAL for row in rows.values()) == 3


def test_every_component_of_a_tick_is_measured_by_itself() -> None:
    with cr.Scheduler() as zone, open_components(zone) as components:
        costs_us = {name: cost_us() for name, cost_us in components.items()}
    assert list(costs_us) == [component.name for component in COMPONENTS]
    assert all(cost_us >= 0 for cost_us in costs_us.values())


def test_the_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "spectrum", "--help"]) == DONE
    assert "zonesim bench spectrum --quick" in capsys.readouterr().out


def test_a_group_that_is_not_there_is_refused_with_those_that_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "spectrum", "--only", "pattern", "--out", str(tmp_path)]) == BAD_INPUT
    complaint = capsys.readouterr().err
    assert "expected some of patterns,work,impact" in complaint
    assert "found 'pattern'" in complaint


@pytest.mark.slow
def test_all_groups_have_their_rows(tmp_path: Path) -> None:
    report = run_groups(tmp_path).report
    skipped = set() if len(cpus_to_hold()) > 1 else {"free", "apart"}
    measured = {row.group for row in report.rows}
    assert measured == (set(SUITE.groups) - skipped) | {"targets", "criteria"}
    counted = {row.name: row.ours for row in report.rows if row.name.startswith("batches: ")}
    assert counted[f"batches: {COROUTINES:,} calls, in tens by .map"] == COROUTINES / 10
