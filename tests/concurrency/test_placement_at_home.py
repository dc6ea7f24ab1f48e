"""Home workers, for real: a home that is busy holds nobody up while another worker is idle."""

from __future__ import annotations

import pytest
import worker_calls as calls
from waiting import finish

import corororo as cr

pytestmark = pytest.mark.timeout(60)

LONG_S = 5.0


def test_a_zone_is_served_while_its_home_is_busy_for_another_one() -> None:
    with cr.WorkerPool(2, placement="home") as pool:
        schedulers = [cr.Scheduler(pool) for _ in range(6)]  # several share each home
        try:
            schedulers[0].schedule(calls.slow_double(1, LONG_S))
            schedulers[0].tick(deadline=0.1, late="carry")
            for scheduler in schedulers[1:]:
                assert finish(scheduler, calls.double.map(range(50))) == list(range(0, 100, 2))
            report = schedulers[0].tick(deadline=0.0, late="carry")
            assert report.async_tasks_taken == 0  # nobody has waited for the long call
        finally:
            for scheduler in schedulers:
                scheduler.close()


def test_all_workers_take_part_in_the_work_of_one_zone() -> None:
    with cr.WorkerPool(2, placement="home") as pool, cr.Scheduler(pool) as scheduler:
        for _ in range(3):  # the second time it is known how long a call takes
            finish(scheduler, calls.slow_double.map(range(20), [0.02] * 20))
        used = {use.worker for use in scheduler.worker_use() if use.calls >= 5}
        assert len(used) == 2
