"""What the library says where it is used outside of its place, or given what it cannot take."""

from __future__ import annotations

import asyncio
import functools
import inspect
import math
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trio

import corororo as cr
from corororo.testing import MockClock, inline_pool


async def walk(*steps: Any) -> None:
    pass


@cr.async_task
def double(x: int) -> int:
    return 2 * x


CALL = double(1)
CALL.close()  # so that Python does not warn that it is never awaited


def generator(x: int) -> Iterator[int]:
    yield x


@cr.async_task
async def sleep_as_async_task(x: int) -> None:
    await cr.sleep(x)


async def start_soon(work: Any) -> None:
    async with cr.open_nursery() as nursery:
        with pytest.raises(TypeError) as caught:
            nursery.start_soon(work)
    raise caught.value


async def twice(place: Any) -> None:
    await finish(place)
    await finish(place)


async def finish(value: Any) -> Any:
    """Await, enter or iterate what a call has given."""
    if hasattr(value, "__aenter__"):
        async with value:
            return None
    if hasattr(value, "__enter__"):
        with value:
            return None
    if hasattr(value, "__aiter__"):
        return [item async for item in value]
    return await value if inspect.isawaitable(value) else value


Use = Callable[[Any], object]  # of a Scheduler


def outside(use: Use) -> None:
    with cr.Scheduler(clock=MockClock()) as scheduler:
        try:
            use(scheduler)
        finally:
            assert scheduler.run(double(1)) == 2  # it can be used all the same


def in_task(use: Use) -> None:
    async def main() -> None:
        await finish(use(await cr.current_scheduler()))

    outside(lambda scheduler: scheduler.run(main()))


def no_task(use: Use) -> None:
    finish(use(None)).send(None)


def under_asyncio(use: Use) -> None:
    outside(lambda scheduler: asyncio.run(finish(use(scheduler))))


def under_trio(use: Use) -> None:
    outside(lambda scheduler: trio.run(finish, use(scheduler)))


def closed(use: Use) -> None:
    scheduler = cr.Scheduler()
    scheduler.close()
    use(scheduler)


def in_another_thread(use: Use) -> None:
    """While a tick goes on in this one."""
    errors: list[BaseException] = []

    def thread(scheduler: cr.Scheduler) -> None:
        try:
            use(scheduler)
        except BaseException as error:
            errors.append(error)

    def main(scheduler: cr.Scheduler) -> object:
        started = threading.Thread(target=thread, args=[scheduler])
        started.start()
        return started.join()

    in_task(main)
    raise errors[0]


def running_pool(use: Use) -> None:
    with inline_pool() as pool:
        use(pool)


def idle_pool(use: Use) -> None:
    use(cr.WorkerPool(1))


IN_TASK = "works inside a Task of a Scheduler only; run the coroutine with scheduler.run()"
NEEDS_SCHEDULER = "was awaited under asyncio or trio, and needs a Scheduler that runs the coroutine"
OWN = "of the Scheduler that runs it; await in the Task"
TICKS = "was called while another thread, or another task of trio, ticks this Scheduler; give each"
CLOSED = "this Scheduler is closed; make another one"
IDLE = "the pool is not running; use it as `with WorkerPool() as pool:`"
SECONDS = "takes a number of seconds"
FINITE = "takes a finite number of seconds"
WORK = "takes a coroutine, an AsyncTask or a callable"
RIGHT = "f(x), f and lambda: f(x) are right"

