"""Types that msgspec does not know, and how they travel.

Each value travels as a msgpack extension that says what it is, so it needs no annotation to arrive
as it was. Besides arrays (``_arrays``) there are:

    NAMED | msgpack: (name of the type, what its ``encode`` returned)
    VIEW  | msgpack: (format, shape, bytes), of a memoryview of more than bytes in a row
"""

from __future__ import annotations

import abc
import array
import os
import pathlib
import sys
import typing
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec.msgpack import Ext

from corororo._main_module import name_in_program

from ._arrays import (
    ARRAY,
    check_dtype,
    decode_array,
    decode_scalar,
    encode_array,
    encode_scalar,
    is_array,
    is_scalar,
)

T = TypeVar("T")

NAMED, VIEW = 102, 103  # codes of extensions
NATIVE_FORMATS = frozenset("cbBhHiIlLqQnNfd?P")
CONTAINERS = (list, tuple, set, frozenset, dict)  # subclasses are encoded as these


class _Registered(NamedTuple):
    name: str
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


_by_type: dict[type, _Registered] = {}
_by_name: dict[str, _Registered] = {}


def register_type(kind: type[T], *, encode: Callable[[T], Any], decode: Callable[[Any], T]) -> None:
    """Let instances of a class travel as arguments and results.

    ``encode`` turns an instance into values that travel. ``decode`` gets them in another process,
    with lists in place of tuples and dicts in place of Structs, and returns an instance. Only
    instances of exactly this class travel; register its subclasses as well. Register a class where
    it is defined, so that workers do so too, and above the functions that are annotated with it.

    Raises TypeError for a class that msgspec encodes by itself.
    """
    if not isinstance(kind, type):
        raise TypeError(f"register_type takes a class, got {kind!r}")
    if issubclass(kind, CONTAINERS) or not isinstance(
        msgspec.inspect.type_info(kind), msgspec.inspect.CustomType
    ):
        raise TypeError(
            f"{name_of(kind)} cannot be registered, since msgspec encodes it by itself; wrap it "
            f"in a class of your own"
        )
    registered = _Registered(_full_name(kind), encode, decode)
    _by_type[kind] = _by_name[registered.name] = registered


def is_registered(kind: type) -> bool:
    """Whether values of exactly this type travel as extensions."""
    return kind in _by_type or is_array(kind)


def registered_types() -> Iterator[type]:
    """All types whose values travel as extensions."""
    yield from _by_type
    if "numpy" in sys.modules:
        yield sys.modules["numpy"].ndarray


def name_of(kind: Any) -> str:
    """A type as users write it."""
    if not isinstance(kind, type) or typing.get_args(kind):
        return str(kind)
    if kind is type(None):
        return "None"
    return kind.__qualname__ if kind.__module__ == "builtins" else _full_name(kind)


def _full_name(kind: type) -> str:
    return f"{name_in_program(kind.__module__)}.{kind.__qualname__}"


# -- encoding and decoding


def encode_custom(value: Any) -> Any:
    """The encoder's hook for values that msgspec cannot encode; raises TypeError."""
    kind = type(value)
    registered = _by_type.get(kind)
    if registered is not None:
        return Ext(NAMED, ENCODER.encode((registered.name, registered.encode(value))))
    if is_array(kind):
        return encode_array(value)
    if is_scalar(kind):
        return encode_scalar(value)
    if kind is FormattedView:
        return Ext(VIEW, value.encode())
    instead = "numpy.asarray of it" if hasattr(kind, "__array__") else "plain data"
    raise TypeError(
        f"a {_full_name(kind)} cannot be encoded; pass {instead}, or let it travel with "
        f"corororo.register_type"
    )


ENCODER = msgspec.msgpack.Encoder(enc_hook=encode_custom)


class FormattedView(abc.ABC):  # noqa: B024 - as an annotation it stands for a memoryview
    """A memoryview of more than bytes in a row; msgspec would encode the bytes alone."""

    def __init__(self, view: memoryview) -> None:
        self._view = view

    def encode(self) -> bytes:
        """Its format, shape and bytes."""
        view = self._view
        return ENCODER.encode((view.format, view.shape, view.tobytes()))


FormattedView.register(memoryview)


def is_bytes(view: memoryview) -> bool:
    """Whether a memoryview is as msgspec makes them: of bytes in a row."""
    return view.format == "B" and view.ndim == 1 and view.c_contiguous


def with_format(view: memoryview) -> Any:
    """What to encode for a memoryview: itself if no view of its format can be made again."""
    is_castable = view.ndim < 2 or all(view.shape or ())
    can_be_made = is_castable and view.format.removeprefix("@") in NATIVE_FORMATS
    return FormattedView(view) if can_be_made and not is_bytes(view) else view


def decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    """A decoder against an annotation."""
    return msgspec.msgpack.Decoder(kind, dec_hook=_decode_custom, ext_hook=_decode_extension)


def _decode_custom(kind: Any, value: Any) -> Any:
    """The decoder's hook for annotations that msgspec does not know; it checks the class itself."""
    cls = typing.get_origin(kind) or kind
    if is_scalar(cls):
        return decode_scalar(cls, value)
    if is_array(cls) and is_array(type(value)):
        check_dtype(kind, value)
    if cls is FormattedView and type(value) is bytes:
        return memoryview(value)
    return value


def _decode_extension(code: int, data: memoryview) -> Any:
    if code == ARRAY:
        return decode_array(data)
    if code == NAMED:
        name, encoded = _NAMED.decode(data)
        if name not in _by_name:
            raise TypeError(
                f"{name} is not registered in this process: call corororo.register_type where it "
                f"is defined"
            )
        return _by_name[name].decode(encoded)
    if code == VIEW:
        form, shape, view = _VIEW.decode(data)
        return view.cast(form) if len(shape) == 1 else view.cast(form, shape)  # one may be empty
    return Ext(code, bytes(data))


def _decode_path(kind: type[T], name: bytes) -> T:
    return kind(os.fsdecode(name))  # type: ignore[call-arg]


_NAMED = decoder(tuple[str, Any])
_VIEW = msgspec.msgpack.Decoder(tuple[Any, tuple[int, ...], memoryview])

for _path in (pathlib.PurePosixPath, pathlib.PureWindowsPath, type(pathlib.Path())):
    # By their bytes: names of files need not be UTF-8.
    register_type(_path, encode=os.fsencode, decode=partial(_decode_path, _path))
register_type(
    array.array, encode=lambda a: (a.typecode, a.tobytes()), decode=lambda v: array.array(*v)
)
register_type(complex, encode=lambda z: (z.real, z.imag), decode=lambda v: complex(*v))
register_type(range, encode=lambda r: (r.start, r.stop, r.step), decode=lambda v: range(*v))
