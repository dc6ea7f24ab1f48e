"""Load that other programs put on the machine during a benchmark."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import msgspec

from zonesim.system.operating_system import cpu_times

LOOK_S = 0.4
QUIET_CPUS = 0.15  # what a machine at rest takes now and then
DISTURBED = 1 / 3  # of the looks; fewer disturbed launches do not move a median far


class Look(msgspec.Struct, frozen=True):
    """CPUs that others used while this program slept; None where the system does not tell."""

    before: str  # the group that was measured next
    cpus_busy: float | None  # 1.5: one and a half CPUs
    cpus_stolen: float | None  # by the host of a virtual machine

    @property
    def disturbs(self) -> bool:
        """Whether it makes figures doubtful."""
        both = (self.cpus_busy, self.cpus_stolen)
        return any(cpus is not None and cpus > QUIET_CPUS for cpus in both)


def look(before: str) -> Look:
    """Sleep a little and read what others used meanwhile."""
    began, began_s = cpu_times(), time.monotonic()
    time.sleep(LOOK_S)
    ended, took_s = cpu_times(), time.monotonic() - began_s
    if began is None or ended is None:
        return Look(before, None, None)
    second = os.sysconf("SC_CLK_TCK") * took_s
    whole, idle, stolen = (after - earlier for earlier, after in zip(began, ended, strict=True))
    return Look(before, (whole - idle - stolen) / second, stolen / second)


def is_busy(looks: Sequence[Look]) -> bool:
    """Whether so many looks found load that the figures of a run are doubtful."""
    return sum(found.disturbs for found in looks) > DISTURBED * len(looks)


def noise_text(looks: Sequence[Look]) -> str:
    """One line if there was load, or if the system does not tell; else empty."""
    if any(found.cpus_busy is None for found in looks):
        return "load by other programs is unknown: the system does not tell"
    found = [look for look in looks if look.disturbs]
    if not found:
        return ""
    busy = max(look.cpus_busy or 0.0 for look in found)
    stolen = max(look.cpus_stolen or 0.0 for look in found)
    effect = "verdicts are unclear" if is_busy(looks) else "too rare to doubt the verdicts"
    return (
        f"BUSY: other programs used up to {busy:.1f} CPUs, the host up to {stolen:.1f}, in "
        f"{len(found)} of {len(looks)} looks: {effect}"
    )
