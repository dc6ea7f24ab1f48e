"""What a worker does with full pipes, locks that are held, wrong calls and zones that go."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import pytest
from office import Office, Onlooker, double, ran

import corororo as cr
from corororo._exceptions import FifoFull
from corororo._ring import Descriptor, Kind
from corororo._transfer import SharedRing
from corororo._worker import _loop as _worker

pytestmark = pytest.mark.timeout(30)


@cr.async_task(timeout=10.0)
def timed(x: int) -> int:
    ran.append(x)
    return x


class AtWork:
    """The worker of an office, at one piece of work in a thread of its own."""

    def __init__(self, office: Office) -> None:
        self.done: list[int | None] = []
        self._thread = threading.Thread(target=lambda: self.done.append(office.worker.do_work()))
        self._thread.start()

    def is_held_up(self) -> bool:
        """Whether it has not come to an end although it had the time to."""
        self._thread.join(0.3)
        return self._thread.is_alive()

    def ends(self) -> int | None:
        """How many calls it has run, in the end."""
        self._thread.join(20)
        [calls] = self.done
        return calls


def test_a_worker_waits_with_its_answer_while_the_zone_reads_nothing(office: Office) -> None:
    office.zone.send_nowait(double, "a", [(1,)])
    with contextlib.suppress(FifoFull):
        while True:
            office.replies.write_nowait(Descriptor(Kind.REPLY))
    worker = AtWork(office)
    assert worker.is_held_up()
    assert office.zone.take_nowait() == []
    assert worker.ends() == 1
    assert office.take_all() == {("a", 0): 2}
    assert ran == [1]


def test_a_batch_that_became_void_while_its_worker_waited_for_the_lock_is_not_run(
    office: Office, source_environment: dict[str, str]
) -> None:
    office.zone.send_nowait(double, "a", [(1,)])
    descriptor = office.read_call()
    assert descriptor is not None
    office.give_back(descriptor)
    ring = office.session.ring(office.number)
    with contextlib.closing(Onlooker(ring, descriptor.offset, source_environment)) as onlooker:
        worker = AtWork(office)
        assert worker.is_held_up()
        office.memory.renew(descriptor.offset, descriptor.attempt + 1)
        onlooker.let_go()
        assert worker.ends() == 0
    assert ran == []


def test_a_batch_that_another_worker_has_got_is_not_waited_for(
    office: Office, source_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_worker, "LOCK_TRIES", 10**9)  # it gives up for no other reason
    office.zone.send_nowait(double, "a", [(1,)])
    descriptor = office.read_call()
    assert descriptor is not None
    office.give_back(descriptor)
    ring = office.session.ring(office.number)
    with contextlib.closing(Onlooker(ring, descriptor.offset, source_environment)):
        worker = AtWork(office)
        assert worker.is_held_up()
        office.memory.mark(descriptor.offset, descriptor.attempt, 9)  # as whoever has the lock
        assert worker.ends() == 0  # though the lock is still held
    assert ran == []


def test_progress_names_the_call_though_one_before_it_could_not_be_read(tmp_path: Path) -> None:
    with contextlib.closing(Office(tmp_path, workers=1)) as office:
        office.zone.send_nowait(timed, "a", [("no number",), (2,), (3,)])
        office.work()
        assert office.memory.header(0).current == 2
        outcomes = office.take_all()
        assert isinstance(outcomes.pop(("a", 0)), TypeError)
        assert outcomes == {("a", 1): 2, ("a", 2): 3}


def test_zones_that_are_gone_keep_no_files_of_a_worker_open(office: Office) -> None:
    def come_and_go() -> int:
        with contextlib.closing(SharedRing(office.session, office.config)) as zone:
            zone.send_nowait(double, "a", [(1,)])
            office.work()
        return len(os.listdir("/dev/fd"))

    first = come_and_go()
    assert [come_and_go() for _ in range(5)] == [first] * 5
