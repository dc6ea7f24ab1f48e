"""Goals that take real runs: very many zone processes, and workers that are killed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from statistics import fmean
from typing import Any

import msgspec

from .apart import run_apart
from .figures import Comparison, Goal, Row, alone
from .fleet_run import FleetRun, run_fleet
from .launches import Rounds, Turns, goes_on, ratio
from .suite import BenchError, Measuring, Setting

GROUP = "fleet"
SECONDS = 60
SECONDS_OF_ONE = 30  # zone: it has nobody to wait for
START_S = 120.0  # what a run may take beside its duration
ZONES = 100
MANY_ZONES = 300
STRUCK_ZONES = 20
FEWEST_KILLED = 0.9 * SECONDS  # a worker has to have been found when its second has come
TICKS = SECONDS * 1_000 // 400  # of each zone whose workers are killed
WORK = "spin:40us"  # so that kills find workers at work

CROWD = f"{ZONES} zone processes, chains"
MANY = f"{MANY_ZONES} zone processes, chains"
FIELD = f"{ZONES} zone processes, field"
STRUCK = f"{STRUCK_ZONES} zone processes, a worker killed each second"
PARTS = 6  # four of many processes, and two to hold them against
LATE = f"late ticks in {SECONDS} s"
LATE_SHARE = "late ticks, of all"
RESPONSE = "p99 of the response time"
SLOWEST = "ticks/s of the slowest zone"
MAIN_THREAD = "main-thread time of a tick"
ONE_ZONE = "1 zone process, chains"
LOST = "AsyncTasks lost"
DOUBLED = "AsyncTasks answered twice"
HASHES = "world hashes unlike that of a calm run"


def measure_fleet(setting: Setting) -> Measuring:
    """Some minutes of real runs; nothing of it can be had in a quick one."""
    if setting.quick:
        yield f"{GROUP}: its rows take {SECONDS} s each and more; they need the full run"
        return
    yield f"{GROUP}: zones collect their garbage between ticks, as they always do"
    for measure in (_measure_chains, _measure_many, _measure_field, _measure_struck):
        try:
            yield from measure(setting)
        except BenchError as error:  # a machine that does not hold one run may hold the next
            yield f"{GROUP}: {error}"


def _measure_chains(setting: Setting) -> Measuring:
    crowd = yield from _runs(setting, "chains", {"zones": ZONES, "duration_s": SECONDS})
    late = [[float(late) for late in run.late] for run in crowd]
    row = alone(GROUP, f"{CROWD}: {LATE}", "ticks", late, goal=Goal("at most", 0), statistic=total)
    yield _of(crowd, row)
    responses = [part for run in crowd for part in run.response_ms]
    row = alone(
        GROUP, f"{CROWD}: {RESPONSE}", "ms", responses, goal=Goal("at most", 5), statistic=p99
    )
    yield _of(crowd, row)
    single = yield from _runs(setting, "chains", {"zones": 1, "duration_s": SECONDS_OF_ONE})
    crowd = crowd[: len(single)]  # as many, where the run ends early
    comparison = Comparison(
        GROUP, f"{CROWD}: {MAIN_THREAD}", ONE_ZONE, "ms", ratio, goal=Goal("at most", 1.25)
    )
    row = comparison.row([run.main_ms for run in crowd], [run.main_ms for run in single])
    yield _of(crowd, row)


def _measure_many(setting: Setting) -> Measuring:
    runs = yield from _runs(setting, "chains", {"zones": MANY_ZONES, "duration_s": SECONDS})
    yield from _held(MANY, runs, 0.1)


def _measure_field(setting: Setting) -> Measuring:
    runs = yield from _runs(setting, "field", {"zones": ZONES, "duration_s": SECONDS})
    yield from _held(FIELD, runs, 0.5)


def _held(name: str, runs: list[FleetRun], late_percent: float) -> Iterator[Row]:
    """Whether every zone ticked on time."""
    rates: Rounds = [[ticks / SECONDS for ticks in run.ticks_of_zones] for run in runs]
    goal = Goal("at least", 2.5)
    row = alone(GROUP, f"{name}: {SLOWEST}", "ticks/s", rates, goal=goal, statistic=slowest)
    yield msgspec.structs.replace(row, interval=None)  # no draw finds one slower than the slowest
    late = [run.late_percent for run in runs]
    goal = Goal("at most", late_percent)
    yield _of(runs, alone(GROUP, f"{name}: {LATE_SHARE}", "%", late, goal=goal, statistic=mean))


def _measure_struck(setting: Setting) -> Measuring:
    world = {"zones": STRUCK_ZONES, "ticks": TICKS, "chains.work": WORK}
    runs = yield from _runs(setting, "chains", world, kills=True)
    least = min(run.killed for run in runs)
    if least < FEWEST_KILLED:
        yield f"{GROUP}: {least} workers were killed in {SECONDS} s, which is not one each second"
        return
    yield from goes_on(0)
    [calm] = _once(setting, "chains", {**world, "pace": "max"}, kills=False)
    expected = calm.async_tasks.completed
    answered = [run.async_tasks.completed + run.async_tasks.failed for run in runs]
    none = Goal("at most", 0)
    for name, counts in (
        (LOST, [max(0, expected - run.async_tasks.completed) for run in runs]),
        (DOUBLED, [max(0, count - expected) for count in answered]),
        (HASHES, [run.world_hash != calm.world_hash for run in runs]),
    ):
        samples = [[float(count)] for count in counts]
        yield alone(GROUP, f"{STRUCK}: {name}", "", samples, goal=none, statistic=total)
    killed = sum(run.killed for run in runs)
    again = sum(run.async_tasks.retried for run in runs)
    yield f"{GROUP}: {killed} workers were killed; {again:,} of {sum(answered):,} calls ran again"


# -- runs


def _of(runs: Sequence[FleetRun], row: Row) -> Row:
    """The row of so many runs: the parts of a single one do not know how runs differ."""
    return row if len(runs) > 1 else msgspec.structs.replace(row, interval=None)


def _runs(
    setting: Setting, scenario: str, overrides: dict[str, Any], kills: bool = False
) -> Turns[list[FleetRun]]:
    runs: list[FleetRun] = []
    for launch in range(setting.amount.launches):
        if not (yield from goes_on(launch)):
            break
        runs += _once(setting, scenario, overrides, kills)
    return runs


def _once(
    setting: Setting, scenario: str, overrides: dict[str, Any], kills: bool
) -> list[FleetRun]:
    whole = {"workers": setting.workers, "seed": 1, **overrides}
    timeout_s = START_S + SECONDS
    found = run_apart(run_fleet, FleetRun, timeout_s, scenario, whole, setting.amount.rounds, kills)
    if not found:
        raise BenchError(f"{scenario}, {whole['zones']} zones: not done within {timeout_s:.0f} s")
    return found


# -- statistics of a run as a whole


def total(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """How many there were."""
    return sum(ours)


def mean(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Of parts that weigh the same."""
    return fmean(ours)


def slowest(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The least of all."""
    return min(ours)


def p99(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """As a run's summary has it."""
    ordered = sorted(ours)
    return ordered[ceil(0.99 * (len(ordered) - 1))]
