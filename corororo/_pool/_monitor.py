"""The thread that minds the workers of one pool. Knows no Schedulers.

It keeps the pool's word while its owner's main thread is busy or waits, whichever process the
calls come from: it replaces workers that die, and tells the zones of it. While the pool runs it
alone starts and retires workers: no death meets a change of their number halfway.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from multiprocessing.connection import wait

from corororo._exceptions import SessionError
from corororo._platform import explaining_open_files, is_out_of_files
from corororo._ring import (
    NO_WORKER,
    Descriptor,
    FifoReader,
    FifoWriter,
    Kind,
    Session,
    remove_file,
    write_file,
)
from corororo._worker._main import RETIRED
from corororo.abc import Clock
from corororo.processes import ANSWER_S, STACK_SIGNAL, process_state
from corororo.processes._forkserver import wake_stopped_forkserver
from corororo.processes._process import means_stopped

from ._notices import News
from ._process import WorkerProcess
from ._registry import Roster
from ._spawning import RETRY_S, Hiring

LOOK_S = 0.05  # between two looks for workers that stand still, however many zones ask
SWEEP_S = 3.0  # between two looks for what nobody tells of
STILLBORN_LIMIT = 3  # workers that die one after another before any of them has read a call

# Why workers are killed.
EXPIRED = "a call of it had run for longer than its timeout"
LOOPS = "it was at one batch of calls for longer than hang_timeout"
STOPPED = "a signal had stopped it"


@contextlib.contextmanager
def _if_files_allow() -> Iterator[None]:
    """For what is done again soon: the program's other files must not end its pool."""
    try:
        yield
    except OSError as error:
        if not is_out_of_files(error):
            raise


