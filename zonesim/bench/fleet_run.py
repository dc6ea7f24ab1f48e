"""One run of a scenario with real zone processes, in this process, for its figures.

The run is cut into parts of the same length; each is a sample of what another run might find.
"""

from __future__ import annotations

import os
import random
import signal
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import fmean
from typing import Any

import msgspec

from zonesim.controller.run import run_for_figures
from zonesim.results.saved_run import Summary, load_run
from zonesim.results.statistics import AsyncTaskCounts, response_ns
from zonesim.scenario.loading import load_scenario
from zonesim.system.operating_system import session_processes
from zonesim.wire.ticks import TickRow

BETWEEN_KILLS_S = 1.0
NS_PER_MS = 1e6


class FleetRun(msgspec.Struct, frozen=True):
    """The figures of a run; those of ticks by part of the run."""

    response_ms: list[list[float]]
    late: list[int]
    late_percent: list[float]
    main_ms: list[float]  # of the main thread in a tick, on average
    ticks_of_zones: list[int]
    async_tasks: AsyncTaskCounts
    world_hash: str
    killed: int  # workers


def run_fleet(
    scenario_name: str, overrides: dict[str, Any], parts: int, kills: bool
) -> Iterator[FleetRun]:
    """Run it, with a worker killed each second on request."""
    scenario = load_scenario(scenario_name, overrides)
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        killed = stack.enter_context(_killing()) if kills else []
        summary = run_for_figures(scenario, Path(place))
        rows = load_run(Path(place)).steps[0].rows
    yield _sum_up(summary, rows, parts, len(killed))


def _sum_up(summary: Summary, rows: Sequence[TickRow], parts: int, killed: int) -> FleetRun:
    [step] = summary.steps
    cut = list(_cut(rows, parts))
    zones = Counter(row.zone for row in rows)
    return FleetRun(
        response_ms=[[response_ns(row, "realtime") / NS_PER_MS for row in part] for part in cut],
        late=[sum(row.late for row in part) for part in cut],
        late_percent=[100 * fmean(row.late for row in part) for part in cut],
        main_ms=[fmean(row.busy_ns for row in part) / NS_PER_MS for part in cut],
        ticks_of_zones=[zones[zone] for zone in range(step.zones)],
        async_tasks=step.async_tasks,
        world_hash=summary.world_hash,
        killed=killed,
    )


def _cut(rows: Sequence[TickRow], parts: int) -> Iterator[list[TickRow]]:
    """The ticks in the order in which they were due, in parts of the same number."""
    ordered = sorted(rows, key=lambda row: row.scheduled_ns)
    for part in range(parts):
        yield ordered[part * len(ordered) // parts : (part + 1) * len(ordered) // parts]


@contextmanager
def _killing() -> Iterator[list[int]]:
    """Kill a worker each second; the list grows as they are."""
    killed: list[int] = []
    over = threading.Event()
    thread = threading.Thread(target=_kill_until, args=(over, killed))
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def _kill_until(over: threading.Event, killed: list[int]) -> None:
    chance, known = random.Random(1), set[int]()
    while not over.wait(BETWEEN_KILLS_S):
        here = session_processes(os.getsid(0)) or {}
        workers = {pid for pid, title in here.items() if title.startswith("zonesim worker")}
        if old := sorted(workers & known):  # one that has come up and has work
            with suppress(ProcessLookupError):
                os.kill(chance.choice(old), signal.SIGKILL)
                killed.append(1)
        known = workers
