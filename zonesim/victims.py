"""Whom a fault strikes: one process of a run, named or drawn. Sends no signals."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

from zonesim.fault_tables import KillWorker, KillZone, StallWorker, StallZone
from zonesim.world.random import Random
from zonesim.zone_process import process_title

ProcessFault = KillWorker | KillZone | StallWorker | StallZone


class Targets(Protocol):
    """What a run lets its faults strike.

    A process that is stopped stays among them until it is given up: who is none of them any more
    is sent no signal, so that nobody strikes a stranger that has got its process id.
    """

    def workers(self) -> Mapping[str, int]:
        """The process ids of the workers that are alive, by title."""
        ...

    def zones(self) -> Mapping[int, int]:
        """The process ids of the zones that are alive and tick; some zones may share one."""
        ...

    async def slow_disk(self, delay_s: float, for_s: float) -> None:
        """Have each write of the run's figures take longer, for a while.

        It may come back at once, or when that is over: nothing else waits for it.
        """
        ...


class Victim(NamedTuple):
    """A process as one fault has found it."""

    title: str
    pid: int
    others: int  # zones that share the process


def find_victim(
    fault: ProcessFault, targets: Targets, draws: Random, spared: Collection[int] = ()
) -> Victim | None:
    """The one that a fault names, or one by draw; None where it is not there, or nobody is.

    Process ids among ``spared`` are passed over. The same draw of the same processes, by title,
    is the same one, whatever order they come in.
    """
    alive = {title: pid for title, pid in _alive(fault, targets).items() if pid not in spared}
    title = named(fault)
    if title is None:
        title = list(alive)[draws.below(len(alive))] if alive else ""
    if title not in alive:
        return None
    others = list(targets.zones().values()).count(alive[title]) - 1
    return Victim(title, alive[title], max(0, others))


def is_there(fault: ProcessFault, targets: Targets, victim: Victim) -> bool:
    """Whether a victim is the same process still."""
    return _alive(fault, targets).get(victim.title) == victim.pid


def named(fault: ProcessFault) -> str | None:
    """The title of the one that a fault names; None where it names nobody."""
    match fault:
        case KillWorker(worker=int(number)) | StallWorker(worker=int(number)):
            return f"zonesim worker {number}"
        case KillZone(zone=int(number)) | StallZone(zone=int(number)):
            return process_title([number])
    return None


def _alive(fault: ProcessFault, targets: Targets) -> dict[str, int]:
    """Process ids by title, in the order of the processes' numbers."""
    if isinstance(fault, KillZone | StallZone):
        return {process_title([zone]): pid for zone, pid in sorted(targets.zones().items())}
    return dict(sorted(targets.workers().items(), key=lambda item: (len(item[0]), item[0])))
