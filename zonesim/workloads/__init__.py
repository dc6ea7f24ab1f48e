"""The workloads by name: what a tick of a zone does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .base import World, ZoneSpec
from .chains import ChainsWorld
from .field import FieldWorld

WORKLOADS: Final[dict[str, Callable[[ZoneSpec], World]]] = {
    "chains": ChainsWorld,
    "field": FieldWorld,
}


def make_world(spec: ZoneSpec) -> World:
    """Return the new world of a zone."""
    return WORKLOADS[spec.workload](spec)
