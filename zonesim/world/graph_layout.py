"""Byte offsets of a graph file. Knows neither maps nor numpy.

The file is native-endian: it lives as long as the processes of one machine that share it.

    0        8            12        16      20       24      28      32
    | magic  | byte order | version | width | height | nodes | edges |
    | 8s     | u32        | u32     | u32   | u32    | u32   | u32   |
    32       40        48        56          64          72          80           88
    | indptr | indices | weights | cell_node | node_cell | component | file bytes |   u64 each
    88, rounded up to ALIGNMENT, as is the start of every array
    | indptr … | indices … | weights … | cell_node … | node_cell … | component … |
"""

from __future__ import annotations

import struct
from typing import Final

import msgspec

MAGIC: Final = b"zonegrid"
VERSION: Final = 1
ALIGNMENT: Final = 64  # a cache line
HEADER: Final = struct.Struct("=8s6I7Q")
_BYTE_ORDER: Final = 0x0102_0304

# In file order; item sizes in bytes.
INT32: Final = 4
FLOAT64: Final = 8


class GraphError(ValueError):
    """A file that is not a whole graph file of this version and machine: one line saying so."""


class GraphLayout(msgspec.Struct, frozen=True):
    """Sizes and byte offsets of one graph file."""

    width: int
    height: int
    nodes: int  # passable cells, numbered in cell order
    edges: int  # each step is there in both directions
    indptr: int  # int32[nodes + 1]: the edges of node n are indptr[n] to indptr[n + 1]
    indices: int  # int32[edges]: the node that an edge leads to
    weights: int  # float64[edges]: 1 or sqrt(2)
    cell_node: int  # int32[width * height]: the node of a cell, -1 where blocked
    node_cell: int  # int32[nodes]
    component: int  # int32[nodes]: numbered by size, largest first; 0 is the main one
    file_bytes: int


def lay_out(width: int, height: int, nodes: int, edges: int) -> GraphLayout:
    """Place the arrays of a graph one after another, each on a cache line of its own."""
    sizes = (
        (nodes + 1) * INT32,
        edges * INT32,
        edges * FLOAT64,
        width * height * INT32,
        nodes * INT32,
        nodes * INT32,
    )
    offsets: list[int] = []
    end = _aligned(HEADER.size)
    for size in sizes:
        offsets.append(end)
        end = _aligned(end + size)
    figures = (width, height, nodes, edges, *offsets, end)
    return GraphLayout(*figures)


def pack_header(layout: GraphLayout) -> bytes:
    """Return the header of a graph file."""
    return HEADER.pack(MAGIC, _BYTE_ORDER, VERSION, *msgspec.structs.astuple(layout))


def read_header(buffer: bytes | memoryview, file_bytes: int, path: str) -> GraphLayout:
    """Return the layout that a file's first bytes give; raise GraphError where it is no graph."""
    if len(buffer) < HEADER.size:
        raise GraphError(f"{path}: expected a graph file, found only {len(buffer)} bytes")
    magic, byte_order, version, *figures = HEADER.unpack_from(buffer)
    if (magic, byte_order, version) != (MAGIC, _BYTE_ORDER, VERSION):
        raise GraphError(
            f"{path}: expected a graph file of version {VERSION} written on this machine, found "
            f"magic {magic!r}, byte order {byte_order:#010x}, version {version}; write it again"
        )
    layout = GraphLayout(*figures)
    if layout != lay_out(*figures[:4]) or file_bytes < layout.file_bytes:
        raise GraphError(
            f"{path}: expected a graph file of {layout.file_bytes} bytes, found {file_bytes} "
            "or a damaged header; write it again"
        )
    return layout


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT
