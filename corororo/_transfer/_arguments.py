"""Says which argument of a call has no encoding, and where inside it. Knows no batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import msgspec

from ._functions import ENCODER, AsyncTaskFunction

DEPTH_MAX = 16


def argument_error(
    function: AsyncTaskFunction[..., Any], arguments: tuple[Any, ...], error: Exception
) -> Exception:
    """A TypeError that names the parameter and the path inside it."""
    for name, value in zip(function.parameter_names, arguments, strict=True):
        found = _find(value, name, 0)
        if found is not None:
            path, reason = found
            told = TypeError(
                f"{function.name}: argument {path}: {reason}; arguments travel as data, so they "
                f"must be of types that msgspec encodes"
            )
            told.__cause__ = error
            return told
    return error


def _find(value: Any, path: str, depth: int) -> tuple[str, Exception] | None:
    """The innermost part of a value that cannot be encoded, and why."""
    try:
        ENCODER.encode(value)
    except Exception as error:  # of whatever kind: the encoder calls the value's own code
        if depth < DEPTH_MAX:
            for inner, inner_path in _parts(value, path):
                found = _find(inner, inner_path, depth + 1)
                if found is not None:
                    return found
        return path, error
    return None


def _parts(value: Any, path: str) -> Iterator[tuple[Any, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, f"{path}'s key {key!r}"
            yield inner, f"{path}[{key!r}]"
    elif isinstance(value, list | tuple | set | frozenset):
        for index, inner in enumerate(value):
            yield inner, f"{path}[{index}]"
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield getattr(value, name, None), f"{path}.{name}"
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield getattr(value, field.name, None), f"{path}.{field.name}"
