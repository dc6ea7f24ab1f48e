"""Importing this makes a fork server of a process; the last of the server's own imports.

What a server has imported is shared with its children until somebody writes to it, and a garbage
collection writes to every object it looks at. Frozen objects are not looked at, so a hundred
children go on sharing them.
"""

from __future__ import annotations

import gc
import os
import signal

from corororo._worker._lifeline import prepare_titles

from ._process import IMPORT_PATH_VARIABLES, SAVED_PREFIX
from ._startup import block_in_children

prepare_titles()
block_in_children()

# The path came in the environment; what our children see there is what our parent saw.
for _name in IMPORT_PATH_VARIABLES:
    os.environ.pop(_name, None)
    if f"{SAVED_PREFIX}{_name}" in os.environ:
        os.environ[_name] = os.environ.pop(f"{SAVED_PREFIX}{_name}")

gc.collect()
gc.freeze()

# SIGINT came blocked: one that came while we imported is dropped, later ones go their usual way.
_handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
signal.signal(signal.SIGINT, _handler)
