"""What follows a late tick, in runs of a zone that cannot keep its period."""

from __future__ import annotations

from itertools import pairwise

import pytest
from zonesim_runs import saved

PERIOD_NS = 20_000_000
DUE = 15  # in 0.3 s
# 10 calls of 5 ms on one worker: a tick takes two and a half periods.
OVERLOAD = ("--workers", "1", "--set", "chains.chains=10", "--set", "chains.work=spin:5ms")
QUICK = ("--duration", "0.3", "--set", "period_ms=20", "--json", "--out", "run")


@pytest.fixture
def ticks_of(start, tmp_path):
    """Run the overloaded zone; (scheduled, started, finished, late, missed) of its ticks."""

    def run(policy):
        command = start("run", "chains", *OVERLOAD, *QUICK, "--set", f"missed={policy}")
        ended = command.finish()
        assert ended.code == 0, ended.error
        columns = "scheduled_ns, started_ns, finished_ns, late, missed"
        rows = saved(tmp_path / "run", f"SELECT {columns} FROM ticks ORDER BY tick")
        [step] = ended.document["steps"]
        assert step["ticks"] + step["missed"] == DUE
        assert step["late"] == sum(row[3] for row in rows) > 0
        assert all(started >= scheduled for scheduled, started, *_ in rows)
        assert all(b[1] >= a[2] for a, b in pairwise(rows))
        return rows

    return run


def test_skip_leaves_out_what_is_overdue_by_whole_periods(ticks_of):
    rows = ticks_of("skip")
    for (scheduled_ns, _, finished_ns, _, missed), (next_ns, *_) in pairwise(rows):
        assert next_ns == scheduled_ns + PERIOD_NS * (1 + missed)
        assert missed == max(0, (finished_ns - scheduled_ns) // PERIOD_NS - 1)
    assert len(rows) < DUE


def test_burst_runs_every_tick_and_counts_from_when_it_was_due(ticks_of):
    rows = ticks_of("burst")
    assert len(rows) == DUE
    assert all(b[0] == a[0] + PERIOD_NS for a, b in pairwise(rows))
    assert all(
        late == (finished > scheduled + PERIOD_NS) for scheduled, _, finished, late, _ in rows
    )
    # 15 ticks of 50 ms, the last one due after 280 ms.
    assert rows[-1][2] - rows[-1][0] >= 15 * 50_000_000 - 280_000_000


def test_delay_lets_a_period_pass_after_a_late_tick(ticks_of):
    rows = ticks_of("delay")
    for (scheduled_ns, _, finished_ns, late, _), (next_ns, *_) in pairwise(rows):
        assert late
        assert next_ns == finished_ns + PERIOD_NS
        assert next_ns > scheduled_ns + 3 * PERIOD_NS
    assert len(rows) <= 5  # of at least 70 ms each
