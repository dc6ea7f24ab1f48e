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
CANCELS = [signal.SIGINT, signal.SIGTERM]
SLOW_TERM = pytest.param(signal.SIGTERM, marks=pytest.mark.slow)


def saved_all(folder, ended):
    assert ended.code == 130, ended.error
    assert "Traceback" not in ended.error
    assert json.loads((folder / "summary.json").read_text()) == ended.document


def test_a_run_that_is_cancelled_ends_and_saves_all_that_it_measured(start, tmp_path):
    command = start(*QUICK, "--report")
    command.wait_until_it_ticks(tmp_path / "run")
    command.signal(signal.SIGINT)

    ended = command.finish()

    saved_all(tmp_path / "run", ended)
    assert (tmp_path / "run" / "report.html").stat().st_size > 0
    [step] = ended.document["steps"]
    assert step["async_tasks"]["lost"] == 0
    assert step["async_tasks"]["submitted"] == step["async_tasks"]["completed"] == 4 * step["ticks"]
    assert step["ticks"] > 0
    assert 0 < step["duration_s"] < 600


NOHUP = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
NEEDS_HUP = pytest.mark.skipif(NOHUP, reason="started as by nohup, where a run ignores SIGHUP, too")


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=NEEDS_HUP)])
def test_a_signal_to_all_processes_at_once_is_no_worse(start, tmp_path, number):
    # The drawing goes undisturbed, too, when a terminal closes.
    command = start(*QUICK, *(["--report"] if number == signal.SIGHUP else []))
    command.wait_until_it_ticks(tmp_path / "run")
    command.signal_all(number)
    if number == signal.SIGHUP:
        command.signal_all(
            number
        )  # the shell tells of the end of a terminal, and so does the system

    ended = command.finish()

    saved_all(tmp_path / "run", ended)
    assert (tmp_path / "run" / "report.html").exists() == (number == signal.SIGHUP)
    assert ended.document["steps"][0]["async_tasks"]["lost"] == 0
    assert ended.document["events"] == []


def test_a_second_signal_ends_a_run_whose_tick_does_not_end(start, tmp_path):
    command = start(*STUCK, "--report")
    command.wait_for_step(tmp_path / "run")  # until then a zone rehearses
    command.wait_until(lambda: a_worker_has_calls(command), "tick")

    # Two and no more: another one would find the command at its end, with all of it saved.
    command.signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        command.finish(timeout_s=1.0)
    command.signal(signal.SIGINT)
    ended = command.finish()

    assert ended.code == 130
    assert "report: not drawn" in ended.error
    assert main(["report", str(tmp_path / "run")]) == 0


def fork_server_of(command):
    return any("multiprocessing.forkserver" in line for line in command.processes().values())


def test_a_run_that_is_cancelled_while_its_fork_server_comes_up_leaves_nothing(start):
    command = start(*QUICK, "--report")
    command.wait_until(lambda: fork_server_of(command), "fork server")
    command.signal_all(signal.SIGINT)

    ended = command.finish()

    assert ended.code == 130, ended.error
    assert "Traceback" not in ended.error


@pytest.mark.parametrize("number", CANCELS)
def test_a_run_that_is_cancelled_before_its_first_tick_leaves_nothing(start, number):
    command = start(*QUICK, "--report")
    command.wait_for_process("zonesim worker 1")
    command.signal_all(number)

    ended = command.finish()

    assert ended.code == 130, ended.error
    assert "Traceback" not in ended.error


SCALE = ("scale", "chains", "--set", "chains.chains=4", "--json", "--out", "run", "--duration", "1")


def zones_of(command):
    return {line for line in command.processes().values() if line.startswith("zonesim zone ")}


@needs_titles
@pytest.mark.parametrize("number", [signal.SIGINT, SLOW_TERM])
def test_a_run_that_is_cancelled_while_it_grows_saves_what_it_measured(start, tmp_path, number):
    command = start(*SCALE, "--zones", "1,9")
    command.wait_for_process("zonesim zone 2")
    command.signal(number)

    ended = command.finish()

    saved_all(tmp_path / "run", ended)
    [step] = ended.document["steps"]  # the second one has not begun
    assert step["zones"] == 1
    assert step["async_tasks"]["lost"] == 0


@needs_titles
@pytest.mark.parametrize("number", [signal.SIGINT, SLOW_TERM])
def test_a_run_that_is_cancelled_while_zones_drain_saves_what_it_measured(start, tmp_path, number):
    command = start(*SCALE, "--zones", "9,1")
    command.wait_until(lambda: len(zones_of(command)) == 9, "all zones")
    command.wait_until(lambda: len(zones_of(command)) < 9, "first zone that has drained")
    command.signal(number)

    ended = command.finish()

    saved_all(tmp_path / "run", ended)
    assert [step["zones"] for step in ended.document["steps"]] == [9, 1]
    assert {step["async_tasks"]["lost"] for step in ended.document["steps"]} == {0}


def test_a_check_of_paths_that_is_cancelled_leaves_nothing(start, tmp_path):
    ground = ["." * 512] * 512
    header = "type octile\nheight 512\nwidth 512\nmap\n"
    (tmp_path / "wide.map").write_text(header + "\n".join(ground) + "\n")
    row = "0\twide.map\t512\t512\t0\t0\t511\t511\t722.66231566\n"
    (tmp_path / "wide.scen").write_text("version 1\n" + row * 2000)
    command = start("paths", "wide.map", "wide.scen", "--workers", "1")
    command.wait_for_process("zonesim worker 1")
    command.signal(signal.SIGTERM)

    ended = command.finish()

    assert (ended.code, ended.output, ended.error) == (130, "", "")
