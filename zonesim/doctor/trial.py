"""A short measurement: what one tick of a zone costs on this machine.

A zone like those of `zonesim scale` ticks in this process, with one worker and a session of its
own. There is a pause between ticks, as in a run: caches cool down and the worker has to wake up.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

import corororo as cr
from zonesim.scenario.loading import load_scenario
from zonesim.system.errors import RunFailed, user_text
from zonesim.system.operating_system import cpu_ns, pss_mb
from zonesim.system.sessions import trial_prefix
from zonesim.workloads import make_world
from zonesim.workloads.base import World, zone_spec
from zonesim.world.map_store import MapStore

from .facts import Place

ROOM_BYTES = 8 << 20  # for a ring and the graphs of the maps
PACE_S = 0.05
KINDS = 3  # of generated maps; a zone on each in turn
WORLD_IMPORTS = ("zonesim.world.search",)


class Trial(msgspec.Struct, frozen=True):
    """What ticks cost on average."""

    ticks: int
    zone_ns: int  # CPU time of the zone's process
    worker_ns: int  # CPU time of the worker
    worker_mb: float | None  # memory of a worker; None where the system does not tell

    @property
    def tick_ns(self) -> int:
        """CPU time of one tick in both processes."""
        return self.zone_ns + self.worker_ns


def measure_tick(seconds: float, places: Sequence[Place]) -> Trial:
    """Tick for some seconds, in the first place with room, where a run would have its session.

    Raises RunFailed where the machine cannot do even that.
    """
    scenario = load_scenario("scale")
    base = next((place.path for place in places if place.free_bytes >= ROOM_BYTES), None)
    try:
        with (
            tempfile.TemporaryDirectory(prefix=trial_prefix(), dir=base) as folder,
            cr.WorkerPool(1, name="zonesim", imports=WORLD_IMPORTS, directory=folder) as pool,
            cr.Scheduler(pool) as scheduler,
        ):
            maps = MapStore(scenario, Path(folder))
            specs = (zone_spec(scenario, zone, maps.graph_for(zone)) for zone in range(KINDS))
            return _tick(pool, scheduler, [make_world(spec) for spec in specs], seconds)
    except (cr.SessionError, cr.PoolClosed) as error:
        raise RunFailed(user_text(error)) from None
    except OSError as error:
        raise RunFailed(f"{error.filename or 'the system'}: {error.strerror}") from None


def _tick(
    pool: cr.WorkerPool, scheduler: cr.Scheduler, worlds: list[World], seconds: float
) -> Trial:
    [worker] = pool.statistics().workers
    for world in worlds:  # the first paths of all mobs
        scheduler.run(world.tick(0))
    zone_ns, worker_ns = time.process_time_ns(), _worker_ns(scheduler, worker.pid)
    end = time.monotonic() + seconds
    ticks = 0
    while not ticks or time.monotonic() < end:
        time.sleep(PACE_S)
        scheduler.run(worlds[ticks % KINDS].tick(1 + ticks // KINDS))
        ticks += 1
    return Trial(
        ticks=ticks,
        zone_ns=(time.process_time_ns() - zone_ns) // ticks,
        worker_ns=(_worker_ns(scheduler, worker.pid) - worker_ns) // ticks,
        worker_mb=pss_mb(worker.pid),
    )


def _worker_ns(scheduler: cr.Scheduler, pid: int) -> int:
    """The CPU time of a worker; where it is unknown, the time that its calls took."""
    used = cpu_ns(pid)
    return sum(use.busy_ns for use in scheduler.statistics().worker_use) if used is None else used