MISUSES: dict[Callable[[Use], None], list[tuple[Use, str]]] = {
    no_task: [
        (lambda _: cr.fail_after(1), f"fail_after() {IN_TASK}"),
        (lambda _: cr.move_on_after(1), f"move_on_after() {IN_TASK}"),
        (lambda _: cr.move_on_at(1), f"move_on_at() {IN_TASK}"),
        (lambda _: cr.CancelScope(), f"a CancelScope {IN_TASK}"),
        (lambda _: cr.open_nursery(), f"open_nursery() {IN_TASK}"),
    ],
    under_asyncio: [
        (lambda _: cr.fail_after(1), f"fail_after() {IN_TASK}"),
        (lambda _: cr.open_nursery(), f"open_nursery() {IN_TASK}"),
        (lambda _: cr.checkpoint(), f"checkpoint() {NEEDS_SCHEDULER}"),
        (lambda _: cr.sleep(1), f"sleep() {NEEDS_SCHEDULER}"),
        (lambda _: cr.sleep_until(1), f"sleep_until() {NEEDS_SCHEDULER}"),
        (lambda _: cr.current_scheduler(), f"current_scheduler() {NEEDS_SCHEDULER}"),
        (lambda _: cr.run_in_trio(trio.sleep, 1), f"run_in_trio() {NEEDS_SCHEDULER}"),
        (lambda _: cr.gather(walk), f"gather() {NEEDS_SCHEDULER}"),
        (lambda _: double(1), f"test_misuse:double() {NEEDS_SCHEDULER}"),
        (lambda _: double.map([1]), f"map() {NEEDS_SCHEDULER}"),
        (lambda _: double.map_unordered([1]), f"map_unordered() {NEEDS_SCHEDULER}"),
        (lambda s: s.run_tick(), "run_tick() works under trio only"),
    ],
    under_trio: [
        (lambda _: cr.open_nursery(), f"open_nursery() {IN_TASK}"),
        (lambda _: double(1), f"test_misuse:double() {NEEDS_SCHEDULER}"),
    ],
    in_task: [
        (lambda s: s.tick(), f"a Task cannot call tick() {OWN}"),
        (lambda s: s.run(walk), f"a Task cannot call run() {OWN}"),
        (lambda s: s.run_tick(), f"a Task cannot call run_tick() {OWN}"),
        (lambda s: s.run_expired_tasks(), f"a Task cannot call run_expired_tasks() {OWN}"),
        (lambda s: s.close(), f"a Task cannot call close() {OWN}"),
        (lambda _: cr.run_in_trio(trio.sleep, 1), "run_in_trio() needs a tick that trio drives"),
        (
            lambda _: sleep_as_async_task(1),
            "may await other AsyncTasks, got sleep(); await",
        ),
        (lambda _: twice(cr.open_nursery()), "a nursery is for one use; call open_nursery() again"),
        (lambda _: twice(cr.CancelScope()), "a CancelScope is for one use; make another one"),
        (lambda _: cr.sleep(-1), f"sleep(seconds) {SECONDS} from 0, got -1"),
        (lambda _: cr.sleep("1"), f"sleep(seconds) {SECONDS} from 0, got '1'"),  # type: ignore
        (lambda _: cr.sleep_until(math.nan), f"sleep_until(deadline) {SECONDS}, got nan"),
        (lambda _: cr.move_on_after(-1), f"move_on_after(seconds) {SECONDS} from 0, got -1"),
        (lambda _: cr.fail_after(math.nan), f"fail_after(seconds) {SECONDS} from 0, got nan"),
        (lambda _: cr.move_on_at("1"), f"move_on_at(deadline) {SECONDS}, got '1'"),  # type: ignore
        (lambda _: cr.CancelScope(deadline=math.nan), f"CancelScope(deadline=...) {SECONDS}"),
        (lambda _: cr.gather([walk]), f"gather {WORK}, got list: {RIGHT}"),  # type: ignore
        (lambda _: start_soon(CALL), "start_soon(f, x), not start_soon(f(x))"),
        (lambda _: cr.run_in_trio(CALL), "run_in_trio(f, x), not run_in_trio("),  # type: ignore
    ],
    in_another_thread: [
        (lambda s: s.tick(), f"tick() {TICKS}"),
        (lambda s: s.run(walk), f"run() {TICKS}"),
        (lambda s: s.run_expired_tasks(), f"run_expired_tasks() {TICKS}"),
        (lambda s: s.close(), f"close() {TICKS}"),
        (lambda _: cr.move_on_after(1), f"move_on_after() {IN_TASK}"),
    ],
    closed: [
        (lambda s: s.tick(), CLOSED),
        (lambda s: s.run(walk), CLOSED),
        (lambda s: s.run_expired_tasks(), CLOSED),
        (lambda s: s.schedule(walk), CLOSED),
        (lambda s: s.schedule_at(1, walk), CLOSED),
        (lambda s: s.schedule_delayed(1, walk), CLOSED),
        (lambda s: s.schedule_interval(1, walk), CLOSED),
    ],
    outside: [
        (lambda _: cr.open_nursery().start_soon(walk), "this nursery has not been entered; `async"),
        (lambda s: s.tick(-1), f"tick(deadline) {SECONDS} from 0, got -1"),
        (lambda s: s.tick("0.4"), f"tick(deadline) {SECONDS} from 0, got '0.4'"),
        (lambda s: s.tick(late="carry"), 'late="carry" needs a deadline: tick(deadline=0.4, late='),
        (lambda s: s.tick(late="later"), 'late must be "wait" or "carry", got \'later\''),
        (
            lambda s: s.schedule_delayed(-1, walk),
            f"schedule_delayed(delay) {FINITE} from 0",
        ),
        (
            lambda s: s.schedule_delayed(walk, 1),
            f"schedule_delayed(delay) {FINITE} from 0",
        ),
        (lambda s: s.schedule_delayed(1, None), f"schedule_delayed {WORK}, got NoneType: {RIGHT}"),
        (lambda s: s.schedule_at(math.inf, walk), f"schedule_at(moment) {FINITE}, got inf"),
        (lambda s: s.schedule_at(1, None), f"schedule_at {WORK}, got NoneType: {RIGHT}"),
        (lambda s: s.schedule_interval(0, walk), f"schedule_interval(period) {FINITE} from 1e-06"),
        (lambda s: s.schedule_interval(1, 2), "schedule_interval(0.4, zone_tick), not zone_tick()"),
        (lambda s: s.schedule_interval(1, walk, missed="never"), "missed must be"),
        (lambda s: s.schedule([walk]), f"schedule {WORK}, got list: {RIGHT}"),
        (lambda s: s.run(1), f"run {WORK}, got int: {RIGHT}"),
        (lambda _: cr.keep(CALL), "which is to be awaited first: keep(await ...)"),
        (lambda _: MockClock().jump(-1), "a clock goes forward only, got a jump of -1 s"),
        (lambda _: double.with_options(timeout=0), "timeout must be a positive number of seconds"),
        (lambda _: cr.async_task(timeout="1"), "timeout must be a number of seconds or None"),
        (lambda _: cr.async_task(retries="3"), "retries must be an int, got '3'"),
        (
            lambda _: cr.async_task(functools.partial(print)),
            "got partial; decorate a function",
        ),
        (lambda _: cr.async_task(generator), "got the generator generator; return a list instead"),
        (lambda _: cr.Scheduler(2), "Scheduler(pool=...) takes what WorkerPool(2)"),
        (lambda _: cr.Scheduler(cr.WorkerPool), "Scheduler(pool=...) takes what WorkerPool(2)"),
        (lambda _: cr.Scheduler(clock=MockClock), "Scheduler(clock=...) takes what SystemClock()"),
        (lambda _: cr.Scheduler(garbage=1), "Scheduler(garbage=...) takes what SlackCollector()"),
        (lambda _: cr.Scheduler(instruments=[1]), "Scheduler(instruments=...) takes what [MyInstr"),
        (lambda _: cr.WorkerPool.attach(cr.WorkerPool(1)), "attach takes the address of a pool"),
        (lambda _: cr.HandlePool().get(cr.Handle(0, 1)), "was released, or never acquired; drop"),
    ],
    idle_pool: [
        (lambda pool: pool.address, IDLE),
        (lambda pool: pool.resize(2), IDLE),
        (lambda pool: pool.open_transfer(), IDLE),
        (lambda pool: cr.Scheduler(pool), IDLE),
    ],
    running_pool: [
        (lambda pool: pool.start(), "the pool has been started already"),
        (lambda pool: pool.resize(2), "begin with one: WorkerPool(workers=1)"),
    ],
}


WRONG = (RuntimeError, TypeError, ValueError, cr.CorororoError)


@pytest.mark.parametrize(
    ("place", "use", "said"),
    [(place, use, said) for place, misuses in MISUSES.items() for use, said in misuses],
)
def test_a_misuse_is_told_with_its_name_what_was_found_and_what_to_do(
    place: Callable[[Use], None], use: Use, said: str
) -> None:
    with pytest.raises(WRONG) as caught:
        place(use)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
