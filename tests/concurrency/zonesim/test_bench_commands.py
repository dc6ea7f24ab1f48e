"""`zonesim bench` with real processes: what it prints and saves, and nothing is left behind."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from waiting import wait_until
from zonesim_runs import Command, needs_titles

import corororo as cr
from zonesim.bench import noise, suite
from zonesim.bench.isolated import run_isolated
from zonesim.bench.memory.probes import ring_bytes, size_of
from zonesim.bench.peers import command as peers
from zonesim.bench.peers.fleet import KILLS, WRONG, run_fleet, run_with_kills
from zonesim.bench.suite import BenchError
from zonesim.cli.main import BAD_INPUT, DONE, main

pytestmark = pytest.mark.timeout(100)

ONCE = ("--quick", "--launches", "1", "--rounds", "1")
PICTURES = {
    "spectrum": ["spectrum.png"],
    "ladder": ["waterfall_numbers.png", "waterfall_paths.png"],
    "peers": [],
    "memory": [],
}


@pytest.mark.parametrize(
    ("command", "groups"),
    [
        ("spectrum", "patterns,impact,zones,batching,bursts"),
        ("ladder", "numbers"),
        ("peers", "hand,calls,map,arrays,zones"),
        ("memory", "rings"),
    ],
)
def test_a_bench_prints_its_table_first_and_saves_and_draws_it(
    command: str,
    groups: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(noise, "LOOK_S", 0.02)
    monkeypatch.setattr(peers, "PACES", dict.fromkeys(peers.PACES, (2, 0.0)))
    assert main(["bench", command, "--only", groups, *ONCE, "--out", str(tmp_path)]) == DONE
    lines = capsys.readouterr().out.splitlines()
    report = suite.load(tmp_path)
    assert report.complete
    assert list(report.amounts) == groups.split(",")
    assert {row.group for row in report.rows} >= set(report.amounts)
    shown = [row for row in report.rows if not row.detail]
    assert lines[0].startswith("a tick: 1,980 coroutines")
    assert all(line.startswith(row.name) for row, line in zip(shown, lines[1:], strict=False))
    files = ["bench.json", *(name for name in PICTURES[command] if "paths" not in name)]
    assert lines[len(shown) + 2 :] == [f"written: {tmp_path / file}" for file in files]
    assert all((tmp_path / file).is_file() for file in files)


def test_a_quick_run_compares_the_tick_with_every_other_way_at_every_pace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noise, "LOOK_S", 0.02)
    assert main(["bench", "peers", "--only", "hand", *ONCE, "--out", str(tmp_path)]) == DONE
    goals = {row.key[1:]: row.goal and row.goal.bound for row in suite.load(tmp_path).rows}
    for pace in ("back to back", "20 ms apart", "after 400 ms idle"):
        assert goals[f"a tick, {pace}", "the prototype"] == 1.3
        assert goals[f"a tick, {pace}", "the limit"] == 1.2
        assert (f"a tick, {pace}", "asyncio + ProcessPoolExecutor.map") in goals


@pytest.mark.slow
@pytest.mark.parametrize("command", PICTURES)
def test_a_quick_bench_measures_all_its_groups(start, tmp_path: Path, command: str) -> None:
    ended = start("bench", command, "--quick", "--verbose", "--out", "out").finish(90)
    assert ended.code == 0
    report = suite.load(tmp_path / "out")
    assert {row.group for row in report.rows} >= set(report.amounts)
    assert all(f"\n{group} (" in ended.output for group in report.amounts)
    assert all((tmp_path / "out" / file).is_file() for file in PICTURES[command])


def test_json_is_all_that_stands_on_standard_output(start) -> None:
    ended = start("bench", "peers", "--json", "--only", "calls,fleet-300", *ONCE).finish()
    assert ended.code == 0
    assert {row["group"] for row in ended.document["rows"]} == {"calls"}
    assert ended.document["complete"]
    assert ended.document["notes"][0] == "fleet-300: only a run without --quick measures it"


def test_a_picture_does_not_depend_on_its_users_settings(start, tmp_path: Path) -> None:
    measured = ("spectrum", "--only", "bursts", *ONCE, "--out", "out")
    assert start("bench", *measured, environment={"MPLBACKEND": "none"}).finish().code == 0
    assert (tmp_path / "out" / "spectrum.png").is_file()


@pytest.mark.parametrize("command", PICTURES)
def test_the_help_shows_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", command, "--help"]) == DONE
    assert f"zonesim bench {command} --quick" in capsys.readouterr().out


def test_an_unknown_group_is_refused_with_the_known_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "peers", "--only", "hands", "--out", str(tmp_path)]) == BAD_INPUT
    complaint = capsys.readouterr().err
    assert (
        f"--only: expected one or more of {','.join(peers.SUITE.groups)}, found 'hands'"
        in complaint
    )


# -- how it ends


@pytest.fixture
def start_bench(start) -> Callable[..., Command]:
    """A bench that goes on until it is ended."""

    def start_one(command: str, groups: str) -> Command:
        bench = start("bench", command, "--only", groups, "--launches", "1000", "--out", "out")
        bench.wait_until(lambda: len(bench.processes()) > 4, "processes")
        return bench

    return start_one


def wait_for_title(bench: Command, title: str) -> None:
    bench.wait_until(lambda: any(title in line for line in bench.processes().values()), title)


@pytest.mark.parametrize("group", ["hand", "zones"])
def test_ctrl_c_ends_every_process(start_bench, group: str) -> None:
    bench = start_bench("peers", group)
    bench.signal_all(signal.SIGINT)
    ended = bench.finish()
    assert ended.code == 130
    assert "Traceback" not in ended.error


@needs_titles
def test_ctrl_c_saves_what_was_measured_before_and_ends_all_zones(start, tmp_path: Path) -> None:
    amount = ("--launches", "1", "--rounds", "1")
    bench = start("bench", "peers", "--only", "calls,fleet-field", *amount, "--out", "out")
    wait_for_title(bench, "zonesim zone")
    bench.signal_all(signal.SIGINT)
    ended = bench.finish()
    assert (ended.code, "Traceback" in ended.error) == (130, False)
    assert "the run was interrupted" in ended.output
    report = suite.load(tmp_path / "out")
    assert {row.group for row in report.rows} == {"calls"}
    assert not report.complete


@needs_titles
@pytest.mark.parametrize(("group", "title"), [("hand", ""), ("fleet-field", "zonesim zone")])
def test_no_process_outlives_a_bench_that_is_killed(start_bench, group: str, title: str) -> None:
    bench = start_bench("peers", group)
    wait_for_title(bench, title)
    bench.signal(signal.SIGKILL)
    assert bench.finish().code == -signal.SIGKILL
    assert bench.wait_for_the_last_ones() == {}
    with cr.WorkerPool(workers=1):
        pass  # the next pool removes what a killed owner left behind
    wait_until(lambda: bench.sessions() == [], "nothing is left in shared memory", 5)


# -- functions in a process of their own


def test_an_isolated_function_returns_its_figures() -> None:
    assert 100 < run_isolated(size_of, 60, "a Task, parked")["a Task, parked"] < 100_000
    assert run_isolated(ring_bytes, 60)["a ring, its file"] == 1 << 20


def test_an_isolated_function_that_fails_or_takes_too_long_is_an_error() -> None:
    with pytest.raises(BenchError, match="size_of: KeyError: 'no such object'"):
        run_isolated(size_of, 60, "no such object")
    with pytest.raises(BenchError, match="run_fleet: not done within 1 s"):
        run_isolated(run_fleet, 1, "chains", 1, {"zones": 1, "duration_s": 60})


def test_a_fleet_gives_the_figures_that_have_goals() -> None:
    overrides = {"zones": 2, "ticks": 4, "period_ms": 50, "chains.chains": 3}
    found = run_isolated(run_fleet, 60, "chains", 1, overrides)
    assert set(found) >= {"late ticks", "response p99", "ticks/s of the slowest zone"}


def test_killed_workers_lose_and_double_no_call() -> None:
    found = run_isolated(run_with_kills, 90, 2, 2, 2)
    assert found[KILLS] > 0
    assert found[WRONG] == 0
