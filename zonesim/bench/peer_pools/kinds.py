"""All peers there are, in the order in which they are told of."""

from __future__ import annotations

from collections.abc import Iterator

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
    """Those that serve with so many, by who is measured in one company; some are in none."""
    there = [kind for kind in KINDS if kind.serves(workers)]
    yield [kind for kind in there if not kind.apart]
    yield from ([kind] for kind in there if kind.apart)


def companies_there() -> int:
    """How many companies serve where there are workers enough."""
    return 1 + sum(kind.apart and kind.is_there for kind in KINDS)


def missing() -> Iterator[str]:
    """A line for each that is not there."""
    for kind in KINDS:
        if not kind.is_there:
            yield f"{kind.name} is not installed: its rows are skipped"


def packages() -> tuple[str, ...]:
    """What peers come from, as it is installed."""
    return tuple(kind.package for kind in KINDS if kind.package)
