"""What a process of a peer does first. Imports nothing heavy: every one of them imports this."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time

LOOK_S = 0.5


def end_with_parent() -> None:
    """Leave Ctrl-C to the parent, and do not outlive it.

    Most workers hold both ends of their own queue, and would wait there for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch_parent, daemon=True).start()


def _watch_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    sentinel: int | None = getattr(parent, "sentinel", None)
    if sentinel is not None:
        parent.join()
    else:  # started by a library itself, and so by the parent
        while os.getppid() == parent.pid:
            time.sleep(LOOK_S)
    os._exit(1)
