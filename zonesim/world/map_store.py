"""The maps of a run: made or read once, and laid where zones and workers can map them.

Starts nothing.
"""

from __future__ import annotations

from pathlib import Path

from zonesim.scenario.loading import Scenario
from zonesim.scenario.tables import MADE_KINDS
from zonesim.system.errors import RunFailed
from zonesim.world.make import make_map
from zonesim.world.map import load_map
from zonesim.world.random import derive
from zonesim.world.terrain import Map


class MapStore:
    """Graph files below one folder, by what they are of. Zones with the same ground share one."""

    def __init__(self, scenario: Scenario, directory: Path) -> None:
        self._scenario = scenario
        self._directory = directory
        self._paths: dict[str, str] = {}

    def graph_for(self, zone: int) -> str:
        """The path of the graph of a zone, made at the first call; "" where none is needed.

        Raises MapError where the map file is broken, RunFailed where there is no room.
        """
        if self._scenario.workload != "field":
            return ""
        table = self._scenario.map
        kind = "file" if table.path else table.kind_for(zone)
        if kind not in self._paths:
            path = self._directory / f"{kind}.graph"
            if table.path:
                ground = load_map(table.path)
            else:
                made = table.kind_for(zone)
                seed = derive(self._scenario.seed, MADE_KINDS.index(made))
                ground = make_map(made, table.width, table.height, seed)
            lay_graph(ground, path)
            self._paths[kind] = str(path)
        return self._paths[kind]


def lay_graph(ground: Map, path: Path) -> None:
    """Write the graph of a map; raises RunFailed where there is no room for it."""
    # Here and not above: runs without a map start in half the time without scipy.
    from zonesim.world.graph import write_graph

    try:
        write_graph(ground, path)
    except OSError as error:
        raise RunFailed(
            f"{path}: expected room for the graph of {ground.name}, found: {error.strerror}; "
            f"free some there, or use a smaller map"
        ) from None
