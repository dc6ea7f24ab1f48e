from __future__ import annotations

import struct
import tempfile
from pathlib import Path

from drawn_maps import drawn_maps, plain_distances, steps_from
from hypothesis import given, settings

from zonesim.world.graph import write_graph
from zonesim.world.graph_file import ZoneGraph, map_graph
from zonesim.world.map import map_of_rows

ISLANDS = map_of_rows(["..@.", "@@@.", "...."], "m")


def read_arrays(path):
    """The arrays of a graph file, read with struct alone."""
    data = Path(path).read_bytes()
    layout, _ = map_graph(str(path))
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
    passable = [cell for cell, kind in enumerate(game_map.classes) if kind]
    assert list(read["node_cell"]) == passable
    for cell, node in enumerate(read["cell_node"]):
        assert node == (passable.index(cell) if cell in passable else -1)
    for node, cell in enumerate(read["node_cell"]):
        edges = range(indptr[node], indptr[node + 1])
        steps = [(read["node_cell"][indices[edge]], weights[edge]) for edge in edges]
        assert steps == sorted(steps_from(game_map, cell))
    assert indptr[-1] == len(indices)


@given(drawn_maps())
@settings(max_examples=60, deadline=None)
def test_components_are_the_connected_regions_the_largest_first(game_map):
    read = written(game_map)
    component = dict(zip(read["node_cell"], read["component"], strict=True))
    for cell in component:
        same = {other for other in component if component[other] == component[cell]}
        assert same == set(plain_distances(game_map, cell))
    counts = [read["component"].count(number) for number in range(max(read["component"]) + 1)]
    assert counts == sorted(counts, reverse=True)


def test_only_the_largest_region_is_main_and_draws_reach_all_its_cells(graph_of):
    graph = ZoneGraph(graph_of(ISLANDS))
    main = {(x, y) for y in range(-1, 4) for x in range(-1, 5) if graph.in_main(x, y)}
    assert main == {(3, 0), (3, 1), (0, 2), (1, 2), (2, 2), (3, 2)}
    assert (graph.width, graph.height) == (4, 3)
    cells = {graph.main_cell((number << 64) // 100) for number in range(100)}
    assert cells == {3, 7, 8, 9, 10, 11}
