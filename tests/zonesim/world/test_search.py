from __future__ import annotations

import random
import tempfile
from math import isclose
from pathlib import Path

import pytest
from drawn_maps import drawn_maps, plain_distances
from hypothesis import given, settings
from hypothesis import strategies as st

from zonesim.world import graph, raster, search
from zonesim.world.graph import write_graph
from zonesim.world.make import make_map
from zonesim.world.map import load_map, map_of_rows
from zonesim.world.path_check import path_cost, query_matches
from zonesim.world.scen import load_scen
from zonesim.world.search import search_path


@pytest.fixture(scope="module", params=["small", "large", "large, far", "large, far, maze"])
def _each_size(request):
    """Search as on maps of each size."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param != "small":
            patch.setattr(graph, "STEPS_NODES_MAX", 0)
        if "far" in request.param:
            patch.setattr(search, "WINDOW_REACH_MAX", 0)
        if "maze" in request.param:
            patch.setattr(raster, "WAVES_MAX", 0)
        yield


def cells_of(path):
    return list(memoryview(path).cast("I"))


@pytest.mark.usefixtures("_each_size")
@given(drawn_maps(), st.data())
@settings(max_examples=80, deadline=None)
def test_paths_are_legal_and_the_shortest_there_are(game_map, data):
    passable = [cell for cell, kind in enumerate(game_map.classes) if kind]
    start, goal = data.draw(st.sampled_from(passable)), data.draw(st.sampled_from(passable))
    with tempfile.TemporaryDirectory() as folder:
        write_graph(game_map, Path(folder) / "a.graph")
        path = search_path(f"{folder}/a.graph", start, goal)
    best = plain_distances(game_map, start).get(goal)
    if best is None:
        assert path == b""
    else:
        assert (cells_of(path)[0], cells_of(path)[-1]) == (start, goal)
        assert isclose(path_cost(game_map, cells_of(path)), best)


@pytest.mark.usefixtures("_each_size")
def test_a_long_way_round_is_found(graph_of):
    game_map = map_of_rows(["." * 31, "@" * 30 + ".", "." * 31], "m")
    path = cells_of(search_path(graph_of(game_map), 0, 62))
    assert path_cost(game_map, path) == 62.0


@pytest.mark.usefixtures("_each_size")
@pytest.mark.parametrize(("start", "goal"), [(0, 2), (2, 0), (1, 0), (0, 1), (0, 3), (1, 1)])
def test_there_is_no_path_to_a_blocked_cell_or_another_region(graph_of, start, goal):
    graph = graph_of(map_of_rows([".@.W"], "m"))
    assert search_path(graph, start, goal) == b""


def test_the_path_depends_on_nothing_but_its_ends(graph_of):
    """Ties included: on an open field most pairs have many shortest paths."""
    game_map = map_of_rows(["." * 20] * 20, "m")
    pairs = [(number * 37 % 400, number * 91 % 400) for number in range(60)]
    graph = graph_of(game_map)
    paths = {pair: search_path(graph, *pair) for pair in pairs}
    random.Random(1).shuffle(pairs)
    other_graph = graph_of(game_map)
    assert all(search_path(other_graph, *pair) == paths[pair] for pair in pairs)


def test_a_large_map_has_the_same_paths_as_if_its_steps_were_in_the_file(graph_of, monkeypatch):
    game_map = make_map("caves", 48, 40, 3)
    with_steps = graph_of(game_map)
    monkeypatch.setattr(graph, "STEPS_NODES_MAX", 0)
    without = graph_of(game_map)
    cells = [cell for cell, kind in enumerate(game_map.classes) if kind]
    for pair in zip(cells[::7], cells[::-11], strict=False):
        assert search_path(without, *pair) == search_path(with_steps, *pair)


@pytest.mark.parametrize(
    ("name", "every"),
    [("arena", 1), ("ht_store", 1), ("den312d", 4), ("lak303d", 20), ("gardenofwar", 80)],
)
def test_the_optima_of_moving_ai_are_met(moving_ai, graph_of, name, every):
    game_map = load_map(moving_ai / f"{name}.map")
    graph = graph_of(game_map)
    scen = load_scen(moving_ai / f"{name}.map.scen", game_map)
    for query in scen.queries[::every]:
        path = cells_of(search_path(graph, query.start, query.goal))
        assert query_matches(query, path_cost(game_map, path))
