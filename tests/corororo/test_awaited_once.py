"""A call is a coroutine: awaited once, warned of if never, and found by its name in a worker."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import corororo as cr

AWAITED = "awaited already|already awaited"


@cr.async_task
def half(x: int) -> float:
    return 10 / x


@cr.async_task
def nothing(x: int) -> None:
    pass


@pytest.fixture(scope="module")
def pool() -> Iterator[cr.WorkerPool]:
    with cr.WorkerPool(workers=1) as pool:
        yield pool


@pytest.fixture(params=["inline", "direct", "workers"])
def scheduler(request: pytest.FixtureRequest) -> Iterator[cr.Scheduler]:
    if request.param == "workers":
        made = cr.Scheduler(request.getfixturevalue("pool"))
    else:
        made = cr.Scheduler(inline="direct" if request.param == "direct" else "validate")
    with made as scheduler:
        yield scheduler


AWAITABLES: dict[str, Callable[[], Awaitable[Any]]] = {
    "call": lambda: half(5),
    "map": lambda: half.map([5]),
    "starmap": lambda: half.starmap([(5,)]),
    "with_options": lambda: half.with_options(retries=0)(5),
    "gather": lambda: cr.gather(half(5)),
    "sleep": lambda: cr.sleep(0),
    "checkpoint": cr.checkpoint,
    "current_scheduler": cr.current_scheduler,
}


@pytest.mark.parametrize("make", AWAITABLES.values(), ids=AWAITABLES)
def test_a_second_await_says_to_call_again(
    scheduler: cr.Scheduler, make: Callable[[], Awaitable[Any]]
) -> None:
    async def main() -> None:
        awaitable = make()
        await awaitable
        await awaitable

    with pytest.raises(RuntimeError, match=f"(?s)({AWAITED}).*call the function again"):
        scheduler.run(main())


def test_a_second_await_after_a_failure_raises(scheduler: cr.Scheduler) -> None:
    async def main() -> None:
        call = half(0)
        with pytest.raises(ZeroDivisionError):
            await call
        await call

    with pytest.raises(RuntimeError, match=AWAITED):
        scheduler.run(main())


def test_a_second_await_after_a_cancellation_raises(scheduler: cr.Scheduler) -> None:
    async def main() -> None:
        call = half(5)
        with cr.CancelScope() as scope:
            scope.cancel()
            await call
        await call

    with pytest.raises(RuntimeError, match=AWAITED):
        scheduler.run(main())


async def wait_for(call: Awaitable[float]) -> float:
    return await call


@pytest.mark.parametrize("make", [lambda: half(5), lambda: nothing(5)], ids=["value", "None"])
def test_two_tasks_cannot_await_one_call(
    scheduler: cr.Scheduler, make: Callable[[], Awaitable[Any]]
) -> None:
    async def main() -> None:
        call = make()
        await cr.gather(wait_for(call), wait_for(call))

    with pytest.raises(ExceptionGroup) as raised:
        scheduler.run(main())
    assert [str(error) for error in raised.value.exceptions] == [
        "cannot reuse already awaited coroutine",
        "coroutine is being awaited already",
    ]


def test_a_task_that_is_given_the_call_of_another_fails_alone(scheduler: cr.Scheduler) -> None:
    async def first(call: Any) -> None:
        results.append(await call)

    async def main() -> None:
        call = half(5)
        await cr.gather(first(call), call)

    results: list[float] = []
    with pytest.raises(RuntimeError, match=f"(?s)({AWAITED}).*call the function again"):
        scheduler.run(main())
    assert results == [2.0]


def test_none_is_a_result(scheduler: cr.Scheduler) -> None:
    async def main() -> list[None]:
        return [await nothing(5), *await nothing.map([5]), *await cr.gather(nothing(5))]

    assert scheduler.run(main()) == [None, None, None]


def test_one_call_scheduled_twice_raises(scheduler: cr.Scheduler) -> None:
    call = half(5)
    scheduler.schedule(call)
    scheduler.schedule(call)
    with pytest.raises(RuntimeError, match=AWAITED):
        scheduler.run_expired_tasks()


def test_a_cached_call_raises(scheduler: cr.Scheduler) -> None:
    cached = functools.lru_cache(half)

    async def main() -> float:
        return await cached(5) + await cached(5)

    with pytest.raises(RuntimeError, match=AWAITED):
        scheduler.run(main())


def test_an_iterator_that_has_ended_stays_ended(scheduler: cr.Scheduler) -> None:
    async def read(values: AsyncIterator[float]) -> list[float]:
        return [value async for value in values]

    async def main() -> tuple[list[float], list[float]]:
        values = half.map_unordered([5])
        return await read(values), await read(values)

    assert scheduler.run(main()) == ([2.0], [])


@pytest.mark.parametrize(
    ("make", "name"), [(lambda: half(5), "half"), (lambda: half.map([5]), "half.map")]
)
def test_a_call_that_is_never_awaited_is_warned_of(make: Callable[[], Any], name: str) -> None:
    with pytest.warns(RuntimeWarning, match=f"coroutine '{name}' was never awaited"):
        make()


SHADOWED = """
import functools
import corororo as cr
@cr.async_task
def f(x: int) -> int:
    return x

first = f

@cr.async_task
def f(x: int) -> str:
    return "later"

def wrap(function):
    @functools.wraps(function)
    async def wrapper(*args):
        return await function(*args)
    return wrapper

@wrap
@cr.async_task
def wrapped(x: int) -> int:
    return x

def plain(x: int) -> int:
    return x

decorated = cr.async_task(plain)

@cr.async_task
def gone(x: int) -> int:
    return x

kept = gone
del gone
"""


@pytest.fixture
def shadowed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    (tmp_path / "shadowed.py").write_text(SHADOWED)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "shadowed", raising=False)
    return importlib.import_module("shadowed")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("first", "another function, defined later; give each function a name of its own"),
        ("wrapped", "a function without @async_task; put @async_task above all other decorators"),
        ("decorated", "a function without @async_task.*keep the result under the name"),
        ("kept", "nothing; .*keep the result under the name"),
    ],
)
def test_a_function_that_a_worker_would_not_find_is_refused_before_it_is_sent(
    shadowed: ModuleType, name: str, found: str
) -> None:
    with (
        cr.Scheduler() as scheduler,
        pytest.raises(TypeError, match=f"a worker looks for it by this name, and finds {found}"),
    ):
        scheduler.run(getattr(shadowed, name)(1))


def test_the_later_of_two_functions_of_one_name_can_be_called(shadowed: ModuleType) -> None:
    with cr.Scheduler() as scheduler:
        with pytest.raises(TypeError, match="defined later"):
            scheduler.run(shadowed.first(1))
        assert scheduler.run(shadowed.f(1)) == "later"
