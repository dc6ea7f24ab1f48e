"""Whether a process that has died is started anew, and after how long. Knows no clock.

The bound is that of Erlang's supervisors: so many restarts within a window of time, and whoever
dies once more is given up. The wait doubles with each death in the window. A process that hangs
may take longer to be found than the window lasts: such deaths count until it has got on.
"""

from __future__ import annotations

from collections import deque

from zonesim.scenario.supervision import Supervision


class Restarts:
    """The deaths of one process and its successors."""

    def __init__(self, policy: Supervision) -> None:
        self._policy = policy
        self._deaths_s: deque[float] = deque()
        self._hung = 0  # deaths since it has got on

    def got_on(self) -> None:
        """It has come further than where it hung."""
        self._hung = 0

    def after_death(self, now_s: float, *, hung: bool = False) -> float | None:
        """Seconds to wait until the next start; None where there is none any more."""
        policy, deaths_s = self._policy, self._deaths_s
        deaths_s.append(now_s)
        while deaths_s[0] <= now_s - policy.window_s:
            deaths_s.popleft()
        self._hung += hung
        if self.recent > policy.restarts:
            return None
        return min(policy.backoff_max_s, policy.backoff_s * 2.0 ** (self.recent - 1))

    @property
    def recent(self) -> int:
        """Deaths that count now."""
        return max(len(self._deaths_s), self._hung)
