"""Inline calls and calls in workers agree: the same types, values and errors."""

from __future__ import annotations

import array
import copy
import dataclasses
import datetime
import pathlib
import zoneinfo
from collections.abc import Iterator, Sequence
from typing import Any

import annotated_calls
import msgspec
import numpy as np
import pytest
from annotated_calls import (
    ERRORS,
    KINDS,
    Even,
    Mob,
    Own,
    Pair,
    Picture,
    Point,
    change,
    fail,
    nested,
    unusable,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import corororo as cr

MEMORY = st.binary().map(memoryview)
for kind, strategy in {
    memoryview: MEMORY,
    msgspec.Raw: st.integers(0, 127).map(lambda n: msgspec.Raw(bytes([n]))),
    Picture: st.builds(Picture, name=st.text(), pixels=MEMORY),
    Even: st.integers(-9, 9).map(lambda n: Even(2 * n)),
    pathlib.PurePath: st.sampled_from(["", "/a/b"]).map(pathlib.PurePosixPath),
    np.ndarray: st.lists(st.floats()).map(np.array),
    np.float64: st.floats().map(np.float64),
    np.float32: st.floats(width=32).map(np.float32),
    np.int32: st.integers(-9, 9).map(np.int32),
    np.bool_: st.booleans().map(np.bool_),
    Own: st.builds(Own, st.text()),
    array.array: st.lists(st.floats()).map(lambda floats: array.array("d", floats)),
}.items():
    st.register_type_strategy(kind, strategy)


class NearPoint(Point, frozen=True):
    z: int = 3


class Number(int):
    pass


ODD = [
    None,
    True,
    0,
    1,
    3,
    -1,
    200,
    2**63,
    2**64,
    1.0,
    1.5,
    float("nan"),
    "",
    "3",
    "red",
    "go",
    "2020-01-01",
    "\ud800",
    b"",
    b"\xff",
    bytearray(b"3"),
    memoryview(b"3"),
    memoryview(array.array("d", [1.5, 2.5])),
    array.array("d", [1.5]),
    (),
    [],
    [1, "a"],
    [1, 2.0],
    {1, 2},
    {},
    {"depth": 1, "more": 2},
    {1: 2},
    {(1, 2): 3},
    object(),
    [object()],
    int,
    print,
    Number(3),
    Point(1, 2.0),
    NearPoint(1, 2.0),
    Mob("a"),
    Pair(1),
    np.float64(1.5),
    np.int32(3),
    np.bool_(True),
    np.arange(6.0).reshape(2, 3),
    np.arange(3, dtype=">i2")[::-2],
    np.zeros((0, 3)),
    np.array(3),
    np.array(["a", "bc"]),
    np.array([None]),
    np.array([(1, 2.0)], dtype=[("x", "i4"), ("y", "f8")]),
    np.ma.masked_array([1, 2], mask=[True, False]),
    np.str_("red"),
    memoryview(b"abcdef").cast("B", (2, 3)),
    memoryview(b"abcdef")[::2],
    Own(""),
    [Own("a")],
    range(3),
    pathlib.Path("/a"),
    datetime.datetime(2020, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Paris")),
]


def described(value: Any) -> Any:
    """A value with the types of all that is in it, to be compared."""
    kind = type(value)
    if isinstance(value, BaseException):
        inner = getattr(value, "exceptions", ()), vars(value), type(value.__cause__)
        return kind, described(value.args), str_of(value), described(inner)
    if kind in (list, tuple) or isinstance(value, Pair):
        return kind, [described(item) for item in value]
    if kind in (set, frozenset):
        return kind, sorted((described(item) for item in value), key=repr)
    if kind is dict:
        return kind, [(described(key), described(item)) for key, item in value.items()]
    if isinstance(value, msgspec.Struct):
        return kind, described([getattr(value, name) for name in value.__struct_fields__])
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return kind, described([getattr(value, f.name) for f in dataclasses.fields(value)])
    if kind is memoryview:
        return kind, value.format, value.shape, value.readonly, value.tobytes()
    if kind is np.ndarray:
        return kind, value.dtype, value.shape, value.tobytes(), value.flags.writeable
    return kind, bytes(value) if kind is msgspec.Raw else repr(value)


def str_of(error: BaseException) -> str:
    try:
        return str(error)
    except ZeroDivisionError:
        return "none"


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[cr.Scheduler, cr.Scheduler]]:
    with cr.WorkerPool(1) as pool, cr.Scheduler() as inline, cr.Scheduler(pool) as scheduler:
        yield inline, scheduler


def outcomes(scheduler: cr.Scheduler, call: Any, arguments: list[Any]) -> list[Any]:
    async def outcome(argument: Any) -> Any:
        try:
            return described(await call(argument))
        except Exception as error:
            return described(error)

    return scheduler.run(cr.gather(*map(outcome, arguments)))


@pytest.mark.parametrize("name", KINDS)
def test_values_are_taken_changed_and_refused_alike(
    both: tuple[cr.Scheduler, cr.Scheduler], name: str
) -> None:
    strategy = st.sampled_from(range(len(ODD))).map(ODD.__getitem__)
    if name not in ("anything", "none"):
        strategy |= st.from_type(KINDS[name])

    @settings(max_examples=10)
    @given(st.lists(strategy, min_size=1, max_size=8))
    def check(arguments: list[Any]) -> None:
        for way in ("take", "give"):
            call = getattr(annotated_calls, f"{way}_{name}")
            inline, remote = (outcomes(scheduler, call, arguments) for scheduler in both)
            assert inline == remote

    check()


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        (fail, range(len(ERRORS))),
        (unusable, [1, 2]),
        (change, [[1, 2], "12"]),
        (nested, [[1, 2], ["1"], [None]]),
    ],
)
def test_errors_and_effects_are_alike(
    both: tuple[cr.Scheduler, cr.Scheduler], call: Any, arguments: Sequence[Any]
) -> None:
    inline, remote = (
        (outcomes(scheduler, call, given), given)
        for scheduler in both
        for given in [copy.deepcopy(list(arguments))]
    )
    assert inline == remote
