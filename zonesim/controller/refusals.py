"""Which refused connections are told of: a flood of them must not fill the results.

Knows no connections and no results.
"""

from __future__ import annotations

import time
from collections.abc import Callable

AT_ONCE = 10  # told of one after another
EVERY_S = 60.0  # and one more each so often


class Refusals:
    """Tells ``tell`` of a refused connection: whose, and why.

    The same again is told once. What is left out is told as a number with the next, or in the
    end.
    """

    def __init__(
        self, tell: Callable[[str, str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._began = clock()
        self._told: set[tuple[str, str]] = set()
        self._untold = 0

    def note(self, subject: str, reason: str) -> None:
        """Somebody was refused."""
        known = (subject, reason) in self._told
        if known or len(self._told) >= AT_ONCE + (self._clock() - self._began) // EVERY_S:
            self._untold += 1
            return
        self._told.add((subject, reason))
        more = f"; {self._untold} more were refused before" if self._untold else ""
        self._untold = 0
        self._tell(subject, reason + more)

    def close(self) -> None:
        """Tell of those that are left, as a number."""
        if self._untold:
            self._tell("others", f"{self._untold} more were refused")
            self._untold = 0
