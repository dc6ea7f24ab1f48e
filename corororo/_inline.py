"""Calls that run where they are made: their arguments, and a transfer without workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import Any

from ._views import Leases
from .abc import AsyncFunction, Completion, Transfer

# The values of calls, None where one failed, and the failures by their place.
Outcomes = tuple[list[Any], dict[int, BaseException] | None]
Part = tuple[int, Callable[[], Outcomes]]  # how many calls, and what runs them


class Columns(Sequence[tuple[Any, ...]]):
    """The arguments of many calls, one column for each parameter; reads as a list of tuples.

    To make, encode and decode tuples was half of the time of 100,000 calls of one argument.
    """

    __slots__ = ("_calls", "columns")

    def __init__(self, columns: Sequence[Sequence[Any]], calls: int) -> None:
        self.columns = columns
        self._calls = calls

    @classmethod
    def of(cls, calls: Sequence[tuple[Any, ...]]) -> Columns:
        """The arguments of calls that have as many each."""
        return calls if isinstance(calls, cls) else cls._of(calls, 0)

    @classmethod
    def of_traps(cls, traps: Sequence[tuple[Any, ...]]) -> Columns:
        """The arguments of calls of one function, each ``(function, *arguments)``."""
        return cls._of(traps, 1)

    @classmethod
    def _of(cls, rows: Sequence[tuple[Any, ...]], first: int) -> Columns:
        width = len(rows[0]) if rows else 0
        flat: list[Any] = []  # a third faster than a comprehension for each column
        for row in rows:
            flat.extend(row)
        return cls([flat[i::width] for i in range(first, width)], len(rows))

    def __len__(self) -> int:
        return self._calls

    def __getitem__(self, which: Any) -> Any:
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
    if len(lists) == len(iterables):  # the length of others is unknown, and may be infinite
        calls = min(map(len, lists), default=0)
        return Columns([list(column[:calls]) for column in lists], calls)
    return list(zip(*iterables, strict=False))


def run_calls(
    function: Any,
    arguments: Sequence[tuple[Any, ...]],
    before_call: Callable[[int], None] | None = None,
) -> Outcomes:
    """The outcomes of calls that run one after another.

    ``before_call`` is given the place of each call before it runs.
    """
    calls = len(arguments)
    values: list[Any] = []
    failures: dict[int, BaseException] | None = None
    while len(values) < calls:
        try:
            if before_call is None and not values:
                _run_all(function, arguments, values.append)
            else:
                # By their places: a signal may bring an error between two calls as well.
                for place in range(len(values), calls):
                    if before_call is not None:
                        before_call(place)
                    values.append(function(*arguments[place]))
        except BaseException as error:
            place = min(len(values), calls - 1)
            failures = failures or {}
            failures[place] = error
            values[place:] = [None]
    return values, failures


def _run_all(
    function: Any, arguments: Sequence[tuple[Any, ...]], add: Callable[[Any], None]
) -> None:
    if isinstance(arguments, Columns) and len(arguments.columns) == 1:
        for argument in arguments.columns[0]:
            add(function(argument))
    else:
        for given in arguments:
            add(function(*given))


def all_failed(calls: int, error: BaseException) -> Outcomes:
    """The outcomes of calls that fail with one error."""
    return [None] * calls, dict.fromkeys(range(calls), error)


class Inline(Transfer):
    """A transfer without workers: runs the calls, in the order sent, when replies are taken.

    Calls and results are encoded and decoded as on the way to a worker and back, so their types
    and errors are the same. Where ``direct`` is set they are passed as they are.
    """

    in_flight = 0
    batches_sent = 0
    max_pending = 100  # so many calls map_unordered() runs ahead; more at once are no faster

    def __init__(self) -> None:
        self.direct = False
        self._sent: list[tuple[Any, int, Callable[[], Outcomes]]] = []
        self._leases = Leases()

    def begin_tick(self) -> None:
        self._leases.end()

    def lend(self, function: AsyncFunction, values: Sequence[Any]) -> None:
        if not self.direct:
            self._leases.lend(function, values)

    def send_nowait(self, function: AsyncFunction, ticket: Any, arguments: Sequence[Any]) -> None:
        start = 0
        for calls, run in self._prepare(function, arguments):
            self._sent.append((ticket, start, run))
            start += calls
        self.in_flight += start
        self.batches_sent += 1

    def _prepare(self, function: AsyncFunction, arguments: Sequence[Any]) -> Iterable[Part]:
        calls = len(arguments)
        if self.direct:
            return [(calls, partial(run_calls, function.run, arguments))]
        try:
            parts: Iterable[Part] = function.codec().prepare(arguments)
        except TypeError as error:  # its annotations cannot be used
            return [(calls, partial(all_failed, calls, error))]
        return parts

    def take_nowait(self) -> list[Completion]:
        sent, self._sent = self._sent, []
        self.in_flight = 0
        return [Completion(ticket, start, *run()) for ticket, start, run in sent]

    def longest_wait_s(self) -> float | None:
        return 0.0 if self._sent else None

    def close(self) -> None:
        self._sent.clear()
        self._leases.forget()
        self.in_flight = 0
