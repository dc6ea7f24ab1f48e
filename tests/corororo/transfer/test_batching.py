"""Piles and batches: each call once, in its place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

import corororo as cr
from corororo._transfer._batching import Batch, Pile


@cr.async_task
def function(x: int) -> int:
    return x


@given(st.integers(1, 300), st.lists(st.integers(1, 50), min_size=300, max_size=300))
def test_a_pile_gives_each_call_once_and_in_its_place(calls: int, sizes: list[int]) -> None:
    pile = Pile(function, "ticket", [(i,) for i in range(calls)])
    found: list[tuple[int, ...]] = []
    while len(pile):
        batch = pile.cut(min(sizes.pop(), len(pile)))
        assert batch.start == len(found)
        found += batch.arguments
    assert found == [(i,) for i in range(calls)]


@given(st.integers(1, 300), st.integers(1, 300))
def test_parts_hold_each_call_once_and_in_its_place(calls: int, size: int) -> None:
    batch = Batch(function, "ticket", 5, [(i,) for i in range(calls)], deaths=2)
    parts = batch.parts(size)
    assert [a for part in parts for a in part.arguments] == batch.arguments
    assert all(part.arguments[0] == (part.start - 5,) for part in parts)
    assert all(len(part.arguments) <= size and part.deaths == 2 for part in parts)


@given(st.integers(2, 1_000))
def test_halving_finds_one_call_in_a_few_steps(calls: int) -> None:
    batch, steps = Batch(function, None, 0, [(i,) for i in range(calls)]), 0
    while len(batch.arguments) > 1:
        first, second = batch.halves()
        batch = max(first, second, key=lambda half: len(half.arguments))
        steps += 1
    assert steps <= calls.bit_length()
