"""Batches to bytes and back: random values, wrong items, failures."""

from __future__ import annotations

import functools
from typing import Annotated, Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

import corororo as cr
from corororo._transfer._codec import Codec, encode_failure_of_all


class Point(msgspec.Struct, frozen=True):
    x: float
    y: float


class Positive(msgspec.Struct):
    value: int

    def __post_init__(self) -> None:
        assert self.value, "not positive"
        if self.value < 0:
            raise SystemExit("not positive")


@cr.async_task
def move(start: Point, by: tuple[int, int]) -> list[Point]:
    return [start, Point(start.x + by[0], start.y + by[1])]


@cr.async_task
def loose(value):  # type: ignore[no-untyped-def]
    return value


@cr.async_task
def check(value: Positive) -> Positive:
    return value


def sent_and_read(codec: Codec, calls: Any) -> Any:
    """The arguments that the function gets, and the failures of calls that it does not get."""

    class Recorder:  # in place of the function
        name = codec.function.name
        parameter_names = codec.function.parameter_names
        run = staticmethod(lambda *arguments: arguments)

    codec.function = Recorder  # type: ignore[assignment]
    return codec.run_request(codec.encode_request(calls))


FINITE = st.floats(allow_nan=False)
POINTS = st.builds(Point, FINITE, FINITE)
MOVES = st.tuples(POINTS, st.tuples(st.integers(-(2**63), 2**63), st.integers(-9, 9)))
TEXT = st.text(st.characters(codec="utf-8"))
JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | FINITE | TEXT | st.binary(),
    lambda children: st.lists(children) | st.dictionaries(TEXT, children),
)


@given(st.lists(MOVES, min_size=1))
def test_structs_and_tuples_arrive_as_they_left(calls: list[tuple[Any, ...]]) -> None:
    codec = Codec(move)
    assert sent_and_read(codec, calls) == (calls, None)


@given(st.lists(JSON_LIKE), st.integers(0, 2**60))
@settings(max_examples=25)  # of many values each
def test_results_without_annotations_arrive_as_they_left(values: list[Any], busy_ns: int) -> None:
    codec = Codec(loose)
    reply = codec.decode_reply(codec.encode_reply(busy_ns, values, None))
    assert (reply.busy_ns, reply.values, reply.failures) == (busy_ns, values, None)


@given(st.lists(st.lists(POINTS)))
def test_results_are_decoded_against_their_annotation(values: list[list[Point]]) -> None:
    codec = Codec(move)
    assert codec.decode_reply(codec.encode_reply(0, values, None)).values == values


OUTCOMES = st.lists(
    st.sampled_from(["good", "failed", "wrong type", "without encoding", "refused", "exits"])
)


@given(OUTCOMES)
def test_each_wrong_result_fails_alone_and_in_its_place(outcomes: list[str]) -> None:
    codec = Codec(check)
    refused, exits = Positive(1), Positive(1)
    refused.value, exits.value = 0, -1  # their type refuses them only when they are decoded
    made = {
        "good": Positive(7),
        "wrong type": "text",
        "without encoding": object(),
        "refused": refused,
        "exits": exits,
    }
    values = [made.get(outcome) for outcome in outcomes]
    failures: dict[int, BaseException] = {
        i: KeyError(i) for i, outcome in enumerate(outcomes) if outcome == "failed"
    }
    reply = codec.decode_reply(codec.encode_reply(5, values, failures or None))
    expected = {"failed": KeyError, "good": type(None)}
    assert [v.value if v else None for v in reply.values] == [
        7 if outcome == "good" else None for outcome in outcomes
    ]
    got = reply.failures or {}
    assert [type(got.get(i)) for i in range(len(outcomes))] == [
        expected.get(outcome, TypeError) for outcome in outcomes
    ]


@given(
    st.lists(
        st.sampled_from([{"value": 3}, {"value": -3}, {"value": 0}, {"value": "x"}, {}, 5]),
        min_size=1,
    )
)
def test_each_wrong_argument_fails_alone_and_in_its_place(arguments: list[Any]) -> None:
    codec = Codec(check)
    encoded = [msgspec.Raw(msgspec.msgpack.encode(a)) for a in arguments]
    calls, wrong = sent_and_read(codec, [(a,) for a in encoded])
    good = [a == {"value": 3} for a in arguments]
    assert calls == [(Positive(3),) if ok else None for ok in good]
    assert [i not in (wrong or {}) for i in range(len(arguments))] == good
    assert all(isinstance(error, TypeError) for error in (wrong or {}).values())
    assert all("arguments of" in str(error) for error in (wrong or {}).values())


@cr.async_task
def annotated(
    x: Annotated[int, ["a note"]], y: list[Annotated[float, {"unit": "m"}]]
) -> Annotated[int, ["another"]]:
    return x


def test_annotations_may_carry_any_metadata() -> None:
    codec = Codec(annotated)
    assert sent_and_read(codec, [(1, [2.0]), (3, [])]) == ([(1, [2.0]), (3, [])], None)


def test_a_snapshot_keeps_calls_as_they_were_even_beside_one_without_an_encoding() -> None:
    codec, values = Codec(loose), [[i] for i in range(9)]
    calls: list[tuple[Any, ...]] = [(value,) for value in values]
    calls[4] = (object(),)
    kept = codec.snapshot(calls)
    for value in values:
        value.append(1_000)
    assert kept[4] is calls[4]
    good = [call for i, call in enumerate(kept) if i != 4]
    decoded, _ = sent_and_read(codec, good)
    assert decoded == [([i],) for i in range(9) if i != 4]


def test_a_failure_of_all_calls_fills_every_place() -> None:
    reply = Codec(loose).decode_reply(encode_failure_of_all(3, LookupError("no such function")))
    assert reply.values == [None, None, None]
    assert reply.failures is not None
    assert {i: str(e) for i, e in reply.failures.items()} == dict.fromkeys(
        range(3), "no such function"
    )


@cr.async_task
def fail(how: str) -> int:
    if how == "exit":
        raise SystemExit(3)
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "deep":
        raise ValueError(functools.reduce(lambda inner, _: [inner], range(900), []))
    if how == "large":
        raise ExceptionGroup(how, [ValueError(n) for n in range(20_000)])
    return 1


def test_whatever_a_call_raises_fails_that_call_alone() -> None:
    codec = Codec(fail)
    calls = [(how,) for how in ("", "exit", "interrupt", "", "deep", "large", "")]
    values, failures = codec.run_request(codec.encode_request(calls))
    reply = codec.read_reply(codec.encode_reply(0, values, failures), len(calls))
    assert reply is not None
    assert reply.failures is not None
    assert reply.values == [1, None, None, 1, None, None, 1]
    kinds = {place: type(error) for place, error in reply.failures.items()}
    lost = cr.AsyncTaskFailed
    assert kinds == {1: lost, 2: lost, 4: ValueError, 5: lost}
