"""The table of goals: a line for each that something was measured for, and the worst of several."""

from __future__ import annotations

import pytest

from zonesim.bench import fleet_group as fleet
from zonesim.bench.figures import Goal, Row
from zonesim.bench.goals import LINES, THEIRS, conclude
from zonesim.bench.peer_pools.by_hand import BY_HAND
from zonesim.bench.peer_pools.executors import STANDARD
from zonesim.bench.tick_groups import LOOP_OF_SEND


def row(group: str, name: str, against: str, figure: float, goal: Goal | None, **more: str) -> Row:
    verdict = "" if goal is None else "pass" if goal.holds(figure) else "falls short"
    return Row(
        group=group,
        name=name,
        against=against,
        unit="us",
        ours=figure,
        theirs=1.0,
        figure=figure,
        figure_unit="x",
        interval=(0.0, 1.0),
        goal=goal,
        better="higher" if goal and goal.kind == "at least" else "lower",
        samples=[[figure]],
        **{"verdict": verdict, **more},
    )


MOST = Goal("at most", 1.0)
LEAST = Goal("at least", 1.2)


def test_lines_come_in_their_order_and_only_where_something_was_measured() -> None:
    rows = [
        row("zones", "a round of 100 zones", "", 0.5, MOST),
        row("b2b", "tick, paths", STANDARD.batched.format(chunk=198), 0.5, MOST),
    ]
    words = [line.words for line in LINES]
    found = [goal.name for goal in conclude(rows, ())]
    assert found == [words[0], words[9]]
    assert list(conclude([], ())) == []


@pytest.mark.parametrize(
    ("group", "goal", "worst"), [("b2b", MOST, 2.0), ("map", LEAST, 0.5)], ids=["most", "least"]
)
def test_the_worst_of_several_rows_stands_for_all(group: str, goal: Goal, worst: float) -> None:
    batched = BY_HAND.batched.format(chunk=198)
    rows = [
        row(group, "numbers", batched, 1.0, goal),
        row(group, "paths", LOOP_OF_SEND, worst, goal),
        row(group, "paths", batched, 1.3 if goal is LEAST else 0.5, goal),
    ]
    (found,) = conclude(rows, ())
    assert (found.figure, found.against, found.verdict) == (worst, THEIRS, "falls short")
    assert found.note == f"the worst of 3: paths, against {LOOP_OF_SEND}"
    assert found.samples == []


def test_a_row_without_a_goal_stands_for_none() -> None:
    assert list(conclude([row("b2b", "tick", STANDARD.batched, 9.0, None)], ())) == []


def test_goals_of_a_group_that_ran_are_named_where_nothing_came_of_them() -> None:
    found = list(conclude([row("zones", "a round of 100 zones", "", 0.5, MOST)], ["zones", "map"]))
    assert found[1:] == [f"goals: not measured, and so not reached: {LINES[8].words}"]


def test_what_is_unclear_stays_unclear() -> None:
    (found,) = conclude([row("added", "tick", "plain", 0.5, MOST, verdict="unclear")], ())
    assert found.verdict == "unclear"


def test_no_two_goals_have_the_same_name() -> None:
    assert len({line.words for line in LINES}) == len(LINES)


def test_every_row_of_a_fleet_has_its_goal_and_no_other() -> None:
    figures = {
        fleet.CROWD: (fleet.LATE, fleet.RESPONSE, fleet.MAIN_THREAD),
        fleet.MANY: (fleet.SLOWEST, fleet.LATE_SHARE),
        fleet.FIELD: (fleet.SLOWEST, fleet.LATE_SHARE),
        fleet.STRUCK: (fleet.LOST, fleet.DOUBLED, fleet.HASHES),
    }
    for run, names in figures.items():
        for name in names:
            measured = row(fleet.GROUP, f"{run}: {name}", "", 0.5, MOST)
            assert sum(bool(line.of([measured])) for line in LINES) == 1
    assert sum(line.group == fleet.GROUP for line in LINES) == 10
