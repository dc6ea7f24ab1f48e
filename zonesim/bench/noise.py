"""What else the machine does while nothing is measured. Knows no figures."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import msgspec

from zonesim.system.operating_system import read_proc

LOOK_S = 0.4
QUIET_CPUS = 0.15  # what a machine at rest takes now and then
DISTURBED = 1 / 3  # of the looks; fewer launches than that do not move a median far
IDLE_COLUMNS = (3, 4)  # of the line "cpu": idle, and waiting for a disk
STEAL_COLUMN = 7


class Look(msgspec.Struct, frozen=True):
    """What others took while this program slept; None where the system does not tell."""

    before: str  # a launch of which group
    cpus_busy: float | None  # 1.5: one and a half CPUs
    cpus_stolen: float | None  # by the host of a virtual machine

    @property
    def disturbs(self) -> bool:
        """Whether figures of the launches around it are to be trusted less."""
        return any(cpus is not None and cpus > QUIET_CPUS for cpus in self._both())

    def _both(self) -> tuple[float | None, float | None]:
        return self.cpus_busy, self.cpus_stolen


def look(before: str) -> Look:
    """Sleep a little and tell what was done meanwhile."""
    began, began_s = _ticks(), time.monotonic()
    time.sleep(LOOK_S)
    ended, took_s = _ticks(), time.monotonic() - began_s
    if began is None or ended is None:
        return Look(before, None, None)
    second = os.sysconf("SC_CLK_TCK") * took_s
    spent = [(after - earlier) / second for earlier, after in zip(began, ended, strict=True)]
    busy = sum(spent[:STEAL_COLUMN]) - sum(spent[column] for column in IDLE_COLUMNS)
    return Look(before, busy, spent[STEAL_COLUMN])


def disturb(looks: Sequence[Look]) -> bool:
    """Whether so many of them found somebody that a run's figures are to be trusted less."""
    return sum(found.disturbs for found in looks) > DISTURBED * len(looks)


def told(looks: Sequence[Look]) -> list[str]:
    """A line where somebody was found, or where nothing can be found out."""
    if any(found.cpus_busy is None for found in looks):
        return ["what else this machine did is unknown: the system does not tell"]
    found = [look for look in looks if look.disturbs]
    if not found:
        return []
    busy, stolen = (
        max(cpus or 0.0 for cpus in all_cpus)
        for all_cpus in zip(*((look.cpus_busy, look.cpus_stolen) for look in found), strict=True)
    )
    so = "verdicts are unclear" if disturb(looks) else "too few to doubt the verdicts"
    return [
        f"BUSY: others took up to {busy:.1f} CPUs, the host up to {stolen:.1f}, in {len(found)} of "
        f"{len(looks)} looks: {so}"
    ]


def _ticks() -> list[int] | None:
    """What all CPUs spent in each state since the start, in ticks of the system's clock."""
    words = read_proc("stat").partition("\n")[0].split()
    return [int(word) for word in words[1:]] or None
