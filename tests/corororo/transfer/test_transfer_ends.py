"""How a zone ends, or its owner does, and what becomes of the views that it has given out."""

from __future__ import annotations

import contextlib
import weakref

import pytest
from office import Office, double

import corororo as cr
from corororo._transfer import SharedRing


@pytest.mark.parametrize("why", ["", "the workers cannot be had"])
def test_a_zone_whose_owner_has_ended_says_so_and_why(office: Office, why: str) -> None:
    office.zone.send_nowait(double, "a", [(1,)])
    if why:
        office.session.failure.write_text(why)
    office.writers[0].close()  # the lifeline's
    office.readers[0].close()
    kind, rule = (cr.PoolFailed, why) if why else (cr.PoolClosed, "its owner died")
    with pytest.raises(kind, match=rule):
        office.zone.take_nowait()


@cr.async_task
def blank(length: int) -> memoryview:
    return memoryview(bytes(length))


def lent_view(office: Office) -> memoryview:
    """A view as a Task has got it."""
    office.zone.begin_tick()
    office.zone.send_nowait(blank, "a", [(9,)])
    view = office.take_all()["a", 0]
    office.zone.lend(blank, [view])
    assert isinstance(view, memoryview)
    return view


def test_a_view_ends_with_the_next_tick_of_its_own_zone(office: Office) -> None:
    view = lent_view(office)
    with contextlib.closing(SharedRing(office.session, office.config)) as other:
        other.begin_tick()
    assert bytes(view) == bytes(9)
    office.zone.begin_tick()
    with pytest.raises(ValueError, match="released"):
        bytes(view)


def test_a_zone_that_closes_leaves_its_views_to_whoever_refers_to_them(office: Office) -> None:
    view = lent_view(office)
    alive = weakref.ref(view)
    office.zone.close()
    assert bytes(view) == bytes(9)
    del view
    assert alive() is None


def test_closing_gives_back_files_and_descriptors_and_may_be_repeated(office: Office) -> None:
    office.zone.close()
    office.zone.close()
    assert list(office.session.directory.glob("*.r*")) == []
    with pytest.raises(cr.PoolClosed):
        office.zone.send_nowait(double, "a", [(1,)])
