from __future__ import annotations

import contextlib
import os
import signal

import pytest
from zonesim_runs import needs_titles

from zonesim.controller.run import run_for_figures
from zonesim.results.saved_run import load_run
from zonesim.scenario.loading import load_scenario
from zonesim.system.errors import RunFailed

ENDLESS = ("--duration", "600", "--set", "chains.chains=4", "--set", "period_ms=40", "--out", "run")
BLOCKED = ("--set", "chains.work=sleep:20000ms")


@pytest.mark.parametrize("workers", ["2", "0"])
def test_nothing_outlives_a_killed_controller_and_the_next_run_clears_up(start, tmp_path, workers):
    command = start("run", "chains", "--zones", "2", "--workers", workers, *BLOCKED, *ENDLESS)
    command.wait_for_step(tmp_path / "run")
    command.signal(signal.SIGKILL)
    assert command.finish().code == -signal.SIGKILL
    assert command.wait_for_the_last_ones() == {}

    next_one = ("run", "chains", "--ticks", "1", "--workers", "1", "--set", "chains.chains=4")
    assert start(*next_one, "--out", "next").finish().code == 0

    assert command.sessions() == []


@needs_titles
def test_workers_that_die_again_and_again_end_the_run_with_the_reason(start, tmp_path):
    work = ("--set", "chains.work=sleep:2ms", "--set", "chains.chains=16", "--workers", "2")
    command = start("run", "chains", *work, "--duration", "600", "--out", "run", "--json")
    command.wait_for_step(tmp_path / "run")
    while not command.has_ended():
        for pid, line in command.processes().items():
            if line.startswith("zonesim worker"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    ended = command.finish()

    assert ended.code == 1, ended.error
    assert "workers" in ended.document["failure"]
    assert "died" in ended.document["failure"]
    assert f"run-failed: {ended.document['failure']}" in ended.error


def test_a_run_that_breaks_off_gives_nobody_figures(tmp_path):
    hangs = {"work": "spin:60000ms", "chains": 1}
    supervision = {"worker_hang_s": 0.2, "restarts": 0}
    scenario = load_scenario(
        "chains", {"ticks": 1, "workers": 1, "chains": hangs, "supervision": supervision}
    )
    with pytest.raises(RunFailed, match="no zone is left: zonesim zone 0 died"):
        run_for_figures(scenario, tmp_path)
    assert load_run(tmp_path).events[-1].kind == "run-failed"
