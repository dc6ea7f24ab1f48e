"""The life of a worker process, from its first import to its exit code. Knows no batches."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from collections.abc import Sequence

from corororo._exceptions import PoolClosed
from corororo._platform import raise_open_file_limit
from corororo._ring import Session
from corororo._transfer._config import read_config
from corororo.abc import IdleStrategy
from corororo.processes import dump_stacks_on_signal, set_title

from ._lifeline import die_with_owner
from ._loop import Worker

RETIRE_SIGNAL = signal.SIGUSR2  # asks a worker to end after the batch that it runs
RETIRED = 83  # the exit code of a worker that ended because it was asked to


def worker_main(
    address: str,
    number: int,
    title: str,
    imports: Sequence[str],
    idle: IdleStrategy,
    cpu: int | None,
) -> None:
    """The life of worker ``number`` of the pool at ``address``, on one CPU if it is given."""
    set_title(title)
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    # A zone costs three descriptors: the usual soft limit would hold 340 of them.
    raise_open_file_limit()
    try:
        session = Session.attach(address)
        die_with_owner(session)
    except PoolClosed:
        return  # the owner went before we came
    dump_stacks_on_signal(session.stacks(number), then_exit=True)
    for module in imports:
        importlib.import_module(module)
    worker = Worker(session, read_config(session), number, idle)
    gc.collect()
    gc.freeze()  # what is imported lives as long as we do: collections need not look at it
    signal.signal(RETIRE_SIGNAL, lambda *_: worker.retire())  # until here it may end us at once
    worker.announce()
    while (work_count := worker.do_work()) is not None:
        idle.idle(work_count)
    if worker.retired:
        sys.exit(RETIRED)
