from __future__ import annotations

import pytest
from zonesim_runs import Ended

from zonesim.cli.main import main

SIDE = 24
DIAGONAL = 2**0.5


@pytest.fixture(autouse=True)
def _open_ground(tmp_path):
    header = f"type octile\nheight {SIDE}\nwidth {SIDE}\nmap\n"
    (tmp_path / "open.map").write_text(header + ("." * SIDE + "\n") * SIDE)


def write_queries(folder, lengths):
    """One query from the corner to each (x, y), with the length that is said to be the best."""
    rows = [
        f"0\topen.map\t{SIDE}\t{SIDE}\t0\t0\t{x}\t{y}\t{length:.8f}\n"
        for (x, y), length in lengths.items()
    ]
    (folder / "open.scen").write_text("version 1\n" + "".join(rows))


def octile(x, y):
    return max(x, y) - min(x, y) + DIAGONAL * min(x, y)


@pytest.fixture
def find_here(tmp_path, monkeypatch, capsys):
    """Find the paths in this process."""

    def find(*options):
        monkeypatch.chdir(tmp_path)
        code = main(["paths", "open.map", "open.scen", "--workers", "0", *options])
        return Ended(code, *capsys.readouterr())

    return find


@pytest.fixture
def find_in_workers(start):
    """Find the paths in two worker processes of another program."""
    command = ("paths", "open.map", "open.scen", "--workers", "2")
    return lambda *options: start(*command, *options).finish()


@pytest.mark.parametrize("where", ["find_here", "find_in_workers"])
def test_every_path_of_an_open_ground_is_as_short_as_it_can_be(request, tmp_path, where):
    goals = {(x, y): octile(x, y) for x in range(1, SIDE, 2) for y in range(SIDE)}
    write_queries(tmp_path, goals)

    ended = request.getfixturevalue(where)("--json")

    assert ended.code == 0, ended.error
    found = ended.document
    assert (found["queries"], found["answered"]) == (len(goals), len(goals))
    assert (found["skipped"], found["unreachable"], found["mismatches"]) == (0, 0, 0)
    assert found["queries_per_s"] > 0


def test_a_query_with_another_optimum_is_told_with_both_and_ends_with_exit_code_1(
    find_here, tmp_path
):
    write_queries(tmp_path, {(3, 3): octile(3, 3), (5, 0): 4.5})

    ended = find_here()

    assert ended.code == 1
    lines = ended.output.splitlines()
    assert lines[0] == "open.map: 2 of 2 queries answered, 0 skipped, 0 unreachable"
    assert lines[1] == "1 differ from the optimum"
    assert lines[2] == "from (0, 0) to (5, 0), optimum 4.5: the path found has length 5.000000"
