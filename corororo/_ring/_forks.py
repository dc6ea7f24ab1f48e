"""Has things told when this process was forked off another one. Knows none of them.

A program may fork whenever it likes. What it holds of a pool belongs to the process that opened
it: a child that kept a FIFO open would keep the workers alive, and one that tidied up when it
ends would take files and processes away from its parent.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class _Told(Protocol):
    def after_fork(self) -> None: ...


_told: weakref.WeakSet[_Told] = weakref.WeakSet()


def told_after_fork(thing: _Told) -> None:
    """From now on, call ``thing.after_fork()`` in each process that is forked off this one."""
    _told.add(thing)


def _tell() -> None:
    for thing in list(_told):
        thing.after_fork()
    _told.clear()


os.register_at_fork(after_in_child=_tell)
