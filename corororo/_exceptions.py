"""Every error that corororo raises. Knows no other room."""

from __future__ import annotations


class CorororoError(Exception):
    """The base of every error that the library raises on its own account."""


class PoolClosed(CorororoError):
    """The pool was closed, or its owner died, while something was asked of it."""


class PoolFailed(PoolClosed):
    """A pool gave up, or never came up: its workers do not start; the message says why."""


class SessionError(CorororoError):
    """A session directory cannot be made or is not what it should be: no room, no rights."""


class WorkerDied(CorororoError):
    """An AsyncTask killed each worker that it ran on, as often as its retries allow."""


class AsyncTaskTimeout(CorororoError, TimeoutError):
    """An AsyncTask ran longer than its timeout; its worker was replaced."""


class TooSlowError(CorororoError, TimeoutError):
    """What stood inside ``fail_after`` took longer than it was given."""


class StaleHandle(CorororoError, LookupError):
    """A handle whose slot has been given back, or to somebody else, since."""


class RequestTooLarge(CorororoError):
    """The arguments of one AsyncTask do not fit the ring."""


class ReplyTooLarge(CorororoError):
    """The result of one AsyncTask is larger than a reply may be."""


class AsyncTaskFailed(CorororoError):
    """An AsyncTask raised an error whose class cannot be rebuilt here; the message names it."""


class RemoteTraceback(CorororoError):
    """The traceback of a worker, as text; stands as ``__cause__`` of the error it belongs to."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}" if self.args else ""


class RingFull(CorororoError):
    """The ring has no room for a record at the moment; ask again after one was freed."""


class FifoFull(CorororoError):
    """The FIFO takes no descriptor at the moment; ask again after one was read."""
