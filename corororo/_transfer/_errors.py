"""Exceptions between processes, and the error for an argument that cannot be encoded.

Exceptions travel as plain data. A class is looked up only among the exceptions of modules that
are already imported, and an instance is filled without ``__init__`` or other code of its class.
Nothing is unpickled.
"""

from __future__ import annotations

import builtins
import contextlib
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec
from msgspec.msgpack import Ext

from corororo._exceptions import AsyncTaskFailed, RemoteTraceback
from corororo._main_module import name_in_program
from corororo._views import parts
from corororo.abc import AsyncFunction

from ._types import ENCODER

MAX_DEPTH = 16  # of a path inside an argument
MAX_VALUE = 1 << 16  # bytes of one argument or attribute; characters of a text instead of one
MAX_STATE = 1 << 20  # bytes of all arguments, attributes and members

# What CPython itself keeps in modules, classes and exceptions: reading it runs no code of theirs.
_MODULE_NAMES = vars(types.ModuleType)["__dict__"]
_BASE, _MRO, _CLASS_NAMES = (vars(type)[name] for name in ("__base__", "__mro__", "__dict__"))
_ARGS, _CAUSE, _DICT = (vars(BaseException)[name] for name in ("args", "__cause__", "__dict__"))
_BUILTIN_TYPES = {id(kind) for kind in vars(builtins).values() if isinstance(kind, type)}

_SCALARS = {type(None), bool, int, float, str, bytes}
_COLLECTIONS: dict[int, type] = {1: tuple, 2: set, 3: frozenset, 4: dict}  # by the code of an Ext
_CODES = {kind: code for code, kind in _COLLECTIONS.items()}
_SURROGATES = 5  # code of a text that UTF-8 cannot hold, such as some file names
_EXCEPTION = 6

_Encode: TypeAlias = Callable[[Any], msgspec.Raw]  # for arguments and attributes; may raise


class Failure(msgspec.Struct, array_like=True, frozen=True):
    """An exception as it travels."""

    module: str
    qualified_name: str
    summary: str  # its class, bases and message, for a process that cannot rebuild it
    notes: list[str]
    state: bytes  # a State, by itself so that one which cannot be decoded fails alone; or empty
    traceback: str  # with those of the members of a group; theirs are empty


class State(msgspec.Struct, array_like=True, frozen=True):
    """What an exception holds."""

    arguments: tuple[Any, ...]
    attributes: dict[str, Any]
    members: list[Failure]  # of an ExceptionGroup


def describe_failure(error: BaseException) -> Failure:
    """Encode an exception with its traceback.

    Arguments and attributes arrive unchanged if they are made of None, bool, int, float, str,
    bytes, list, tuple, set, frozenset and dict, and take at most 64 KB each; so do exceptions, but
    for those that they hold themselves. Any other argument arrives as text, any other attribute is
    left out.
    """
    return _describe(error, _shown(_format_traceback, error), _encode_held)


def rebuild_failure(failure: Failure, function_name: str) -> BaseException:
    """Rebuild an exception with the worker's traceback as its cause.

    Returns an AsyncTaskFailed that names the class and its bases if this process does not know the
    class, if it does not derive from Exception, or if its state did not travel.
    """
    error: BaseException
    try:
        kind = _find_class(failure.module, failure.qualified_name)
        error = _make(kind, _DECODER.decode(failure.state), function_name)
    except Exception:
        error = AsyncTaskFailed(f"{function_name} raised {failure.summary}")
    if failure.notes:
        _DICT.__get__(error)["__notes__"] = failure.notes
    if failure.traceback:
        _CAUSE.__set__(error, RemoteTraceback(failure.traceback))
    return error


def argument_error(
    function: AsyncFunction, arguments: tuple[Any, ...], error: Exception
) -> Exception:
    """A TypeError that names the parameter, and the path inside it, that has no encoding."""
    for name, value in zip(function.parameter_names, arguments, strict=True):
        found = _find_unencodable(value, name, 0)
        if found is not None:
            path, reason = found
            named = TypeError(f"{function.name}: argument {path}: {reason}")
            named.__cause__ = error
            return named
    return error


# -- from an exception to data: code of its class may run, and may raise anything


def _describe(error: BaseException, text: str, encode: _Encode) -> Failure:
    kind = type(error)
    notes = _DICT.__get__(error).get("__notes__")
    return Failure(
        _module(kind),
        kind.__qualname__,
        _summary(kind, _shown(str, error)),
        [_shown(str, note) for note in notes] if type(notes) is list else [],
        _attempt(lambda error: _encode_state(error, encode), error) or b"",
        text,
    )


def _summary(kind: type[BaseException], message: str) -> str:
    bases = [
        base.__qualname__ if base.__module__ == "builtins" else _full_name(base)
        for base in kind.__mro__[1:]
        if issubclass(base, BaseException) and base not in (Exception, BaseException)
    ]
    derived = f" (derived from {', '.join(bases)})" if bases else ""
    return f"{_full_name(kind)}{derived}" + (message and f": {message}")


def _full_name(kind: type) -> str:
    return f"{_module(kind)}.{kind.__qualname__}"


def _module(kind: type) -> str:
    return name_in_program(f"{kind.__module__}")


