from __future__ import annotations

import errno
import os
import struct
import tempfile
from pathlib import Path

import pytest
from drawn_maps import drawn_maps, plain_distances
from hypothesis import given, settings

from zonesim.world import graph
from zonesim.world.graph import write_graph
from zonesim.world.graph_file import read_header
from zonesim.world.map import load_map, map_of_rows


def read_arrays(path):
    """The arrays of a graph file, read with struct alone."""
    data = Path(path).read_bytes()
    layout = read_header(data, len(data), str(path))
    cells = layout.width * layout.height

    def read(offset, kind, count):
        return struct.unpack_from(f"={count}{kind}", data, offset)

    return {
        "indptr": read(layout.indptr, "i", layout.nodes + 1),
        "indices": read(layout.indices, "i", layout.edges),
        "weights": read(layout.weights, "d", layout.edges),
        "cell_node": read(layout.cell_node, "i", cells),
        "node_cell": read(layout.node_cell, "i", layout.nodes),
        "component": read(layout.component, "i", layout.nodes),
    }


def written(game_map):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.graph"
        write_graph(game_map, path)
        return read_arrays(path)


@given(drawn_maps())
@settings(max_examples=60, deadline=None)
def test_the_file_holds_exactly_the_legal_steps(game_map):
    read = written(game_map)
    indptr, indices, weights = read["indptr"], read["indices"], read["weights"]
    for node, cell in enumerate(read["node_cell"]):
        edges = range(indptr[node], indptr[node + 1])
        steps = [(read["node_cell"][indices[edge]], weights[edge]) for edge in edges]
        assert steps == sorted(game_map.steps_from(cell))
    assert indptr[-1] == len(indices)


@given(drawn_maps())
@settings(max_examples=60, deadline=None)
def test_cells_and_nodes_name_each_other(game_map):
    read = written(game_map)
    passable = [cell for cell, kind in enumerate(game_map.classes) if kind]
    assert list(read["node_cell"]) == passable
    for cell, node in enumerate(read["cell_node"]):
        assert node == (passable.index(cell) if cell in passable else -1)


@given(drawn_maps())
@settings(max_examples=60, deadline=None)
def test_nodes_share_a_component_exactly_when_a_path_joins_them(game_map):
    read = written(game_map)
    component = dict(zip(read["node_cell"], read["component"], strict=True))
    for cell in component:
        same = {other for other in component if component[other] == component[cell]}
        assert same == set(plain_distances(game_map, cell))


@given(drawn_maps())
@settings(max_examples=60, deadline=None)
def test_components_are_numbered_from_the_largest(game_map):
    component = written(game_map)["component"]
    sizes = [component.count(number) for number in range(max(component) + 1)]
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes) > 0


def test_a_real_map_is_written_whole(moving_ai):
    read = written(load_map(moving_ai / "den312d.map"))
    assert len(read["node_cell"]) == 2_445


def test_a_full_disk_is_an_error_that_leaves_nothing_behind(tmp_path, monkeypatch):
    def full_disk(layout):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(graph, "pack_header", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_graph(map_of_rows(["."], "m"), tmp_path / "a.graph")
    assert list(tmp_path.iterdir()) == []


def test_writing_again_replaces_the_file(tmp_path):
    path = tmp_path / "a.graph"
    write_graph(map_of_rows(["."], "m"), path)
    write_graph(map_of_rows(["...."], "m"), path)
    assert read_arrays(path)["node_cell"] == (0, 1, 2, 3)
    assert list(tmp_path.iterdir()) == [path]
