"""Every error that corororo raises."""

from __future__ import annotations


class CorororoError(Exception):
    """Base class of the errors of the library itself."""


class PoolClosed(CorororoError):
    """The pool is closed, or its owner has died."""


class PoolFailed(PoolClosed):
    """The workers of a pool do not start; the message says why."""


class SessionError(CorororoError):
    """A session directory cannot be made or used: no room, no rights."""


class WorkerDied(CorororoError):
    """An AsyncTask killed every worker that it ran on, and its retries are used up."""


class AsyncTaskTimeout(CorororoError, TimeoutError):
    """An AsyncTask ran longer than its timeout; its worker was replaced."""


class TooSlowError(CorororoError, TimeoutError):
    """A ``fail_after`` block took longer than its time limit."""


class StaleHandle(CorororoError, LookupError):
    """The slot of this handle was released, and may hold another value now."""


class RequestTooLarge(CorororoError):
    """The arguments of one AsyncTask are larger than a message may be, or find no room."""


class ReplyTooLarge(CorororoError):
    """The result of one AsyncTask is larger than a message may be, or finds no room."""


class AsyncTaskFailed(CorororoError):
    """An AsyncTask raised what cannot be rebuilt here; the message names its class and bases."""


class RemoteTraceback(CorororoError):
    """The traceback of a worker, as text; the ``__cause__`` of the error that it belongs to."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}" if self.args else ""


class RingFull(CorororoError):
    """The ring has no room for a record now; retry after one was freed."""


class FifoFull(CorororoError):
    """The FIFO has no room for a descriptor now; retry after one was read."""
