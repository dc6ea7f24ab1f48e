"""Columns: the same as a list of tuples, to whoever counts, cuts or goes through it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corororo._inline import Columns, paired


class Boastful(list[int]):
    """Says that it is longer than it is."""

    def __len__(self) -> int:
        return 5


CALLS = st.integers(0, 3).flatmap(
    lambda parameters: st.lists(st.tuples(*[st.integers()] * parameters))
)


@given(CALLS)
def test_they_hold_the_calls_that_they_were_made_of(calls: list[tuple[int, ...]]) -> None:
    columns = Columns.of(calls)
    assert list(columns) == calls
    assert [columns[i] for i in range(-len(calls), len(calls))] == calls + calls
    assert len(columns) == len(calls)
    assert Columns.of(columns) is columns
    with pytest.raises(IndexError):
        columns[len(calls)]


@given(CALLS, st.slices(20))
def test_a_part_of_them_holds_that_part_of_the_calls(
    calls: list[tuple[int, ...]], part: slice
) -> None:
    columns = Columns.of(calls)[part]
    assert list(columns) == calls[part]
    assert len(columns) == len(calls[part])


@pytest.mark.parametrize(
    "iterables",
    [
        (),
        ([1, 2],),
        (iter("ab"),),
        ({"a": 1},),
        ([1, 2, 3], "ab"),
        (range(2), itertools.count()),
        (itertools.count(), [1], (4, 5)),
        ([], [1]),
        (range(10**20), [1, 2]),
        (Boastful([1, 2]), [1, 2, 3]),
    ],
)
def test_arguments_are_paired_as_by_the_builtin(iterables: tuple[Iterable[Any], ...]) -> None:
    endless = [iterables, iterables]
    if any(iter(iterable) is iterable for iterable in iterables):
        pairs = [itertools.tee(iterable) for iterable in iterables]
        endless = [tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)]
    assert list(paired(endless[0])) == list(zip(*endless[1], strict=False))


def test_what_becomes_of_an_iterable_does_not_matter_afterwards() -> None:
    first, second = [1, 2], [3, 4]
    calls, pairs = paired([first]), paired([first, second])
    first.clear()
    second.clear()
    assert (list(calls), list(pairs)) == ([(1,), (2,)], [(1, 3), (2, 4)])
