"""Whom a fault strikes: one process of a run, named or drawn. Sends no signals."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

from zonesim.scenario.faults import KillWorker, KillZone, StallWorker, StallZone
from zonesim.world.determinism import Random

ProcessFault = KillWorker | KillZone | StallWorker | StallZone


class Processes(Protocol):
    """Those of a run that faults may strike.

    A process that is stopped stays among them until it is given up: who is none of them any more
    is sent no signal, so that nobody strikes a stranger that has got its process id.
    """

    def workers(self) -> Mapping[int, int]:
        """The process ids of the workers that are alive, by place."""
        ...

    def zones(self) -> Mapping[int, int]:
        """The process ids of the zones that are alive and tick; some zones may share one."""
        ...


class Victim(NamedTuple):
    """A process as one fault has found it."""

    pid: int
    zone: int | None = None
    worker: int | None = None
    others: int = 0  # zones that share the process


def find_victim(
    fault: ProcessFault, processes: Processes, draws: Random, spared: Collection[int] = ()
) -> Victim | None:
    """The one that a fault names, or one by draw; None where it is not there, or nobody is.

    Process ids among ``spared`` are passed over. The same draw of the same processes, by title,
    is the same one, whatever order they come in.
    """
    alive = {number: pid for number, pid in _alive(fault, processes).items() if pid not in spared}
    number = named(fault)
    if number is None and alive:
        number = list(alive)[draws.below(len(alive))]
    if number is None or number not in alive:
        return None
    pid = alive[number]
    if isinstance(fault, KillWorker | StallWorker):
        return Victim(pid, worker=number)
    others = list(processes.zones().values()).count(pid) - 1
    return Victim(pid, zone=number, others=others)


def is_there(fault: ProcessFault, processes: Processes, victim: Victim) -> bool:
    """Whether a victim is the same process still."""
    number = victim.worker if victim.zone is None else victim.zone
    return number is not None and _alive(fault, processes).get(number) == victim.pid


def named(fault: ProcessFault) -> int | None:
    """The number of the zone or worker that a fault names; None where it names none."""
    return fault.worker if isinstance(fault, KillWorker | StallWorker) else fault.zone


def _alive(fault: ProcessFault, processes: Processes) -> dict[int, int]:
    """Process ids by the number of the zone or worker, in order."""
    is_worker = isinstance(fault, KillWorker | StallWorker)
    return dict(sorted((processes.workers() if is_worker else processes.zones()).items()))
