"""The measurement of the core runs, and tells all its rows; what it measures is not tested."""

from __future__ import annotations

import msgspec
import pytest

import corororo as cr
from zonesim.bench import core
from zonesim.bench.empty_work import first, number
from zonesim.bench.instant import InstantSource

NAMES = {
    "await an empty Task",
    "start and resume 396 chains",
    "schedule an empty Task",
    "tick of 1980 coroutines, numbers",
    "tick of 1980 coroutines, waypoints",
}


@pytest.fixture(scope="module")
def report() -> core.Report:
    return core.measure(core.Rounds(1, 1, 1, 1))


def test_every_comparison_has_its_row(report: core.Report) -> None:
    assert {row.name for row in report.rows} == NAMES
    for row in report.rows:
        assert row.ratio == pytest.approx(row.ours / row.theirs)
        assert row.goal > 0


def test_the_table_shows_each_row_and_how_it_was_measured(
    report: core.Report, capsys: pytest.CaptureFixture[str]
) -> None:
    core.print_report(report, as_json=False)
    head, titles, *rows = capsys.readouterr().out.splitlines()
    assert report.gc in head
    assert "ratio" in titles
    assert {row[:38].rstrip() for row in rows} == NAMES


def test_json_holds_the_same_figures(
    report: core.Report, capsys: pytest.CaptureFixture[str]
) -> None:
    core.print_report(report, as_json=True)
    assert msgspec.json.decode(capsys.readouterr().out, type=core.Report) == report


def test_both_sides_of_the_chains_do_the_same_work() -> None:
    with cr.Scheduler(InstantSource()) as scheduler:
        answers = [scheduler.run(first(number, chain)) for chain in range(core.CHAINS)]
        core.tick_chains(scheduler, number)
        assert scheduler.statistics().async_tasks_taken == 2 * core.CHAINS
    assert answers == core.send_chains()
