"""Exceptions between processes, and the error for an argument that cannot be encoded.

Exceptions travel as data and nothing is unpickled: a class is looked up only among the exceptions
of modules that are already imported, and is used only if it takes the arguments that arrived and
keeps them.
"""

from __future__ import annotations

import sys
import traceback
from typing import Any

import msgspec

from corororo._exceptions import AsyncTaskFailed, RemoteTraceback
from corororo._views import parts
from corororo.abc import AsyncFunction

from ._types import ENCODER

MAX_DEPTH = 16  # of a path inside an argument


class Failure(msgspec.Struct, array_like=True, frozen=True):
    """An exception as it travels."""

    module: str
    qualified_name: str
    arguments: msgspec.Raw  # a msgpack array, or nil if one has no encoding
    message: str
    traceback: str


def describe_failure(error: BaseException) -> Failure:
    """Encode an exception with its traceback."""
    try:
        arguments = ENCODER.encode(error.args)
    except Exception:  # the class is lost then
        arguments = ENCODER.encode(None)
    module = type(error).__module__
    return Failure(
        "__main__" if module == "__mp_main__" else module,  # a worker's name for the main script
        type(error).__qualname__,
        msgspec.Raw(arguments),
        _message(error),
        _encodable("".join(traceback.format_exception(error))),
    )


def rebuild_failure(failure: Failure, function_name: str) -> BaseException:
    """Rebuild an exception with the worker's traceback as its cause.

    Returns an AsyncTaskFailed that names the class if the class cannot be rebuilt.
    """
    error = _rebuild(failure)
    if error is None:
        error = AsyncTaskFailed(
            f"{function_name} raised {failure.module}.{failure.qualified_name}: {failure.message}"
        )
    error.__cause__ = RemoteTraceback(failure.traceback)
    return error


def argument_error(
    function: AsyncFunction, arguments: tuple[Any, ...], error: Exception
) -> Exception:
    """A TypeError that names the parameter, and the path inside it, that has no encoding."""
    for name, value in zip(function.parameter_names, arguments, strict=True):
        found = _find_unencodable(value, name, 0)
        if found is not None:
            path, reason = found
            named = TypeError(
                f"{function.name}: argument {path}: {reason}; arguments travel as data, so they "
                f"must be of types that msgspec encodes"
            )
            named.__cause__ = error
            return named
    return error


def _message(error: BaseException) -> str:
    try:
        return _encodable(str(error))
    except Exception:  # __str__ may raise anything
        return f"<{type(error).__qualname__}, which cannot be shown>"


def _encodable(text: str) -> str:
    """Escape what UTF-8 cannot hold, such as surrogates in file names."""
    return text.encode("utf-8", "backslashreplace").decode()


def _rebuild(failure: Failure) -> BaseException | None:
    try:
        arguments = msgspec.msgpack.decode(failure.arguments)
    except Exception:  # some encoded values cannot be decoded untyped: a Struct as a key
        return None
    found: Any = sys.modules.get(failure.module)
    for part in failure.qualified_name.split("."):
        found = getattr(found, part, None)
    if arguments is None or not (isinstance(found, type) and issubclass(found, Exception)):
        return None
    try:
        error = found(*arguments)
    except Exception:  # its constructor takes something else, and may raise anything
        return None
    return error if _message(error) == failure.message else None


def _find_unencodable(value: Any, path: str, depth: int) -> tuple[str, Exception] | None:
    """The path of the innermost part that cannot be encoded, and why."""
    try:
        ENCODER.encode(value)
    except Exception as error:  # the encoder calls the value's own code
        if depth < MAX_DEPTH:
            for inner, step, key in parts(value):
                found = _find_unencodable(inner, path + step.format(key), depth + 1)
                if found is not None:
                    return found
        return path, error
    return None
