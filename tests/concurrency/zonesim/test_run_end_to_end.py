from __future__ import annotations

import json
import os

import pytest
from zonesim_runs import CHECKOUT, Command, saved

from zonesim.cli.main import main

ZONES = 3
TICKS = 12


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The folder of a run of the whole chains workload, and what it said."""
    folder = tmp_path_factory.mktemp("measured")
    bounds = ("--zones", str(ZONES), "--ticks", str(TICKS), "--set", "period_ms=40")
    command = Command("run", "chains", *bounds, "--json", "--report", "--out", "run", cwd=folder)
    ended = command.finish()
    assert command.clean_up() == ({}, [])
    assert ended.code == 0, ended.error
    return folder / "run", ended


def test_standard_output_is_one_json_document_and_the_summary_file(measured):
    folder, ended = measured

    assert json.loads((folder / "summary.json").read_text()) == ended.document
    assert ended.output.endswith("}\n")
    assert f"report: {folder.name}/report.html" in ended.error.splitlines()


def test_progress_is_lines_on_standard_error_where_that_is_no_terminal(measured):
    _, ended = measured

    lines = ended.error.splitlines()
    assert lines[0] == "step 1 of 1, 3 zones: starting"
    assert "\x1b" not in ended.error


def test_the_last_line_of_progress_tells_how_the_step_ended(measured):
    _, ended = measured

    last = next(line for line in ended.error.splitlines() if ": ended after" in line)
    assert f"{ZONES} Ready, {ZONES * TICKS} ticks, " in last


def test_every_call_that_is_sent_comes_back(measured):
    _, ended = measured

    [step] = ended.document["steps"]
    calls = ZONES * TICKS * 396
    assert step["async_tasks"] == {
        "submitted": calls,
        "completed": calls,
        "failed": 0,
        "retried": 0,
        "lost": 0,
    }
    assert (step["zones"], step["zone_processes"], step["ticks"]) == (ZONES, ZONES, ZONES * TICKS)
    assert ended.document["limits"] == {"ok": True, "broken": []}


def test_each_tick_of_chains_is_1980_coroutines(measured):
    folder, _ = measured

    assert saved(folder, "SELECT DISTINCT tasks + async_submitted FROM ticks") == [(1980,)]


def test_every_zone_ticks_in_order_and_late_ones_are_counted(measured):
    folder, ended = measured

    rows = saved(folder, "SELECT zone, tick FROM ticks ORDER BY zone, started_ns")
    assert rows == [(zone, tick) for zone in range(ZONES) for tick in range(TICKS)]
    late = "SELECT count(*) FROM ticks WHERE finished_ns > scheduled_ns + 40000000"
    assert saved(folder, late) == [(ended.document["steps"][0]["late"],)]


def test_each_zone_begins_in_the_first_period_at_the_phase_of_its_number(measured):
    folder, _ = measured

    begins = saved(folder, "SELECT scheduled_ns FROM ticks WHERE tick = 0 ORDER BY zone")
    first = begins[0][0]
    assert [begin - first for (begin,) in begins] == [0, 24_721_359, 9_442_719]


def test_each_worker_of_the_run_is_saved_by_its_name_with_all_that_it_did(measured):
    folder, ended = measured

    workers = saved(folder, "SELECT worker, restarts FROM workers ORDER BY worker")
    assert [worker for worker, _ in workers] == [n + 1 for n in range(len(workers))]
    assert all(restarts == 0 for _, restarts in workers)
    done = saved(folder, "SELECT sum(calls), sum(batches) FROM workers")
    step = ended.document["steps"][0]
    assert done == [(step["async_tasks"]["completed"], step["batches"])]


def test_report_computes_the_same_summary_again_and_redraws(measured, capsys):
    folder, ended = measured
    (folder / "summary.json").unlink()
    for drawn in (*folder.glob("*.png"), folder / "report.html"):
        drawn.unlink()

    assert main(["report", str(folder)]) == 0

    assert capsys.readouterr().out == f"report: {folder / 'report.html'}\n"
    assert json.loads((folder / "summary.json").read_text()) == ended.document
    assert len(list(folder.glob("*.png"))) == 4
    assert "data:image/png;base64," in (folder / "report.html").read_text()


def test_a_run_that_breaks_its_own_limits_ends_with_exit_code_1(start, tmp_path):
    (tmp_path / "strict.toml").write_text(
        'workload = "chains"\nticks = 2\nperiod_ms = 40\n'
        "[chains]\nchains = 1\n[limits]\ntick_p99_ms = 1e-5\n"
    )

    ended = start("run", "strict.toml", "--report", "--out", "run").finish()

    assert ended.code == 1, ended.error
    assert "limit broken: step 1 (1 zone): tick_p99_ms is" in ended.output
    assert "report: run/report.html\n" in ended.output


def test_scenarios_and_check_run_from_any_folder(start, tmp_path, monkeypatch, capsys):
    assert start("scenarios").finish().output.startswith("chains  ")
    monkeypatch.chdir(tmp_path)
    assert main(["check", str(CHECKOUT / "scenarios" / "field.toml")]) == 0
    checked = capsys.readouterr()
    assert checked.err == ""
    assert checked.out.startswith("field: valid; ")


def test_a_standard_error_that_nobody_reads_changes_no_exit_code(start):
    reader, writer = os.pipe()
    os.close(reader)
    small = ("--ticks", "1", "--workers", "1", "--set", "chains.chains=4", "--json")
    good = start("run", "chains", *small, "--out", "run", stderr=writer)
    bad = start("run", "chains", "--zones", "0", stderr=writer)
    os.close(writer)

    assert [command.finish().code for command in (good, bad)] == [0, 2]
