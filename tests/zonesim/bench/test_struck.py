"""What became of calls whose worker was killed, in words and figures."""

from __future__ import annotations

from pathlib import Path

import pytest
from without_pauses import parts_of

from zonesim.bench import killed_group
from zonesim.bench.figures import Row
from zonesim.bench.launches import Amount
from zonesim.bench.struck import CALLS, Struck
from zonesim.bench.struck_work import note_run, runs_of
from zonesim.bench.suite import BenchError, Setting

ALL_BACK = Struck(8, 0, 0, [], 1, 0.1, "")
DEAD = Struck(2, 6, 0, ["BrokenProcessPool"], 0, 0.03, "is dead (BrokenProcessPool)")
LOST = Struck(7, 0, 1, [], 0, 0.02, "")


@pytest.mark.parametrize(
    ("struck", "told"),
    [
        (ALL_BACK, "8 of 8 came back, 1 of them run again; the pool goes on"),
        (
            DEAD,
            "2 of 8 came back; 6 of 8 failed (BrokenProcessPool); "
            "the pool is dead (BrokenProcessPool)",
        ),
        (LOST, "7 of 8 came back; 1 of 8 never came back; the pool goes on"),
    ],
)
def test_what_became_of_calls_is_told_in_plain_words(struck: Struck, told: str) -> None:
    assert struck.told() == told
    assert struck.came_back + struck.failed + struck.never_came_back == CALLS


def test_every_run_of_a_call_is_counted(tmp_path: Path) -> None:
    assert runs_of(tmp_path, 3) == 0
    assert [note_run(tmp_path, 3), note_run(tmp_path, 3), note_run(tmp_path, 4)] == [1, 2, 1]
    assert runs_of(tmp_path, 3) == 2


def measured(monkeypatch: pytest.MonkeyPatch, answers: dict[str, list[list[Struck]]]) -> list:
    """The parts that the group yields when peers answer like that, launch after launch."""
    kinds = [killed_group.OURS._replace(name=name) for name in answers]
    monkeypatch.setattr(killed_group, "OURS", kinds[0])
    monkeypatch.setattr(killed_group, "serving", lambda workers: kinds[1:])
    launches = {name: iter(found) for name, found in answers.items()}
    monkeypatch.setattr(
        killed_group, "run_apart", lambda _function, _kind, _s, name, *_: next(launches[name])
    )
    return list(parts_of(killed_group.measure_killed(Setting(Amount(2, 1), 2, False))))


def test_a_peer_has_a_row_for_each_way_to_lose_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = measured(monkeypatch, {"us": [[ALL_BACK, LOST], [ALL_BACK, LOST]]})[1:]
    assert [(row.name.rpartition(", ")[2], row.samples) for row in rows] == [
        ("us", [[100.0], [100.0]]),
        ("us", [[20.0], [20.0]]),
    ]
    assert [row.note for row in rows] == [ALL_BACK.told(), LOST.told()]


def test_a_peer_that_fails_is_told_and_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> list[Struck]:
        raise BenchError("strike: it did not start")

    monkeypatch.setattr(killed_group, "serving", lambda workers: [])
    monkeypatch.setattr(killed_group, "run_apart", fail)
    notes = list(parts_of(killed_group.measure_killed(Setting(Amount(1, 1), 2, True))))
    assert notes[1:] == ["killed: corororo: strike: it did not start"]


def test_launches_that_differ_and_peers_that_hang_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"us": [[ALL_BACK, ALL_BACK], [LOST]], "them": [[], []]}
    parts = measured(monkeypatch, answers)
    notes = [part for part in parts if isinstance(part, str)]
    rows = [part for part in parts if isinstance(part, Row)]
    assert [row.note for row in rows] == [
        f"{ALL_BACK.told()} (in 1 of 2 launches)",
        ALL_BACK.told(),
    ]
    assert [note.count("them gave no answer at all") for note in notes] == [0, 1, 1]
