"""The world does not depend on who does the work, nor on deaths."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import pytest
from zonesim_runs import Command, needs_titles, saved

from zonesim.controller.run import run_for_figures
from zonesim.results.saved_run import load_run
from zonesim.scenario.loading import load_scenario
from zonesim.system.errors import RunFailed

SAME = ("--zones", "3", "--ticks", "30", "--set", "period_ms=30", "--json")
SCENARIOS = {
    "field": ("run", "field", *SAME, "--set", "field.mobs=60"),
    "chains": ("run", "chains", *SAME, "--set", "chains.chains=8"),
}
INLINE = ("--workers", "0", "--zones-per-process", "3", "--pace", "max")
SLOW = ("--set", "chains.work=sleep:2ms", "--workers", "2", "--out", "run")  # deaths hit batches


def hash_of(ended) -> str:
    """The hash of a world whose calls have all come back."""
    assert ended.code == 0, ended.error
    [step] = ended.document["steps"]
    calls = step["async_tasks"]
    assert calls["lost"] == calls["failed"] == 0
    assert calls["submitted"] == calls["completed"] > 0
    assert step["ticks"] == 90
    return ended.document["world_hash"]


@pytest.fixture(scope="module")
def inline_hashes(tmp_path_factory):
    """The hash of each scenario's world where one process does everything."""
    folder = tmp_path_factory.mktemp("inline")
    hashes = {}
    for name, scenario in SCENARIOS.items():
        command = Command(*scenario, *INLINE, "--out", name, cwd=folder)
        hashes[name] = hash_of(command.finish())
        assert command.clean_up() == ({}, [])
    return hashes


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_world_does_not_depend_on_the_number_of_processes(start, inline_hashes, name):
    ways = [("--workers", "3"), ("--workers", "1", "--zones-per-process", "3")]
    full_speed = (*SCENARIOS[name], "--pace", "max")
    commands = [start(*full_speed, *way, "--out", str(n)) for n, way in enumerate(ways)]
    assert {hash_of(command.finish()) for command in commands} == {inline_hashes[name]}


def test_another_seed_gives_another_world(start, inline_hashes):
    ended = start(*SCENARIOS["chains"], "--seed", "2", *INLINE).finish()
    assert hash_of(ended) != inline_hashes["chains"]


@pytest.mark.parametrize("name", ["chains", pytest.param("field", marks=pytest.mark.slow)])
def test_a_killed_worker_changes_nothing_in_the_world_and_is_an_event(
    start, tmp_path, inline_hashes, name
):
    command = start(*SCENARIOS[name], *SLOW)
    command.wait_for_step(tmp_path / "run")
    pid = command.wait_for_process("zonesim worker 1")
    os.kill(pid, signal.SIGKILL)

    ended = command.finish()

    assert hash_of(ended) == inline_hashes[name]
    [event] = ended.document["events"]
    assert (event["kind"], event["worker"], event["pid"]) == ("worker-died", 1, pid)
    assert f"worker-died: worker 1 (pid {pid}), by signal 9" in ended.error.splitlines()


@needs_titles
def test_a_killed_fork_server_changes_nothing_in_the_world(start, tmp_path, inline_hashes):
    command = start(*SCENARIOS["chains"], *SLOW)
    command.wait_for_step(tmp_path / "run")
    [server] = [pid for pid, line in command.processes().items() if "forkserver" in line]
    os.kill(server, signal.SIGKILL)
    assert hash_of(command.finish()) == inline_hashes["chains"]


ENDLESS = ("--duration", "600", "--set", "period_ms=40", "--out", "run")


@pytest.mark.parametrize("workers", ["2", "0"])
def test_nothing_outlives_a_killed_controller_and_the_next_run_clears_up(start, tmp_path, workers):
    blocked = ("--set", "chains.work=sleep:20000ms", "--set", "chains.chains=4")
    command = start("run", "chains", "--zones", "2", "--workers", workers, *blocked, *ENDLESS)
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
    command = start("run", "chains", *work, *ENDLESS, "--json")
    command.wait_for_step(tmp_path / "run")
    while not command.has_ended():
        for pid, line in command.processes().items():
            if line.startswith("zonesim worker"):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    ended = command.finish()

    assert ended.code == 1, ended.error
    failure = ended.document["failure"]
    assert "workers" in failure
    assert "died" in failure
    assert f"run-failed: {failure}" in ended.error


def test_a_run_that_fails_gives_no_figures_to_a_bench(tmp_path):
    hangs = {"work": "spin:60000ms", "chains": 1}
    supervision = {"worker_hang_s": 0.2, "restarts": 0}
    settings = {"ticks": 1, "workers": 1, "chains": hangs, "supervision": supervision}
    with pytest.raises(RunFailed, match="no zone is left: zonesim zone 0 died"):
        run_for_figures(load_scenario("chains", settings), tmp_path)
    kinds = [event.kind for event in load_run(tmp_path).events]
    assert kinds.count("run-failed") == 1
    following = kinds[kinds.index("run-failed") + 1 :]
    assert set(following) <= {"worker-hung", "worker-died"}  # its worker may still be dying


SCENARIO = """
workload = "field"
zones = 3
ticks = 60
period_ms = 50
[field]
mobs = 30
players = 5
[limits]
lost = 0
unhealthy = 0
redone_ticks = 10
recovery_ms = 60000
[[faults]]
kind = "surge"
at_tick = 15
players = 8
for_s = 1
"""
FAULTS = """
[[faults]]
kind = "kill-worker"
at_tick = 10
[[faults]]
kind = "kill-zone"
at_tick = 25
zone = 1
[[faults]]
kind = "stall-zone"
at_tick = 20
zone = 2
[[faults]]
kind = "stall-worker"
at_tick = 40
for_s = 0.3
[[faults]]
kind = "slow-disk"
at_s = 0.5
delay_ms = 20
for_s = 1
"""


@needs_titles
def test_the_faults_of_a_scenario_are_events_and_change_nothing_in_the_world(start, tmp_path):
    (tmp_path / "surge.toml").write_text(SCENARIO)
    (tmp_path / "faults.toml").write_text(SCENARIO + FAULTS)
    ended = {}
    for name, workers in (("surge", "1"), ("faults", "2")):
        how = ("--workers", workers, "--json", "--out", name)
        ended[name] = start("run", f"{name}.toml", *how).finish(60)
        assert ended[name].code == 0, ended[name].error
        assert ended[name].document["limits"] == {"ok": True, "broken": []}
        query = "SELECT tick, players FROM ticks WHERE zone = 0"
        players = dict(saved(tmp_path / name, query))
        assert {tick for tick, number in players.items() if number == 13} == {*range(15, 35)}
        assert {number for tick, number in players.items() if not 15 <= tick < 35} == {5}
    calm, disturbed = (ended[name].document for name in ("surge", "faults"))
    assert disturbed["world_hash"] == calm["world_hash"]
    events = disturbed["events"]
    assert {(e["zone"], e["detail"]) for e in events if e["kind"] == "fault"} >= {
        (1, "killed"),
        (2, "stopped"),
        (None, "stopped for 0.3 s"),
        (None, "8 more players for 1 s in all zones"),
        (None, "disk: each write 20 ms longer for 1 s"),
    }
    kinds = [event["kind"] for event in events]
    assert kinds.count("zone-restarted") == kinds.count("zone-died") == 2
    assert {"zone-hung", "worker-died"} <= set(kinds)
