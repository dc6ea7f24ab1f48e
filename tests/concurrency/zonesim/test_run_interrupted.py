"""Signals end a run: it saves what it measured and leaves nothing behind."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest
from zonesim_runs import a_worker_has_calls, needs_titles

from zonesim.cli.main import main

ENDLESS = ("--duration", "600", "--set", "chains.chains=4", "--json", "--out", "run")
QUICK = ("run", "chains", "--zones", "3", "--set", "period_ms=5", *ENDLESS)
STUCK = ("run", "chains", "--set", "chains.work=sleep:60000ms", "--workers", "1", *ENDLESS)
NOHUP = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
NEEDS_HUP = pytest.mark.skipif(NOHUP, reason="under nohup a run ignores SIGHUP")
SIGNALS = [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]


def expect_saved(folder, ended):
    assert ended.code == 130, ended.error
    assert "Traceback" not in ended.error
    assert json.loads((folder / "summary.json").read_text()) == ended.document
    for step in ended.document["steps"]:
        calls = step["async_tasks"]
        assert (calls["lost"], calls["submitted"]) == (0, 4 * step["ticks"])


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        pytest.param(signal.SIGHUP, marks=NEEDS_HUP),  # of a terminal that closes
    ],
)
def test_an_interrupted_run_saves_and_reports_what_it_measured(start, tmp_path, number):
    command = start(*QUICK, "--report")
    command.wait_until_it_ticks(tmp_path / "run")
    command.signal_all(number)
    if number == signal.SIGHUP:
        command.signal_all(number)  # both the shell and the system send it

    ended = command.finish()

    expect_saved(tmp_path / "run", ended)
    assert (tmp_path / "run" / "report.html").stat().st_size > 0
    [step] = ended.document["steps"]
    assert step["ticks"] > 0
    assert 0 < step["duration_s"] < 600
    assert [event["kind"] for event in ended.document["events"]] == ["run-interrupted"]
    assert ended.document["verdict"] is ended.document["holds"] is None


def test_a_second_signal_ends_a_run_whose_tick_does_not_end(start, tmp_path):
    command = start(*STUCK, "--report")
    command.wait_for_step(tmp_path / "run")  # until then a zone rehearses
    command.wait_until(lambda: a_worker_has_calls(command), "tick")

    command.signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        command.finish(timeout_s=1.0)
    command.signal(signal.SIGINT)
    ended = command.finish()

    assert ended.code == 130
    assert "report: not drawn" in ended.error
    assert main(["report", str(tmp_path / "run")]) == 0


@pytest.mark.parametrize("moment", ["forkserver", "zonesim worker 1"])
@pytest.mark.parametrize("number", SIGNALS)
def test_a_run_that_is_interrupted_before_its_first_tick_leaves_nothing(start, moment, number):
    command = start(*QUICK, "--report")
    command.wait_until(lambda: any(moment in each for each in command.processes().values()), moment)
    command.signal_all(number)

    ended = command.finish()

    assert ended.code == 130, ended.error
    assert "Traceback" not in ended.error


@needs_titles
@pytest.mark.parametrize(("zones", "saved_zones"), [("1,9", [1]), ("9,1", [9, 1])])
@pytest.mark.parametrize("number", SIGNALS)
def test_a_run_that_is_interrupted_while_zones_come_or_go_saves_what_it_measured(
    start, tmp_path, zones, saved_zones, number
):
    steps = ("--duration", "1", "--zones", zones, *ENDLESS[2:])
    command = start("scale", "chains", *steps)
    if saved_zones == [1]:
        command.wait_for_process("zonesim zone 2")
    else:
        command.wait_until(lambda: zone_processes(command) == 9, "all zones")
        command.wait_until(lambda: zone_processes(command) < 9, "zone that has drained")
    command.signal(number)

    ended = command.finish()

    expect_saved(tmp_path / "run", ended)
    assert [step["zones"] for step in ended.document["steps"]] == saved_zones


def zone_processes(command) -> int:
    return sum(line.startswith("zonesim zone ") for line in command.processes().values())


@needs_titles
def test_a_check_of_paths_that_is_interrupted_leaves_nothing(start, tmp_path):
    header = "type octile\nheight 512\nwidth 512\nmap\n"
    (tmp_path / "wide.map").write_text(header + ("." * 512 + "\n") * 512)
    row = "0\twide.map\t512\t512\t0\t0\t511\t511\t722.66231566\n"
    (tmp_path / "wide.scen").write_text("version 1\n" + row * 2000)
    command = start("paths", "wide.map", "wide.scen", "--workers", "1")
    command.wait_for_process("zonesim worker 1")
    command.signal(signal.SIGTERM)

    ended = command.finish()

    assert (ended.code, ended.output, ended.error) == (130, "", "")
