"""Arrays and scalars of numpy in messages.

An array travels as a msgpack extension:

    | length of the head u16 | head, msgpack: (dtype, shape) | padding | data in C order |

A scalar travels as the plain value that it stands for. Numpy is not imported here: without it a
program has no arrays.
"""

from __future__ import annotations

import importlib
import math
import os
import sys
import threading
import typing
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec
from msgspec.msgpack import Ext

Message: TypeAlias = list[Any]  # encoded, in parts: bytes, and arrays that were not copied yet

ARRAY = 101  # code of the extension
ALIGNMENT = 16  # of data in a message: with less, numpy multiplies matrices 500 times as slowly
ARRAY_KINDS = "biufcmMSU"  # of dtypes: neither objects nor records
MARK_BYTES = 16
EXTENSION_HEAD_BYTES = 6
# By the kind of a dtype: as what its scalars are sent, and what may be sent for them.
SCALARS = {
    "b": (bool,),
    "i": (int,),
    "u": (int,),
    "f": (float, int),
    "c": (complex, float, int),
    "S": (bytes,),
    "U": (str,),
}

_ENCODER = msgspec.msgpack.Encoder()
_HEAD = msgspec.msgpack.Decoder(tuple[str, tuple[int, ...]])


def is_array(kind: Any) -> bool:
    """Whether a type is exactly ``numpy.ndarray``."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and kind is numpy.ndarray


def is_scalar(kind: type) -> bool:
    """Whether a class is a scalar type of numpy, concrete or abstract."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and issubclass(kind, numpy.generic)


def can_carry_scalar(kind: type) -> bool:
    """Whether scalars of a type of numpy can arrive as they are."""
    numpy: Any = sys.modules["numpy"]
    return kind in numpy.sctypeDict.values() and numpy.dtype(kind).kind in ARRAY_KINDS


# -- encoding


def encode_scalar(value: Any) -> Any:
    """The plain value of a scalar; an array without dimensions where there is none."""
    numpy: Any = sys.modules["numpy"]
    kind = value.dtype.kind
    plain = value.item() if kind in SCALARS else value
    return plain if type(plain) in SCALARS.get(kind, ()) else numpy.asarray(value)


def encode_array(value: Any) -> Ext:
    """The extension of an array; raises TypeError for a dtype that cannot travel."""
    return Ext(ARRAY, b"".join((_head(value), _data(value))))


class ArrayEncoder(threading.local):
    """An encoder that aligns the data of arrays in its messages, and does not copy it.

    The hook of an encoder cannot know the place in the message. So it leaves a mark for each
    array, and the marks are replaced afterwards. ``encode_other`` is the hook for other types.
    Functions are shared by the threads of a program, so each thread has marks of its own.
    """

    def __init__(self, encode_other: Callable[[Any], Any]) -> None:
        self._encode_other = encode_other
        self._encoder = msgspec.msgpack.Encoder(enc_hook=self._encode_custom)
        self._marked: list[tuple[bytes, Any]] = []

    def encode(self, value: Any) -> Message:
        """Raises TypeError or another error of msgspec for what cannot be encoded."""
        if self._marked:  # by an encoding that failed
            self._marked = []
        data = self._encoder.encode(value)
        return self._with_arrays(data) if self._marked else [data]

    def _encode_custom(self, value: Any) -> Any:
        if not is_array(type(value)):
            return self._encode_other(value)
        mark = os.urandom(MARK_BYTES)
        self._marked.append((mark, value))
        return Ext(ARRAY, mark)

    def _with_arrays(self, data: bytes) -> Message:
        marked, self._marked = self._marked, []
        parts: Message = []
        length = start = 0
        for mark, value in marked:
            found = data.index(mark, start)
            before, head = data[start : found - 2], _head(value)  # a mark has a head of two bytes
            start = found + MARK_BYTES
            length += len(before) + EXTENSION_HEAD_BYTES + len(head)
            padding = bytes(-length % ALIGNMENT)
            size = len(head) + len(padding) + value.nbytes
            extension_head = b"\xc9" + size.to_bytes(4, "big") + bytes((ARRAY,))
            parts += before, extension_head, head, padding, _data(value)
            length += len(padding) + value.nbytes
        return [*parts, data[start:]]


def _head(value: Any) -> bytes:
    if value.dtype.kind not in ARRAY_KINDS:
        raise TypeError(
            f"an array of dtype {value.dtype} cannot be encoded: its elements must be numbers, "
            f"bool, times, or text of a fixed length"
        )
    head = _ENCODER.encode((value.dtype.str, value.shape))
    return len(head).to_bytes(2, "little") + head


def _data(value: Any) -> Any:
    """The elements in C order, as an object with a buffer of bytes."""
    if not value.nbytes:
        return b""
    numpy: Any = sys.modules["numpy"]
    return numpy.ascontiguousarray(value).reshape(-1).view(numpy.uint8)


# -- decoding


def decode_array(data: memoryview) -> Any:
    """A read-only array that shows the message; a copy where its data is not aligned there."""
    numpy: Any = importlib.import_module("numpy")  # the program uses it: it has sent an array
    end = 2 + int.from_bytes(data[:2], "little")
    name, shape = _HEAD.decode(data[2:end])
    dtype = numpy.dtype(name)
    if dtype.kind not in ARRAY_KINDS:
        raise ValueError(f"an array of dtype {dtype} cannot be decoded")
    value = numpy.ndarray(shape, dtype, data, len(data) - math.prod(shape) * dtype.itemsize)
    if not value.flags.aligned:
        value = value.copy()
        value.flags.writeable = False
    return value


def decode_scalar(kind: Any, value: Any) -> Any:
    """A scalar of an annotated type; raises TypeError if the value stands for no such one."""
    if is_array(type(value)) and not value.ndim and value.dtype.type is kind:
        return value[()]
    numpy: Any = sys.modules["numpy"]
    if type(value) not in SCALARS.get(numpy.dtype(kind).kind, ()):
        raise TypeError(f"Expected `numpy.{kind.__name__}`, got `{type(value).__qualname__}`")
    return kind(value)


def check_dtype(kind: Any, value: Any) -> None:
    """Raise TypeError for an array that is not of the dtype in its annotation, if that has one."""
    for dtype in typing.get_args(kind)[1:]:
        for scalar in typing.get_args(dtype):
            is_class = isinstance(scalar, type) and is_scalar(scalar)  # and not Any
            if is_class and not issubclass(value.dtype.type, scalar):
                raise TypeError(
                    f"Expected an array of dtype `{scalar.__name__}`, got one of `{value.dtype}`"
                )
