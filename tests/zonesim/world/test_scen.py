from __future__ import annotations

from pathlib import Path

import pytest

from zonesim.world.map import map_of_rows
from zonesim.world.scen import Query, ScenError, load_scen

GROUND = map_of_rows([".....", ".@@@.", "...@.", "...@W"], "maps/my.map")


def row(name="maps/my.map", size="5 4", start="0 0", goal="4 0", optimum="4.0"):
    """A row of a .scen file."""
    return "\t".join(f"0 {name} {size} {start} {goal} {optimum}".split()) + "\n"


ROW = row()


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Load a .scen file of this text."""
    monkeypatch.chdir(tmp_path)

    def load(text: str):
        Path("my.scen").write_bytes(text.encode("latin-1"))
        return load_scen("my.scen", GROUND)

    return load


@pytest.mark.parametrize(
    "text",
    [
        "version 1.0\n" + ROW.replace("\n", "\r\n"),
        "\xef\xbb\xbfversion 1\n" + ROW,  # a byte order mark
        "# made by hand\nVersion 1\n\n  # the first one\n" + ROW + " \n",
        "version 1\n" + ROW.replace("\t", "   "),
        "version 1\n0.0 my.map 5.0 4.0 0.0 0 4.0 0 4",
        "version 1\n" + ROW.replace("maps/", "C:\\\\data\\\\"),
    ],
    ids=["crlf", "mark", "comments", "blanks", "points", "folder"],
)
def test_queries_may_be_written_otherwise_than_the_format_has_it(load, text):
    assert load(text) == (GROUND, [Query(0, 4, 4.0)], 0, [])


def test_rows_that_start_off_the_ground_are_skipped_and_counted(load):
    rows = row(start="1 1") + ROW + row(start="4 3")
    assert load("version 1\n" + rows)[1:3] == ([Query(0, 4, 4.0)], 2)


def test_a_map_under_another_name_is_noted(load):
    other = row(name="other.map")
    [note] = load("version 1\n" + ROW + other + other).notes
    assert note == "my.scen: line 3: queries for other.map, taken for maps/my.map"


def test_queries_for_a_whole_multiple_of_the_map_scale_it(load):
    scen = load("version 1\n" + row(size="15 12", goal="14 0"))
    assert (scen.ground.width, scen.ground.height) == (15, 12)
    assert scen.queries == [Query(0, 14, 4.0)]
    assert scen.notes == ["my.scen: line 2: queries for 15x12, map scaled by 3"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: expected 'version 1', found ''"),
        ("\xff\xff", "line 1: expected 'version 1', found '\ufffd\ufffd'"),
        (ROW, "line 1: expected 'version 1', found '0\\tmaps/my.map"),
        ("version 1\n# none", "line 2: expected a query, found the end of the file"),
        (f"version 1\n{row(optimum='')}", "line 2: expected 9 fields (bucket map width"),
        (f"version 1\n{row(optimum='4.0 7')}", "line 2: expected 9 fields (bucket map width"),
        (f"version 1\n{row(optimum='two')}", "line 2: expected a number for optimum, found 'two'"),
        (f"version 1\n{row(start='0 .5')}", "line 2: expected a whole number for start-y, found"),
        (f"version 1\n{row(size='9 8')}", "line 2: expected queries for the 5x4 cells of maps/my"),
        (f"version 1\n{row(size='2 2')}", "line 2: expected queries for the 5x4 cells of maps/my"),
        (f"version 1\n{ROW}{row(size='10 8')}", "line 3: expected queries for 5x4 cells, as befo"),
        (f"version 1\n{row(start='0 4')}", "line 2: expected a start within 5x4, found (0, 4)"),
        (f"version 1\n{row(goal='-1 0')}", "line 2: expected a goal within 5x4, found (-1, 0)"),
        (
            f"version 1\n{2 * row(start='4 3')}",
            "line 2: expected a query from here on that starts on the ground, found 2 that do not",
        ),
    ],
)
def test_an_invalid_file_is_refused_with_its_line(load, text, problem):
    with pytest.raises(ScenError) as refused:
        load(text)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(f"my.scen: {problem}")


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(ScenError, match=r"expected a readable \.scen file, found: No such file"):
        load_scen(tmp_path / "none.scen", GROUND)
