"""What becomes of calls whose batch has failed: which run again, and which fails. Knows no records.

What kills its worker is found by halving its batch, and fails alone. A call past its timeout
fails alone as well, and its neighbours run again.
"""

from __future__ import annotations

from typing import NamedTuple

from corororo._exceptions import AsyncTaskTimeout, WorkerDied

from ._batching import Batch


class Retry(NamedTuple):
    """The batches to run again, in order, and the call that fails, if one does."""

    again: list[Batch]
    failed: int | None = None  # its place in the batch
    error: BaseException | None = None


def retry(batch: Batch, *, its_own_doing: bool) -> Retry:
    """``its_own_doing``: the worker may have failed because of what it ran."""
    if batch.expired is not None:
        return _without_expired_call(batch, batch.expired)
    if len(batch.arguments) > 1:
        return Retry(batch.halves())
    if its_own_doing and batch.deaths >= batch.function.retries:
        return Retry([], 0, _worker_died(batch))
    again = batch.parts(1)
    again[0].deaths += its_own_doing
    return Retry(again)


def _without_expired_call(batch: Batch, place: int) -> Retry:
    calls = len(batch.arguments)
    again = [batch.part(b, e) for b, e in ((0, place), (place + 1, calls)) if b < e]
    error = AsyncTaskTimeout(
        f"{batch.function.name} ran for more than {batch.function.timeout} s, which is its "
        f"limit: @async_task(timeout=...), or with_options(timeout=...) for one call"
    )
    return Retry(again, place, error)


def _worker_died(batch: Batch) -> WorkerDied:
    deaths = batch.deaths + 1
    workers = "1 worker, and it" if deaths == 1 else f"{deaths} workers, and each of them"
    return WorkerDied(
        f"{batch.function.name} was alone with {workers} died; "
        f"its limit is @async_task(retries={batch.function.retries})"
    )
