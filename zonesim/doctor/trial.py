"""A short measurement: what one tick of a zone costs on this machine.

Zones of a scenario tick in this process, with one worker and a session of their own. First there is
a pause between ticks, as where each zone has a process: caches cool down and the worker has to wake
up. Then ticks follow one another, as in a process that many zones keep busy.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

import corororo as cr
from zonesim.scenario.loading import Scenario
from zonesim.system.errors import RunFailed, user_text
from zonesim.system.operating_system import cpu_ns, pss_mb
from zonesim.system.sessions import trial_prefix
from zonesim.workloads import make_world
from zonesim.workloads.base import World, rehearsal_of, zone_spec
from zonesim.workloads.chains import parse_work
from zonesim.world.map_store import MapStore

from .facts import Place

ROOM_BYTES = 8 << 20  # for a ring and the graphs of the maps
PAUSE_S = 0.05
ZONES = 12  # that take turns, on each kind of generated map
WORLD_IMPORTS = ("zonesim.world.search",)


class Trial(msgspec.Struct, frozen=True):
    """What ticks cost on average, in CPU time."""

    ticks: int
    zone_ns: int  # of the zone's process, after a pause
    worker_ns: int  # of the worker, likewise
    packed_ns: int  # of both, right after the tick of another zone
    worker_mb: float | None  # memory of a worker; None where the system does not tell

    @property
    def tick_ns(self) -> int:
        """CPU time of one tick in both processes, after a pause."""
        return self.zone_ns + self.worker_ns


def measure_tick(scenario: Scenario, seconds: float, places: Sequence[Place]) -> Trial:
    """Tick for some seconds, in the first place with room, where a run would have its session.

    Raises RunFailed where the machine cannot do even that.
    """
    base = next((place.path for place in places if place.free_bytes >= ROOM_BYTES), None)
    workers = 0 if scenario.transfer == "inline" else min(1, scenario.worker_count)
    imports = WORLD_IMPORTS if scenario.workload == "field" else ()
    try:
        with (
            tempfile.TemporaryDirectory(prefix=trial_prefix(), dir=base) as folder,
            cr.WorkerPool(workers, name="zonesim", imports=imports, directory=folder) as pool,
            cr.Scheduler(pool, inline="direct") as scheduler,
        ):
            maps = MapStore(scenario, Path(folder))
            specs = (zone_spec(scenario, zone, maps.graph_for(zone)) for zone in range(ZONES))
            worlds = [make_world(rehearsal_of(spec)) for spec in specs]
            return _measure(pool, scheduler, worlds, seconds, _work_ns(scenario))
    except (cr.SessionError, cr.PoolClosed) as error:
        raise RunFailed(user_text(error)) from None
    except OSError as error:
        raise RunFailed(f"{error.filename or 'the system'}: {error.strerror}") from None


def _measure(
    pool: cr.WorkerPool,
    scheduler: cr.Scheduler,
    worlds: list[World],
    seconds: float,
    work_ns: int,
) -> Trial:
    turns = _Turns(scheduler, worlds, [worker.pid for worker in pool.statistics().workers])
    turns.costs_ns(0.0, 0.0)  # the first ticks of all
    zone_ns, worker_ns = turns.costs_ns(seconds, PAUSE_S)
    packed_ns = sum(turns.costs_ns(seconds / 2, 0.0))
    return Trial(
        turns.ticks,
        zone_ns,
        worker_ns + work_ns,
        packed_ns + work_ns,
        next(map(pss_mb, turns.pids), None),
    )


def _work_ns(scenario: Scenario) -> int:
    """The CPU time of the made-up work of a tick, which a trial leaves out: it may be hours."""
    kind, duration_ns = parse_work(scenario.chains.work) or ("none", 0)
    is_done = scenario.workload == "chains" and kind == "spin"
    return scenario.chains.chains * duration_ns if is_done else 0


class _Turns:
    """Worlds that tick in turn, and what it costs."""

    def __init__(self, scheduler: cr.Scheduler, worlds: list[World], pids: list[int]) -> None:
        self.ticks = 0
        self.pids = pids  # of the workers
        self._scheduler = scheduler
        self._worlds = worlds

    def costs_ns(self, seconds: float, pause_s: float) -> tuple[int, int]:
        """Tick for some seconds, each world at least once; the CPU time a tick, here and there."""
        zone_ns, worker_ns = time.process_time_ns(), self._worker_ns()
        end_s, first = time.monotonic() + seconds, self.ticks
        while self.ticks < first + len(self._worlds) or time.monotonic() < end_s:
            time.sleep(pause_s)
            number, turn = divmod(self.ticks, len(self._worlds))
            self._scheduler.run(self._worlds[turn].tick(number))
            self.ticks += 1
        ticks = self.ticks - first
        zone_ns = time.process_time_ns() - zone_ns
        return zone_ns // ticks, (self._worker_ns() - worker_ns) // ticks

    def _worker_ns(self) -> int:
        """The CPU time of the workers; where it is unknown, the time that their calls took."""
        used = [ns for pid in self.pids if (ns := cpu_ns(pid)) is not None]
        if len(used) == len(self.pids):
            return sum(used)
        return sum(use.busy_ns for use in self._scheduler.statistics().worker_use)
