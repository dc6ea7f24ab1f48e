"""Exceptions between processes: told as data, rebuilt where they are raised. Knows no batches.

Nothing is unpickled. A class is looked for only among the exceptions of modules that are imported
already, and is used only if it takes the arguments that arrived and keeps them.
"""

from __future__ import annotations

import sys
import traceback
from typing import Any

import msgspec

from corororo._exceptions import AsyncTaskFailed, RemoteTraceback

from ._functions import ENCODER


class Failure(msgspec.Struct, array_like=True, frozen=True):
    """An exception, as it travels."""

    module: str
    qualified_name: str
    arguments: msgspec.Raw  # a msgpack array, or nil where one could not be encoded
    message: str
    traceback: str


def describe_failure(error: BaseException) -> Failure:
    """All that can be told of an exception."""
    try:
        arguments = ENCODER.encode(error.args)
    except (TypeError, ValueError, OverflowError, RecursionError):  # its class is lost then
        arguments = ENCODER.encode(None)
    return Failure(
        type(error).__module__,
        type(error).__qualname__,
        msgspec.Raw(arguments),
        str(error),
        "".join(traceback.format_exception(error)),
    )


def rebuild_failure(failure: Failure, function_name: str) -> BaseException:
    """The exception again, with the worker's traceback as its cause.

    An AsyncTaskFailed that names the class stands in where the class cannot be rebuilt.
    """
    error = _rebuild(failure)
    if error is None:
        error = AsyncTaskFailed(
            f"{function_name} raised {failure.module}.{failure.qualified_name}: {failure.message}"
        )
    error.__cause__ = RemoteTraceback(failure.traceback)
    return error


def _rebuild(failure: Failure) -> BaseException | None:
    arguments = msgspec.msgpack.decode(failure.arguments)
    found: Any = sys.modules.get(failure.module)
    for part in failure.qualified_name.split("."):
        found = getattr(found, part, None)
    if arguments is None or not (isinstance(found, type) and issubclass(found, Exception)):
        return None
    try:
        error = found(*arguments)
    except Exception:  # its constructor wants something else: any class may raise anything here
        return None
    return error if str(error) == failure.message else None
