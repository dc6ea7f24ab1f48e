"""The arguments of many calls, parameter by parameter. Knows no functions and no bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any, overload


class Columns(Sequence[tuple[Any, ...]]):
    """What a list with the tuple of each call holds, and none of the tuples.

    To make, encode and decode tuples was half of the time of 100,000 calls of one argument: each is
    an object more, that the garbage collector looks at as well.
    """

    __slots__ = ("_calls", "columns")

    def __init__(self, columns: Sequence[Sequence[Any]], calls: int) -> None:
        self.columns = columns  # one for each parameter, with the arguments of all calls in order
        self._calls = calls

    @classmethod
    def of(cls, calls: Sequence[tuple[Any, ...]]) -> Columns:
        """The arguments of calls that have as many each."""
        if isinstance(calls, cls):
            return calls
        parameters = len(calls[0]) if calls else 0
        # Not by zip(), which makes an iterator for each call.
        return cls([[call[i] for call in calls] for i in range(parameters)], len(calls))

    def __len__(self) -> int:
        return self._calls

    @overload
    def __getitem__(self, which: int) -> tuple[Any, ...]: ...
    @overload
    def __getitem__(self, which: slice) -> Columns: ...
    def __getitem__(self, which: int | slice) -> tuple[Any, ...] | Columns:
        places = range(self._calls)[which]
        if isinstance(places, range):
            return Columns([column[which] for column in self.columns], len(places))
        return tuple(column[places] for column in self.columns)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return zip(*self.columns, strict=True) if self.columns else repeat((), self._calls)


def paired(iterables: Sequence[Iterable[Any]]) -> Sequence[tuple[Any, ...]]:
    """The arguments of calls, as the builtin ``map`` takes them from its iterables."""
    if len(iterables) == 1:
        column = list(iterables[0])
        return Columns([column], len(column))
    lists = [i for i in iterables if isinstance(i, list | tuple) and type(i) in (list, tuple)]
    if len(lists) == len(iterables):  # of others nobody knows how long they are, or whether at all
        calls = min(map(len, lists), default=0)
        return Columns([list(column[:calls]) for column in lists], calls)
    return list(zip(*iterables, strict=False))
