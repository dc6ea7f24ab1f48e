from __future__ import annotations

import pytest
from drawn_maps import drawn_maps
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zonesim.world.graph_file import GraphError, ZoneGraph
from zonesim.world.map import load_map, map_of_rows

ISLANDS = map_of_rows(["..@.", "@@@.", "...."], "m")


def test_only_the_largest_region_is_main(graph_of):
    graph = ZoneGraph(graph_of(ISLANDS))
    main = {(x, y) for y in range(-1, 4) for x in range(-1, 5) if graph.in_main(x, y)}
    assert main == {(3, 0), (3, 1), (0, 2), (1, 2), (2, 2), (3, 2)}
    assert (graph.width, graph.height) == (4, 3)


def test_draws_reach_every_cell_of_the_main_region_and_no_other(graph_of):
    graph = ZoneGraph(graph_of(ISLANDS))
    cells = {graph.main_cell((number << 64) // 100) for number in range(100)}
    assert cells == {3, 7, 8, 9, 10, 11}


@given(drawn_maps(), st.integers(0, 2**64 - 1))
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_draw_is_always_a_cell_of_the_main_region(graph_of, game_map, draw):
    graph = ZoneGraph(graph_of(game_map))
    x, y = game_map.position(graph.main_cell(draw))
    assert graph.in_main(x, y)
    assert game_map.passable(x, y)


def test_the_main_region_of_a_real_map_is_ground(graph_of, moving_ai):
    game_map = load_map(moving_ai / "gardenofwar.map")
    graph = ZoneGraph(graph_of(game_map))
    cell = graph.main_cell(2**63)
    assert game_map.rows[cell // 512][cell % 512] == "."


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "a.graph"
    path.write_bytes(b"")
    with pytest.raises(GraphError, match="found an empty one"):
        ZoneGraph(str(path))


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        ZoneGraph(str(tmp_path / "none.graph"))
