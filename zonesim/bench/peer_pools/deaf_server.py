"""Importing this makes a fork server whose children leave Ctrl-C to who wants them, from birth."""

from __future__ import annotations

import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)
