"""Handles: only the current handle of a slot gives access to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import corororo as cr


def test_a_handle_gives_access_to_its_slot_until_it_is_released() -> None:
    pool: cr.HandlePool[str] = cr.HandlePool()
    handle = pool.acquire("mob")
    assert (pool.get(handle), len(pool), list(pool)) == ("mob", 1, ["mob"])
    assert pool.release(handle) == "mob"
    assert (len(pool), list(pool)) == (0, [])
    for use in (pool.get, pool.release):
        with pytest.raises(cr.StaleHandle, match="released"):
            use(handle)


def test_the_old_handle_of_a_reused_slot_is_stale() -> None:
    pool: cr.HandlePool[str] = cr.HandlePool()
    old = pool.acquire("old")
    pool.release(old)
    new = pool.acquire("new")
    assert (new.index, new.version) == (old.index, old.version + 1)
    with pytest.raises(cr.StaleHandle):
        pool.release(old)
    assert pool.get(new) == "new"


@pytest.mark.parametrize("handle", [cr.Handle(0, 1), cr.Handle(-1, 1), cr.Handle(7, 0)])
def test_a_handle_that_was_never_acquired_is_stale(handle: cr.Handle) -> None:
    pool: cr.HandlePool[None] = cr.HandlePool()
    with pytest.raises(cr.StaleHandle, match="never acquired"):
        pool.get(handle)


def test_a_value_may_be_none() -> None:
    pool: cr.HandlePool[None] = cr.HandlePool()
    handle = pool.acquire(None)
    assert list(pool) == [None]
    assert pool.release(handle) is None


@given(st.integers(0, 2**32 - 1), st.integers(1, 2**32 - 1))
def test_a_handle_is_packed_into_64_bits_and_back(index: int, version: int) -> None:
    handle = cr.Handle(index, version)
    assert handle.pack() < 1 << 64
    assert cr.Handle.unpack(handle.pack()) == handle


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 1000))))
def test_a_pool_agrees_with_a_dictionary(acts: list[tuple[bool, int]]) -> None:
    pool: cr.HandlePool[int] = cr.HandlePool()
    alive: dict[cr.Handle, int] = {}
    gone: list[cr.Handle] = []
    for acquire, value in acts:
        if acquire or not alive:
            handle = pool.acquire(value)
            assert handle not in alive
            assert handle not in gone
            alive[handle] = value
        else:
            handle = sorted(alive)[value % len(alive)]
            assert pool.release(handle) == alive.pop(handle)
            gone.append(handle)
        assert sorted(pool) == sorted(alive.values())
        assert len(pool) == len(alive)
        for handle in gone:
            with pytest.raises(cr.StaleHandle):
                pool.get(handle)
