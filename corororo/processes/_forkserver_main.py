"""Importing this sets up a forkserver; it is the last module that the server imports.

Memory is shared with the children until one side writes to it, and a garbage collection writes to
every object it visits. It does not visit frozen objects, so a hundred children go on sharing them.
"""

from __future__ import annotations

import gc
import signal

from ._forkserver import block_sigint_in_children, restore_import_path
from ._process import prepare_titles

prepare_titles()
block_sigint_in_children()
restore_import_path()

gc.collect()
gc.freeze()

# SIGINT has been blocked so far: ignoring it for a moment drops one that came meanwhile.
_handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
signal.signal(signal.SIGINT, _handler)
