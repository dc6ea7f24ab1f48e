"""Time. The only caller of ``time.*`` in the library."""

from __future__ import annotations

import time


class SystemClock:
    """The monotonic clock of the machine: one for all its processes, never set back."""

    now = staticmethod(time.monotonic)
    now_ns = staticmethod(time.monotonic_ns)
