"""`zonesim bench peers` and `memory` with real processes: rows, ends, and nothing left behind."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from zonesim_runs import Command, needs_titles

import corororo as cr
from zonesim.bench import memory, suite
from zonesim.bench.apart import run_apart
from zonesim.bench.core import CHAINS
from zonesim.bench.fleet_run import FleetRun, run_fleet
from zonesim.bench.peer_pools import kinds
from zonesim.bench.peer_pools.by_hand import BY_HAND
from zonesim.bench.peer_pools.executors import STANDARD
from zonesim.bench.peers import SUITE
from zonesim.bench.struck import CALLS, Struck, strike
from zonesim.bench.suite import Options, Setting, begin

pytestmark = pytest.mark.timeout(100)

GOALS = {"b2b": 6, "paced": 6, "submit": 4, "added": 1, "alone": 1, "map": 2, "zones": 1}
FIGURES = {
    "added": lambda row: (row.ours - row.theirs) / CHAINS,
    "map": lambda row: row.theirs / row.ours,
    "zones": lambda row: row.ours,
}


@pytest.fixture
def start_bench(start) -> Callable[..., Command]:
    """A bench that goes on until it is ended."""

    def start_one(command: str, groups: str) -> Command:
        return start("bench", command, "--only", groups, "--launches", "1000", "--out", "out")

    return start_one


def wait_for_processes(bench: Command, count: int) -> None:
    bench.wait_until(lambda: len(bench.processes()) > count, f"{count} processes")


# -- what is measured


def test_every_group_has_its_rows_and_they_lead_to_the_goals(monkeypatch) -> None:
    monkeypatch.setattr(kinds, "KINDS", (STANDARD, BY_HAND))  # which are there wherever this runs
    groups = [name for name in SUITE.groups if name not in ("killed", "fleet")]
    report = begin(SUITE, Options(groups, quick=True, launches=1, rounds=1))
    measured = {part.group: part.rows for part in suite.measure(SUITE, report)}
    for group in groups:
        with_goal = [row for row in measured[group] if row.goal is not None]
        assert len(with_goal) == GOALS[group]
        for row in with_goal:
            figure = FIGURES.get(group, lambda row: row.ours / row.theirs)(row)
            assert row.figure == pytest.approx(figure)
    assert [row.group for row in measured["goals"]] == ["goals"] * 9
    assert {row.unit for row in measured["goals"]} == {"us", "ms"}


def test_a_worker_killed_under_our_calls_costs_none_and_a_deadly_call_fails_alone() -> None:
    once, each = run_apart(strike, Struck, 60.0, "corororo", 2, 30.0)
    assert (once.came_back, once.run_again > 0, once.pool) == (CALLS, True, "")
    assert (each.came_back, each.errors, each.pool) == (CALLS - 1, ["WorkerDied"], "")


def test_a_worker_killed_under_calls_of_the_standard_pool_is_its_end() -> None:
    once, each = run_apart(strike, Struck, 60.0, STANDARD.name, 2, 30.0)
    for struck in (once, each):
        assert struck.failed > 0
        assert struck.pool == "is dead (BrokenProcessPool)"


def test_a_run_of_zone_processes_gives_its_figures_by_parts() -> None:
    overrides = {"zones": 2, "ticks": 4, "workers": 1, "period_ms": 50, "chains.chains": 3}
    (run,) = run_apart(run_fleet, FleetRun, 60.0, "chains", overrides, 2, False)
    assert [len(part) for part in run.response_ms] == [4, 4]
    assert run.ticks_of_zones == [4, 4]
    assert run.async_tasks.completed == 2 * 4 * 3
    assert len(run.main_ms) == len(run.late) == len(run.late_percent) == 2


def test_memory_of_things_processes_and_rings_is_told(monkeypatch) -> None:
    monkeypatch.setattr(memory, "KINDS", ["a Task, parked"])
    monkeypatch.setattr(memory, "QUICK_ZONES", 2)
    monkeypatch.setattr(memory, "QUICK_CALLS", 1)
    setting = Setting(suite.Amount(1, 1), 1, True)
    parts = [part for group in memory.SUITE.groups.values() for part in group.measure(setting)]
    assert all(isinstance(part, suite.Row) for part in parts)
    found = {row.name: row.figure for row in parts}
    assert 100 < found["a Task, parked"] < 100_000
    assert 1 < found["a zone process of 2, chains"] < 100
    assert found["a ring, its file"] == 1 << 20
    assert 0 < found["a ring, what its zone has touched"] <= 1 << 20
    assert {"a worker of 1, empty calls", "all workers, by a million AsyncTasks"} <= found.keys()


# -- how it ends


def test_json_is_all_that_stands_on_standard_output(start) -> None:
    amount = ("--launches", "1", "--rounds", "1")
    ended = start("bench", "peers", "--json", "--only", "added,fleet", "--quick", *amount).finish()
    assert ended.code == 0
    assert [row["group"] for row in ended.document["rows"]] == ["added", "goals"]
    assert ended.document["complete"]
    assert "need the full run" in ended.document["notes"][-1]


@pytest.mark.parametrize("groups", ["paced", "killed", "zones"])
def test_ctrl_c_is_the_end_of_every_process(start_bench, groups: str) -> None:
    bench = start_bench("peers", groups)
    wait_for_processes(bench, 4)  # with the servers that the others come from
    bench.signal_all(signal.SIGINT)
    ended = bench.finish()
    assert ended.code == 130
    assert "Traceback" not in ended.error


@needs_titles
def test_what_was_measured_before_ctrl_c_is_saved(start, tmp_path: Path) -> None:
    amount = ("--launches", "1", "--rounds", "1")
    bench = start("bench", "peers", "--only", "added,fleet", *amount, "--out", "out")
    wait_for_processes(bench, 4)
    bench.wait_until(
        lambda: any("zonesim zone" in line for line in bench.processes().values()), "zone processes"
    )
    bench.signal(signal.SIGTERM)
    assert bench.finish().code == 130
    report = suite.load(tmp_path / "out")
    assert [row.group for row in report.rows] == ["added"]
    assert not report.complete


@pytest.mark.parametrize("groups", ["submit", "killed"])
def test_no_process_outlives_a_run_that_is_killed(start_bench, groups: str) -> None:
    bench = start_bench("peers", groups)
    wait_for_processes(bench, 6)
    bench.signal(signal.SIGKILL)
    assert bench.finish().code == -signal.SIGKILL
    assert bench.wait_for_the_last_ones() == {}
    with cr.WorkerPool(workers=1):
        pass  # whoever starts next removes what a killed owner left
    assert bench.sessions() == []
