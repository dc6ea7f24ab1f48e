"""A tick gives the same whoever runs it."""

from __future__ import annotations

import trio

import corororo as cr
from zonesim.bench.chains import at_once, plain_task, send_chains, tick_zones
from zonesim.bench.core import CHAINS
from zonesim.bench.empty_work import first, number, path, plain_path


def test_a_loop_of_send_gives_what_the_scheduler_gives() -> None:
    with cr.Scheduler() as scheduler:
        numbers = [scheduler.run(first(number, chain)) for chain in range(CHAINS)]
        paths = [scheduler.run(first(path, chain)) for chain in range(CHAINS)]
        plain = [scheduler.run(first(plain_task, chain)) for chain in range(CHAINS)]
    assert send_chains(at_once) == numbers == plain
    assert send_chains(lambda chains: [plain_path(chain) for chain in chains]) == paths


def test_a_round_of_zones_runs_every_chain_of_every_zone() -> None:
    zones = [cr.Scheduler() for _ in range(3)]
    trio.run(tick_zones, zones)
    assert [zone.statistics().async_tasks_taken for zone in zones] == [CHAINS] * 3
    for zone in zones:
        zone.close()
