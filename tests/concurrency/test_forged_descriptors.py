"""Whatever another program of this user writes into the FIFOs, results are right."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest
import worker_calls as calls
from waiting import finish

import corororo as cr
from corororo._exceptions import FifoFull
from corororo._ring import Descriptor, FifoWriter, Kind

pytestmark = pytest.mark.timeout(60)


def garbage(chance: random.Random, ring: int) -> Descriptor:
    """A descriptor of this zone's ring that says anything at all."""
    return Descriptor(
        chance.choice([*Kind, 0, 77]),
        chance.getrandbits(16),
        chance.choice([ring, chance.getrandbits(32)]),
        chance.choice([0, 64, chance.getrandbits(20), chance.getrandbits(32)]),
        chance.getrandbits(32),
        chance.getrandbits(64),
        chance.choice([0, 1, 2, chance.getrandbits(32)]),
    )


def test_garbage_in_the_fifos_kills_no_worker_and_changes_no_result() -> None:
    chance = random.Random(7)
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        session = Path(pool.address)
        (replies,) = session.glob("*.replies")
        writers = [FifoWriter(session / "calls"), FifoWriter(replies)]
        before = [worker.pid for worker in pool.statistics().workers]
        for _ in range(30):
            for writer in writers:
                for _ in range(20):
                    writer.write_nowait(garbage(chance, int(replies.stem, 16)))
            assert finish(scheduler, calls.double.map(range(60))) == [2 * i for i in range(60)]
        for writer in writers:
            writer.close()
        assert [worker.pid for worker in pool.statistics().workers] == before
        assert pool.statistics().restarts == 0
        assert scheduler._transfer.statistics().stale_replies > 0


def test_a_reply_fifo_full_of_garbage_does_not_cost_a_worker_its_life() -> None:
    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
        (replies,) = Path(pool.address).glob("*.replies")
        scheduler.schedule(calls.slow_double(4, 0.05))
        scheduler.tick(deadline=0.0, late="carry")
        writer = FifoWriter(replies)
        with contextlib.suppress(FifoFull):
            while True:
                writer.write_nowait(Descriptor(Kind.REPLY))
        writer.close()
        assert finish(scheduler, calls.double(1)) == 2
        assert pool.statistics().restarts == 0
