"""The steps of a run as orders to its zones, and as windows of time.

With ``duration_s`` at pace "realtime", zones tick on from step to step: a step lasts until the
next one begins, and has the ticks that were due in that window. Else zones stop between steps.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter

from zonesim.scenario.loading import Scenario
from zonesim.wire.messages import Leg

LEAD_S = 0.1  # from the order to the first tick: time for the order to reach all zones
LEAD_FOR_EACH_ZONE_S = 0.002
WARM_UP_FOR_EACH_ZONE_S = 0.03  # a new one; so many of them make a difference to those that tick
WARM_UP_PERIODS = 4  # at most


class Stepping:
    """Makes the leg of each step in turn, and finds the step of a tick."""

    def __init__(self, scenario: Scenario) -> None:
        self._plan = scenario.plan
        self._ticks = scenario.ticks
        self._realtime = scenario.pace == "realtime"
        self._period_ns = round(scenario.period_ms * 1e6)
        self._starts_ns: list[int] = []
        self._until: Counter[int] = Counter()  # by zone: the number of its first tick to come
        self.continuous = self._realtime and self._ticks is None

    def begin(self, now_ns: int, new_zones: int = 0) -> Leg:
        """Make the leg of the next step; new zones rehearse until it starts."""
        zones, duration_s = self._plan[len(self._starts_ns)]
        lead_ns = int((LEAD_S + LEAD_FOR_EACH_ZONE_S * zones) * 1e9)
        warm_up_ns = int(WARM_UP_FOR_EACH_ZONE_S * new_zones * 1e9) if self._realtime else 0
        start_ns = now_ns + lead_ns + min(warm_up_ns, WARM_UP_PERIODS * self._period_ns)
        self._starts_ns.append(start_ns)
        step = len(self._starts_ns)
        ends = not self.continuous or step == len(self._plan)
        return Leg(
            step=step,
            origin_ns=self._starts_ns[0] if self.continuous else start_ns,
            start_ns=start_ns,
            period_ns=self._period_ns,
            until={zone: self._bound(zone) for zone in range(zones)},
            end_ns=start_ns + int(duration_s * 1e9) if ends and duration_s is not None else None,
            realtime=self._realtime,
        )

    def step_of(self, scheduled_ns: int) -> int:
        """The step in whose window a tick was due, from 1.

        The last ticks of a zone that a step leaves out count in the step before, however late.
        """
        return max(1, bisect_right(self._starts_ns, scheduled_ns))

    def _bound(self, zone: int) -> int | None:
        if self._ticks is None:
            return None
        self._until[zone] += self._ticks
        return self._until[zone]
