from __future__ import annotations

import msgspec
import pytest

import corororo as cr
from corororo.testing import MockClock
from zonesim.workloads import make_world
from zonesim.workloads.base import ZoneSpec
from zonesim.workloads.chains import answer, answer_after_work

SPEC = ZoneSpec(zone=3, seed=7, period_s=0.4, workload="chains", graph="")


def run(world, ticks, first=0):
    with cr.Scheduler() as scheduler:
        return [scheduler.run(world.tick(number)) for number in range(first, first + ticks)]


def hash_after(spec, ticks):
    world = make_world(spec)
    run(world, ticks)
    return world.world_hash()


def test_a_tick_runs_1584_tasks():
    assert run(make_world(SPEC), 2) == [1_584, 1_584]


def test_the_hash_is_the_same_on_every_python():
    assert hash_after(SPEC, 3) == 0xEDA2E35457C4A1E6


def test_zones_seeds_and_ticks_have_hashes_of_their_own():
    replace = msgspec.structs.replace
    hashes = [
        hash_after(SPEC, 2),
        hash_after(SPEC, 3),
        hash_after(replace(SPEC, zone=4), 2),
        hash_after(replace(SPEC, seed=8), 2),
    ]
    assert len(set(hashes)) == len(hashes)


@pytest.mark.parametrize("fault", ["lost", "doubled", "swapped", "late"])
def test_a_wrong_answer_changes_the_hash(monkeypatch, fault):
    spec = msgspec.structs.replace(SPEC, chains=5)
    right = hash_after(spec, 2)

    async def wrong(seed, tick, chain):
        if (tick, chain) != (1, 2):
            return answer.call_inline(seed, tick, chain)
        if fault == "lost":
            return 0
        other = {"doubled": (1, 1), "swapped": (1, 3), "late": (0, 2)}[fault]
        return answer.call_inline(seed, *other)

    monkeypatch.setattr("zonesim.workloads.chains.answer", wrong)
    assert hash_after(spec, 2) != right


def test_work_does_not_change_the_answers():
    few = msgspec.structs.replace(SPEC, chains=5)
    working = msgspec.structs.replace(few, work="spin:1us")
    assert hash_after(working, 2) == hash_after(few, 2)
    assert answer_after_work.call_inline(1, 2, 3, "sleep", 0) == answer.call_inline(1, 2, 3)


def test_a_world_restored_while_answers_are_out_continues_without_them(monkeypatch):
    async def answer_later(seed, tick, chain):
        if (tick, chain) == (1, 2):
            await cr.sleep(3600)
        return answer.call_inline(seed, tick, chain)

    monkeypatch.setattr("zonesim.workloads.chains.answer", answer_later)
    spec = msgspec.structs.replace(SPEC, chains=5, late="carry")
    before, after = make_world(spec), make_world(spec)
    with cr.Scheduler(clock=MockClock()) as scheduler:
        for number in range(2):
            scheduler.schedule(before.tick(number))
            scheduler.tick(deadline=0, late="carry")
        after.restore(before.snapshot())
    assert after.world_hash() == before.world_hash()
    assert run(after, 3, first=2) == [20] * 3


def test_chains_release_and_adopt_no_players():
    world = make_world(SPEC)
    before = world.world_hash()
    world.adopt_players(world.release_players())
    assert (world.world_hash(), world.players) == (before, 0)
