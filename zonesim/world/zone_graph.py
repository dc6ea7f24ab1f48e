"""What a zone reads of a graph file: which cells are in reach of each other. No numpy."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Final

from zonesim.world.graph_layout import GraphError, read_header

MAIN_COMPONENT: Final = 0


class ZoneGraph:
    """A graph file's cells, nodes and components, mapped: zones of one map share the pages."""

    def __init__(self, path: str) -> None:
        """Map the file; raise GraphError where it is not a graph file, OSError if unreadable."""
        with Path(path).open("rb") as file:
            try:
                mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            except ValueError:
                raise GraphError(f"{path}: expected a graph file, found an empty one") from None
        layout = read_header(mapped, len(mapped), path)
        self.width = layout.width
        self.height = layout.height
        cells = layout.width * layout.height
        self._cell_node = _ints(mapped, layout.cell_node, cells)
        self._node_cell = _ints(mapped, layout.node_cell, layout.nodes)
        self._component = _ints(mapped, layout.component, layout.nodes)

    def in_main(self, x: int, y: int) -> bool:
        """Tell whether the cell at (x, y) is part of the largest connected region."""
        if not (0 <= x < self.width and 0 <= y < self.height):
            return False
        node = self._cell_node[y * self.width + x]
        return node >= 0 and self._component[node] == MAIN_COMPONENT

    def main_cell(self, draw: int) -> int:
        """Return a cell of the largest connected region for each 64-bit draw.

        The draw picks a node; from there it is the next one within the region.
        """
        nodes = len(self._node_cell)
        node = (draw * nodes) >> 64
        while self._component[node] != MAIN_COMPONENT:
            node = (node + 1) % nodes
        return self._node_cell[node]


def _ints(mapped: memoryview, offset: int, count: int) -> memoryview[int]:
    return mapped[offset : offset + 4 * count].cast("i")
