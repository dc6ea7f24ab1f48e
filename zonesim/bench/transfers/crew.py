"""Worker processes of the rungs: started, ended. Knows no calls."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from typing import Any, TypeAlias

from corororo.processes import forkserver, set_title
from zonesim.bench.peer_pools.children import end_with_parent

End: TypeAlias = "Connection[Any, Any]"

PRELOAD = ["zonesim.bench.transfers.crew", "zonesim.bench.transfers.answers"]


def context() -> ForkServerContext:
    """Where processes, pipes and locks come from."""
    return forkserver(PRELOAD)


class Worker:
    """A process that runs ``target``; it ends with this one, however this one ends."""

    def __init__(self, name: str, target: Callable[..., None], *args: object) -> None:
        self._process = context().Process(target=_begin, args=(name, target, args), daemon=True)
        self._process.start()

    @property
    def sentinel(self) -> int:
        """Turns readable when it has ended."""
        return self._process.sentinel

    def end(self) -> None:
        """End it, and wait for its end; once."""
        self._process.kill()
        self._process.join()
        self._process.close()


def _begin(name: str, target: Callable[..., None], args: tuple[object, ...]) -> None:
    end_with_parent()
    set_title(f"zonesim {name} worker")
    with contextlib.suppress(EOFError, BrokenPipeError):  # home has closed our pipes
        target(*args)
