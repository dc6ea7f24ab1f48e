"""The main function of a worker process."""

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

RETIRE_SIGNAL = signal.SIGUSR2  # asks a worker to end after its current batch
RETIRED = 83  # exit code of a worker that was asked to end


def worker_main(
    address: str,
    number: int,
    title: str,
    imports: Sequence[str],
    idle: IdleStrategy,
    cpu: int | None,
) -> None:
    """Run worker ``number`` of the pool at ``address``, on one CPU if it is given."""
    set_title(title)
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    raise_open_file_limit()  # a zone takes three descriptors: the usual limit would allow 340
    try:
        session = Session.attach(address)
        die_with_owner(session)
    except PoolClosed:
        return
    dump_stacks_on_signal(session.stacks(number), then_exit=True)
    for module in imports:
        importlib.import_module(module)
    worker = Worker(session, read_config(session), number, idle)
    gc.collect()
    gc.freeze()  # collections need not look at modules, which live as long as the process
    signal.signal(RETIRE_SIGNAL, lambda *_: worker.retire())  # until here it ends the process
    worker.announce()
    while (work_count := worker.do_work()) is not None:
        idle.idle(work_count)
    if worker.retired:
        sys.exit(RETIRED)
