"""Inline calls: the arguments of many, and running them one after another."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import corororo as cr
from corororo._core import run_nested
from corororo._inline import Columns, Inline, paired, run_calls
from corororo.testing import inline_pool


@cr.async_task
def half(x: int) -> float:
    return 1 / x


@cr.async_task
async def nested(x: int) -> str:
    try:
        return str(await half(x))
    except ZeroDivisionError:
        return "caught"


@cr.async_task
async def wants_a_scheduler() -> None:
    await cr.checkpoint()


@cr.async_task
def total(numbers: list[int]) -> tuple[int, ...]:
    numbers.append(100)
    return (sum(numbers),)


@cr.async_task
def mirror(view: memoryview) -> memoryview:
    return view if view.readonly else memoryview(b"writable")


@cr.async_task
def unusable(x: NoSuchType) -> int:  # type: ignore[name-defined]  # noqa: F821
    return 1


@cr.async_task
def interrupt(number: int) -> None:
    os.kill(os.getpid(), number)


ran: list[int] = []


@cr.async_task
def note(x: int) -> int:
    ran.append(x)
    return x


async def outcomes(*calls: Any) -> list[Any]:
    """The value of each call, or its error as text."""

    async def outcome(call: Any) -> Any:
        try:
            return await call
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    return await cr.gather(*map(outcome, calls))


def test_inline_calls_are_checked_and_copied_as_in_a_worker() -> None:
    numbers = [1, 2]
    with cr.Scheduler() as scheduler:
        assert scheduler.run(outcomes(total(numbers), total(["3"]), total([object()]))) == [  # type: ignore[list-item]
            (103,),
            f"TypeError: arguments of {total.name}: Expected `int`, got `str` - at `numbers[0]`",
            f"TypeError: {total.name}: argument numbers[0]: a builtins.object cannot be encoded; "
            f"pass plain data, or let it travel with corororo.register_type",
        ]
    assert numbers == [1, 2]


def test_direct_inline_calls_are_plain_calls() -> None:
    numbers = [1, 2]
    for pool in (None, inline_pool()):
        with pool or contextlib.nullcontext(), cr.Scheduler(pool, inline="direct") as scheduler:
            scheduler.run(total(numbers))
    assert numbers == [1, 2, 100, 100]


def test_another_way_to_run_inline_is_refused() -> None:
    with pytest.raises(ValueError, match=r'"validate" or "direct", got \'fast\''):
        cr.Scheduler(inline="fast")  # type: ignore[arg-type]


def test_annotations_that_cannot_be_used_fail_the_calls_alone() -> None:
    with cr.Scheduler() as scheduler:
        failed, value = scheduler.run(outcomes(unusable(1), half(2)))
    assert failed == (
        f"TypeError: the annotations of {unusable.name} cannot be used: "
        f"name 'NoSuchType' is not defined; calls need it too: import it outside of "
        f"`if TYPE_CHECKING:`"
    )
    assert value == 0.5


def test_an_error_keeps_the_frame_of_the_inline_call_for_debuggers() -> None:
    with cr.Scheduler() as scheduler, pytest.raises(ZeroDivisionError) as caught:
        scheduler.run(half(0))
    assert caught.traceback[-1].name == "half"


@pytest.mark.parametrize("inline", ["validate", "direct"])
def test_what_a_signal_raises_in_an_inline_call_ends_the_program(
    inline: Literal["validate", "direct"],
) -> None:
    with cr.Scheduler(inline=inline) as scheduler:
        with pytest.raises(KeyboardInterrupt):
            scheduler.run(interrupt(signal.SIGINT))
        assert scheduler.run(half(2)) == 0.5


def test_endless_arguments_are_run_a_bounded_number_ahead() -> None:
    async def first() -> int | None:
        async for value in note.map_unordered(itertools.count()):
            return value
        return None

    ran.clear()
    with cr.Scheduler() as scheduler:
        assert scheduler.run(first()) == 0
    assert len(ran) == Inline.max_pending


def test_views_of_inline_results_end_with_the_tick_unless_they_are_kept() -> None:
    sent = bytearray(b"abc")

    async def fetch() -> list[memoryview]:
        first, second = await mirror(memoryview(sent)), await mirror(memoryview(sent))
        sent[:] = b"xyz"
        return [first, cr.keep(second)]

    with cr.Scheduler() as scheduler:
        lent, kept = scheduler.run(fetch())
        scheduler.tick()
        assert kept == b"abc"
        with pytest.raises(ValueError, match="released"):
            lent[0]


def test_calls_run_when_they_are_taken_and_in_the_order_of_sending() -> None:
    transfer = Inline()
    transfer.send_nowait(half, "first", [(1,), (2,)])
    transfer.send_nowait(nested, "second", [(4,)])
    assert transfer.in_flight == 3
    first, second = transfer.take_nowait()
    assert (first.ticket, first.values, first.failures) == ("first", [1.0, 0.5], None)
    assert (second.ticket, second.values) == ("second", ["0.25"])
    assert transfer.in_flight == 0
    assert transfer.take_nowait() == []


def test_a_failing_call_leaves_its_neighbours_alone() -> None:
    values, failures = run_calls(half.call_inline, [(1,), (0,), (2,), (0,)])
    assert values == [1.0, None, 0.5, None]
    assert failures is not None
    assert {place: type(error) for place, error in failures.items()} == {
        1: ZeroDivisionError,
        3: ZeroDivisionError,
    }


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, StopIteration])
@pytest.mark.parametrize("arguments", [[(1,), (2,), (3,)], Columns([[1, 2, 3]], 3)])
def test_not_even_an_exit_of_one_call_ends_the_batch(
    error: type[BaseException], arguments: Sequence[tuple[int]]
) -> None:
    def fail(number: int) -> int:
        if number == 2:
            raise error
        return number

    places: list[int] = []
    for before in (None, places.append):
        values, failures = run_calls(fail, arguments, before)
        assert values == [1, None, 3]
        assert {place: type(found) for place, found in (failures or {}).items()} == {1: error}
        assert failures is not None
        assert failures[1].__traceback__ is not None
    assert places == [0, 1, 2]


def test_async_tasks_awaited_inside_one_run_in_the_same_place() -> None:
    assert nested.call_inline(2) == "0.5"
    assert nested.call_inline(0) == "caught"


def test_awaiting_a_scheduler_inside_an_async_task_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"without a Scheduler.*await that in the Task"):
        wants_a_scheduler.call_inline()


def test_a_nested_coroutine_may_catch_that_error() -> None:
    async def stubborn() -> str:
        try:
            await cr.checkpoint()
        except TypeError:
            return str(await half(2))
        return "not refused"

    assert run_nested(stubborn()) == "0.5"


def test_a_pool_of_no_workers_is_inline_for_all_its_schedulers() -> None:
    with cr.WorkerPool(workers=0) as pool:
        guest = cr.WorkerPool.attach(pool.address)
        with cr.Scheduler(pool) as scheduler, cr.Scheduler(guest) as other:
            assert scheduler.run(half(4)) == other.run(half(4)) == 0.25
            assert pool.statistics().workers == ()
            assert type(scheduler._transfer) is type(other._transfer) is Inline


class Struck:
    """As a signal handler that raises, before the second call and behind the last one."""

    def __init__(self) -> None:
        self.strikes = {1}

    def __call__(self, place: int) -> None:
        if place in self.strikes:
            self.strikes.remove(place)
            raise TimeoutError


def test_an_error_between_two_calls_shifts_no_result() -> None:
    values, failures = run_calls(lambda n: 10 * n, Columns([[0, 1, 2, 3]], 4), Struck())
    assert values == [0, None, 20, 30]
    assert {place: type(error) for place, error in (failures or {}).items()} == {1: TimeoutError}


@pytest.mark.parametrize("parameters", [0, 1, 2, 3])
def test_calls_with_any_number_of_arguments_run_in_their_places(parameters: int) -> None:
    def fail_at_one(*given: int) -> tuple[int, ...]:
        ran.append(given)
        if len(ran) == 2:
            raise KeyError
        return given

    calls = [tuple(range(i, i + parameters)) for i in range(4)]
    for arguments in (calls, Columns.of(calls)):
        ran: list[tuple[int, ...]] = []
        values, failures = run_calls(fail_at_one, arguments)
        assert values == [calls[0], None, *calls[2:]]
        assert list(failures or {}) == [1]
        assert ran == calls


class Boastful(list[int]):
    """Says that it is longer than it is."""

    def __len__(self) -> int:
        return 5


CALLS = st.integers(0, 3).flatmap(
    lambda parameters: st.lists(st.tuples(*[st.integers()] * parameters))
)


@given(CALLS)
def test_columns_hold_the_calls_that_they_were_made_of(calls: list[tuple[int, ...]]) -> None:
    columns = Columns.of(calls)
    assert list(columns) == calls
    assert [columns[i] for i in range(-len(calls), len(calls))] == calls + calls
    assert len(columns) == len(calls)
    assert Columns.of(columns) is columns
    with pytest.raises(IndexError):
        columns[len(calls)]


@given(CALLS, st.slices(20))
def test_a_slice_of_columns_holds_that_slice_of_the_calls(
    calls: list[tuple[int, ...]], part: slice
) -> None:
    columns = Columns.of(calls)[part]
    assert list(columns) == calls[part]
    assert len(columns) == len(calls[part])


@pytest.mark.parametrize(
    "iterables",
    [
        (),
        ([1, 2],),
        (iter("ab"),),
        ({"a": 1},),
        ([1, 2, 3], "ab"),
        (range(2), itertools.count()),
        (itertools.count(), [1], (4, 5)),
        ([], [1]),
        (range(10**20), [1, 2]),
        (Boastful([1, 2]), [1, 2, 3]),
    ],
)
def test_arguments_are_paired_as_by_the_builtin(iterables: tuple[Iterable[Any], ...]) -> None:
    endless = [iterables, iterables]
    if any(iter(iterable) is iterable for iterable in iterables):
        pairs = [itertools.tee(iterable) for iterable in iterables]
        endless = [tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)]
    assert list(paired(endless[0])) == list(zip(*endless[1], strict=False))
