"""`zonesim bench peers` and `memory` with real processes: rows, ends, and nothing left behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from waiting import wait_until
from zonesim_runs import Command, needs_titles

import corororo as cr
from zonesim.bench import call_groups, memory, suite
from zonesim.bench.apart import run_apart
from zonesim.bench.core import CHAINS
from zonesim.bench.figures import Row
from zonesim.bench.fleet_run import FleetRun, run_fleet
from zonesim.bench.launches import Amount, Pause
from zonesim.bench.peer_pools import kinds
from zonesim.bench.peer_pools.by_hand import BY_HAND
from zonesim.bench.peer_pools.executors import STANDARD
from zonesim.bench.peers import SUITE
from zonesim.bench.struck import CALLS, Struck, strike
from zonesim.bench.suite import Setting
from zonesim.system.operating_system import read_proc, session_processes

pytestmark = pytest.mark.timeout(100)

GOALS = {"b2b": 6, "submit": 4, "added": 1, "alone": 1, "map": 2}  # rows that have one
FIGURES = {
    "added": lambda row: (row.ours - row.theirs) / CHAINS,
    "map": lambda row: row.theirs / row.ours,
}


@pytest.fixture
def start_bench(start) -> Callable[..., Command]:
    """A bench that goes on until it is ended."""

    def start_one(command: str, groups: str) -> Command:
        return start("bench", command, "--only", groups, "--launches", "1000", "--out", "out")

    return start_one


def wait_for_processes(bench: Command, count: int) -> None:
    bench.wait_until(lambda: len(bench.processes()) > count, f"{count} processes")


def wait_for_them_all(bench: Command) -> None:
    """Return when no process has been started for a while: none is half started then."""
    looks: list[int] = []

    def settled() -> bool:
        looks.append(len(bench.processes()))
        return len(set(looks[-30:])) == 1 and len(looks) > 30

    bench.wait_until(settled, "an end of starting")


def wait_for_session(bench: Command, title: str = "") -> int:
    """The session of what it runs apart, once several processes are there, one of that title."""

    def look() -> int | None:
        for entry in os.listdir("/proc"):
            words = read_proc(entry, "stat").rpartition(")")[2].split()
            if words and int(words[1]) == bench.pid and words[3] == entry:
                lines = (session_processes(int(entry)) or {}).values()
                if len(lines) > 2 and any(title in line for line in lines):
                    return int(entry)
        return None

    return bench.wait_until(look, "session of its own")


# -- what is measured


def parts_of(group: str, bench: suite.Suite, setting: Setting) -> list[Row | str]:
    measuring = bench.groups[group].measure(setting)
    return [part for part in measuring if not isinstance(part, Pause)]


def test_every_group_has_its_rows_and_they_lead_to_the_goals(monkeypatch) -> None:
    monkeypatch.setattr(kinds, "KINDS", (STANDARD, BY_HAND))  # which are there wherever this runs
    monkeypatch.setattr(call_groups, "CHUNKS", (5_000,))
    setting = Setting(Amount(1, 1), 2, True)
    measured = {name: parts_of(name, SUITE, setting) for name in GOALS}
    for group, rows in measured.items():
        with_goal = [row for row in rows if row.goal is not None]
        assert len(with_goal) == GOALS[group]
        for row in with_goal:
            figure = FIGURES.get(group, lambda row: row.ours / row.theirs)(row)
            assert row.figure == pytest.approx(figure)
    rows = [row for rows in measured.values() for row in rows if isinstance(row, Row)]
    concluded = SUITE.conclude(rows, list(measured))
    goals = [part for part in concluded if isinstance(part, Row)]
    assert [row.group for row in goals] == ["goals"] * 6
    assert {row.unit for row in goals} == {"us", "ms"}


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


def figures_of_memory(groups: list[str]) -> dict[str, float]:
    setting = Setting(Amount(1, 1), 1, True)
    parts = [part for name in groups for part in parts_of(name, memory.SUITE, setting)]
    assert all(isinstance(part, Row) for part in parts)
    return {row.name: row.figure for row in parts}


@pytest.mark.slow
def test_memory_of_things_and_rings_is_told(monkeypatch) -> None:
    monkeypatch.setattr(memory, "KINDS", ["a Task, parked"])
    monkeypatch.setattr(memory, "QUICK_CALLS", 1)
    found = figures_of_memory(["objects", "rings", "growth"])
    assert 100 < found["a Task, parked"] < 100_000
    assert found["a ring, its file"] == 1 << 20
    assert 0 < found["a ring, what its zone has touched"] <= 1 << 20
    assert "all workers, by a million AsyncTasks" in found


@pytest.mark.slow
def test_memory_of_processes_is_told(monkeypatch) -> None:
    monkeypatch.setattr(memory, "QUICK_ZONES", 2)
    found = figures_of_memory(["processes"])
    assert 1 < found["a zone process of 2, chains"] < 100
    assert found["a worker of 1, empty calls"] < found["a worker of 1, imports what finds paths"]


# -- how it ends


def test_json_is_all_that_stands_on_standard_output(start) -> None:
    amount = ("--launches", "1", "--rounds", "1")
    ended = start("bench", "peers", "--json", "--only", "added,fleet", "--quick", *amount).finish()
    assert ended.code == 0
    assert [row["group"] for row in ended.document["rows"]] == ["added", "goals"]
    assert ended.document["complete"]
    notes = ended.document["notes"]
    assert any("need the full run" in note for note in notes)
    assert sum("not measured" in note for note in notes) == 10  # the goals of fleets


@pytest.mark.parametrize("groups", ["paced", "zones"])
def test_ctrl_c_is_the_end_of_every_process(start_bench, groups: str) -> None:
    bench = start_bench("peers", groups)
    wait_for_processes(bench, 4)  # with the servers that the others come from
    bench.signal_all(signal.SIGINT)
    ended = bench.finish()
    assert ended.code == 130
    assert "Traceback" not in ended.error


@needs_titles
def test_what_was_measured_before_ctrl_c_is_saved_and_no_zone_goes_on(start, tmp_path) -> None:
    amount = ("--launches", "1", "--rounds", "1")
    bench = start("bench", "peers", "--only", "added,fleet", *amount, "--out", "out")
    zones = wait_for_session(bench, "zonesim zone")
    bench.signal_all(signal.SIGINT)
    ended = bench.finish()
    assert (ended.code, "Traceback" in ended.error) == (130, False)
    assert session_processes(zones) == {}
    report = suite.load(tmp_path / "out")
    assert [row.group for row in report.rows] == ["added"]
    assert not report.complete


def test_no_process_outlives_a_run_that_is_killed(start_bench) -> None:
    bench = start_bench("peers", "submit")
    wait_for_processes(bench, 6)
    wait_for_them_all(bench)
    bench.signal(signal.SIGKILL)
    assert bench.finish().code == -signal.SIGKILL
    assert bench.wait_for_the_last_ones() == {}
    with cr.WorkerPool(workers=1):
        pass  # whoever starts next removes what a killed owner left
    assert bench.sessions() == []


@needs_titles
def test_nothing_that_runs_apart_outlives_a_run_that_is_killed(start_bench) -> None:
    bench = start_bench("peers", "killed")
    apart = wait_for_session(bench, "corororo worker")
    bench.signal(signal.SIGKILL)
    assert bench.finish().code == -signal.SIGKILL
    wait_until(lambda: session_processes(apart) == {}, "its processes have ended", 5)