def _encode_state(error: BaseException, encode: _Encode) -> bytes:
    arguments: list[msgspec.Raw | str] = []
    members: list[Failure] = []
    if isinstance(error, BaseExceptionGroup):
        members = [_describe(member, "", encode) for member in error.exceptions]
    else:
        for value in _ARGS.__get__(error):
            raw = _attempt(encode, value)
            arguments.append(_shown(str, value) if raw is None else raw)
    state = ENCODER.encode((arguments, _attributes(error, encode), members))
    if len(state) > MAX_STATE:
        raise ValueError(f"{len(state)} bytes are more than {MAX_STATE}")
    if not members and _attempt(str, error) is not None:
        str(_make(type(error), _DECODER.decode(state), ""))  # raises if it needs what is left out
    return state


def _attributes(error: BaseException, encode: _Encode) -> dict[str, msgspec.Raw]:
    values = {name: value for name, value in _DICT.__get__(error).items() if name != "__notes__"}
    for name, slot in _slots(type(error)).items():
        value = _attempt(slot.__get__, error)
        if value is not None or id(slot.__objclass__) not in _BUILTIN_TYPES:  # C shows NULL as None
            values[name] = value
    encoded = {name: _attempt(encode, value) for name, value in values.items()}
    return {name: raw for name, raw in encoded.items() if raw is not None}


def _encode_held(value: object) -> msgspec.Raw:
    """As ``_encode``, and an exception, without those that it holds: it may be among them."""
    if not isinstance(value, BaseException):
        return _encode(value)
    return _bounded(Ext(_EXCEPTION, ENCODER.encode(_describe(value, "", _encode))))


def _encode(value: object) -> msgspec.Raw:
    """Raises an error for what is not plain data, or is too large."""
    return _bounded(_as_plain(value))


def _bounded(value: object) -> msgspec.Raw:
    data = ENCODER.encode(value)
    if len(data) > MAX_VALUE:
        raise ValueError(f"{len(data)} bytes are more than {MAX_VALUE}")
    return msgspec.Raw(data)


def _as_plain(value: Any) -> Any:
    """What msgpack can hold without a change of type, for ``_from_ext`` to take apart."""
    kind = type(value)
    if kind is list:
        return [_as_plain(item) for item in value]
    if kind in _CODES:
        items = [_as_plain(item) for item in (value.items() if kind is dict else value)]
        return Ext(_CODES[kind], ENCODER.encode(items))
    if kind is str and value != _encodable(value):
        return Ext(_SURROGATES, value.encode("utf-8", "surrogatepass"))
    if kind not in _SCALARS:
        raise TypeError(f"{_full_name(kind)} is not plain data")
    return value


def _format_traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def _shown(show: Callable[[Any], str], value: object) -> str:
    """What ``str`` or ``repr`` gives, cut to a bounded length."""
    text = _attempt(show, value)
    if text is None:
        return f"<{type(value).__qualname__}, which cannot be shown>"
    return _encodable(text[:MAX_VALUE])


def _encodable(text: str) -> str:
    """Escape what UTF-8 cannot hold, such as surrogates in file names."""
    return text.encode("utf-8", "backslashreplace").decode()


def _attempt(function: Callable[[Any], Any], value: object) -> Any:
    """The result; None if it raises, even SystemExit: it may run the code of a user's class."""
    try:
        return function(value)
    except BaseException:
        return None


# -- from data to an exception: no code of its class runs


def _find_class(module: str, qualified_name: str) -> type[Exception]:
    """Raises an error if there is no such class of exceptions in an imported module."""
    found: Any = None
    names = _MODULE_NAMES.__get__(sys.modules[module])
    for part in qualified_name.split("."):
        found = names[part]
        names = _CLASS_NAMES.__get__(found)  # raises TypeError if it is no class
    if not issubclass(found, Exception):
        raise TypeError(f"{qualified_name} is not a class of exceptions")
    return found  # type: ignore[no-any-return]


def _make(kind: type[BaseException], state: State, function_name: str) -> Any:
    base: Any = kind
    while id(base) not in _BUILTIN_TYPES:
        base = _BASE.__get__(base)
    attributes = state.attributes
    if state.members:
        members = [rebuild_failure(member, function_name) for member in state.members]
        error = base.__new__(kind, attributes["message"], members)
    else:
        error = base.__new__(kind)
        _ARGS.__set__(error, state.arguments)
    slots = _slots(kind)
    for name, value in attributes.items():
        if name in slots:
            with contextlib.suppress(AttributeError, TypeError):  # read-only, or of another type
                slots[name].__set__(error, value)
        else:
            _DICT.__get__(error)[name] = value
    return error


def _slots(kind: type[BaseException]) -> dict[str, Any]:
    """What ``__slots__``, or C in a builtin class, keeps outside of ``__dict__``."""
    return {
        name: slot
        for base in reversed(_MRO.__get__(kind))
        for name, slot in _CLASS_NAMES.__get__(base).items()
        if type(slot) is types.MemberDescriptorType and base is not BaseException
    }


def _from_ext(code: int, data: memoryview) -> Any:
    if code == _SURROGATES:
        return bytes(data).decode("utf-8", "surrogatepass")
    if code == _EXCEPTION:
        return rebuild_failure(msgspec.msgpack.decode(data, type=Failure), "an AsyncTask")
    return _COLLECTIONS[code](msgspec.msgpack.decode(data, ext_hook=_from_ext))


_DECODER = msgspec.msgpack.Decoder(State, ext_hook=_from_ext)


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
