from __future__ import annotations

from zonesim.live.backlog import Backlog


def test_a_newer_frame_takes_the_place_of_one_that_nobody_has_drawn():
    backlog: Backlog[str] = Backlog()

    backlog.show("old")
    backlog.show("new")

    assert backlog.take() == ([], "new")
    assert backlog.take() is None


def test_lines_keep_their_order():
    backlog: Backlog[str] = Backlog()

    for line in ("one", "two", "three"):
        backlog.add(line)

    assert backlog.take() == (["one", "two", "three"], None)
    assert backlog.take() is None


def test_of_too_many_lines_the_latest_are_kept_and_the_others_counted():
    backlog: Backlog[str] = Backlog(lines_kept=2)

    for line in ("one", "two", "three", "four", "five"):
        backlog.add(line)

    assert backlog.take() == (["lines left out, as nobody read them: 3", "four", "five"], None)
    backlog.add("six")
    assert backlog.take() == (["six"], None)
