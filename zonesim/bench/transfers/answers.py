"""Calls and their outcomes as bytes, by the library's own codec. Knows no way between processes.

All rungs but the first encode alike, so that the ladder compares ways and nothing else. This is
the one file of the rungs that knows how the library encodes, runs and fails calls.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import corororo as cr
from corororo._inline import run_calls as run_calls
from corororo._transfer._codec import Codec as Codec
from corororo._transfer._codec import as_request as as_request
from corororo._transfer._codec import calls_as_encoded, encode_failure_of_all
from corororo._transfer._errors import argument_error
from corororo._transfer._errors import describe_failure as describe_failure
from corororo._transfer._errors import rebuild_failure as rebuild_failure
from corororo._transfer._functions import ENCODER as ENCODER
from corororo._transfer._functions import resolve as resolve
from corororo.abc import Completion


class Sent:
    """Calls of one function that travel together, while their answer is out."""

    __slots__ = ("calls", "codec", "forgotten", "start", "ticket")

    def __init__(self, codec: Codec, ticket: object, start: int, calls: int) -> None:
        self.fill(codec, ticket, start, calls)

    def fill(self, codec: Codec, ticket: object, start: int, calls: int) -> None:
        """Be about other calls from now on."""
        self.codec = codec
        self.ticket = ticket
        self.start = start
        self.calls = calls
        self.forgotten = False  # whoever sent them has closed: the answer finds nobody

    def completion(self, reply: bytes | memoryview) -> Completion:
        """What the worker answered."""
        if self.codec.results_hold_views:  # they would refer to memory that is used again
            reply = bytes(reply)
        decoded = self.codec.decode_reply(reply)
        return Completion(self.ticket, self.start, decoded.values, decoded.failures)

    def lost(self) -> Completion:
        """Their worker died with them."""
        name = self.codec.function.name
        told = (
            f"{name}: expected an answer, and a worker died that had this call or might have had "
            f"it; this transfer runs no call again, WorkerPool does"
        )
        errors = [cr.WorkerDied(told) for _ in range(self.calls)]
        return Completion(self.ticket, self.start, [None] * self.calls, dict(enumerate(errors)))


def failed(ticket: object, place: int, error: BaseException) -> Completion:
    """One call fails."""
    return Completion(ticket, place, [None], {0: error})


# -- at home


@cache
def codec_of(function: cr.AsyncTaskFunction[..., Any]) -> Codec:
    """The codec of a function, made once. Raises what its annotations do."""
    return Codec(function)


def refusal(
    function: cr.AsyncTaskFunction[..., Any], arguments: tuple[Any, ...], error: Exception
) -> Exception:
    """What a Task is told of a call that cannot be sent."""
    return (
        error if isinstance(error, cr.CorororoError) else argument_error(function, arguments, error)
    )


# -- in a worker


@cache
def codec_named(name: str) -> Codec:
    """The same by name. What is not found is looked for again the next time."""
    return Codec(resolve(name))


def answer(name: str, request: bytes | memoryview) -> bytes:
    """Run the calls of a request, and encode what came of them."""
    try:
        codec = codec_named(name)
        values, failures = codec.run_request(request)
        return codec.encode_reply(0, values, failures)
    except Exception as error:  # of finding, decoding or encoding
        return failure_of_all(request, error)


def failure_of_all(request: bytes | memoryview, error: Exception) -> bytes:
    """The answer where none of the calls of a request can be answered."""
    return encode_failure_of_all(len(calls_as_encoded(request)), error)
