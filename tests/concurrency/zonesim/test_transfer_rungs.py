"""What the rungs of the ladder do beyond the contract of all transfers, each in its own way."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from subprocess import Popen
from typing import Any

import pytest
import worker_calls as calls
from waiting import finish, is_alive, wait_until

import corororo as cr
from zonesim.bench.transfers.batched import Batched
from zonesim.bench.transfers.context import Context
from zonesim.bench.transfers.direct import Direct
from zonesim.bench.transfers.handle import Handles
from zonesim.bench.transfers.pooled import Pooled
from zonesim.bench.transfers.rung import Rung
from zonesim.bench.transfers.slots import SLOT_BYTES, Slots

pytestmark = pytest.mark.timeout(60)

RUNGS = (Context, Handles, Direct, Pooled, Slots, Batched)


@pytest.mark.parametrize("kind", RUNGS)
def test_each_call_is_a_message_of_its_own_unless_they_are_batched(kind: type[Rung]) -> None:
    with kind(2) as rung, cr.Scheduler(rung) as scheduler:
        finish(scheduler, calls.double.map(range(396)))
        messages = 7 if kind is Batched else 396
        assert scheduler._transfer.batches_sent == messages


def test_a_slot_that_is_too_small_for_a_call_is_a_clear_error() -> None:
    with Slots(1) as rung, cr.Scheduler(rung) as scheduler:
        with pytest.raises(cr.RequestTooLarge, match=f"a slot holds {SLOT_BYTES}; pass less"):
            finish(scheduler, calls.length_of(bytes(SLOT_BYTES)))
        with pytest.raises(cr.ReplyTooLarge, match=f"a slot holds {SLOT_BYTES}; return less"):
            finish(scheduler, calls.swell(SLOT_BYTES))
        most = SLOT_BYTES - 100
        assert len(finish(scheduler, calls.swell(most))) == most
        assert finish(scheduler, calls.length_of(bytes(most))) == most


@pytest.mark.parametrize("kind", [Context, Handles, Direct, Pooled, Batched])
def test_a_worker_killed_in_the_midst_of_its_answer_lets_nobody_wait(kind: type[Rung]) -> None:
    with kind(2) as rung:
        with cr.Scheduler(rung) as scheduler:
            victims = set(finish(scheduler, calls.worker_pid.starmap([()] * 200)))
        transfer = rung.open_transfer()
        transfer.begin_tick()
        transfer.send_nowait(calls.swell, "ticket", [(10_000_000,)])
        transfer.wait(10)  # a part of the answer is there, and the pipe has no room for the rest
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        found: list[Any] = []
        wait_until(lambda: found.extend(transfer.take_nowait()) or found, "the call has failed")
        [completion] = found
        assert isinstance(completion.failures[0], cr.WorkerDied)
        assert transfer.in_flight == 0


@pytest.mark.parametrize("kind", RUNGS)
def test_a_rung_serves_one_scheduler_at_a_time_while_it_is_open(kind: type[Rung]) -> None:
    rung = kind(1)
    with pytest.raises(cr.PoolClosed, match="use it as `with"):
        rung.open_transfer()
    with rung:
        transfer = rung.open_transfer()
        with pytest.raises(RuntimeError, match="one Scheduler at a time"):
            rung.open_transfer()
        transfer.begin_tick()
        transfer.send_nowait(calls.double, "ticket", [(1,)])
    for refused in (transfer.begin_tick, transfer.take_nowait, rung.open_transfer):
        with pytest.raises(cr.PoolClosed):
            refused()
    with pytest.raises(cr.PoolClosed):
        transfer.send_nowait(calls.double, "ticket", [(1,)])
    rung.close()


def test_no_worker_outlives_a_parent_that_is_killed(
    start_script: Callable[[str, str], Popen[str]],
) -> None:
    program = start_script(
        "parent.py",
        f"""
        import importlib
        import time
        from contextlib import ExitStack

        import corororo as cr
        import worker_calls as calls

        if __name__ == "__main__":
            with ExitStack() as opened:
                pids = set()
                for module, name in {[(kind.__module__, kind.__name__) for kind in RUNGS]}:
                    kind = getattr(importlib.import_module(module), name)
                    scheduler = opened.enter_context(cr.Scheduler(opened.enter_context(kind(1))))
                    pids.add(scheduler.run(calls.worker_pid()))
                    scheduler.schedule(calls.slow_double(1, 60))
                    scheduler.tick(deadline=0, late="carry")
                print(*pids, flush=True)
                time.sleep(60)
        """,
    )
    assert program.stdout is not None
    pids = [int(pid) for pid in program.stdout.readline().split()]
    assert len(pids) == len(RUNGS)
    program.kill()
    wait_until(lambda: not any(map(is_alive, pids)), "the workers have ended", 10)