class Minder:
    """Minds the workers of a roster, until ``stopping`` is set or the pool has failed."""

    def __init__(
        self,
        session: Session,
        lifeline: FifoWriter,
        roster: Roster,
        hiring: Hiring,
        clock: Clock,
        stopping: threading.Event,
    ) -> None:
        self._session = session
        self._lifeline = lifeline
        self._roster = roster
        self._hiring = hiring
        self._clock = clock
        self._stopping = stopping
        self._news = News(session, stopping)
        self._told_size = 0  # as many workers as the zones know of
        self._stillborn = 0
        self._stillborn_newcomers = 0
        self._lost_servers: set[int] = set()
        self._next_sweep = clock.now() + SWEEP_S
        self._next_look = 0.0
        self._status = FifoReader(session.status, blocking=False)
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_reader, False)

    def wake_up(self) -> None:
        """Have the thread look at what there is to do; from any other, until ``close``."""
        os.write(self._wake_writer, b"\0")

    def close(self) -> None:
        """When the thread has ended."""
        self._status.close()
        os.close(self._wake_reader)
        os.close(self._wake_writer)

    def mind(self) -> None:
        """The life of the thread."""
        self._told_size = self._roster.wanted
        try:
            with explaining_open_files("a worker in place of one that died"):
                while not self._stopping.is_set() and self._roster.failure is None:
                    self._watch()
        except SessionError as error:
            self._fail(str(error))
        except Exception as error:  # nobody minds the workers from here on: say so, and end all
            self._fail(f"the pool cannot go on: {error!r}")

    def _watch(self) -> None:
        roster = self._roster
        self._wait()
        if self._clock.now() >= self._next_sweep:
            with _if_files_allow():
                self._sweep()
        self._read_status()
        self._kill_those_that_do_not_answer()
        ended = [worker for worker in roster.everyone() if worker.exit_code() is not None]
        if self._stopping.is_set():
            return
        for worker in ended:
            self._tell_end(worker)
        self._news.tell()
        for worker in ended:
            self._bury(worker)
        self._bring_to_size()
        roster.retiring.remind()
        with roster.changed:
            roster.changed.notify_all()

    def _wait(self) -> None:
        """Until somebody ends or says something, or something else is due."""
        sentinels: list[int] = [worker.sentinel for worker in self._roster.everyone()]
        timeout_s = RETRY_S if self._news.waits else max(0.0, self._next_sweep - self._clock.now())
        reminder_s = self._roster.retiring.next_reminder_s()
        if reminder_s is not None:
            timeout_s = min(timeout_s, reminder_s)
        for worker in self._roster.everyone():
            if worker.kill_at is not None:
                timeout_s = min(timeout_s, max(0.0, worker.kill_at - self._clock.now()))
        wait([*sentinels, self._status.fileno(), self._wake_reader], timeout_s)
        with contextlib.suppress(BlockingIOError):  # it was something else
            os.read(self._wake_reader, 1024)

    # -- what is said, and what nobody says

    def _sweep(self) -> None:
        """What nobody tells of: zones that were killed, and workers that stand idle and still."""
        self._next_sweep = self._clock.now() + SWEEP_S
        self._session.remove_rings_left_behind()
        self._kill_those_that_stand_still()

    def _read_status(self) -> None:
        looks = False
        for descriptor in self._status.read_nowait():
            worker = self._roster.find(descriptor.worker)
            if descriptor.kind == Kind.LOOK:
                looks = True
                if worker is None and descriptor.worker != NO_WORKER:
                    self._own_up(descriptor)
            elif worker is not None and descriptor.kind == Kind.READY:
                self._roster.takes_calls(worker)
                self._stillborn = self._stillborn_newcomers = 0
            elif worker is not None and descriptor.kind == Kind.KILL:
                self._kill_for_its_call(worker)
            elif worker is not None and descriptor.kind == Kind.HUNG:
                self._end_hung(worker, LOOPS, on_request=True)
        if looks and self._clock.now() >= self._next_look:
            with _if_files_allow():
                self._kill_those_that_stand_still()

    def _own_up(self, look: Descriptor) -> None:
        """Whoever a zone thinks has its batch, no such worker lives."""
        self._news.add(Descriptor(Kind.WORKER_DIED, worker=look.worker), look.ring)

    def _kill_those_that_stand_still(self) -> None:
        """A worker that was stopped by a signal keeps what it has, and may keep it for ever."""
        self._next_look = self._clock.now() + LOOK_S
        for worker in self._roster.everyone():
            state = process_state(worker.pid, ask_ps=True)
            if means_stopped(state):
                self._end_hung(worker, STOPPED, on_request=False)
            elif state.startswith("Z") and worker.exit_code() is None:
                wake_stopped_forkserver()  # who was to tell of its end

    def _kill_for_its_call(self, worker: WorkerProcess) -> None:
        if worker.exit_code() is None:
            worker.killed_on_request = True
            worker.why_killed = worker.why_killed or EXPIRED
            worker.kill()

    def _end_hung(self, worker: WorkerProcess, why: str, *, on_request: bool) -> None:
        """Have one that does not come back leave its stacks and end; kill it where it does not.

        ``on_request`` of a zone, which knows for which of its batches.
        """
        if worker.why_killed or worker.exit_code() is not None:
            return
        worker.killed_on_request = on_request
        worker.why_killed, worker.hung = why, True
        worker.kill_at = self._clock.now() + ANSWER_S
        worker.send_signal(STACK_SIGNAL)
        worker.send_signal(signal.SIGCONT)  # one that is stopped answers when it goes on

    def _kill_those_that_do_not_answer(self) -> None:
        for worker in self._roster.everyone():
            if worker.kill_at is not None and self._clock.now() >= worker.kill_at:
                worker.kill_at = None
                if worker.exit_code() is None:
                    worker.kill()

    # -- who goes and who comes

    def _tell_end(self, worker: WorkerProcess) -> None:
        """Tell the zones, unless it has ended as it was asked to: then it has nothing of theirs."""
        worker.make_sure_it_is_dead()
        worker.note_end(self._session.stacks(worker.number), self._stopping.wait)
        if self._roster.is_retiring(worker) and worker.exit_code() == RETIRED:
            return
        kind = Kind.WORKER_KILLED if worker.killed_on_request else Kind.WORKER_DIED
        self._news.add_for_all(Descriptor(kind, worker=worker.number))

    def _bury(self, worker: WorkerProcess) -> None:
        remove_file(self._session.stacks(worker.number))
        roster = self._roster
        if roster.is_retiring(worker):
            roster.see_off(worker)
        elif roster.is_newcomer(worker):
            roster.remove(worker)
            self._stillborn_newcomers += self._is_news(worker)
            if self._stillborn_newcomers >= STILLBORN_LIMIT:
                self._stillborn_newcomers = 0
                roster.want_no_more(_stillborn(worker))
        elif len(roster.working) > roster.wanted:
            roster.remove(worker)
        else:
            self._replace(worker)

    def _replace(self, worker: WorkerProcess) -> None:
        if not worker.ready:
            self._stillborn += self._is_news(worker)
            if self._stillborn >= STILLBORN_LIMIT:
                self._fail(_stillborn(worker))
                return
        self._roster.replace(worker, self._hiring.start(worker.place))

    def _is_news(self, stillborn: WorkerProcess) -> bool:
        """Whether its death says something: all that a fork server takes along say it once."""
        server = stillborn.lost_server
        if server is None:
            return True
        known = server in self._lost_servers
        self._lost_servers.add(server)
        return not known

    def _bring_to_size(self) -> None:
        roster = self._roster
        while len(roster.working) < roster.wanted and not self._stopping.is_set():
            self._hire()
        while len(roster.working) > roster.wanted:
            roster.retire()
        if self._told_size != roster.wanted:
            self._told_size = roster.wanted
            self._news.add_for_all(Descriptor(Kind.RESIZED, length=self._told_size))
            self._news.tell()

    def _hire(self) -> None:
        try:
            with explaining_open_files("one more worker"):
                worker = self._hiring.start(self._roster.free_place())
        except (OSError, EOFError, SessionError) as error:
            self._roster.want_no_more(str(error) or repr(error))
        else:
            self._roster.add(worker, newcomer=True)

    def _fail(self, why: str) -> None:
        self._status.close()  # nobody reads it any more; and a file less may be what it takes
        with contextlib.suppress(OSError):  # the zones get to hear less
            write_file(self._session.failure, why.encode(errors="backslashreplace"))
        self._lifeline.close()
        with self._roster.changed:
            self._roster.failure = why
            self._roster.changed.notify_all()


def _stillborn(worker: WorkerProcess) -> str:
    return (
        f"{STILLBORN_LIMIT} workers died before they took a call, the last with exit code "
        f"{worker.exit_code()}; if the errors above name the main module, its code must stand "
        f'under `if __name__ == "__main__":`'
    )
