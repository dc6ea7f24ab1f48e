"""Importing this makes a process the fork server of a run: it outlives the signals of its group.

`timeout` and service managers send SIGTERM to every process of a group. The controller then ends
the run and writes its report, for which it needs its children; they end when it ends them.
"""

from __future__ import annotations

import signal

signal.signal(signal.SIGTERM, signal.SIG_IGN)
