from __future__ import annotations

SIDE = 24


def octile(x, y):
    return max(x, y) - min(x, y) + 2**0.5 * min(x, y)


def test_paths_found_by_workers_are_compared_with_the_optima(start, tmp_path):
    header = f"type octile\nheight {SIDE}\nwidth {SIDE}\nmap\n"
    (tmp_path / "open.map").write_text(header + ("." * SIDE + "\n") * SIDE)
    lengths = {(x, y): octile(x, y) for x in range(1, SIDE, 2) for y in range(SIDE)}
    lengths[5, 0] = 4.5  # wrong
    rows = [
        f"0\tmaps/old.map\t{SIDE}\t{SIDE}\t0\t0\t{x}\t{y}\t{length:.8f}\n"
        for (x, y), length in lengths.items()
    ]
    (tmp_path / "open.scen").write_text("version 1\n" + "".join(rows))

    ended = start("paths", "open.map", "open.scen", "--workers", "2").finish()

    assert ended.code == 1
    assert ended.error == (
        "zonesim: note: open.scen: line 2: queries for maps/old.map, taken for open.map\n"
    )
    queries = len(lengths)
    assert ended.output.splitlines()[:3] == [
        f"open.map: {queries} of {queries} queries answered, 0 skipped, 0 unreachable",
        "mismatches: 1",
        "from (0, 0) to (5, 0), optimum 4.5: the path found has length 5.000000",
    ]
