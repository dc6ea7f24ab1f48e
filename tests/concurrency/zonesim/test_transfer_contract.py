"""What every way to workers keeps: the rungs of the ladder, the library's ring, and no way at all.

The workers of each stay up for all tests here, as those of a game do; each test has a Scheduler of
its own on them.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
import worker_calls as calls
from waiting import finish, is_alive, wait_until

import corororo as cr
from corororo._inline import Inline
from corororo.abc import Transfer, TransferSource
from corororo.processes import HAS_PROC, forkserver
from zonesim.bench.transfers.batched import Batched
from zonesim.bench.transfers.context import Context
from zonesim.bench.transfers.direct import Direct
from zonesim.bench.transfers.handle import Handles
from zonesim.bench.transfers.pooled import Pooled
from zonesim.bench.transfers.slots import Slots

pytestmark = pytest.mark.timeout(60)


class AtHome:
    """No workers: what a Scheduler without a pool does."""

    def open_transfer(self) -> Transfer:
        return Inline()

    def __enter__(self) -> AtHome:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing was opened."""

    def close(self) -> None:
        """Nothing was opened."""


RUNGS = (Context, Handles, Direct, Pooled, Slots, Batched)
SOURCES = {kind.__name__: kind for kind in (*RUNGS, cr.WorkerPool)} | {"AtHome": AtHome}

NO_WORKERS = "calls run here, one after another"
NO_TYPES = "what was pickled or never left has the type that it has"
NOT_PROMISED = {
    "a Task that is cancelled goes on at once": {"AtHome": NO_WORKERS},
    "arguments are of the annotated types": {"AtHome": NO_TYPES, "Context": NO_TYPES},
    "functions are found by name": {"AtHome": NO_WORKERS},
    "a worker may die": {"AtHome": NO_WORKERS},
}


def mappings() -> set[str]:
    """Files in memory that this process has mapped, and that have a name."""
    lines = Path("/proc/self/maps").read_text().splitlines() if HAS_PROC else []
    named = {line.split(maxsplit=5)[-1] for line in lines if "/dev/shm/" in line}
    return {name for name in named if Path(name).exists()}


def open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if HAS_PROC else 0


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> None:
    """Not looked for after each test, but when a source has closed."""


