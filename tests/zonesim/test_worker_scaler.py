from __future__ import annotations

import pytest

from zonesim.worker_scaler import HeadCount


def test_a_number_that_stays_is_its_own_mean():
    count = HeadCount(3, now_ns=100)

    assert count.mean(100) == 3.0
    assert count.mean(1100) == 3.0


def test_each_number_counts_for_as_long_as_it_held():
    count = HeadCount(1, now_ns=0)
    count.note(2, now_ns=500)
    count.note(4, now_ns=750)

    assert count.mean(1000) == pytest.approx(1 * 0.5 + 2 * 0.25 + 4 * 0.25)
    assert count.mean(750) == pytest.approx((1 * 500 + 2 * 250) / 750)
