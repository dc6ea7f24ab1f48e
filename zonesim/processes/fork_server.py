"""Importing this makes a process the fork server of a run: it outlives the signals of its group.

A terminal sends SIGINT, and SIGHUP when it closes, `timeout` and service managers SIGTERM, to every
process of a group. The controller then ends the run and writes its report, for which it needs its
children; they end when it ends them.
"""

from __future__ import annotations

import signal

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
