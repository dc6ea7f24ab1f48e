"""The same empty work as plain functions. Imports nothing: every process of a peer imports this."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

Path: TypeAlias = list[tuple[float, float]]


def plain_number(chain: int) -> int:
    """Return what it was given."""
    return chain


def plain_path(chain: int) -> Path:
    """Return a path of five waypoints."""
    x = chain + 0.5
    return [(x, 0.0), (x, 1.0), (x, 2.0), (x, 3.0), (x, 4.0)]


def run_batch(function: Callable[[int], Any], batch: Sequence[int]) -> list[Any]:
    """Make many calls in one, for peers that batch nothing by themselves."""
    return [function(argument) for argument in batch]
