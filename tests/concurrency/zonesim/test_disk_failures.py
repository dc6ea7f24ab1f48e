"""Runs whose disk is full, stalls or is slow: zones are supervised and signals are heeded."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from zonesim_runs import Command, needs_titles, saved

from zonesim.live.view_file import read_view

RUN = ("run", "chains", "--zones", "2", "--workers", "1", "--set", "chains.chains=4", "--json")
LONG = (*RUN, "--duration", "600", "--set", "period_ms=10", "--out", "run")


@contextmanager
def stalled(folder: Path) -> Iterator[None]:
    """Another process locks the file of a run."""
    with closing(sqlite3.connect(folder / "run.sqlite", timeout=60.0)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@pytest.fixture
def shown(start) -> Callable[[Command], tuple[int, str]]:
    """What a run shows while it goes on: its ticks, and its events as one text."""

    def look(command: Command) -> tuple[int, str]:
        [session] = command.sessions()
        progress = read_view(session).progress
        return progress.ticks, "\n".join(event.text for event in progress.events)

    return look


def zones_of(command: Command) -> set[str]:
    return {line for line in command.processes().values() if line.startswith("zonesim zone")}


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="no limits for other processes here")
def test_a_run_goes_on_when_the_disk_is_full_and_fails_at_its_end(start, tmp_path, shown):
    command = start(*RUN, "--set", "period_ms=10", "--duration", "4", "--out", "run")
    command.wait_for_ticks(tmp_path / "run")
    file = tmp_path / "run" / "run.sqlite"
    limits = resource.prlimit(command.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(command.pid, resource.RLIMIT_FSIZE, (file.stat().st_size, limits[1]))
    command.wait_until(lambda: "results-unwritable" in shown(command)[1], "event")
    resource.prlimit(command.pid, resource.RLIMIT_FSIZE, limits)
    ended = command.finish()

    assert ended.code == 1
    [event] = [line for line in ended.error.splitlines() if "results-unwritable" in line]
    assert "run/run.sqlite: figures of the run cannot be written and are dropped: " in event
    assert ended.error.count(" rows of figures are not saved: ") == 1
    [[on_disk]] = saved(tmp_path / "run", "SELECT count(*) FROM ticks")
    assert ended.document["steps"][0]["ticks"] == on_disk > 0
    assert [event["kind"] for event in ended.document["events"]] == ["results-unwritable"]
    assert json.loads((tmp_path / "run" / "summary.json").read_text()) == ended.document


@needs_titles
def test_a_zone_is_restarted_while_the_disk_stalls_and_nothing_is_lost(start, tmp_path, shown):
    command = start(*LONG)
    command.wait_for_step(tmp_path / "run")
    with stalled(tmp_path / "run"):
        os.kill(command.wait_for_process("zonesim zone 1"), signal.SIGKILL)
        command.wait_until(lambda: "zone-restarted" in shown(command)[1], "restart")
        ticks = shown(command)[0]
        command.wait_until(lambda: shown(command)[0] > ticks + 50, "ticks")
    command.signal(signal.SIGINT)
    ended = command.finish()

    assert ended.code == 130, ended.error
    events = [event["kind"] for event in ended.document["events"]]
    assert events.index("zone-died") < events.index("zone-restarted")
    [[on_disk]] = saved(tmp_path / "run", "SELECT count(*) FROM ticks")
    assert on_disk == ended.document["steps"][0]["ticks"] > ticks + 50


@needs_titles
def test_ctrl_c_ends_a_run_whose_disk_stalls_for_good(start, tmp_path):
    command = start(*LONG)
    command.wait_for_ticks(tmp_path / "run")
    with stalled(tmp_path / "run"):
        command.signal(signal.SIGINT)
        command.wait_until(lambda: zones_of(command) == set(), "end of the zones")
        ended = command.finish()

    assert ended.code == 130
    assert "run/run.sqlite: " in ended.error
    assert " are not saved: the disk took no figures for " in ended.error
    assert [event["kind"] for event in ended.document["events"]] == ["results-unwritable"]
    assert saved(tmp_path / "run", "SELECT count(*) FROM ticks")[0][0] > 0


SLOW_DISK = """
workload = "field"
zones = 2
ticks = 80
period_ms = 50
workers = 1

[field]
mobs = 20
players = 5

[[faults]]
kind = "slow-disk"
at_s = 0.5
delay_ms = 30000
for_s = 600

[[faults]]
kind = "kill-zone"
at_s = 1.5
zone = 1

[limits]
unhealthy = 0
recovery_ms = 25000
"""


def test_a_slow_disk_delays_no_restart_and_its_run_ends_with_all_its_figures(start, tmp_path):
    (tmp_path / "slow.toml").write_text(SLOW_DISK)
    calm = start("run", "slow.toml", "--set", "faults=[]", "--json").finish()
    ended = start("run", "slow.toml", "--json", "--out", "run").finish(60)

    assert (calm.code, ended.code) == (0, 0), ended.error
    assert ended.document["limits"] == {"ok": True, "broken": []}
    assert ended.document["world_hash"] == calm.document["world_hash"]
    [[on_disk]] = saved(tmp_path / "run", "SELECT count(*) FROM ticks")
    assert on_disk == ended.document["steps"][0]["ticks"] >= 160
