"""Whole runs: what they print, save and report, in time and overloaded."""

from __future__ import annotations

import json
import os
from itertools import pairwise
from math import ceil

import pytest
from zonesim_runs import Command, saved

from zonesim.cli.main import main

ZONES = 3
TICKS = 12
PERIOD_NS = 40_000_000


def ended_run(folder, *arguments):
    """Run a command in a folder, to its good end."""
    command = Command(*arguments, "--json", "--out", "run", cwd=folder)
    ended = command.finish()
    assert command.clean_up() == ({}, [])
    assert ended.code == 0, ended.error
    return folder / "run", ended


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The folder of a run of all the chains, and its end."""
    bounds = ("--zones", str(ZONES), "--ticks", str(TICKS), "--set", "period_ms=40")
    return ended_run(tmp_path_factory.mktemp("measured"), "run", "chains", *bounds, "--report")


def test_standard_output_is_the_summary_and_standard_error_the_progress(measured):
    folder, ended = measured
    assert json.loads((folder / "summary.json").read_text()) == ended.document
    assert ended.output.endswith("}\n")
    lines = ended.error.splitlines()
    assert lines[0] == "step 1 of 1, 3 zones: starting"
    last = next(line for line in lines if ": ended after" in line)
    assert f"zones {ZONES} Ready, " in last
    assert f"ticks {ZONES * TICKS}, " in last
    assert f"report: {folder.name}/report.html" in lines
    assert "\x1b" not in ended.error


def test_every_call_comes_back_and_is_counted_with_its_worker(measured):
    folder, ended = measured
    [step] = ended.document["steps"]
    calls = ZONES * TICKS * 396
    counts = {"submitted": calls, "completed": calls, "failed": 0, "retried": 0, "lost": 0}
    assert step["async_tasks"] == counts
    assert (step["zones"], step["zone_processes"], step["ticks"]) == (ZONES, ZONES, ZONES * TICKS)
    assert ended.document["limits"] == {"ok": True, "broken": []}
    assert saved(folder, "SELECT DISTINCT tasks + async_submitted FROM ticks") == [(1980,)]
    workers = saved(folder, "SELECT worker, restarts FROM workers ORDER BY worker")
    assert workers == [(n + 1, 0) for n in range(len(workers))]
    done = saved(folder, "SELECT sum(calls), sum(batches) FROM workers")
    assert done == [(calls, step["batches"])]


def test_every_zone_ticks_in_order_from_the_phase_of_its_number(measured):
    folder, ended = measured
    rows = saved(folder, "SELECT zone, tick FROM ticks ORDER BY zone, started_ns")
    assert rows == [(zone, tick) for zone in range(ZONES) for tick in range(TICKS)]
    late = f"SELECT count(*) FROM ticks WHERE finished_ns > scheduled_ns + {PERIOD_NS}"
    assert saved(folder, late) == [(ended.document["steps"][0]["late"],)]
    begins = saved(folder, "SELECT scheduled_ns FROM ticks WHERE tick = 0 ORDER BY zone")
    assert [begin - begins[0][0] for (begin,) in begins] == [0, 24_721_359, 9_442_719]


def test_report_computes_the_same_summary_again_and_redraws(measured, capsys):
    folder, ended = measured
    for file in (*folder.glob("*.png"), folder / "report.html", folder / "summary.json"):
        file.unlink()

    assert main(["report", str(folder)]) == 0

    assert capsys.readouterr().out == f"report: {folder / 'report.html'}\n"
    assert json.loads((folder / "summary.json").read_text()) == ended.document
    assert len(list(folder.glob("*.png"))) == 4
    assert "data:image/png;base64," in (folder / "report.html").read_text()


def test_a_run_that_breaks_its_limits_ends_with_exit_code_1(start, tmp_path):
    (tmp_path / "strict.toml").write_text(
        'workload = "chains"\nticks = 2\nperiod_ms = 40\n'
        "[chains]\nchains = 1\n[limits]\ntick_p99_ms = 1e-5\n"
    )
    ended = start("run", "strict.toml", "--report", "--out", "run").finish()

    assert ended.code == 1, ended.error
    assert ended.output.startswith("does not hold 1 zone at 25 ticks/s: tick p99 ")
    assert "limit broken: step 1 (1 zone): tick_p99_ms is" in ended.output
    assert "report: run/report.html\n" in ended.output


def test_a_closed_standard_error_changes_no_exit_code(start):
    reader, writer = os.pipe()
    os.close(reader)
    small = ("--ticks", "1", "--workers", "1", "--set", "chains.chains=4", "--json")
    good = start("run", "chains", *small, "--out", "run", stderr=writer)
    bad = start("run", "chains", "--zones", "0", stderr=writer)
    os.close(writer)
    assert [command.finish().code for command in (good, bad)] == [0, 2]


# 30 calls of 5 ms on one worker: a tick of two zones takes some seven periods.
LOAD = ("--workers", "1", "--set", "chains.chains=30", "--set", "chains.work=sleep:5ms")
OVERLOAD = ("--zones", "2", "--set", "period_ms=40", *LOAD)


def test_each_tick_that_was_due_is_run_or_missed_and_the_next_keeps_the_schedule(tmp_path):
    folder, ended = ended_run(tmp_path, "run", "chains", "--duration", "0.8", *OVERLOAD)

    [step] = ended.document["steps"]
    assert step["late"] == step["ticks"] > 0
    rows = "SELECT count(*), sum(missed), min(scheduled_ns) FROM ticks GROUP BY zone ORDER BY zone"
    zones = saved(folder, rows)
    end_ns = zones[0][2] + 800_000_000
    for ran, missed, begin_ns in zones:
        assert ran + missed == ceil((end_ns - begin_ns) / PERIOD_NS)
    assert step["missed"] == sum(missed for _, missed, _ in zones) > 0
    calls = step["async_tasks"]
    assert calls["submitted"] == calls["completed"] == 30 * step["ticks"]
    columns = "zone, scheduled_ns, missed, finished_ns, started_ns"
    ticks = saved(folder, f"SELECT {columns} FROM ticks ORDER BY zone, tick")
    for (zone, due_ns, missed, finished_ns, _), (other, next_ns, *_, started_ns) in pairwise(ticks):
        if zone == other:
            assert next_ns == due_ns + PERIOD_NS * (1 + missed)
            assert max(next_ns, finished_ns) <= started_ns
            assert finished_ns < next_ns + PERIOD_NS


@pytest.mark.parametrize("pace", ["realtime", "max"])
def test_calls_that_are_carried_over_are_in_flight_and_not_lost(tmp_path, pace):
    carry = ("--set", "late=carry", "--pace", pace, "--duration", "0.6")
    _, ended = ended_run(tmp_path, "run", "chains", *carry, *OVERLOAD)

    [step] = ended.document["steps"]
    calls = step["async_tasks"]
    assert calls["lost"] == 0
    assert 0 < calls["completed"] < calls["submitted"] == 30 * step["ticks"]
    if pace == "realtime":
        assert step["ticks"] + step["missed"] == 2 * 15
    else:
        assert (step["late"], step["missed"], step["lateness_ms"]["max"]) == (0, 0, 0)


def test_zones_that_pause_for_a_step_bring_back_what_they_carried(tmp_path):
    steps = ("--zones", "2,1,3", "--duration", "0.3", "--set", "late=carry", *OVERLOAD[2:])
    _, ended = ended_run(tmp_path, "scale", "chains", *steps)
    assert [step["async_tasks"]["lost"] for step in ended.document["steps"]] == [0, 0, 0]


def test_a_run_bears_that_its_working_directory_was_deleted(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    bounds = ("--zones", "1", "--ticks", "2", "--out", str(tmp_path / "run"))
    command = Command("run", "chains", *bounds, cwd=gone, preexec_fn=gone.rmdir)
    ended = command.finish()
    assert command.clean_up() == ({}, [])
    assert not gone.exists()
    assert ended.code == 0, ended.error
