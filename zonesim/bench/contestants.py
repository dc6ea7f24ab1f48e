"""Whoever is measured: opened when first asked for, closed together. Measures nothing."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import cached_property
from typing import Any, Self

import corororo as cr

from .empty_work import Path, plain_number, plain_path
from .peers_by_hand import Echo, HandPool
from .peers_pooled import open_executor


class Contestants:
    """The library and its peers, each with ``workers`` processes of its own."""

    def __init__(self, workers: int, pool_options: dict[str, Any]) -> None:
        self.workers = workers
        self._pool_options = pool_options
        self._open = ExitStack()

    @cached_property
    def scheduler(self) -> cr.Scheduler:
        """One Scheduler on workers."""
        return self.open_schedulers(1)[0]

    @cached_property
    def inline(self) -> cr.Scheduler:
        """A Scheduler without workers."""
        return self._open.enter_context(cr.Scheduler())

    @cached_property
    def executor(self) -> ProcessPoolExecutor:
        """The standard pool."""
        return self._open.enter_context(open_executor(self.workers))

    @cached_property
    def numbers_by_hand(self) -> HandPool[int]:
        """Pipes to processes that answer with numbers."""
        return self._open.enter_context(HandPool(self.workers, plain_number, int))

    @cached_property
    def paths_by_hand(self) -> HandPool[Path]:
        """Pipes to processes that answer with paths."""
        return self._open.enter_context(HandPool(self.workers, plain_path, Path))

    @cached_property
    def echo(self) -> Echo:
        """Pipes to a process that looks at nothing."""
        return self._open.enter_context(Echo())

    def open_schedulers(self, count: int) -> list[cr.Scheduler]:
        """Schedulers on one new pool."""
        pool = cr.WorkerPool(self.workers, rings=count, **self._pool_options)
        self._open.enter_context(pool)
        return [self._open.enter_context(cr.Scheduler(pool)) for _ in range(count)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()
