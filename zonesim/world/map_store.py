"""The maps of a run: generated or read once, and written as graph files that processes share."""

from __future__ import annotations

from pathlib import Path

from zonesim.scenario.loading import Scenario
from zonesim.scenario.tables import MADE_KINDS
from zonesim.system.errors import RunFailed

from .determinism import derive
from .make import make_map
from .map import Map, load_map


class MapStore:
    """Graph files below one folder. Zones with the same ground share one."""

    def __init__(self, scenario: Scenario, directory: Path) -> None:
        self._scenario = scenario
        self._directory = directory
        self._paths: dict[str, str] = {}

    def graph_for(self, zone: int) -> str:
        """The path of the graph of a zone, written at the first call; "" for zones without map.

        Raises MapError where the map file is invalid, RunFailed where there is no room.
        """
        if self._scenario.workload != "field":
            return ""
        kind = "file" if self._scenario.map.path else self._scenario.map.kind_for(zone)
        if kind not in self._paths:
            path = self._directory / f"{kind}.graph"
            write_graph_file(self._ground_for(zone), path)
            self._paths[kind] = str(path)
        return self._paths[kind]

    def _ground_for(self, zone: int) -> Map:
        table = self._scenario.map
        if table.path:
            return load_map(table.path)
        kind = table.kind_for(zone)
        seed = derive(self._scenario.seed, MADE_KINDS.index(kind))
        return make_map(kind, table.width, table.height, seed)


def write_graph_file(ground: Map, path: Path) -> None:
    """Write the graph of a map; raises RunFailed where there is no room for it."""
    # Imported here: runs without a map start in half the time without scipy.
    from .graph import write_graph

    try:
        write_graph(ground, path)
    except OSError as error:
        raise RunFailed(
            f"{path}: expected room for the graph of {ground.name}, found: {error.strerror}; "
            f"free some there, or use a smaller map"
        ) from None
