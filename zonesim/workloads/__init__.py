"""The workloads by name. Knows how each world is made, not what it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from zonesim.workloads.base import World, ZoneSpec
from zonesim.workloads.chains import ChainsWorld
from zonesim.workloads.field import FieldWorld

WORKLOADS: Final[dict[str, Callable[[ZoneSpec], World]]] = {
    "chains": ChainsWorld,
    "field": FieldWorld,
}


def make_world(spec: ZoneSpec) -> World:
    """Return the new world of a zone; raise ValueError for a workload that is not known."""
    factory = WORKLOADS.get(spec.workload)
    if factory is None:
        known = ", ".join(WORKLOADS)
        raise ValueError(f"workload must be one of {known}; got {spec.workload!r}")
    return factory(spec)
