"""Where the maps of these tests come from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zonesim.world.graph import write_graph
from zonesim.world.map import Map

_CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def moving_ai() -> Path:
    """The folder with the Moving AI maps, which the project does not ship."""
    given = os.environ.get("ZONESIM_TEST_DATA")
    folder = Path(given) if given else _CHECKOUT.parent / "shared" / "data" / "movingai"
    if not (folder / "den312d.map").is_file():
        pytest.skip(f"no Moving AI maps in {folder}; name their folder in ZONESIM_TEST_DATA")
    return folder


@pytest.fixture
def graph_of(tmp_path):
    """Write a map's graph to a file of its own; the file's path."""
    written = []

    def write(game_map: Map) -> str:
        path = tmp_path / f"{len(written)}.graph"
        written.append(path)
        write_graph(game_map, path)
        return str(path)

    return write
