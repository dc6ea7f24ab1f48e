"""All peers there are, in the order in which they are told of."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from functools import partial

from zonesim.bench.plain_work import plain_number

from .by_hand import BY_HAND
from .executors import LOKY, STANDARD
from .joblib_parallel import JOBLIB
from .peer import Kind
from .ray_tasks import RAY
from .standard_pool import POOL
from .trio_workers import TRIO_PARALLEL
from .zmq_by_hand import ZMQ

KINDS = (STANDARD, POOL, TRIO_PARALLEL, LOKY, JOBLIB, BY_HAND, ZMQ, RAY)


def companies(workers: int) -> Iterator[list[Kind]]:
    """Those that answer with so many, by who is measured in one company; some are in none."""
    there = serving(workers)
    yield [kind for kind in there if not kind.apart]
    yield from ([kind] for kind in there if kind.apart)


def companies_there() -> int:
    """How many companies serve where there are workers enough."""
    return 1 + sum(kind.apart and kind.is_there for kind in KINDS)


def serving(workers: int) -> list[Kind]:
    """Those that can be opened with so many, and answer."""
    return [kind for kind in KINDS if kind.serves(workers) and not _failure(kind, workers)]


def missing(workers: int) -> Iterator[str]:
    """A line for each that is not there, does not work with so many, or does not work at all."""
    for kind in KINDS:
        if not kind.is_there:
            yield f"{kind.name} is not installed: its rows are skipped"
        elif not kind.serves(workers):
            yield f"{kind.name} needs {kind.fewest_workers} workers: its rows are skipped"
        elif failure := _failure(kind, workers):
            yield f"{kind.name} does not work here ({failure}): its rows are skipped"


@functools.cache
def _failure(kind: Kind, workers: int) -> str:
    """What it says if it cannot be opened, or asked for a call; found out once."""
    try:
        with kind.open(workers) as peer:
            peer.run(partial(peer.call, plain_number, 1))
    except Exception as error:
        return f"{type(error).__name__}: {error}".partition("\n")[0]
    return ""


def packages() -> tuple[str, ...]:
    """What peers come from, as it is installed."""
    return tuple(kind.package for kind in KINDS if kind.package)
