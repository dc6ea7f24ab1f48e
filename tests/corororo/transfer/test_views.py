"""Memoryviews in results: found in types and values, ended with their tick unless kept."""

from __future__ import annotations

import dataclasses
import pickle
import weakref
from typing import Any, NamedTuple

import msgspec
import pytest

import corororo as cr
from corororo._transfer._views import Leases, holds_views, refers_to_request, views_in


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


WITH_VIEWS = [memoryview, list[memoryview], Picture, Album, Frame, Pair, Picture | None]
WITHOUT = [int, bytes, Any, list[bytes], Plain, dict[str, tuple[int, ...]], None]


@pytest.mark.parametrize("kind", WITH_VIEWS)
def test_types_that_hold_views(kind: Any) -> None:
    assert holds_views(kind)
    assert refers_to_request(kind)


@pytest.mark.parametrize("kind", WITHOUT)
def test_types_that_hold_none(kind: Any) -> None:
    assert not holds_views(kind)
    assert not refers_to_request(kind)


def test_raw_messages_refer_to_what_they_came_in_and_need_no_end() -> None:
    assert refers_to_request(list[msgspec.Raw])
    assert not holds_views(list[msgspec.Raw])


def a_view() -> memoryview:
    return memoryview(b"abc")


def test_views_are_found_wherever_they_stand() -> None:
    view = a_view()
    values: list[Any] = [
        view,
        [view],
        (1, {"a": view}),
        Picture("a", view),
        Album({"a": [Picture("b", view), None]}),
        Album({}, Album({"x": [Picture("b", view)]})),
        Frame(view, (view, 1)),
        Pair(1, view),
    ]
    for value in values:
        assert {id(found) for found in views_in(value)} == {id(view)}
    assert list(views_in([1, "a", b"b", None, Plain(b"c")])) == []


def test_a_lease_ends_what_was_not_kept() -> None:
    leases = Leases()
    lent, kept = a_view(), a_view()
    leases.add([[lent], {"a": kept}])
    assert cr.keep([kept]) == [kept]
    leases.end()
    assert bytes(kept) == b"abc"
    with pytest.raises(ValueError, match="released"):
        bytes(lent)
    leases.end()
    assert bytes(kept) == b"abc"


def test_a_view_that_somebody_has_built_upon_goes_on() -> None:
    leases = Leases()
    view = a_view()
    leases.add([view])
    upon_it = memoryview(view)
    part = view[1:]
    array = pickle.PickleBuffer(view)  # as arrays of numpy do, it has the view itself
    leases.end()
    assert (bytes(upon_it), bytes(part), bytes(array)) == (b"abc", b"bc", b"abc")


def test_keeping_what_was_never_lent_is_harmless() -> None:
    assert cr.keep(5) == 5
    view = a_view()
    assert cr.keep(view) is view


def test_a_view_that_is_kept_too_late_is_refused_with_the_rule() -> None:
    leases = Leases()
    view = a_view()
    leases.add([view])
    leases.end()
    with pytest.raises(ValueError, match="until the next tick begins; keep it in the Task"):
        cr.keep([view])


def test_keeping_a_view_twice_is_harmless() -> None:
    leases = Leases()
    view = a_view()
    leases.add([view])
    cr.keep(cr.keep(view))
    leases.end()
    assert bytes(view) == b"abc"


@cr.async_task
def a_call(x: int) -> memoryview:
    return memoryview(bytes(x))


def test_keeping_a_call_instead_of_its_result_is_refused_with_the_remedy() -> None:
    call = a_call(3)
    with pytest.raises(TypeError, match=r"awaited first: keep\(await"):
        cr.keep(call)
    call.close()


def test_a_tick_of_one_scheduler_ends_no_views_of_another() -> None:
    ours, theirs = Leases(), Leases()
    views = [a_view()]
    ours.add(views)
    cr.keep(views.pop())  # nobody has it any more: another view may stand in its place now
    lent = a_view()
    theirs.add([lent])
    ours.end()
    assert bytes(lent) == b"abc"


def test_a_scheduler_that_is_closed_holds_no_views_and_ends_none() -> None:
    leases = Leases()
    view = a_view()
    leases.add([view])
    gone = weakref.ref(view)
    leases.forget()
    assert bytes(view) == b"abc"
    del view
    assert gone() is None
