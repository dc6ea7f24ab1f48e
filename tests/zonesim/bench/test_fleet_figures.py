"""The figures of a whole run, from made-up ones."""

from __future__ import annotations

import pytest
from without_pauses import parts_of

from zonesim.bench import fleet_group as fleet
from zonesim.bench.figures import Row
from zonesim.bench.fleet_run import FleetRun
from zonesim.bench.launches import Amount
from zonesim.bench.suite import BenchError, Setting
from zonesim.results.statistics import AsyncTaskCounts

FULL = Setting(Amount(1, 2), 2, False)
CALM = FleetRun(
    response_ms=[[1.0, 2.0], [3.0, 4.0]],
    late=[0, 1],
    late_percent=[0.0, 2.0],
    main_ms=[1.0, 1.2],
    ticks_of_zones=[150, 150],
    async_tasks=AsyncTaskCounts(submitted=100, completed=100, failed=0, retried=0, lost=0),
    world_hash="00ff",
    killed=0,
)


def struck(**changes: object) -> FleetRun:
    return FleetRun(**{name: getattr(CALM, name) for name in CALM.__struct_fields__} | changes)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[list[FleetRun]]:
    """What each run gives, in turn."""
    found: list[list[FleetRun]] = []
    monkeypatch.setattr(fleet, "run_apart", lambda *_: found.pop(0))
    return found


def rows(parts: list[Row | str]) -> dict[str, Row]:
    return {part.name.partition(": ")[2]: part for part in parts if isinstance(part, Row)}


def notes(parts: list[Row | str]) -> list[str]:
    return [part for part in parts if isinstance(part, str)]


def test_a_quick_run_says_that_the_rows_need_the_full_one() -> None:
    (note,) = parts_of(fleet.measure_fleet(Setting(Amount(1, 2), 2, True)))
    assert "need the full run" in note


def test_figures_are_those_of_the_whole_run(runs: list[list[FleetRun]]) -> None:
    runs += [[CALM], [struck(main_ms=[1.0, 1.0])]] + [[CALM]] * 2 + [[struck(killed=59)], [CALM]]
    parts = list(parts_of(fleet.measure_fleet(FULL)))
    found = rows(parts)
    assert found[fleet.LATE].figure == 1
    assert found[fleet.LATE].verdict == "falls short"
    assert found[fleet.RESPONSE].figure == 4.0
    assert found[fleet.MAIN_THREAD].figure == pytest.approx(1.1)
    assert found[fleet.SLOWEST].figure == 2.5
    assert found[fleet.LATE_SHARE].figure == 1.0
    assert {found[name].figure for name in (fleet.LOST, fleet.DOUBLED, fleet.HASHES)} == {0}
    assert {row.interval for row in found.values()} == {None}  # one run of each
    assert notes(parts)[1:] == ["fleet: 59 workers were killed; 0 of 100 calls ran again"]


def test_what_is_lost_doubled_or_another_world_falls_short(runs: list[list[FleetRun]]) -> None:
    counts = AsyncTaskCounts(submitted=100, completed=101, failed=1, retried=0, lost=0)
    runs += [[CALM]] * 4 + [[struck(killed=59, async_tasks=counts, world_hash="ff00")], [CALM]]
    found = rows(list(parts_of(fleet.measure_fleet(FULL))))
    assert [found[name].figure for name in (fleet.LOST, fleet.DOUBLED, fleet.HASHES)] == [0, 2, 1]
    assert found[fleet.HASHES].verdict == "falls short"


def test_a_run_that_fails_or_hangs_leaves_the_others(
    runs: list[list[FleetRun]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> list[FleetRun]:
        if len(runs) == 4:
            runs.pop()
            raise BenchError("no room for the rings")
        return runs.pop(0)

    monkeypatch.setattr(fleet, "run_apart", refuse)
    runs += [[], [CALM], [CALM], [CALM]]
    parts = list(parts_of(fleet.measure_fleet(FULL)))
    assert notes(parts)[1:3] == [
        "fleet: no room for the rings",
        "fleet: chains, 300 zones: not done within 180 s",
    ]
    assert fleet.SLOWEST in rows(parts)
    assert "0 workers were killed in 60 s" in notes(parts)[3]
