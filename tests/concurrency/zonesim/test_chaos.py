"""A worker is killed each second, each tenth stopped instead: the run is what it would have been.

``CHAOS_MINUTES`` in the environment says how long; ten minutes without it.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import pytest
from zonesim_runs import Command

MINUTES = int(os.environ.get("CHAOS_MINUTES", "10"))
ZONES = 20
TICKS = MINUTES * 60 * 1_000 // 400  # of each zone, which takes one every 400 ms
WARM_AFTER_S = 20 if MINUTES == 1 else 60
FLAT_MB = 2.0
STOP_EVERY = 10
SAME = ("run", "chains", "--zones", str(ZONES), "--workers", "2", "--seed", "1")
WORK = ("--set", "chains.work=spin:20us")  # so that signals find workers at work

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(MINUTES * 150 + 120),
    pytest.mark.skipif(
        not Path("/proc/self/smaps_rollup").exists(), reason="/proc tells what a process takes"
    ),
]


class Chaos:
    """One signal a second to a worker of a run that has worked for a second at least."""

    def __init__(self, command: Command) -> None:
        self.killed: set[int] = set()
        self.stopped: set[int] = set()
        self.memory_mb: dict[str, list[float]] = defaultdict(list)  # by process, once it is warm
        self._command = command
        self._chance = random.Random(1)
        self._known: set[int] = set()

    def rage(self) -> None:
        """Until the run has ended."""
        began = due = time.monotonic()
        while not self._command.has_ended():
            processes = self._command.processes()
            self._strike({pid for pid, line in processes.items() if "zonesim worker" in line})
            if time.monotonic() > began + WARM_AFTER_S:
                self._note_memory(processes)
            due += 1.0
            while time.monotonic() < due and not self._command.has_ended():
                time.sleep(0.01)

    def _strike(self, workers: set[int]) -> None:
        ready, self._known = sorted(workers & self._known), workers
        if not ready:
            return
        victim = self._chance.choice(ready)
        stops = len(self.killed | self.stopped) % STOP_EVERY == STOP_EVERY - 1
        (self.stopped if stops else self.killed).add(victim)
        os.kill(victim, signal.SIGSTOP if stops else signal.SIGKILL)

    def _note_memory(self, processes: dict[int, str]) -> None:
        lasting = {pid: line for pid, line in processes.items() if "zonesim zone" in line}
        if len(lasting) < ZONES:
            return  # the controller is about to draw its report, and takes room for that
        lasting[self._command.pid] = "controller"
        for pid, name in lasting.items():
            with suppress(FileNotFoundError, ProcessLookupError):  # it has ended since
                self.memory_mb[name].append(resident_mb(pid))


def resident_mb(pid: int) -> float:
    """All that it has in memory; its share of common pages would change with its neighbours."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    line = next(line for line in text.splitlines() if line.startswith("Rss:"))
    return int(line.split()[1]) * 1_024 / 1_000_000


def folder_of(start, tmp_path, name, *arguments):
    """A run whose progress goes to a file: nobody reads a pipe meanwhile."""
    with (tmp_path / f"{name}.txt").open("w") as errors:
        command = start(
            *SAME, *WORK, *arguments, "--ticks", str(TICKS), "--out", name, stderr=errors
        )
    return command, tmp_path / name


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text())


def assert_all_answered(step):
    counts = step["async_tasks"]
    assert (counts["lost"], counts["failed"]) == (0, 0)
    assert counts["submitted"] == counts["completed"] == ZONES * TICKS * 396
    assert counts["retried"] > 0  # some signals came in the midst of a batch
    assert step["ticks"] == ZONES * TICKS


def assert_flat(memory_mb):
    grown = {name: round(max(mb) - min(mb), 2) for name, mb in memory_mb.items()}
    assert len(grown) == ZONES + 1
    assert {name: mb for name, mb in grown.items() if mb > FLAT_MB} == {}
    return max(grown.values())


def test_chaos_among_the_workers_changes_nothing_in_the_world(start, tmp_path, capsys):
    command, folder = folder_of(start, tmp_path, "chaos")
    command.wait_for_step(folder)
    chaos = Chaos(command)
    chaos.rage()
    assert command.finish().code == 0, (tmp_path / "chaos.txt").read_text()[-2_000:]
    disturbed = summary_of(folder)
    [step] = disturbed["steps"]
    events = [event for event in disturbed["events"] if event["kind"] == "worker-died"]
    died = [int(event["detail"].split()[1]) for event in events]
    assert len(chaos.killed) > 30 * MINUTES
    assert chaos.stopped
    assert len(died) == len(set(died))
    assert set(died) <= chaos.killed | chaos.stopped
    assert_all_answered(step)
    apart_mb = assert_flat(chaos.memory_mb)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{len(chaos.killed)} killed, {len(chaos.stopped)} stopped, {len(died)} replaced, "
            f"{step['ticks']} ticks, {step['async_tasks']}, {apart_mb} MB apart at most\n"
        )

    command, folder = folder_of(start, tmp_path, "calm", "--pace", "max")
    assert command.finish(MINUTES * 60).code == 0
    assert summary_of(folder)["world_hash"] == disturbed["world_hash"]
