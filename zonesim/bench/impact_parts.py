"""What each component of a tick costs by itself, and how often a tick needs it.

Knows the library by its public names alone: what it does inside is done here once more. So the
sum misses what components do to each other, which is what to look for in it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, contextmanager
from functools import partial
from statistics import fmean
from typing import Any, Literal, NamedTuple

import msgspec

import corororo as cr

from .core import CHAINS, mean_us, timed_us
from .empty_work import await_often, empty, fourth, number, plain_number
from .instant import InstantSource
from .peer_pools.pipes import PipeProcess, echo

TIMES = 5
SENT = 50
AWAITED = 3 * CHAINS  # the Tasks of all chains but for the first of each, which is started
BATCH = CHAINS // 2
DESCRIPTOR = bytes(32)


class Component(NamedTuple):
    """Something that a tick does so often; ``lap`` is where the tick's own report books it.

    It is measured with a Scheduler that answers AsyncTasks at once, unless it ``needs`` another:
    the zone, which has workers, or a process that sends back what it reads.
    """

    name: str
    lap: str
    frequency: Callable[[float, int], float]  # by the batches of a tick, and the workers
    measure_us: Callable[[Any], float]  # of one
    needs: Literal["instant", "zone", "process"] = "instant"


@contextmanager
def open_components(zone: cr.Scheduler) -> Iterator[dict[str, Callable[[], float]]]:
    """All of them, to be measured by name."""
    with cr.Scheduler(InstantSource()) as instant, closing(PipeProcess(echo)) as process:
        needed = {"instant": instant, "zone": zone, "process": process}
        yield {part.name: partial(part.measure_us, needed[part.needs]) for part in COMPONENTS}


def start_us(scheduler: cr.Scheduler) -> float:
    """Start a Task, and run it to its end; nothing is in it."""

    def tick() -> None:
        for _ in range(CHAINS):
            scheduler.schedule(empty())
        scheduler.tick()

    return mean_us(TIMES, tick) / CHAINS


def await_us(scheduler: cr.Scheduler) -> float:
    """Await an empty Task."""
    return mean_us(TIMES, lambda: scheduler.run(await_often(AWAITED))) / AWAITED


def submit_us(scheduler: cr.Scheduler) -> float:
    """Make a call, send it to its trap, and put it to the others."""
    found = []
    for _ in range(TIMES):
        calls: list[_Call] = []
        found.append(timed_us(partial(_submit, calls)))
        _resume(calls)
    return fmean(found) / CHAINS


def resume_us(scheduler: cr.Scheduler) -> float:
    """Give a call its result, which ends it."""
    found = []
    for _ in range(TIMES):
        calls: list[_Call] = []
        _submit(calls)
        found.append(timed_us(partial(_resume, calls)))
    return fmean(found) / CHAINS


def encode_us(scheduler: cr.Scheduler) -> float:
    """Encode the arguments of a call, in a batch."""
    encode = msgspec.msgpack.Encoder().encode
    calls = [(chain,) for chain in range(BATCH)]
    return mean_us(TIMES, lambda: encode(calls)) / BATCH


def decode_us(scheduler: cr.Scheduler) -> float:
    """Decode the result of a call, in a batch."""
    decode = msgspec.msgpack.Decoder(tuple[int, list[int], dict[int, str] | None]).decode
    reply = msgspec.msgpack.encode((1_000, list(range(BATCH)), None))
    return mean_us(TIMES, lambda: decode(reply)) / BATCH


def work_us(scheduler: cr.Scheduler) -> float:
    """Decode a call, run it and encode its result, in a batch: what a worker does."""
    encode = msgspec.msgpack.Encoder().encode
    decode = msgspec.msgpack.Decoder(list[tuple[int]]).decode
    request = encode([(chain,) for chain in range(BATCH)])
    return mean_us(TIMES, lambda: encode([plain_number(*call) for call in decode(request)])) / BATCH


def send_us(process: PipeProcess) -> float:
    """Write a descriptor to a process that sleeps until one comes."""
    found = []
    for _ in range(SENT):
        found.append(timed_us(lambda: os.write(process.writer, DESCRIPTOR)))
        os.read(process.reader, len(DESCRIPTOR))
    return fmean(found)


def wait_us(scheduler: cr.Scheduler) -> float:
    """Wait for a call that has the workers for itself: the way there and back."""

    def tick() -> float:
        scheduler.schedule(fourth(number, 1))
        return scheduler.tick().wait_ns / 1_000

    tick()
    return fmean(tick() for _ in range(TIMES))


_Call = Coroutine[Any, Any, int]


def _submit(calls: list[_Call]) -> None:
    traps = []
    for chain in range(CHAINS):
        call = number(chain)
        traps.append(call.send(None))
        calls.append(call)


def _resume(calls: list[_Call]) -> None:
    for call in calls:
        try:
            call.send(1)
        except StopIteration:
            continue


COMPONENTS = [
    Component("start a Task", "step", lambda batches, workers: CHAINS, start_us),
    Component("await a Task", "step", lambda batches, workers: AWAITED, await_us),
    Component("submit a call", "step", lambda batches, workers: CHAINS, submit_us),
    Component("encode a call", "encode", lambda batches, workers: CHAINS, encode_us),
    Component("send a descriptor", "encode", lambda batches, workers: batches, send_us, "process"),
    Component("wait for the way there and back", "wait", lambda *_: 1, wait_us, "zone"),
    Component("work of a call", "wait", lambda batches, workers: CHAINS / workers, work_us),
    Component("decode a result", "resume", lambda batches, workers: CHAINS, decode_us),
    Component("resume a Task", "resume", lambda batches, workers: CHAINS, resume_us),
]