@pytest.fixture(scope="module", params=SOURCES)
def source(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Every way to workers, with two of them."""
    forkserver()
    files = open_files()
    opened = SOURCES[request.param]() if request.param == "AtHome" else SOURCES[request.param](2)
    with opened:
        yield opened
        mapped = mappings()
    del opened
    gc.collect()  # locks of multiprocessing lose their names with their objects
    wait_until(lambda: not multiprocessing.active_children(), "no worker is left", 5)
    assert [name for name in mapped if Path(name).exists()] == []
    assert [t.name for t in threading.enumerate() if "Feeder" in t.name] == []
    assert open_files() <= files


@pytest.fixture
def scheduler(source: TransferSource) -> Iterator[cr.Scheduler]:
    with cr.Scheduler(source) as scheduler:
        yield scheduler


def must_promise(source: object, what: str) -> None:
    """Skip where the way makes no such promise, and say why."""
    why = NOT_PROMISED[what].get(type(source).__name__)
    if why is not None:
        pytest.skip(why)


def take_all(transfer: Transfer) -> dict[int, Any]:
    """Take until nothing is in flight; the value of each call by its place."""
    found: dict[int, Any] = {}
    while transfer.in_flight:
        completions = transfer.take_nowait()
        if not completions:
            transfer.wait(1.0)
        for completion in completions:
            assert completion.failures is None
            found |= dict(enumerate(completion.values, completion.start))
    return found


# -- results


def test_results_come_in_the_order_of_the_calls(scheduler: cr.Scheduler) -> None:
    async def main() -> list[int]:
        return await cr.gather(*(calls.double(x) for x in range(396)))

    assert finish(scheduler, main()) == [2 * x for x in range(396)]


def test_many_more_calls_than_any_pipe_holds_are_answered_in_one_tick(
    scheduler: cr.Scheduler,
) -> None:
    found: list[list[int]] = []

    async def main() -> None:
        found.append(await calls.double.map(range(5_000)))

    scheduler.schedule(main())
    scheduler.tick()
    assert found == [[2 * x for x in range(5_000)]]


@pytest.mark.slow
def test_a_hundred_thousand_calls_of_one_tick_are_answered(scheduler: cr.Scheduler) -> None:
    async def main() -> list[int]:
        return await calls.double.map(range(100_000))

    assert scheduler.run(main()) == [2 * x for x in range(100_000)]


def test_results_of_40_kb_for_all_calls_of_a_tick_come_back_whole(scheduler: cr.Scheduler) -> None:
    lengths = [40_000 + x for x in range(396)]
    found = finish(scheduler, calls.swell.map(lengths))
    assert list(map(len, found)) == lengths


def test_arguments_of_40_kb_for_all_calls_of_a_tick_arrive_whole(scheduler: cr.Scheduler) -> None:
    lengths = [40_000 + x for x in range(396)]
    found = finish(scheduler, calls.length_of.map([bytes(length) for length in lengths]))
    assert found == lengths


def test_different_functions_in_one_tick_get_their_own_answers(scheduler: cr.Scheduler) -> None:
    async def main() -> list[Any]:
        works: list[Any] = []
        for x in range(100):
            works += [calls.double(x), calls.swell(x), calls.shift(calls.Point(x, x))]
        return await cr.gather(*works)

    expected: list[Any] = []
    for x in range(100):
        expected += [2 * x, b"x" * x, calls.Point(x + 1, x + 1)]
    assert finish(scheduler, main()) == expected


def test_an_async_function_awaits_others_where_it_runs(scheduler: cr.Scheduler) -> None:
    assert finish(scheduler, calls.shift_twice(calls.Point(1, 2))) == calls.Point(3, 4)


def test_one_tick_after_another_goes_the_same_way(scheduler: cr.Scheduler) -> None:
    found: list[int] = []

    async def note(x: int) -> None:
        found.append(await calls.double(x))

    for tick in range(3):
        for x in range(70):
            scheduler.schedule(note(70 * tick + x))
        report = scheduler.tick()
        assert (report.async_tasks_sent, report.async_tasks_taken) == (70, 70)
    assert sorted(found) == [2 * x for x in range(210)]


# -- failures


def test_failures_come_back_as_what_they_were(scheduler: cr.Scheduler) -> None:
    with pytest.raises(calls.Refused) as refused:
        finish(scheduler, calls.refuse(3))
    assert refused.value.args == (3, "a multiple of three")
    assert refused.value.__cause__ is None or "refuse" in str(refused.value.__cause__)


def test_calls_that_fail_do_not_spoil_their_neighbours(scheduler: cr.Scheduler) -> None:
    async def outcome(x: int) -> object:
        try:
            return await calls.refuse(x)
        except calls.Refused as error:
            return error.args[0]

    async def main() -> list[object]:
        return await cr.gather(*(outcome(x) for x in range(300)))

    assert finish(scheduler, main()) == list(range(300))


def test_a_map_raises_the_first_failure_in_order(scheduler: cr.Scheduler) -> None:
    with pytest.raises(calls.Refused) as refused:
        finish(scheduler, calls.refuse.map([1, 2, 9, 4, 3]))
    assert refused.value.args[0] == 9


@pytest.mark.parametrize("argument", ["four", object()], ids=["wrong type", "no encoding"])
def test_arguments_that_cannot_be_sent_fail_their_call_alone(
    source: object, scheduler: cr.Scheduler, argument: object
) -> None:
    must_promise(source, "arguments are of the annotated types")

    async def outcome(x: Any) -> object:
        try:
            return await calls.double(x)
        except TypeError as error:
            return error

    async def main() -> list[object]:
        return await cr.gather(*(outcome(x) for x in [1, 2, argument, 4]))

    *first, wrong, last = finish(scheduler, main())
    assert (first, last) == ([2, 4], 8)
    assert isinstance(wrong, TypeError)
    assert "double" in str(wrong)


def test_a_function_that_workers_cannot_find_fails_its_calls(
    source: object, scheduler: cr.Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    must_promise(source, "functions are found by name")
    module = types.ModuleType("known_here_alone")
    exec("def triple(x: int) -> int:\n    return 3 * x", module.__dict__)
    triple = cr.async_task(module.triple)
    monkeypatch.setattr(module, "triple", triple)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with pytest.raises(LookupError, match="known_here_alone"):
        finish(scheduler, triple(1))


# -- the transfer itself


def test_what_is_in_flight_is_counted_until_it_is_taken(source: TransferSource) -> None:
    transfer = source.open_transfer()
    transfer.begin_tick()
    assert transfer.in_flight == 0
    for calls_sent in (300, 600):
        transfer.send_nowait(calls.double, "ticket", [(x,) for x in range(300)])
        assert transfer.in_flight == calls_sent
    assert take_all(transfer) == {x: 2 * x for x in range(300)}
    assert transfer.batches_sent >= 2
    assert transfer.calls_retried == 0
    transfer.close()
    assert transfer.in_flight == 0


def test_closing_twice_is_closing_once(source: TransferSource) -> None:
    transfer = source.open_transfer()
    transfer.close()
    transfer.close()


def test_answers_for_a_scheduler_that_has_closed_reach_nobody_else(source: TransferSource) -> None:
    transfer = source.open_transfer()
    transfer.begin_tick()
    transfer.send_nowait(calls.double, "forgotten", [(x,) for x in range(1_000)])
    transfer.close()
    with cr.Scheduler(source) as scheduler:
        assert finish(scheduler, calls.double.map(range(1_000, 2_000))) == [
            2 * x for x in range(1_000, 2_000)
        ]


def test_a_task_that_is_cancelled_while_its_call_is_out_goes_on(
    source: object, scheduler: cr.Scheduler, tmp_path: Path
) -> None:
    must_promise(source, "a Task that is cancelled goes on at once")
    gate = tmp_path / "gate"

    async def main() -> tuple[bool, int]:
        with cr.move_on_after(0.02) as scope:
            await calls.wait_for_file(str(gate), 1)
        gate.touch()
        return scope.cancelled_caught, await calls.double(4)

    assert finish(scheduler, main()) == (True, 8)
    assert finish(scheduler, calls.double.map(range(200))) == [2 * x for x in range(200)]


@pytest.mark.trio
async def test_a_tick_under_trio_lets_others_go_on(scheduler: cr.Scheduler, tmp_path: Path) -> None:
    found: list[list[int]] = []
    answered = trio.Event()
    gate = tmp_path / "gate"

    async def main() -> None:
        found.append(await calls.double.map(range(1_000)))
        answered.set()
        await calls.wait_for_file(str(gate), 1)

    async def open_gate() -> None:
        await answered.wait()
        gate.touch()

    if scheduler._transfer.fileno() < 0:
        gate.touch()  # calls run here, and nobody else does meanwhile
    scheduler.schedule(main())
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scheduler.run_tick)
            nursery.start_soon(open_gate)
    assert found == [[2 * x for x in range(1_000)]]


# -- workers


def test_a_call_that_ends_its_worker_fails_and_others_go_on(
    source: object, scheduler: cr.Scheduler
) -> None:
    must_promise(source, "a worker may die")
    with pytest.raises(cr.WorkerDied, match="exit_with"):
        finish(scheduler, calls.exit_with(3))
    assert finish(scheduler, calls.double.map(range(500))) == [2 * x for x in range(500)]


def test_workers_killed_while_they_sleep_let_nobody_wait(
    source: object, scheduler: cr.Scheduler
) -> None:
    must_promise(source, "a worker may die")
    victims = set(finish(scheduler, calls.worker_pid.starmap([()] * 200)))
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, victims)), "they are dead")

    async def outcome(x: int) -> object:
        try:
            return await calls.double(x)
        except cr.WorkerDied:
            return 2 * x

    async def main() -> list[object]:
        return await cr.gather(*(outcome(x) for x in range(300)))

    assert finish(scheduler, main()) == [2 * x for x in range(300)]
    assert finish(scheduler, calls.double(5)) == 10


def test_ctrl_c_is_left_to_the_parent(source: object, scheduler: cr.Scheduler) -> None:
    must_promise(source, "a worker may die")
    pid = finish(scheduler, calls.worker_pid())
    os.kill(pid, signal.SIGINT)
    assert finish(scheduler, calls.double.map(range(200))) == [2 * x for x in range(200)]
    assert is_alive(pid)
