"""Garbage collection between ticks: passes put it off, and a SlackCollector runs it in the slack.

A collection inside a pass looks at every coroutine that waits; after the pass they are gone.
"""

from __future__ import annotations

import gc
import threading
from typing import Any, Self

from ._platform import SystemClock

FULL_EVERY = 64  # young collections between two full ones
PATIENCE = 32  # calls without enough slack after which one is made all the same

ALLOCATIONS_IN_A_PASS = (
    100_000  # more than were freed, after which a pass is collected in after all
)

_lock = threading.Lock()
_passes = 0  # under way in this process, of all Schedulers
_threshold = (0, 0, 0)  # of the collector before the first of them began


def begin_pass() -> None:
    """Put automatic collection off until the last pass of this process has ended.

    A collector that is switched off stays so.
    """
    global _passes, _threshold
    with _lock:
        if not _passes:
            _threshold = gc.get_threshold()
            if 0 < _threshold[0] < ALLOCATIONS_IN_A_PASS:
                gc.set_threshold(ALLOCATIONS_IN_A_PASS, *_threshold[1:])
        _passes += 1


def end_pass() -> None:
    """Leave automatic collection as ``begin_pass`` found it."""
    global _passes
    with _lock:
        _passes -= 1
        if not _passes:
            gc.set_threshold(*_threshold)


class SlackCollector:
    """Takes the garbage collector over while it is entered.

    On entry what lives is frozen (it is long-lived, and need not be looked at again) and the
    automatic collector is switched off; ``collect`` runs it in the time that a tick left over.
    On exit all is as it was. ``paused_ns`` counts the time spent in all collections meanwhile.
    """

    def __init__(self) -> None:
        self._was_enabled = False
        self._began_ns = 0
        self._young = 0  # collections since the last full one
        self._put_off = 0
        self._young_ns = 0  # what the last one took
        self._full_ns = 0
        self.paused_ns = 0

    def __enter__(self) -> Self:
        self._was_enabled = gc.isenabled()
        gc.callbacks.append(self._collecting)
        gc.collect()
        gc.freeze()
        gc.disable()
        return self

    def __exit__(self, *exc_info: object) -> None:
        gc.callbacks.remove(self._collecting)
        gc.unfreeze()
        if self._was_enabled:
            gc.enable()

    def collect(self, slack_s: float) -> None:
        """Collect what fits into ``slack_s`` seconds, going by what it took before."""
        slack_ns = int(slack_s * 1e9)
        # Even without any slack, memory must not grow for ever.
        if self._young >= (FULL_EVERY if slack_ns > 2 * self._full_ns else 2 * FULL_EVERY):
            self._full_ns = self._timed_collection(2)
            self._young = 0
        elif slack_ns > 2 * self._young_ns or self._put_off >= PATIENCE:
            self._young_ns = self._timed_collection(1)
            self._young += 1
            self._put_off = 0
        else:
            self._put_off += 1

    def _timed_collection(self, generation: int) -> int:
        began_ns = SystemClock.now_ns()
        gc.collect(generation)
        return SystemClock.now_ns() - began_ns

    def _collecting(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            self._began_ns = SystemClock.now_ns()
        else:
            self.paused_ns += SystemClock.now_ns() - self._began_ns
