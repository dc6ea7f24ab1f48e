"""The built-in scenario `chaos`, whole: 50 zones for five minutes in which processes die."""

from __future__ import annotations

from collections import Counter

import pytest
from zonesim_runs import needs_titles, saved

MINUTES = 5


@pytest.mark.slow
@pytest.mark.timeout(60 * MINUTES + 180)
@needs_titles
def test_every_zone_lives_at_the_end_of_the_chaos_and_nothing_was_lost(start, tmp_path):
    ended = start("run", "chaos", "--json", "--out", "run").finish(60 * MINUTES + 120)

    assert ended.code == 0, ended.error[-2_000:]
    assert ended.document["limits"] == {"ok": True, "broken": []}
    [step] = ended.document["steps"]
    assert step["async_tasks"]["lost"] == 0
    kinds = Counter(event["kind"] for event in ended.document["events"])
    assert kinds["zone-restarted"] == kinds["zone-died"] >= 6 * MINUTES
    assert kinds["worker-died"] >= 15 * MINUTES
    assert kinds["zone-hung"] >= MINUTES
    assert kinds["zone-quarantined"] == 0
    # Every zone has gone on to the end, with no number left out on the way.
    query = "SELECT zone, count(DISTINCT tick), max(tick) FROM ticks GROUP BY zone"
    rows = saved(tmp_path / "run", query)
    assert len(rows) == 50
    assert all(numbers == highest + 1 for _, numbers, highest in rows)
