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
    except Exception:  # its class is lost then; an encoder's error says nothing about this one
        arguments = ENCODER.encode(None)
    module = type(error).__module__
    return Failure(
        "__main__" if module == "__mp_main__" else module,  # what a worker calls the main script
        type(error).__qualname__,
        msgspec.Raw(arguments),
        _message(error),
        _encodable("".join(traceback.format_exception(error))),
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


def _message(error: BaseException) -> str:
    try:
        return _encodable(str(error))
    except Exception:  # a class may fail to show itself in any way
        return f"<{type(error).__qualname__}, which cannot be shown>"


def _encodable(text: str) -> str:
    """The text without what UTF-8 cannot hold, such as the file names of another encoding."""
    return text.encode("utf-8", "backslashreplace").decode()


def _rebuild(failure: Failure) -> BaseException | None:
    try:
        arguments = msgspec.msgpack.decode(failure.arguments)
    except Exception:  # not all that has an encoding can be read untyped: a Struct as a key
        return None
    found: Any = sys.modules.get(failure.module)
    for part in failure.qualified_name.split("."):
        found = getattr(found, part, None)
    if arguments is None or not (isinstance(found, type) and issubclass(found, Exception)):
        return None
    try:
        error = found(*arguments)
    except Exception:  # its constructor wants something else: any class may raise anything here
        return None
    return error if _message(error) == failure.message else None
