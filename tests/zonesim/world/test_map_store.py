from __future__ import annotations

from pathlib import Path

import pytest

from zonesim.scenario.loading import MapTable, Scenario
from zonesim.system.errors import RunFailed
from zonesim.world.graph_file import ZoneGraph
from zonesim.world.map_store import MapStore

SMALL = {"width": 16, "height": 16}


def test_zones_of_one_kind_share_a_graph_and_mixed_ones_take_turns(tmp_path):
    store = MapStore(Scenario(map=MapTable(**SMALL)), tmp_path)

    paths = [store.graph_for(zone) for zone in range(6)]

    assert paths[:3] == paths[3:]
    assert len(set(paths)) == 3
    assert sorted(Path(path).name for path in paths[:3]) == [
        "caves.graph",
        "fields.graph",
        "towns.graph",
    ]


def test_a_map_file_is_the_ground_of_all_zones(tmp_path):
    file = tmp_path / "my.map"
    file.write_text("type octile\nheight 2\nwidth 3\nmap\n...\n.@.\n")
    store = MapStore(Scenario(map=MapTable(path=str(file))), tmp_path)

    paths = {store.graph_for(zone) for zone in range(4)}

    [path] = paths
    graph = ZoneGraph(path)
    assert (graph.width, graph.height) == (3, 2)


def test_a_workload_without_a_map_gets_none(tmp_path):
    store = MapStore(Scenario(workload="chains"), tmp_path)

    assert store.graph_for(0) == ""
    assert list(tmp_path.iterdir()) == []


def test_a_graph_that_cannot_be_written_fails_the_run_with_its_file(tmp_path):
    store = MapStore(Scenario(map=MapTable(**SMALL)), tmp_path / "gone")

    with pytest.raises(RunFailed, match=r"caves\.graph.*No such file"):
        store.graph_for(0)
