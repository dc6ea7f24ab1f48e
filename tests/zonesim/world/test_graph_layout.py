from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonesim.world.graph_file import (
    ALIGNMENT,
    HEADER,
    GraphError,
    lay_out,
    pack_header,
    read_header,
)

sizes = st.integers(1, 70_000)


@given(sizes, sizes, sizes, st.integers(0, 600_000))
def test_a_header_is_read_as_it_was_packed(width, height, nodes, edges):
    layout = lay_out(width, height, nodes, edges)
    assert read_header(pack_header(layout), layout.file_bytes, "a.graph") == layout


@given(sizes, sizes, sizes, st.integers(0, 600_000))
def test_arrays_are_aligned_and_do_not_overlap(width, height, nodes, edges):
    layout = lay_out(width, height, nodes, edges)
    spans = [
        (0, HEADER.size),
        (layout.indptr, 4 * (nodes + 1)),
        (layout.indices, 4 * edges),
        (layout.weights, 8 * edges),
        (layout.cell_node, 4 * width * height),
        (layout.node_cell, 4 * nodes),
        (layout.component, 4 * nodes),
        (layout.file_bytes, 0),
    ]
    for (start, size), (following, _) in pairwise(spans):
        assert start + size <= following
        assert following % ALIGNMENT == 0


@pytest.mark.parametrize("kept", [0, 20])
def test_a_file_too_short_for_a_header_is_refused(kept):
    header = pack_header(lay_out(3, 3, 9, 40))
    with pytest.raises(GraphError, match=f"a.graph: expected a graph file, found only {kept} b"):
        read_header(header[:kept], kept, "a.graph")


def test_a_file_that_is_not_a_graph_is_refused():
    with pytest.raises(GraphError, match="magic b'type oct'"):
        read_header(b"type octile\n" * 10, 120, "a.map")


def test_a_graph_cut_in_half_is_refused_with_its_size():
    layout = lay_out(3, 3, 9, 40)
    with pytest.raises(GraphError, match=f"of {layout.file_bytes} bytes, found 300"):
        read_header(pack_header(layout), 300, "a.graph")


def test_a_header_whose_figures_disagree_is_refused():
    layout = lay_out(3, 3, 9, 40)
    header = bytearray(pack_header(layout))
    header[16] = 200  # the width
    with pytest.raises(GraphError, match="damaged header"):
        read_header(bytes(header), layout.file_bytes, "a.graph")
