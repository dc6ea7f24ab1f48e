"""Whom a fault strikes: one process of a run, named or drawn. Sends no signals."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

from zonesim.scenario.faults import KillWorker, KillZone, StallWorker, StallZone
from zonesim.wire.messages import process_title
from zonesim.world.random import Random

ProcessFault = KillWorker | KillZone | StallWorker | StallZone


class Processes(Protocol):
    """Those of a run that faults may strike.

    A process that is stopped stays among them until it is given up: who is none of them any more
    is sent no signal, so that nobody strikes a stranger that has got its process id.
    """

    def workers(self) -> Mapping[str, int]:
        """The process ids of the workers that are alive, by title."""
        ...

    def zones(self) -> Mapping[int, int]:
        """The process ids of the zones that are alive and tick; some zones may share one."""
        ...


class Victim(NamedTuple):
    """A process as one fault has found it."""

    title: str
    pid: int
    others: int  # zones that share the process


def find_victim(
    fault: ProcessFault, processes: Processes, draws: Random, spared: Collection[int] = ()
) -> Victim | None:
    """The one that a fault names, or one by draw; None where it is not there, or nobody is.

    Process ids among ``spared`` are passed over. The same draw of the same processes, by title,
    is the same one, whatever order they come in.
    """
    alive = {title: pid for title, pid in _alive(fault, processes).items() if pid not in spared}
    title = named(fault)
    if title is None:
        title = list(alive)[draws.below(len(alive))] if alive else ""
    if title not in alive:
        return None
    others = list(processes.zones().values()).count(alive[title]) - 1
    return Victim(title, alive[title], max(0, others))


def is_there(fault: ProcessFault, processes: Processes, victim: Victim) -> bool:
    """Whether a victim is the same process still."""
    return _alive(fault, processes).get(victim.title) == victim.pid


def named(fault: ProcessFault) -> str | None:
    """The title of the one that a fault names; None where it names nobody."""
    match fault:
        case KillWorker(worker=int(number)) | StallWorker(worker=int(number)):
            return f"zonesim worker {number}"
        case KillZone(zone=int(number)) | StallZone(zone=int(number)):
            return process_title([number])
    return None


def _alive(fault: ProcessFault, processes: Processes) -> dict[str, int]:
    """Process ids by title, in the order of the processes' numbers."""
    if isinstance(fault, KillZone | StallZone):
        return {process_title([zone]): pid for zone, pid in sorted(processes.zones().items())}
    return dict(sorted(processes.workers().items(), key=lambda item: (len(item[0]), item[0])))
