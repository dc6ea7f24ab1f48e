"""Real runs of `zonesim`: hundreds of zone processes, and workers that are killed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from zonesim.bench.isolated import run_isolated
from zonesim.bench.rows import Goal, Row, alone, compared
from zonesim.bench.sampling import Amount, Candidates, Samples, flat
from zonesim.bench.suite import Group, Setting
from zonesim.controller.run import run_for_figures
from zonesim.results.saved_run import Summary
from zonesim.scenario.loading import load_scenario

SECONDS = 60
START_S = 120.0  # that a run may take beside its duration

LATE, LATE_SHARE = "late ticks", "late ticks in %"
P95, P99, SLOWEST = "response p95", "response p99", "ticks/s of the slowest zone"
MAIN_THREAD = "main thread in a tick"
CHAINS, ONE, FIELD = "100 zones, chains", "1 zone, chains", "100 zones, field"
MANY_CHAINS, MANY_FIELD = "300 zones, chains", "300 zones, field"
MANY: dict[str, object] = {"zones": 300, "zones_per_process": "auto", "duration_s": SECONDS}
RUNS: dict[str, tuple[str, dict[str, object]]] = {
    CHAINS: ("chains", {"zones": 100, "duration_s": SECONDS}),
    ONE: ("chains", {"zones": 1, "duration_s": SECONDS / 2}),
    FIELD: ("field", {"zones": 100, "duration_s": SECONDS}),
    MANY_CHAINS: ("chains", MANY),
    MANY_FIELD: ("field", MANY),
}
NONE_LATE = Goal("at most", 0.0)
GOALS = [  # run, figure, unit, goal
    (CHAINS, LATE, "", NONE_LATE),
    (CHAINS, P99, "ms", Goal("at most", 15.0)),
    (FIELD, LATE, "", NONE_LATE),
    (FIELD, P95, "ms", Goal("at most", 25.0)),
    (FIELD, P99, "ms", Goal("at most", 60.0)),
    (MANY_CHAINS, SLOWEST, "", Goal("at least", 2.5)),
    (MANY_CHAINS, LATE_SHARE, "%", Goal("at most", 0.5)),
    (MANY_FIELD, SLOWEST, "", Goal("at least", 2.5)),
    (MANY_FIELD, LATE_SHARE, "%", Goal("at most", 1.0)),
]

KILLED_ZONES = 20
KILLED = f"{KILLED_ZONES} zones, a worker killed each second"
WRONG = "calls lost or doubled, hashes that differ"
KILLS = "workers killed"
FEWEST_KILLED = 0.9 * SECONDS


def _runs(*names: str) -> Callable[[Setting], AbstractContextManager[Candidates]]:
    """Runs of a fleet, each in a process of its own."""

    @contextmanager
    def opened(setting: Setting) -> Iterator[Candidates]:
        yield {name: partial(_figures_of, name, setting.workers) for name in names}

    return opened


def _figures_of(name: str, workers: int) -> dict[str, float]:
    scenario, overrides = RUNS[name]
    return run_isolated(run_fleet, START_S + SECONDS, scenario, workers, overrides)


@contextmanager
def open_kills(setting: Setting) -> Iterator[Candidates]:
    """A run whose workers are killed, and a calm one to compare it with."""
    patience_s, workers = 2 * (START_S + SECONDS), setting.workers
    run = partial(run_isolated, run_with_kills, patience_s, workers, KILLED_ZONES, SECONDS)
    yield {KILLED: run}


def fleet_rows(group: str, samples: Samples, setting: Setting) -> Iterable[Row | str]:
    """The figures of the runs of a group that have a goal."""
    for run, figure, unit, goal in GOALS:
        if found := samples.get(f"{run}: {figure}"):
            yield alone(group, f"{run}: {figure}", unit, found, goal=goal)
    if one := samples.get(f"{ONE}: {MAIN_THREAD}"):
        name, ours = f"{CHAINS}: {MAIN_THREAD}", samples[f"{CHAINS}: {MAIN_THREAD}"]
        yield compared(group, name, ONE, "ms", ours, one, goal=Goal("at most", 1.25))
    if wrong := samples.get(f"{KILLED}: {WRONG}"):
        kills = median(flat(samples[f"{KILLED}: {KILLS}"]))
        if kills < FEWEST_KILLED:
            yield f"only {kills:.0f} workers were killed in {SECONDS} s: this machine is too busy"
        else:
            yield alone(group, f"{KILLED}: {WRONG}", "", wrong, goal=Goal("at most", 0.0))


def _group(name: str, opened: Callable[[Setting], AbstractContextManager[Candidates]]) -> Group:
    return Group(opened, partial(fleet_rows, name), Amount(1, 1), None, warm_up=False)


# A machine that cannot hold one of them may hold the next.
FLEET = {
    "fleet-chains": _group("fleet-chains", _runs(CHAINS, ONE)),
    "fleet-field": _group("fleet-field", _runs(FIELD)),
    "fleet-300": _group("fleet-300", _runs(MANY_CHAINS)),
    "fleet-300-field": _group("fleet-300-field", _runs(MANY_FIELD)),
    "fleet-kills": _group("fleet-kills", open_kills),
}


# -- in the process of a run


def run_fleet(scenario: str, workers: int, overrides: dict[str, Any]) -> dict[str, float]:
    """Run a scenario and return its figures."""
    [step] = _run(scenario, {"workers": workers, **overrides}).steps
    return {
        LATE: step.late,
        LATE_SHARE: 100 * step.late / step.ticks,
        P95: step.response_ms.p95,
        P99: step.response_ms.p99,
        SLOWEST: step.tps_min,
        MAIN_THREAD: step.main_thread_ms.mean,
    }


def run_with_kills(workers: int, zones: int, seconds: int) -> dict[str, float]:
    """Run chains with and without killed workers, and count what differs."""
    world = {
        "zones": zones,
        "ticks": seconds * 1_000 // 400,
        "workers": workers,
        "chains.work": "spin:40us",  # so that kills find workers at work
    }
    killed = _run("chains", {**world, "faults": [{"kind": "kill-worker", "every_s": 1.0}]})
    kills = sum(event.kind == "fault" for event in killed.events)
    calm = _run("chains", {**world, "pace": "max"})
    found, expected = killed.steps[0].async_tasks, calm.steps[0].async_tasks.completed
    doubled = max(0, found.completed + found.failed - expected)
    lost = max(0, expected - found.completed)
    wrong = lost + doubled + (killed.world_hash != calm.world_hash)
    return {WRONG: wrong, KILLS: kills}


def _run(scenario: str, overrides: dict[str, Any]) -> Summary:
    with tempfile.TemporaryDirectory() as place:
        return run_for_figures(load_scenario(scenario, {"seed": 1, **overrides}), Path(place))
