"""What a worker does with locked records, full FIFOs, wrong calls and zones that end."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from zone_and_worker import LockHolder, ZoneAndWorker, double, ran

import corororo as cr
from corororo._exceptions import FifoFull, PoolClosed
from corororo._ring import Descriptor, Kind, Session
from corororo._transfer import SharedRing
from corororo._worker import _loop, _main
from corororo._worker._main import die_with_owner

pytestmark = pytest.mark.timeout(30)


@cr.async_task(timeout=10.0)
def timed(x: int) -> int:
    ran.append(x)
    return x


@cr.async_task
def swell(length: int) -> bytes:
    return bytes(length)


class WorkingThread:
    """The worker of a pair, running one batch in a thread."""

    def __init__(self, pair: ZoneAndWorker) -> None:
        self.done: list[int | None] = []
        self._thread = threading.Thread(target=lambda: self.done.append(pair.worker.do_work()))
        self._thread.start()

    def is_blocked(self) -> bool:
        """Whether it has not ended although it had the time to."""
        self._thread.join(0.3)
        return self._thread.is_alive()

    def join(self) -> int | None:
        """The number of calls that it has run."""
        self._thread.join(20)
        [calls] = self.done
        return calls


@contextlib.contextmanager
def one_locked_call(pair: ZoneAndWorker, environment: dict[str, str]) -> Iterator[Descriptor]:
    """A call in the FIFO, whose record another process has locked."""
    pair.zone.send_nowait(double, "a", [(1,)])
    call = pair.read_call()
    pair.give_back(call)
    with contextlib.closing(LockHolder(pair, call.offset, environment)):
        yield call


def test_a_worker_waits_with_its_reply_while_the_zone_reads_nothing(pair: ZoneAndWorker) -> None:
    pair.zone.send_nowait(double, "a", [(1,)])
    with contextlib.suppress(FifoFull):
        while True:
            pair.replies.write_nowait(Descriptor(Kind.REPLY))
    worker = WorkingThread(pair)
    assert worker.is_blocked()
    assert pair.zone.take_nowait() == []
    assert worker.join() == 1
    assert pair.take_all() == {("a", 0): 2}
    assert ran == [1]


def test_a_batch_that_another_worker_has_is_not_waited_for(
    pair: ZoneAndWorker, source_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_loop, "LOCK_TRIES", 10**9)  # it gives up for no other reason
    with one_locked_call(pair, source_environment) as call:
        worker = WorkingThread(pair)
        assert worker.is_blocked()
        pair.mark(call, 9)
        assert worker.join() == 0  # though the lock is still held
    assert ran == []


def test_a_stopped_process_that_holds_a_lock_does_not_keep_the_worker(
    pair: ZoneAndWorker, source_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_loop, "LOCK_TRIES", 5)
    with one_locked_call(pair, source_environment):
        assert pair.worker.do_work() == 0
    pair.clock.jump(1.1)
    assert pair.take_all() == {("a", 0): 2}


def test_progress_names_the_call_though_one_before_it_has_wrong_arguments(tmp_path: Path) -> None:
    with contextlib.closing(ZoneAndWorker(tmp_path, workers=1)) as pair:
        pair.zone.send_nowait(timed, "a", [("no number",), (2,), (3,)])
        pair.work()
        assert pair.memory.header(0).current == 2
        outcomes = pair.take_all()
        assert isinstance(outcomes.pop(("a", 0)), TypeError)
        assert outcomes == {("a", 1): 2, ("a", 2): 3}


@pytest.mark.parametrize(("errno", "why"), [(28, "No space left"), (24, "Too many open files")])
def test_a_reply_without_room_for_its_file_fails_each_call_with_the_reason(
    pair: ZoneAndWorker, monkeypatch: pytest.MonkeyPatch, errno: int, why: str
) -> None:
    def no_room(path: Path, *_parts: bytes) -> None:
        path.touch()
        raise OSError(errno, os.strerror(errno), f"{path}{'x' * 200}")

    monkeypatch.setattr(_loop, "write_file", no_room)
    pair.zone.send_nowait(swell, "a", [(40_000,)] * 8)
    outcomes = pair.take_all()
    assert len(outcomes) == 8
    assert all(isinstance(error, cr.ReplyTooLarge) for error in outcomes.values())
    assert why in str(outcomes["a", 7])
    assert list(pair.session.directory.glob("*.spill")) == []


LATE_MODULE = """
import pathlib
import corororo as cr
if pathlib.Path({marker!r}).exists():
    raise RuntimeError("not yet")
@cr.async_task
def late_double(x: int) -> int:
    return 2 * x
"""


def test_a_module_whose_import_failed_once_is_tried_again(
    pair: ZoneAndWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "not yet"
    (tmp_path / "late_module.py").write_text(LATE_MODULE.format(marker=str(marker)))
    monkeypatch.syspath_prepend(tmp_path)
    late_double = importlib.import_module("late_module").late_double
    monkeypatch.delitem(sys.modules, "late_module")  # a worker is another process
    marker.touch()
    pair.zone.send_nowait(late_double, "a", [(1,)])
    assert "not yet" in str(pair.take_all()["a", 0])
    marker.unlink()
    pair.zone.send_nowait(late_double, "b", [(1,)])
    assert pair.take_all() == {("b", 0): 2}


def test_zones_that_have_ended_keep_no_files_of_a_worker_open(pair: ZoneAndWorker) -> None:
    def come_and_go() -> int:
        with contextlib.closing(SharedRing(pair.session, pair.config)) as zone:
            zone.send_nowait(double, "a", [(1,)])
            pair.work()
        return len(os.listdir("/dev/fd"))

    first = come_and_go()
    assert [come_and_go() for _ in range(5)] == [first] * 5


# -- the end together with the owner


@pytest.mark.parametrize("by_signal", [True, False])
def test_a_worker_that_starts_after_its_owner_has_ended_reports_a_closed_pool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_signal: bool
) -> None:
    monkeypatch.setattr(_main, "HAS_SIGIO", by_signal and _main.HAS_SIGIO)
    owner = Session.create(base=tmp_path)
    guest = Session.attach(str(owner.directory))
    owner.remove()
    with pytest.raises(PoolClosed, match="owner of this pool is gone"):
        die_with_owner(guest)


@pytest.mark.skipif(not _main.HAS_SIGIO, reason="elsewhere a thread ends the process")
def test_a_worker_that_starts_while_its_owner_closes_the_pool_ends(tmp_path: Path) -> None:
    owner = Session.create(base=tmp_path)  # alive, without its end of the lifeline
    with pytest.raises(PoolClosed, match="closing this pool"):
        die_with_owner(Session.attach(str(owner.directory)))
    owner.remove()
