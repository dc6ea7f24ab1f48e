from __future__ import annotations

import pytest

from zonesim.world.map import GROUND, WATER, MapError, ScenError, load_map, load_scen, parse_map

TEXT = "type octile\nheight 2\nwidth 3\nmap\n.@W\n.SW\n"
ROW = "4\tmaps/some/small.map\t3\t2\t0\t0\t1\t1\t2\n"


@pytest.fixture
def scen(tmp_path):
    def write(text):
        path = tmp_path / "small.map.scen"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def refused_map(text):
    with pytest.raises(MapError) as refused:
        parse_map(text, "small.map")
    message = str(refused.value)
    assert "\n" not in message
    return message


def refused_scen(path, text=TEXT):
    with pytest.raises(ScenError) as refused:
        load_scen(path, parse_map(text, "there/small.map"))
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_a_map_has_its_size_rows_and_terrain():
    small = parse_map(TEXT, "small.map")
    assert (small.width, small.height) == (3, 2)
    assert small.rows == (".@W", ".SW")
    assert small.terrain_class(1, 1) == GROUND
    assert small.terrain_class(2, 0) == WATER


def test_lines_may_end_as_on_windows(tmp_path):
    path = tmp_path / "small.map"
    path.write_bytes(TEXT.replace("\n", "\r\n").encode())
    assert load_map(path).rows == (".@W", ".SW")


def test_a_map_cut_in_half_is_refused_with_its_row():
    message = refused_map(TEXT[: TEXT.rindex(".S")])
    assert message == "small.map: line 6: expected row 2 of 2, found the end of the file"


def test_a_map_cut_within_a_row_is_refused():
    message = refused_map(TEXT[:-2])
    assert message == "small.map: line 6: expected a row of 3 cells, found 2"


@pytest.mark.parametrize("lines", range(4))
def test_a_map_cut_in_its_header_is_refused(lines):
    message = refused_map("".join(TEXT.splitlines(keepends=True)[:lines]))
    assert message.startswith(f"small.map: line {lines + 1}: expected '")
    assert message.endswith("found the end of the file")


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (TEXT.replace("octile", "tile"), 1),
        (TEXT.replace("height 2", "height two"), 2),
        (TEXT.replace("height 2", "height 0"), 2),
        (TEXT.replace("height 2", "height -2"), 2),
        (TEXT.replace("width 3", "width"), 3),
        (TEXT.replace("width 3", "width 99999999999"), 3),
        (TEXT.replace("map\n", "pam\n"), 4),
    ],
)
def test_a_wrong_header_is_refused_with_its_line(wrong, line):
    assert refused_map(wrong).startswith(f"small.map: line {line}: expected '")


def test_an_unknown_character_is_refused_with_its_column():
    message = refused_map(TEXT.replace(".SW", ".xW"))
    assert message == ("small.map: line 6: expected only . G S W @ O T, found 'x' in column 2")


def test_a_row_too_many_is_refused():
    assert refused_map(TEXT + "...\n").startswith("small.map: line 7: expected the end")


def test_a_map_where_nothing_can_stand_is_refused():
    message = refused_map("type octile\nheight 1\nwidth 2\nmap\n@T\n")
    assert message == "small.map: lines 5 to 5: expected a passable cell, found none"


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "small.map"
    path.write_bytes(TEXT.encode() + b"\xff\xfe")
    with pytest.raises(MapError, match=r"line 7: expected plain text, found byte 0xff$"):
        load_map(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(MapError, match="expected a readable map file, found: No such file"):
        load_map(tmp_path / "none.map")
    with pytest.raises(MapError, match="expected a readable map file, found: Is a directory"):
        load_map(tmp_path)


def test_queries_are_read_whether_tabs_or_blanks_part_their_fields(scen):
    path = scen("version 1.0\n" + ROW + "\n" + ROW.replace("\t", "  "))
    queries = load_scen(path, parse_map(TEXT, "there/small.map"))
    assert len(queries) == 2
    assert queries[0] == queries[1]
    first = queries[0]
    assert (first.bucket, first.start, first.goal, first.optimum) == (4, 0, 4, 2.0)
    assert queries.skipped == 0


def test_rows_that_start_off_the_ground_are_skipped_and_counted(scen):
    on_rock = ROW.replace("\t0\t0\t", "\t1\t0\t")
    on_water = ROW.replace("\t0\t0\t", "\t2\t0\t")
    queries = load_scen(
        scen("version 1\n" + on_rock + ROW + on_water), parse_map(TEXT, "small.map")
    )
    assert (len(queries), queries.skipped) == (1, 2)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (ROW.replace("small.map", "other.map"), "expected queries for small.map, found maps/some"),
        (ROW.replace("\t3\t2\t", "\t4\t2\t"), "expected the map's size 3x2, found 4x2"),
        (ROW.replace("\t0\t0\t", "\t0\t2\t"), "expected a start within 3x2, found (0, 2)"),
        (ROW.replace("\t1\t1\t", "\t-1\t1\t"), "expected a goal within 3x2, found (-1, 1)"),
        (ROW.replace("\t2\n", "\n"), "expected 9 fields"),
        (ROW.replace("\t2\n", "\ttwo\n"), "expected numbers for bucket map"),
        (ROW.replace("\t2\n", "\tnan\n"), "expected an optimum of at least 0, found nan"),
    ],
)
def test_a_wrong_query_is_refused_with_its_line(scen, wrong, expected):
    path = scen("version 1\n" + ROW + wrong)
    message = refused_scen(path)
    assert message.startswith(f"{path}: line 3: ")
    assert expected in message


@pytest.mark.parametrize("text", ["", "buckets\n", b"version 1\n\xff\xff"])
def test_a_file_that_holds_no_queries_is_refused(scen, text):
    assert "expected" in refused_scen(scen(text))


def test_a_scen_file_that_is_not_there_is_refused(tmp_path):
    assert "No such file" in refused_scen(tmp_path / "none.scen")


def test_all_moving_ai_maps_are_read(moving_ai):
    for path in sorted(moving_ai.glob("*.map")):
        game_map = load_map(path)
        queries = load_scen(f"{path}.scen", game_map)
        assert len(queries) >= 70
        assert (queries.skipped > 0) == (path.name == "gardenofwar.map")
