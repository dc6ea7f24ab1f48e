"""Whether a process that has died is started anew, and after how long. Knows no clock.

The bound is that of Erlang's supervisors: so many restarts within a window of time, and whoever
dies once more is given up. The wait doubles with each death in the window.
"""

from __future__ import annotations

from collections import deque

from zonesim.supervision import Supervision


class Restarts:
    """The deaths of one process and its successors."""

    def __init__(self, policy: Supervision) -> None:
        self._policy = policy
        self._deaths_s: deque[float] = deque()

    def after_death(self, now_s: float) -> float | None:
        """Seconds to wait until the next start; None where there is none any more."""
        policy, deaths_s = self._policy, self._deaths_s
        deaths_s.append(now_s)
        while deaths_s[0] <= now_s - policy.window_s:
            deaths_s.popleft()
        if len(deaths_s) > policy.restarts:
            return None
        return min(policy.backoff_max_s, policy.backoff_s * 2.0 ** (len(deaths_s) - 1))

    @property
    def recent(self) -> int:
        """Deaths that count now."""
        return len(self._deaths_s)
