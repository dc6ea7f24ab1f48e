"""No wake-up is lost, whatever the gap between two calls."""

from __future__ import annotations

import time
from random import Random

import pytest
import worker_calls as calls

import corororo as cr


def let_pass(seconds: float) -> None:
    """Spin: a sleep would make every gap the same."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "trips", [pytest.param(2_000, id="quick"), pytest.param(20_000, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("workers", [1, 2])
def test_every_call_sent_after_a_random_gap_comes_back(workers: int, trips: int) -> None:
    """Gaps from nothing to some hundred microseconds: about to park, parking, parked."""
    random = Random(workers)
    with cr.WorkerPool(workers) as pool, cr.Scheduler(pool) as scheduler:
        for i in range(trips):
            let_pass(random.random() ** 4 * 0.0008)
            assert scheduler.run(calls.double(i)) == 2 * i
