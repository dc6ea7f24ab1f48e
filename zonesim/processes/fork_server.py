"""Imported by the fork server alone: makes it ignore the signals of its process group.

Terminals, `timeout` and service managers signal every process of a group. The controller then ends
the run and writes its report. It needs its children for that, and ends them itself.
"""

from __future__ import annotations

import signal

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
