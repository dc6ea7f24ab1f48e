"""Arguments and results of every kind, there and back through a worker."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import option_calls as calls
import pytest

import corororo as cr

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def pool() -> Iterator[cr.WorkerPool]:
    with cr.WorkerPool(1) as pool:
        yield pool


@pytest.fixture
def scheduler(pool: cr.WorkerPool) -> Iterator[cr.Scheduler]:
    with cr.Scheduler(pool) as scheduler:
        yield scheduler


def test_structs_defaults_and_keywords(scheduler: cr.Scheduler) -> None:
    here = calls.Point(1.0, 2.0)
    assert scheduler.run(calls.move(here)) == calls.Point(2.0, 2.0)
    assert scheduler.run(calls.move(here, dy=3.0)) == calls.Point(2.0, 5.0)
    assert scheduler.run(calls.move(point=here, dx=0.5)) == calls.Point(1.5, 2.0)


def test_dataclasses_and_enums(scheduler: cr.Scheduler) -> None:
    parcel = calls.Parcel(3, calls.Point(0.0, 0.0), calls.Colour.RED)
    painted = scheduler.run(calls.repaint(parcel, calls.Colour.BLUE))
    assert painted == calls.Parcel(3, calls.Point(0.0, 0.0), calls.Colour.BLUE)


def test_moments_in_time(scheduler: cr.Scheduler) -> None:
    moment = datetime.datetime(2026, 2, 28, 12, tzinfo=datetime.UTC)
    assert scheduler.run(calls.a_day_later(moment)).isoformat() == "2026-03-01T12:00:00+00:00"


def test_generic_results(scheduler: cr.Scheduler) -> None:
    assert scheduler.run(calls.wrap(7)) == calls.Box([7])


def test_views_that_are_kept_stay_good_after_later_ticks(scheduler: cr.Scheduler) -> None:
    views = [cr.keep(scheduler.run(calls.backwards(bytes([i]) * 99 + b"!"))) for i in range(50)]
    assert all(isinstance(view, memoryview) for view in views)
    assert [bytes(view) for view in views] == [b"!" + bytes([i]) * 99 for i in range(50)]


def test_views_that_are_not_kept_end_with_their_tick_and_say_so(scheduler: cr.Scheduler) -> None:
    view = scheduler.run(calls.backwards(b"abc"))
    assert bytes(view) == b"cba"
    scheduler.tick()
    with pytest.raises(ValueError, match="released memoryview"):
        bytes(view)


def test_an_async_function_awaits_others_in_its_worker(scheduler: cr.Scheduler) -> None:
    assert scheduler.run(calls.triple_twice(5)) == 45
    assert scheduler.statistics().async_tasks_sent == 1


def test_results_come_unordered_as_soon_as_they_are_there(scheduler: cr.Scheduler) -> None:
    async def collect() -> tuple[list[int], list[str]]:
        values, errors = [], []
        iterator = calls.triple.map_unordered(range(10, 20))
        while True:
            try:
                values.append(await anext(iterator))
            except StopAsyncIteration:
                return values, errors
            except ValueError as error:
                errors.append(str(error))

    values, errors = scheduler.run(collect())
    assert sorted(values) == [3 * n for n in range(10, 20) if n != 13]
    assert errors == ["13 brings bad luck"]


def test_an_argument_without_an_encoding_fails_at_the_call(scheduler: cr.Scheduler) -> None:
    async def main() -> str:
        try:
            await calls.move({"x": object()})  # type: ignore[arg-type]
        except TypeError as error:
            return str(error)
        return "nothing was raised"

    told = scheduler.run(main())
    assert "option_calls:move: argument point['x']: a builtins.object cannot be encoded" in told
