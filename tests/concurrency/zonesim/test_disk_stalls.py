"""A run whose disk stalls: its processes are minded all the same, and signals are heard."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from zonesim_runs import Command, needs_titles, saved

from zonesim.live.view_file import read_view

RUN = ("run", "chains", "--zones", "2", "--workers", "1", "--set", "chains.chains=4", "--json")
LONG = (*RUN, "--duration", "600", "--set", "period_ms=10", "--out", "run")
FOREVER_S = 600.0


@contextmanager
def stalled(folder: Path) -> Iterator[None]:
    """Somebody lets nobody write to the run's file, or read it."""
    with closing(sqlite3.connect(folder / "run.sqlite", timeout=FOREVER_S)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@pytest.fixture
def shown(start) -> Callable[[Command], tuple[int, list[str]]]:
    """How many ticks whoever watches a run is shown, and which events."""

    def look(command: Command) -> tuple[int, list[str]]:
        [session] = command.sessions()
        progress = read_view(session).progress
        return progress.ticks, [event.kind for event in progress.events]

    return look


@needs_titles
def test_a_zone_that_dies_while_the_disk_stalls_is_restarted_and_ctrl_c_is_heard(
    start, tmp_path, shown
):
    command = start(*LONG)
    command.wait_for_step(tmp_path / "run")
    with stalled(tmp_path / "run"):
        os.kill(command.wait_for_process("zonesim zone 1"), signal.SIGKILL)
        # The disk goes on only when all this has happened.
        command.wait_until(lambda: "zone-restarted" in shown(command)[1], "restart")
        ticks = shown(command)[0]
        command.wait_until(lambda: shown(command)[0] > ticks + 50, "ticks")
        command.signal(signal.SIGINT)
        command.wait_until(lambda: zones_of(command) == set(), "end of the zones")
    ended = command.finish()

    assert ended.code == 130, ended.error
    events = [event["kind"] for event in ended.document["events"]]
    assert events.index("zone-died") < events.index("zone-restarted")
    [(on_disk,)] = saved(tmp_path / "run", "SELECT count(*) FROM ticks")
    assert on_disk == ended.document["steps"][0]["ticks"] > ticks + 50
    [(kinds,)] = saved(tmp_path / "run", "SELECT count(*) FROM events WHERE kind LIKE 'zone-%'")
    assert kinds == 2


def zones_of(command: Command) -> set[str]:
    return {line for line in command.processes().values() if line.startswith("zonesim zone")}


@needs_titles
def test_a_run_whose_disk_stalls_for_good_ends_and_says_what_is_lost(start, tmp_path):
    command = start(*LONG)
    command.wait_for_ticks(tmp_path / "run")
    with ExitStack() as stall:
        stall.enter_context(stalled(tmp_path / "run"))
        command.signal(signal.SIGINT)
        command.wait_until(lambda: zones_of(command) == set(), "end of the zones")
        command.signal(signal.SIGINT)  # without which the disk would have more time
        ended = command.finish()

    assert ended.code == 2
    assert ended.complaint.startswith("run/run.sqlite: the disk has taken no figures of the run")
    assert ended.complaint.endswith("those that waited for it are not saved")
    assert saved(tmp_path / "run", "SELECT count(*) FROM ticks")[0][0] >= 500


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
    [(on_disk,)] = saved(tmp_path / "run", "SELECT count(*) FROM ticks")
    assert on_disk == ended.document["steps"][0]["ticks"] >= 160
