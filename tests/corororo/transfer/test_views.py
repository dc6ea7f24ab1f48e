"""Memoryviews in results: found in types and values, ended with their tick unless kept."""

from __future__ import annotations

import dataclasses
import pickle
import weakref
from typing import Any, NamedTuple

import msgspec
import pytest

import corororo as cr
from corororo._transfer._annotations import holds_views, refers_to_request
from corororo._views import Leases, views_in


class Picture(msgspec.Struct):
    name: str
    pixels: memoryview


class Album(msgspec.Struct):
    pictures: dict[str, list[Picture | None]]
    next: Album | None = None


class Plain(msgspec.Struct):
    data: bytes
    next: Plain | None = None


@dataclasses.dataclass
class Frame:
    left: memoryview
    right: tuple[memoryview, int]


class Pair(NamedTuple):
    first: int
    second: memoryview


@cr.async_task
def a_call(x: int) -> memoryview:
    return memoryview(bytes(x))


def a_view() -> memoryview:
    return memoryview(b"abc")


@pytest.fixture
def leases() -> Leases:
    return Leases()


@pytest.mark.parametrize(
    "kind", [memoryview, list[memoryview], Picture, Album, Frame, Pair, Picture | None]
)
def test_types_that_hold_views(kind: Any) -> None:
    assert holds_views(kind)
    assert refers_to_request(kind)


@pytest.mark.parametrize("kind", [int, bytes, list[bytes], Plain, dict[str, tuple[int]], None])
def test_types_that_hold_none(kind: Any) -> None:
    assert not holds_views(kind)
    assert not refers_to_request(kind)


@pytest.mark.parametrize("kind", [msgspec.Raw, Any, complex])  # arrays may stand under the others
def test_what_refers_to_its_request_and_never_ends(kind: Any) -> None:
    assert refers_to_request(list[kind])
    assert not holds_views(list[kind])


VIEW = a_view()


@pytest.mark.parametrize(
    "value",
    [
        VIEW,
        [VIEW],
        (1, {"a": VIEW}),
        Picture("a", VIEW),
        Album({}, Album({"x": [Picture("b", VIEW), None]})),
        Frame(VIEW, (VIEW, 1)),
        Pair(1, VIEW),
    ],
)
def test_views_are_found_at_any_depth(value: Any) -> None:
    assert {id(found) for found in views_in(value)} == {id(VIEW)}
    assert list(views_in([1, "a", b"b", None, Plain(b"c")])) == []


def test_a_lease_ends_what_was_not_kept(leases: Leases) -> None:
    lent, kept = a_view(), a_view()
    leases.add([[lent], {"a": kept}])
    assert cr.keep(cr.keep([kept])) == [kept]
    for _ in range(2):
        leases.end()
        assert bytes(kept) == b"abc"
    with pytest.raises(ValueError, match="released"):
        bytes(lent)
    with pytest.raises(ValueError, match="until the next tick begins; keep it in the Task"):
        cr.keep([lent])


def test_a_view_that_other_objects_use_lives_on(leases: Leases) -> None:
    view = a_view()
    leases.add([view])
    upon_it = memoryview(view)
    part = view[1:]
    array = pickle.PickleBuffer(view)  # uses the view itself, as arrays of numpy do
    leases.end()
    assert (bytes(upon_it), bytes(part), bytes(array)) == (b"abc", b"bc", b"abc")


def test_keeping_what_was_never_lent_is_harmless() -> None:
    view = a_view()
    assert cr.keep(view) is view
    assert cr.keep(5) == 5


def test_keeping_a_call_instead_of_its_result_is_refused_with_the_remedy() -> None:
    call = a_call(3)
    with pytest.raises(TypeError, match=r"awaited first: keep\(await"):
        cr.keep(call)
    call.close()


def test_a_tick_of_one_scheduler_ends_no_views_of_another(leases: Leases) -> None:
    theirs = Leases()
    views = [a_view()]
    leases.add(views)
    cr.keep(views.pop())  # freed: another view may get its id
    lent = a_view()
    theirs.add([lent])
    leases.end()
    assert bytes(lent) == b"abc"


def test_a_closed_scheduler_holds_no_views_and_ends_none(leases: Leases) -> None:
    view = a_view()
    leases.add([view])
    freed = weakref.ref(view)
    leases.forget()
    assert bytes(view) == b"abc"
    del view
    assert freed() is None
