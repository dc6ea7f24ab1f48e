"""How many calls go together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

import corororo as cr
from corororo._workers._batching import Batch, batch_size


@cr.async_task
def function(x: int) -> int:
    return x


@given(st.integers(1, 5_000), st.integers(1, 64), st.integers(1, 512))
def test_batches_keep_every_worker_busy_within_their_bound(
    calls: int, workers: int, max_batch: int
) -> None:
    size = batch_size(calls, workers, max_batch)
    assert 1 <= size <= max_batch
    batches = -(-calls // size)
    assert batches <= workers or size == max_batch


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
