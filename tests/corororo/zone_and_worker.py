"""A zone and a worker in one process: a test decides which of them does what, and when.

The worker is real but for its process, so a test can let it die at the worst moments.
"""

from __future__ import annotations

import contextlib
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

import corororo as cr
from corororo._exceptions import FifoFull
from corororo._ring import (
    Descriptor,
    FifoReader,
    FifoWriter,
    Kind,
    PoolConfig,
    RingMemory,
    Session,
)
from corororo._transfer import SharedRing
from corororo._transfer._codec import Reply
from corororo._worker._loop import Worker
from corororo.testing import MockClock

ran: list[int] = []


@cr.async_task(retries=1_000)
def double(x: int) -> int:
    ran.append(x)
    return 2 * x


@cr.async_task
def unresolvable(x: NoSuchType) -> int:  # type: ignore[name-defined]  # noqa: F821
    return 1


class ZoneAndWorker:
    """A session with the pool's ends of the FIFOs open, one zone, and one worker."""

    def __init__(self, base: Path, ring_bytes: int = 1 << 16, **figures: Any) -> None:
        self.session = Session.create(base=base)
        defaults = {"workers": 2, "max_batch": 8, "max_message_bytes": 1 << 20}
        self.config = PoolConfig(ring_bytes=ring_bytes, **{**defaults, **figures})
        self.session.write_config(self.config)
        paths = (self.session.lifeline, self.session.calls, self.session.status)
        self.readers = [FifoReader(path, blocking=False) for path in paths]
        self.writers = [FifoWriter(path) for path in paths]
        self.calls_reader, self.calls_writer = self.readers[1], self.writers[1]
        self.clock = MockClock()
        self.zone = SharedRing(self.session, self.config, self.clock)
        (replies,) = self.session.all_replies()
        self.number = int(replies.stem, 16)
        self.memory = RingMemory.open(self.session.ring(self.number))
        self.replies = FifoWriter(replies)
        self.worker = Worker(self.session, self.config, 1)
        self.next_worker = 2

    def teach(self, function: Any, service_ns: int) -> None:
        """Let the zone know how long a call of the function takes."""
        self.zone._sender.state(function).note_reply(10, Reply(service_ns, [None], None))

    def has_calls(self) -> bool:
        return bool(select.select([self.calls_reader.fileno()], [], [], 0)[0])

    def read_call(self) -> Descriptor:
        """Take a descriptor out of the FIFO as a worker does."""
        assert self.has_calls()
        descriptor = self.calls_reader.read_one()
        assert descriptor is not None
        return descriptor

    def read_all_calls(self) -> list[Descriptor]:
        """Take all descriptors out of the FIFO."""
        return [self.read_call() for _ in range(self.calls_reader.queued())]

    def give_back(self, descriptor: Descriptor) -> None:
        self.calls_writer.write_nowait(descriptor)

    def fill_calls(self) -> None:
        """Fill the FIFO of calls with descriptors that point nowhere."""
        with contextlib.suppress(FifoFull):
            while True:
                self.give_back(Descriptor(Kind.CALLS))

    def work(self) -> None:
        """Let the worker run all that is in the FIFO."""
        while self.has_calls():
            self.worker.do_work()

    def report_death(self, worker: int, kind: Kind = Kind.WORKER_DIED) -> None:
        self.replies.write_nowait(Descriptor(kind, worker=worker))

    def mark(self, descriptor: Descriptor, worker: int) -> None:
        """As a worker that is going to run the batch."""
        self.memory.mark(descriptor.offset, descriptor.attempt, worker)

    def die(self, descriptor: Descriptor | None, *, marked: bool) -> None:
        """A worker that has read this descriptor marks its record or not, and dies."""
        number = self.next_worker
        self.next_worker += 1
        if marked and descriptor is not None and self.memory.waits(descriptor):
            self.mark(descriptor, number)
        self.report_death(number)

    def first_argument(self, descriptor: Descriptor) -> Any:
        """The first argument of the first call that a descriptor points to."""
        header = self.memory.header(descriptor.offset)
        start = descriptor.offset + header.request_offset
        request = self.memory.read(start, header.request_length)
        return msgspec.msgpack.decode(request)[1][0]

    def take_all(self) -> dict[Any, Any]:
        """Work and take until nothing is in flight; values or errors by ticket and index."""
        outcomes: dict[Any, Any] = {}
        for _ in range(10_000):
            self.collect(outcomes)
            if not self.zone.in_flight:
                return outcomes
            self.work()
        raise AssertionError(f"{self.zone.in_flight} calls never came back")

    def collect(self, outcomes: dict[Any, Any]) -> None:
        for ticket, start, values, failures, _ in self.zone.take_nowait():
            for i, value in enumerate(values):
                assert (ticket, start + i) not in outcomes, "a call was answered twice"
                outcomes[ticket, start + i] = (failures or {}).get(i, value)

    def close(self) -> None:
        self.zone.close()
        self.worker.close()
        self.replies.close()
        self.memory.close()
        for reader in self.readers:
            reader.close()
        for writer in self.writers:
            writer.close()
        self.session.remove()


def doubles(ticket: str, count: int) -> dict[Any, Any]:
    return {(ticket, i): 2 * i for i in range(count)}


HOLD_LOCK = """
import sys
from pathlib import Path
from corororo._ring import RingMemory
memory = RingMemory.open(Path(sys.argv[1]))
assert memory.try_lock(int(sys.argv[2]))
print("locked", flush=True)
sys.stdin.readline()
"""


class LockHolder:
    """Another process that holds the lock of a record until it is closed."""

    def __init__(self, pair: ZoneAndWorker, offset: int, environment: dict[str, str]) -> None:
        ring = str(pair.session.ring(pair.number))
        self._process = subprocess.Popen(
            [sys.executable, "-c", HOLD_LOCK, ring, str(offset)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "locked\n"

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
