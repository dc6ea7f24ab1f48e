"""The policies for late ticks, in runs of a zone that cannot keep its period."""

from __future__ import annotations

from itertools import pairwise

import pytest
from zonesim_runs import saved

PERIOD_NS = 20_000_000
DUE = 15  # in 0.3 s
# 10 calls of 5 ms on one worker: a tick takes two and a half periods.
OVERLOAD = ("--workers", "1", "--set", "chains.chains=10", "--set", "chains.work=spin:5ms")
QUICK = ("--duration", "0.3", "--set", "period_ms=20", "--json", "--out", "run")


def next_due_ns(policy: str, scheduled_ns: int, finished_ns: int, missed: int) -> int:
    if policy == "delay":
        return finished_ns + PERIOD_NS
    return scheduled_ns + PERIOD_NS * (1 + missed)


@pytest.mark.parametrize("policy", ["skip", "burst", "delay"])
def test_late_ticks_are_followed_as_the_policy_says(start, tmp_path, policy):
    command = start("run", "chains", *OVERLOAD, *QUICK, "--set", f"missed={policy}")
    ended = command.finish()
    assert ended.code == 0, ended.error
    columns = "scheduled_ns, started_ns, finished_ns, late, missed"
    rows = saved(tmp_path / "run", f"SELECT {columns} FROM ticks ORDER BY tick")
    [step] = ended.document["steps"]
    assert step["ticks"] + step["missed"] == DUE
    assert step["late"] == sum(row[3] for row in rows) > 0
    assert (len(rows) == DUE) is (policy == "burst")
    for (scheduled_ns, _, finished_ns, _, missed), (next_ns, started_ns, *_) in pairwise(rows):
        assert next_ns == next_due_ns(policy, scheduled_ns, finished_ns, missed)
        assert started_ns >= max(next_ns, finished_ns)
