"""Processes that benchmarks start for the ways that corororo is compared with."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess

from corororo.processes import forkserver

PRELOAD = ("zonesim.bench.program", "zonesim.bench.peers.by_hand", "zonesim.bench.peers.prototype")


def server() -> ForkServerContext:
    """The fork server that all of them start from."""
    return forkserver(PRELOAD)


class Child:
    """A process that runs a function; it ends with ``close``, or with its parent."""

    def __init__(self, target: Callable[..., None], *arguments: object) -> None:
        self._process: BaseProcess = server().Process(
            target=_run, args=(target, arguments), daemon=True
        )
        self._process.start()

    def close(self) -> None:
        """Kill it and wait for its end."""
        self._process.kill()
        self._process.join()
        self._process.close()


def end_with_parent() -> None:
    """Ignore Ctrl-C, which the parent handles, and end when the parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch_parent, daemon=True).start()


def _run(target: Callable[..., None], arguments: tuple[object, ...]) -> None:
    end_with_parent()
    with suppress(EOFError, BrokenPipeError):  # the parent has closed its pipe
        target(*arguments)


def _watch_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
