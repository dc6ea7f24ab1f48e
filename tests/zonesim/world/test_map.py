from __future__ import annotations

import pytest

from zonesim.world.map import GROUND, SQRT2, WATER, MapError, load_map, map_of_rows, parse_map

TEXT = "type octile\nheight 2\nwidth 3\nmap\n.@W\n.SW\n"


def refused(text):
    with pytest.raises(MapError) as refused:
        parse_map(text, "small.map")
    message = str(refused.value)
    assert "\n" not in message
    return message.removeprefix("small.map: ")


def test_a_map_has_its_size_rows_and_terrain():
    small = parse_map(TEXT, "small.map")
    assert (small.width, small.height) == (3, 2)
    assert small.rows == (".@W", ".SW")
    assert list(small.classes[4:]) == [GROUND, WATER]
    assert small.position(5) == (2, 1)


def test_lines_may_end_as_on_windows(tmp_path):
    path = tmp_path / "small.map"
    path.write_bytes(TEXT.replace("\n", "\r\n").encode())
    assert load_map(path).rows == (".@W", ".SW")


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ("", "line 1: expected 'type octile', found ''"),
        (TEXT.replace("octile", "tile"), "line 1: expected 'type octile', found 'type tile'"),
        (TEXT.replace("height 2", "height two"), "line 2: expected 'height' and a number from 1"),
        (TEXT.replace("height 2", "height 0"), "line 2: expected 'height'"),
        (TEXT.replace("width 3", "width"), "line 3: expected 'width'"),
        (TEXT.replace("width 3", "width 99999999999"), "line 3: expected 'width'"),
        (TEXT.replace("map\n", "pam\n"), "line 4: expected 'map', found 'pam'"),
        (TEXT[:-2], "line 6: expected a row of 3 cells, found 2"),
        (TEXT.replace(".SW", ".xW"), "line 6: expected only . G S W @ O T, found 'x' in column 2"),
        (TEXT[: TEXT.rindex(".S")], "expected 2 rows, as in line 2, found 1"),
        (TEXT + "...\n", "expected 2 rows, as in line 2, found 3"),
        ("type octile\nheight 1\nwidth 2\nmap\n@T\n", "expected a passable cell, found none"),
    ],
)
def test_an_invalid_map_is_refused_with_its_line(wrong, problem):
    assert refused(wrong).startswith(problem)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    path = tmp_path / "small.map"
    path.write_bytes(TEXT.encode().replace(b".SW", b".\xffW"))
    with pytest.raises(MapError, match="line 6: expected only"):
        load_map(path)
    with pytest.raises(MapError, match="expected a readable map file, found: No such file"):
        load_map(tmp_path / "none.map")


@pytest.mark.parametrize(
    ("rows", "step", "cost"),
    [
        (["G.", ".."], (1, 0), 1.0),
        (["S.", ".."], (0, 1), 1.0),
        (["..", ".."], (1, 1), SQRT2),
        ([".@", ".."], (1, 1), None),  # would cut a corner
        (["..", "@."], (1, 1), None),
        (["..", "W."], (1, 1), None),
        ([".W", ".."], (1, 0), None),
        (["@.", ".."], (1, 0), None),
        (["..", ".."], (-1, 0), None),  # off the map
        (["..", ".."], (0, 0), None),
        (["...", "..."], (2, 0), None),
    ],
)
def test_a_step_goes_to_a_neighbour_of_the_same_class_and_cuts_no_corner(rows, step, cost):
    assert map_of_rows(rows, "m").step_cost(0, 0, *step) == cost
