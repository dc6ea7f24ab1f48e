"""Whether a process that says nothing hangs, or only waits for its turn. Knows no process.

A heartbeat that is missed means little on a machine where far more wants to run than can. So a
process is judged by what it could have done in the silence as well: it is stopped, or it sleeps
where it should have woken, or it has had the CPU for long enough to say something.
"""

from __future__ import annotations

from typing import NamedTuple

STOPPED = frozenset("Tt")
SLEEPING = frozenset("S")
ASLEEP_LOOKS = 3
IS_STOPPED = "it is stopped"
TIMES_BUSIEST = 3
NO_DOUBT = 10  # times the silence allowed: whatever the reason, nobody is served


class Look(NamedTuple):
    """What is known of a process that has said nothing for a while."""

    silent_s: float
    state: str  # a letter of /proc/PID/stat; "" where the system does not tell
    cpu_s: float  # that it has used since it was half as long silent as it may be
    asleep_looks: int  # in how many looks in a row it slept: who waits for a lock does for one


def why_it_hangs(
    look: Look, allowed_s: float, busiest_s: float = 0.0, *, may_be_busy: bool = False
) -> str | None:
    """What is wrong, in words; None as long as it may only be slow.

    ``busiest_s`` is how long it has ever been busy without a word and come back; 0 where it has
    not come back yet, and nobody knows what its work takes. ``may_be_busy``: what it runs by
    itself may take long, and only whoever knows how long can tell.
    """
    if look.silent_s <= allowed_s:
        return None
    if look.state in STOPPED and look.state:
        return IS_STOPPED
    if may_be_busy:
        return None
    if not look.state:
        return "nothing is known of what it does"
    if look.state in SLEEPING and look.asleep_looks >= ASLEEP_LOOKS:
        return "it sleeps, or waits for something that does not come"
    if busiest_s and look.cpu_s >= max(allowed_s / 2, TIMES_BUSIEST * busiest_s):
        return f"it runs and does not come back: {look.cpu_s:.1f} s of CPU since"
    if look.silent_s > NO_DOUBT * allowed_s:
        return f"it is in state {look.state}"
    return None
