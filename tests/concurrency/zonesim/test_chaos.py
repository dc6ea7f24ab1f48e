"""Processes die for minutes, and the run is what it would have been without that.

``CHAOS_MINUTES`` in the environment says for how long workers are killed; ten minutes without it.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path

import pytest
from zonesim_runs import Command, needs_titles, saved

MINUTES = int(os.environ.get("CHAOS_MINUTES", "10"))
ZONES = 20
TICKS = MINUTES * 60 * 1_000 // 400  # of each zone, one every 400 ms
WARM_AFTER_S = 20 if MINUTES == 1 else 60
FLAT_MB = 2.0
STOP_EVERY = 10
SAME = ("run", "chains", "--zones", str(ZONES), "--workers", "2", "--seed", "1")
WORK = ("--set", "chains.work=spin:20us", "--ticks", str(TICKS))  # signals find workers at work
SCENARIO_MINUTES = 5
needs_memory_figures = pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists(), reason="/proc tells what a process takes"
)

pytestmark = pytest.mark.slow


class Chaos:
    """One signal a second to a worker that has run for a second at least."""

    def __init__(self, command: Command) -> None:
        self.killed: set[int] = set()
        self.stopped: set[int] = set()
        self.memory_mb: dict[str, list[float]] = defaultdict(list)  # by process, once it is warm
        self._command = command
        self._chance = random.Random(1)
        self._known: set[int] = set()

    def run(self) -> None:
        """Until the run has ended."""
        began = due = time.monotonic()
        while not self._command.has_ended():
            processes = self._command.processes()
            self._signal({pid for pid, line in processes.items() if "zonesim worker" in line})
            if time.monotonic() > began + WARM_AFTER_S:
                self._note_memory(processes)
            due += 1.0
            while time.monotonic() < due and not self._command.has_ended():
                time.sleep(0.01)

    def _signal(self, workers: set[int]) -> None:
        ready, self._known = sorted(workers & self._known), workers
        if ready:
            pid = self._chance.choice(ready)
            stops = len(self.killed | self.stopped) % STOP_EVERY == STOP_EVERY - 1
            (self.stopped if stops else self.killed).add(pid)
            os.kill(pid, signal.SIGSTOP if stops else signal.SIGKILL)

    def _note_memory(self, processes: dict[int, str]) -> None:
        lasting = {pid: line for pid, line in processes.items() if "zonesim zone" in line}
        if len(lasting) < ZONES:
            return  # the controller is about to draw its report, which takes memory
        for pid, name in {**lasting, self._command.pid: "controller"}.items():
            with suppress(FileNotFoundError, ProcessLookupError):  # it has ended since
                self.memory_mb[name].append(resident_mb(pid))


def resident_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    line = next(line for line in text.splitlines() if line.startswith("Rss:"))
    return int(line.split()[1]) * 1_024 / 1_000_000


def start_run(start, tmp_path, name, *arguments) -> Command:
    with (tmp_path / f"{name}.txt").open("w") as errors:  # a pipe would fill up
        return start(*SAME, *WORK, *arguments, "--out", name, stderr=errors)


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text())


@needs_memory_figures
@pytest.mark.timeout(MINUTES * 150 + 120)
def test_killed_workers_change_nothing_in_the_world_and_memory_stays_flat(start, tmp_path):
    command = start_run(start, tmp_path, "chaos")
    command.wait_for_step(tmp_path / "chaos")
    chaos = Chaos(command)
    chaos.run()
    assert command.finish().code == 0, (tmp_path / "chaos.txt").read_text()[-2_000:]

    disturbed = summary_of(tmp_path / "chaos")
    died = [event["pid"] for event in disturbed["events"] if event["kind"] == "worker-died"]
    assert len(chaos.killed) > 30 * MINUTES
    assert chaos.stopped
    assert len(died) == len(set(died))
    assert set(died) <= chaos.killed | chaos.stopped
    [step] = disturbed["steps"]
    calls = step["async_tasks"]
    assert (calls["lost"], calls["failed"], step["ticks"]) == (0, 0, ZONES * TICKS)
    assert calls["submitted"] == calls["completed"] == ZONES * TICKS * 396
    assert calls["retried"] > 0  # some signals came in the middle of a batch
    grown = {name: round(max(mb) - min(mb), 2) for name, mb in chaos.memory_mb.items()}
    assert len(grown) == ZONES + 1
    assert {name: mb for name, mb in grown.items() if mb > FLAT_MB} == {}

    calm = start_run(start, tmp_path, "calm", "--pace", "max")
    assert calm.finish(MINUTES * 60).code == 0
    assert summary_of(tmp_path / "calm")["world_hash"] == disturbed["world_hash"]


@needs_titles
@pytest.mark.timeout(60 * SCENARIO_MINUTES + 180)
def test_every_zone_of_the_scenario_chaos_is_alive_at_the_end_and_nothing_is_lost(start, tmp_path):
    ended = start("run", "chaos", "--json", "--out", "run").finish(60 * SCENARIO_MINUTES + 120)

    assert ended.code == 0, ended.error[-2_000:]
    assert ended.document["limits"] == {"ok": True, "broken": []}
    [step] = ended.document["steps"]
    assert step["async_tasks"]["lost"] == 0
    kinds = Counter(event["kind"] for event in ended.document["events"])
    assert kinds["zone-restarted"] == kinds["zone-died"] >= 6 * SCENARIO_MINUTES
    assert kinds["worker-died"] >= 15 * SCENARIO_MINUTES
    assert kinds["zone-hung"] >= SCENARIO_MINUTES
    assert kinds["zone-quarantined"] == 0
    query = "SELECT count(DISTINCT tick), max(tick) + 1 FROM ticks GROUP BY zone"
    ticks = saved(tmp_path / "run", query)  # no tick number of any zone is left out
    assert len(ticks) == 50
    assert all(numbers == highest for numbers, highest in ticks)
