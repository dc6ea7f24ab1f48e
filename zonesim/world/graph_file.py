"""The navigation graph of a map in a file: its layout, and a zone's view of it.

The file is native-endian: it lives as long as the processes of one machine that share it.

    0       4        8       12      16
    | width | height | nodes | edges |   u32 each
    64, as is the start of every array a multiple of ALIGNMENT
    | indptr … | indices … | weights … | cell_node … | node_cell … | component … |
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Final, NamedTuple

ALIGNMENT: Final = 64  # a cache line
HEADER: Final = struct.Struct("=4I")
MAIN_COMPONENT: Final = 0


class GraphLayout(NamedTuple):
    """Sizes and byte offsets of one graph file."""

    width: int
    height: int
    nodes: int  # passable cells, numbered in cell order
    edges: int  # each step is there in both directions; 0 where the file holds no steps
    indptr: int  # int32[nodes + 1]: the edges of node n are indptr[n] to indptr[n + 1]
    indices: int  # int32[edges]: the node that an edge leads to
    weights: int  # float64[edges]: 1 or sqrt(2)
    cell_node: int  # int32[width * height]: the node of a cell, -1 where blocked
    node_cell: int  # int32[nodes]
    component: int  # int32[nodes]: numbered by size, largest first; 0 is the main one
    file_bytes: int


def lay_out(width: int, height: int, nodes: int, edges: int) -> GraphLayout:
    """Place the arrays of a graph one after another, each on a cache line of its own."""
    counts = (nodes + 1, edges, 2 * edges, width * height, nodes, nodes)  # of 4 bytes
    offsets = []
    end = ALIGNMENT
    for count in counts:
        offsets.append(end)
        end += -(-4 * count // ALIGNMENT) * ALIGNMENT
    figures = (width, height, nodes, edges, *offsets, end)
    return GraphLayout(*figures)


def map_graph(path: str) -> tuple[GraphLayout, mmap.mmap]:
    """Map a graph file into memory."""
    with Path(path).open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return lay_out(*HEADER.unpack_from(mapped)), mapped


class ZoneGraph:
    """The connected cells of a mapped graph file, without numpy."""

    def __init__(self, path: str) -> None:
        layout, mapped = map_graph(path)
        view = memoryview(mapped)
        self.width = layout.width
        self.height = layout.height
        self._cell_node = _ints(view, layout.cell_node, layout.width * layout.height)
        self._node_cell = _ints(view, layout.node_cell, layout.nodes)
        self._component = _ints(view, layout.component, layout.nodes)

    def in_main(self, x: int, y: int) -> bool:
        """Tell whether the cell at (x, y) is part of the largest connected region."""
        if not (0 <= x < self.width and 0 <= y < self.height):
            return False
        node = self._cell_node[y * self.width + x]
        return node >= 0 and self._component[node] == MAIN_COMPONENT

    def main_cell(self, draw: int) -> int:
        """Return a cell of the largest connected region for each 64-bit draw.

        The draw picks a node; the result is that node or the next one within the region.
        """
        nodes = len(self._node_cell)
        node = (draw * nodes) >> 64
        while self._component[node] != MAIN_COMPONENT:
            node = (node + 1) % nodes
        return self._node_cell[node]


def _ints(mapped: memoryview, offset: int, count: int) -> memoryview[int]:
    return mapped[offset : offset + 4 * count].cast("i")
