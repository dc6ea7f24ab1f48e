from __future__ import annotations

import re
import time

import pytest
import trio
from zonesim_runs import saved

import corororo as cr
from zonesim.controller.worker_scaler import WorkerScaler
from zonesim.scenario.loading import WorkerBounds

# Ten zones ask for 2 workers' time and one for a fifth of one's.
LOAD = ("--set", "chains.chains=4", "--set", "chains.work=sleep:5ms", "--set", "period_ms=100")
QUICKLY = ("--workers", "1..3", "--set", "workers.sync_s=0.1", "--set", "workers.hold=2")

ENDS_AT_ONCE = "import os\nos._exit(7)\n"


def test_workers_come_with_the_load_and_go_with_it(start, tmp_path):
    steps = ("--zones", "10,1", "--duration", "1", "--json", "--out", "run")
    ended = start("scale", "chains", *steps, *LOAD, *QUICKLY).finish()

    assert ended.code == 0, ended.error
    document = ended.document
    events = [event for event in document["events"] if event["kind"] == "workers-scaled"]
    moves = [tuple(map(int, e["detail"].partition(":")[0].split(" -> "))) for e in events]
    assert moves[0][0] == 1
    assert [a for a, _ in moves[1:]] == [b for _, b in moves[:-1]]
    up = [b for (a, b), event in zip(moves, events, strict=True) if event["step"] == 1]
    assert max(up) in (2, 3)
    assert moves[-1][1] < max(up)
    assert re.fullmatch(r"1 -> \d: utilisation [01]\.\d\d of target 0\.70", events[0]["detail"])
    busy, quiet = document["steps"]
    assert 1 < busy["workers"] <= 3
    assert 1 <= quiet["workers"] < 3
    assert [step["async_tasks"]["lost"] for step in document["steps"]] == [0, 0]
    [(busy_ns,)] = saved(tmp_path / "run", "SELECT sum(busy_ns) FROM workers WHERE step = 1")
    there_s = busy["workers"] * busy["duration_s"]
    assert busy["worker_utilisation"] == pytest.approx(busy_ns / 1e9 / there_s)
    kinds = {event["kind"] for event in document["events"]}
    assert kinds == {"workers-scaled", "zone-drained"}  # nobody who was retired counts as dead
    assert "workers-scaled: 1 -> " in ended.error


def test_a_run_goes_on_with_the_workers_that_it_has_and_says_why_there_are_no_more(
    tmp_path, monkeypatch
):
    (tmp_path / "ends_later.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    heard: list[str] = []

    async def scale_until_heard(pool: cr.WorkerPool) -> None:
        bounds = WorkerBounds(max=3, sync_s=0.05)
        told = trio.Event()

        def hear(what: str) -> None:
            heard.append(what)
            told.set()

        scaler = WorkerScaler(pool, bounds, time.monotonic_ns, hear)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scaler.run)
            with trio.fail_after(20):
                await told.wait()
            nursery.cancel_scope.cancel()
        assert scaler.mean_workers() == 1.0

    with cr.WorkerPool(1, imports=["ends_later"]) as pool:
        (tmp_path / "ends_later.py").write_text(ENDS_AT_ONCE)
        trio.run(scale_until_heard, pool)
        assert pool.workers == 1
    assert heard[0].startswith("1 -> 1: utilisation 1.00 of target 0.70; expected 2 workers")
    assert "exit code 7" in heard[0]
