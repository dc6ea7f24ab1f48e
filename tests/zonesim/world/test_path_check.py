from __future__ import annotations

from itertools import pairwise

import pytest

from zonesim.world.map import MapError, ScenError
from zonesim.world.path_check import CHUNK, EXAMPLES, check_queries

GROUND = [".....", ".@@@.", "...@.", "...@."]


@pytest.fixture
def files(tmp_path):
    header = f"type octile\nheight {len(GROUND)}\nwidth 5\nmap\n"
    (tmp_path / "my.map").write_text(header + "\n".join(GROUND) + "\n")

    def write(*rows: tuple[int, int, int, int, float]):
        lines = [f"0\tmy.map\t5\t4\t{x}\t{y}\t{X}\t{Y}\t{d:.8f}\n" for x, y, X, Y, d in rows]
        (tmp_path / "my.scen").write_text("version 1\n" + "".join(lines))
        return tmp_path / "my.map", tmp_path / "my.scen"

    return write


def check(files):
    counts: list[tuple[int, int]] = []
    report = check_queries(*files, 0, lambda done, total: counts.append((done, total)))
    return report, counts


def test_optimal_paths_are_answered_and_agree(files):
    report, counts = check(files((0, 0, 4, 0, 4.0), (0, 0, 0, 3, 3.0), (4, 3, 4, 0, 3.0)))

    assert (report.map, report.scen) == ("my.map", "my.scen")
    assert (report.queries, report.answered, report.mismatches) == (3, 3, 0)
    assert report.first_mismatches == []
    assert (counts[0], counts[-1]) == ((0, 3), (3, 3))


def test_the_count_grows_chunk_by_chunk(files):
    _, counts = check(files(*[(0, 0, 4, 0, 4.0)] * (2 * CHUNK + 1)))

    total = 2 * CHUNK + 1
    steps = [after - before for (before, _), (after, _) in pairwise(counts)]
    assert sorted(steps) == [1, CHUNK, CHUNK]
    assert {of for _, of in counts} == {total}


def test_a_wrong_optimum_is_a_mismatch_and_only_some_are_told(files):
    report, _ = check(files(*[(0, 0, 4, 0, 3.5)] * (EXAMPLES + 2)))

    assert report.mismatches == EXAMPLES + 2
    assert report.unreachable == 0
    assert (
        report.first_mismatches
        == ["from (0, 0) to (4, 0), optimum 3.5: the path found has length 4.000000"] * EXAMPLES
    )


def test_a_goal_that_cannot_be_reached_is_a_mismatch_that_says_so(tmp_path):
    (tmp_path / "cut.map").write_text("type octile\nheight 1\nwidth 3\nmap\n.@.\n")
    (tmp_path / "cut.scen").write_text("version 1\n0\tcut.map\t3\t1\t0\t0\t2\t0\t2.0\n")

    report, _ = check((tmp_path / "cut.map", tmp_path / "cut.scen"))

    assert (report.answered, report.unreachable, report.mismatches) == (1, 1, 1)
    assert report.first_mismatches == ["from (0, 0) to (2, 0), optimum 2.0: no path was found"]


def test_files_that_do_not_belong_together_are_refused(files, tmp_path):
    map_file, scen_file = files((0, 0, 4, 0, 4.0))
    wide = scen_file.read_text().replace("\t5\t4\t", "\t9\t9\t")
    scen_file.write_text(wide)

    with pytest.raises(ScenError, match=r"my\.scen"):
        check((map_file, scen_file))
    with pytest.raises(MapError, match=r"gone\.map"):
        check((tmp_path / "gone.map", scen_file))
