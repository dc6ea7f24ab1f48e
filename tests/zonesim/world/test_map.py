from __future__ import annotations

import pytest

from zonesim.world.map import GROUND, SQRT2, WATER, MapError, load_map, map_of_rows, scale_map

TEXT = "type octile\nheight 2\nwidth 3\nmap\n.@W\n.SW\n"


@pytest.fixture
def load(tmp_path):
    """Load a map file of this text."""

    def load(text: str):
        (tmp_path / "small.map").write_bytes(text.encode("latin-1"))
        return load_map(tmp_path / "small.map")

    return load


def test_a_map_has_its_size_rows_and_terrain(load):
    small = load(TEXT)
    assert (small.width, small.height) == (3, 2)
    assert small.rows == (".@W", ".SW")
    assert list(small.classes[4:]) == [GROUND, WATER]
    assert small.position(5) == (2, 1)


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("\n", "\r\n"),
        "\xef\xbb\xbf" + TEXT,  # a byte order mark
        TEXT.replace("octile", "tile"),
        TEXT.removeprefix("type octile\n"),
        "Width 3\nHEIGHT\t2.0\nType Octile\nMAP\n.@W\n.SW",
        "\n" + TEXT.replace("map\n", " \n\nmap \n\n") + "\n \n",
        TEXT.replace("W\n", "W \t\n"),
        TEXT + "\n// by hand\n",
    ],
    ids=[
        "crlf",
        "mark",
        "tile",
        "no type",
        "order and case",
        "blank lines",
        "blanks after rows",
        "a text below",
    ],
)
def test_a_map_may_be_written_otherwise_than_the_format_has_it(load, text):
    assert load(text).rows == (".@W", ".SW")


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ("", "line 1: expected 'map', found the end of the file"),
        (TEXT[: TEXT.index("map")], "line 4: expected 'map', found the end of the file"),
        (TEXT.replace("octile", "octile-corner"), "line 1: expected 'type octile', 'height' and a"),
        (TEXT.replace("height 2", "height two"), "line 2: expected 'height' and a number from 1"),
        (TEXT.replace("height 2", "height 0"), "line 2: expected 'height'"),
        (TEXT.replace("width 3", "width"), "line 3: expected 'type octile', 'height' and a"),
        (TEXT.replace("width 3", "width 99999999999"), "line 3: expected 'width' and a number"),
        (TEXT.replace("width 3", "width 3.5"), "line 3: expected 'width' and a number"),
        (TEXT.replace("width 3\n", ""), "line 3: expected 'width' and a number before 'map'"),
        (TEXT.replace("map\n", "pam\n"), "line 4: expected 'type octile', 'height' and a number"),
        ("2,3\n.@W\n.SW\n", "line 1: expected 'type octile', 'height' and a number, 'width' and"),
        (TEXT[:-2], "line 6: expected a row of 3 cells, found 2"),
        (TEXT.replace(".SW", ".xW"), "line 6: expected only . G S W @ O T, found 'x' in column 2"),
        (TEXT.replace("SW", "\xffW"), "line 6: expected only . G S W @ O T, found '\ufffd' in col"),
        (TEXT[: TEXT.rindex(".S")], "line 6: expected row 2 of 2, found the end of the file"),
        (TEXT + "...\n", "line 7: expected the end of the map after 2 rows, found '...'"),
        ("height 1\nwidth 2\nmap\n@T\n", "line 3: expected a passable cell below it, found none"),
    ],
)
def test_an_invalid_map_is_refused_with_its_line(load, tmp_path, wrong, problem):
    with pytest.raises(MapError) as refused:
        load(wrong)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(f"{tmp_path / 'small.map'}: {problem}")


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(MapError, match="expected a readable map file, found: No such file"):
        load_map(tmp_path / "none.map")


def test_a_scaled_map_has_squares_for_cells():
    assert scale_map(map_of_rows(["@."], "m"), 2).rows == ("@@..", "@@..")


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
