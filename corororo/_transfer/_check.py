"""Checks that values will arrive as they were sent.

msgspec encodes many values alike: a tuple as a list, a Struct of a subclass without its own
fields, a datetime without its time zone. The annotation says as what they are decoded, so a value
of another class would arrive changed, and is refused.

The values of all calls are checked together, by ``map(type, values)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import attrgetter, countOf
from typing import Any, NamedTuple

import msgspec

from ._arrays import is_scalar
from ._types import CONTAINERS, ENCODER, decoder, is_registered, name_of

Values = Sequence[Any]


class Condition(NamedTuple):
    """What has to hold for each value of a class."""

    holds: Callable[[Any], bool]
    complaint: Callable[[Any], str]


class Check:
    """The classes that values may have, and what to check inside of those of each class.

    Instances of subclasses of ``plain`` may stand for them: they arrive as what is annotated.
    """

    def __init__(self, name: str, *kinds: type, plain: tuple[type, ...] = ()) -> None:
        self.name = name
        self.plain = plain
        self.is_untyped = False
        # Raw holds what has been checked before, and what is unset is not sent.
        self.kinds = {msgspec.Raw, msgspec.UnsetType, *kinds, *plain}
        self.inside: dict[type, Inside] = {}

    def fits(self, values: Values) -> bool:
        """Whether all values will arrive as they are."""
        left: list[tuple[Check, Values]] = [(self, values)]
        while left:  # no recursion: values may be nested as deeply as the encoder allows
            check, values = left.pop()
            if not values:
                continue
            kinds = {type(values[0])}
            if countOf(map(type, values), *kinds) < len(values):  # a third faster than the set
                kinds = set(map(type, values))
            if not kinds <= check.kinds and not all(map(check._allows, kinds)):
                return False
            for kind in kinds & check.inside.keys():
                chosen = values if len(kinds) == 1 else [v for v in values if type(v) is kind]
                inside = check.inside[kind]
                if inside.condition and not all(map(inside.condition.holds, chosen)):
                    return False
                left += [(part.check, part.inner(chosen)) for part in inside.parts]
        return True

    def explain(self, value: Any, path: str) -> str:
        """The first thing in a value that would arrive changed; empty if there is none."""
        kind = type(value)
        if not self._allows(kind):
            found = f"{path} has type {name_of(kind)} where {self.name} is annotated"
            return f"{found}{self._loss(value)}"
        inside = self.inside.get(kind, NOTHING)
        if inside.condition and not inside.condition.holds(value):
            return f"{path} {inside.condition.complaint(value)}"
        for part in inside.parts:
            for place, inner in enumerate(part.inner([value])):
                found = part.check.explain(inner, path + part.step(value, place))
                if found:
                    return found
        return ""

    def add(self, other: Check) -> None:
        """Allow what another check allows, too."""
        self.plain += other.plain
        self.is_untyped |= other.is_untyped
        self.kinds |= other.kinds
        self.inside |= other.inside

    def _allows(self, kind: type) -> bool:
        if kind in self.kinds:
            return True
        base = next((base for base in self.plain if issubclass(kind, base)), None)
        if base in self.inside:
            self.inside[kind] = self.inside[base]
        if base or (self.plain and is_scalar(kind)) or (self.is_untyped and is_registered(kind)):
            self.kinds.add(kind)
            return True
        return False

    def _loss(self, value: Any) -> str:
        kind = type(value)
        if self.is_untyped:
            arrives = type(decoder(Any).decode(ENCODER.encode(value)))
            return f", and would arrive as {name_of(arrives)}; {_remedy(kind)}"
        if issubclass(kind, tuple(self.inside)):
            return (
                f", and would lose its own fields; annotate {name_of(kind)}, or a "
                f"union of Structs with tags"
            )
        return f"; pass that, or {_remedy(kind)}"


def _remedy(kind: type) -> str:
    base = next((c for c in CONTAINERS if issubclass(kind, c)), kind)
    if base is kind or hasattr(kind, "_fields"):  # a NamedTuple has them
        return f"annotate {name_of(kind)}"
    return f"convert it to {name_of(base)}"


class Part(NamedTuple):
    """Something inside of values: how to get it from many, and how its path goes on."""

    check: Check
    inner: Callable[[Values], Values]
    step: Callable[[Any, int], str]


class Inside(NamedTuple):
    """What to check inside of values of one class."""

    parts: list[Part]
    condition: Condition | None = None


NOTHING = Inside([])


def items(check: Check) -> Part:
    """The items of lists, tuples and sets."""
    return Part(check, _chained, lambda _, place: f"[{place}]")


def keys(check: Check) -> Part:
    """The keys of dicts."""
    return Part(check, _chained, lambda value, place: f"'s key {list(value)[place]!r}")


def values(check: Check) -> Part:
    """The values of dicts."""
    return Part(
        check,
        lambda dicts: _chained(map(dict.values, dicts)),
        lambda value, place: f"[{list(value)[place]!r}]",
    )


def attribute(check: Check, name: str) -> Part:
    """A field of Structs, dataclasses or NamedTuples."""
    get = attrgetter(name)
    return Part(check, lambda objects: list(map(get, objects)), lambda *_: f".{name}")


def index(check: Check, place: int) -> Part:
    """One item of tuples, of those that are long enough."""
    return Part(check, lambda a: [v[place] for v in a if len(v) > place], lambda *_: f"[{place}]")


def key(check: Check, name: str) -> Part:
    """What stands under a key, in dicts that have it."""
    return Part(check, lambda a: [v[name] for v in a if name in v], lambda *_: f"[{name!r}]")


def _chained(containers: Iterable[Any]) -> list[Any]:
    return list(chain.from_iterable(containers))


ANYTHING = Check("Any or nothing", type(None), bool, int, float, str, bytes, list, dict)
ANYTHING.is_untyped = True
KEY = Check("Any or nothing", tuple)  # as a key it arrives as it is
KEY.add(ANYTHING)
KEY.inside = {tuple: Inside([items(KEY)])}
ANYTHING.inside = {
    list: Inside([items(ANYTHING)]),
    dict: Inside([keys(KEY), values(ANYTHING)]),
}
