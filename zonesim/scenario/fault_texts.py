"""Faults in words, for those who check a scenario. Breaks nothing."""

from __future__ import annotations

from zonesim.scenario.faults import (
    Fault,
    KillWorker,
    KillZone,
    SlowDisk,
    StallWorker,
    StallZone,
    SurgeFault,
)


def fault_text(fault: Fault) -> str:
    """A fault in a short line: `stall-worker: worker 3, every 40 s, for 3 s`."""
    return f"{fault.__struct_config__.tag}: {_what(fault)}, {_when(fault)}{_how_long(fault)}"


def more_players(players: int) -> str:
    """How many come with a surge."""
    return "1 player more" if players == 1 else f"{players} players more"


def _what(fault: Fault) -> str:
    match fault:
        case KillWorker(worker=worker) | StallWorker(worker=worker):
            return "a worker by draw" if worker is None else f"worker {worker}"
        case KillZone(zone=zone) | StallZone(zone=zone):
            return "a zone by draw" if zone is None else f"zone {zone}"
        case SurgeFault(players=players, zone=zone):
            where = "every zone" if zone is None else f"zone {zone}"
            return f"{more_players(players)} in {where}"
        case SlowDisk(delay_ms=delay_ms):
            return f"each write {delay_ms:g} ms longer"


def _when(fault: Fault) -> str:
    if fault.at_tick is not None:
        return f"at tick {fault.at_tick}"
    if fault.every_s is None:
        return f"at {fault.begin_s:g} s"
    begins = "" if fault.first_s is None else f" from {fault.first_s:g} s on"
    ends = "" if fault.until_s is None else f" until {fault.until_s:g} s"
    return f"every {fault.every_s:g} s{begins}{ends}"


def _how_long(fault: Fault) -> str:
    if isinstance(fault, KillWorker | KillZone):
        return ""
    return ", for good" if fault.for_s is None else f", for {fault.for_s:g} s"
