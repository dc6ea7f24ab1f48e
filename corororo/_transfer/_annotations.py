"""What annotations say of values: whether they can travel, and whether they refer to messages."""

from __future__ import annotations

import contextlib
import functools
import operator
import types
import typing
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

from ._arrays import can_carry_scalar, is_scalar
from ._types import FormattedView, name_of, registered_types, with_format

# Arrays may stand under the last two.
REFERRING = (inspect.MemoryViewType, inspect.RawType, inspect.CustomType, inspect.AnyType)


def types_in(kind: Any) -> Iterator[Any]:
    """An annotation and what it is made of, as msgspec describes types.

    Raises TypeError for what msgspec cannot take.
    """
    seen: set[int] = set()
    inner: list[Any] = [inspect.type_info(kind)]
    while inner:
        part = inner.pop()
        if isinstance(part, tuple):
            inner += part
        elif isinstance(part, msgspec.Struct) and id(part) not in seen:
            seen.add(id(part))  # types may be recursive
            yield part
            inner += [getattr(part, name) for name in part.__struct_fields__]


def holds_views(kind: Any) -> bool:
    """Whether values of a type may contain memoryviews."""
    return any(isinstance(part, inspect.MemoryViewType) for part in types_in(kind))


def refers_to_request(kind: Any) -> bool:
    """Whether values of a type may refer to the bytes they were decoded from."""
    return any(isinstance(part, REFERRING) for part in types_in(kind))


# -- at decoration


def check_annotations(function: Any) -> None:
    """Raise TypeError for an annotation of a function that nothing can carry.

    Names that are defined later in the module are left to the first call.
    """
    # Of an annotation here, or of a field of a class.
    with contextlib.suppress(NameError, AttributeError):
        check_hints(typing.get_type_hints(function, include_extras=True), function.__qualname__)


def check_hints(hints: dict[str, Any], function_name: str) -> None:
    """The same for annotations by the names of parameters, and ``return``."""
    for name, kind in hints.items():
        reason = _refusal(kind)
        if reason:
            place = "the result" if name == "return" else f"argument {name}"
            raise TypeError(
                f"{place} of {function_name} cannot travel as {name_of(kind)}: {reason}"
            )


def _refusal(kind: Any) -> str:
    if _is_plain(kind):
        return ""
    try:
        return next(filter(None, map(_refusal_of_part, types_in(kind))), "")
    except TypeError as error:
        return str(error)


def _refusal_of_part(part: Any) -> str:
    if isinstance(part, inspect.CustomType) and not _can_travel(part.cls):
        if is_scalar(part.cls):
            return "no value has this type; annotate numpy.float64 or the like"
        return (
            f"msgspec does not know {name_of(part.cls)}; annotate another type, or let it travel "
            f"with corororo.register_type, above this function"
        )
    if isinstance(part, inspect.DataclassType) and hasattr(part.cls, "__attrs_attrs__"):
        for field in part.fields:
            if field.name.startswith("_"):
                return (
                    f"of an attrs class, msgspec would leave out {name_of(part.cls)}."
                    f"{field.name}; rename it, or make the class a dataclass"
                )
    return ""


def _is_plain(kind: Any) -> bool:
    """Whether a type is what most are: to ask msgspec would take ten times as long."""
    if typing.get_origin(kind) in (list, tuple, set, dict):
        return all(map(_is_plain, typing.get_args(kind)))
    return kind in (int, float, str, bool, bytes, type(None), Any, ...)


def _can_travel(kind: type) -> bool:
    if is_scalar(kind):
        return can_carry_scalar(kind)
    # A base class carries the registered ones: Path a PosixPath, and object all.
    return any(kind in registered.__mro__ for registered in registered_types())


# -- memoryviews


def with_formats(kind: Any) -> Any:
    """An annotation that carries memoryviews with their formats, but for those in fields."""
    if kind is memoryview:
        return FormattedView
    old = typing.get_args(kind)
    new = tuple(map(with_formats, old))
    if new == old:
        return kind
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        return functools.reduce(operator.or_, new)
    return origin[new]


def formatted(value: Any) -> Any:
    """A value with its memoryviews made ready for such an annotation."""
    kind = type(value)
    if kind is memoryview:
        return with_format(value)
    if kind in (list, tuple):
        return kind(map(formatted, value))
    if kind is dict:
        return {name: formatted(inner) for name, inner in value.items()}
    return value
