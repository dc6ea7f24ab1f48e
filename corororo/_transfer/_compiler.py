"""Compiles annotations to checks of the values under them.

Where plain types are annotated (numbers, text, bytes, and containers of them), what arrives is of
the annotated type, and nothing is checked: small and frequent calls have such types.
"""

from __future__ import annotations

import datetime
import decimal
import typing
import uuid
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import inspect

from ._arrays import is_scalar
from ._check import (
    ANYTHING,
    KEY,
    Check,
    Condition,
    Inside,
    Part,
    attribute,
    index,
    items,
    key,
    keys,
    values,
)
from ._types import FormattedView, is_bytes, is_registered, name_of

ARRAYS = (list, tuple, set, frozenset)
BUFFERS = (bytes, bytearray, memoryview)
# By the names of plain types: what may stand for them beside other types of a union.
PLAIN: dict[type, tuple[str, tuple[type, ...]]] = {
    inspect.NoneType: ("None", (type(None),)),
    inspect.BoolType: ("bool", (bool,)),
    inspect.IntType: ("int", (int,)),
    inspect.FloatType: ("float", (float, int)),
    inspect.StrType: ("str", (str,)),
    inspect.LiteralType: ("Literal", (str, int, type(None))),
    inspect.BytesType: ("bytes", BUFFERS),
    inspect.ByteArrayType: ("bytearray", BUFFERS),
    inspect.ListType: ("list", ARRAYS),
    inspect.VarTupleType: ("tuple", ARRAYS),
    inspect.TupleType: ("tuple", (list, tuple)),
    inspect.SetType: ("set", ARRAYS),
    inspect.FrozenSetType: ("frozenset", ARRAYS),
    inspect.DictType: ("dict", (dict,)),
    inspect.TypedDictType: ("dict", (dict,)),
}
EXACT: dict[type, type] = {
    inspect.DateType: datetime.date,
    inspect.TimeDeltaType: datetime.timedelta,
    inspect.UUIDType: uuid.UUID,
    inspect.DecimalType: decimal.Decimal,
    inspect.RawType: msgspec.Raw,
}
IN_UTC = Condition(
    lambda value: value.tzinfo is None or value.tzinfo == datetime.UTC,
    lambda value: (
        f"has the time zone {value.tzinfo} and would arrive in datetime.UTC; pass "
        f"astimezone(datetime.UTC), and the zone's name beside it where it matters"
    ),
)
AT_AN_OFFSET = Condition(
    lambda value: isinstance(value.tzinfo, datetime.timezone | None),
    lambda value: (
        f"has the time zone {value.tzinfo} and would arrive without it; pass its name beside it"
    ),
)
OF_BYTES = Condition(
    is_bytes,
    lambda view: (
        f"is a memoryview of format {view.format!r} and shape {view.shape}, and would arrive as "
        f"plain bytes; annotate array.array or numpy.ndarray"
    ),
)


def check_of(kind: Any) -> Check | None:
    """The check of values under an annotation; None where nothing has to be checked."""
    return _Compiler().compile(inspect.type_info(kind))


class _Compiler:
    def __init__(self) -> None:
        self._records: dict[int, tuple[Any, Check]] = {}  # by id: types may be recursive

    def compile(self, info: Any) -> Check | None:
        match info:
            case inspect.Metadata():
                return self.compile(info.type)
            case inspect.AnyType():
                return ANYTHING
            case inspect.CustomType():
                return None if is_registered(info.cls) or is_scalar(info.cls) else ANYTHING
            case inspect.UnionType():
                return self._union(info)
            case inspect.TupleType():
                places = enumerate(info.item_types)
                return _container(info, [self._part(t, index, i) for i, t in places])
            case inspect.CollectionType():
                return _container(info, [self._part(info.item_type, items)])
            case inspect.DictType():
                parts = [self._part(info.key_type, keys), self._part(info.value_type, values)]
                return _container(info, parts)
            case inspect.TypedDictType():
                parts = [self._part(field.type, key, field.name) for field in info.fields]
                return _container(info, parts, _known_keys(info))
            case inspect.StructType() | inspect.DataclassType() | inspect.NamedTupleType():
                return self._record(info)
            case inspect.EnumType():
                return Check(name_of(info.cls), info.cls)
            case inspect.DateTimeType():
                return _conditional(IN_UTC, datetime.datetime)
            case inspect.TimeType():
                return _conditional(AT_AN_OFFSET, datetime.time)
            case inspect.MemoryViewType():
                return _conditional(OF_BYTES, memoryview, bytes, bytearray, FormattedView)
        exact = EXACT.get(type(info))
        return None if exact is None else Check(name_of(exact), exact)

    def _part(self, info: Any, make: Callable[..., Part], *where: Any) -> list[Part]:
        """What is inside of values; nothing if it needs no check."""
        check = self.compile(info)
        if check is ANYTHING and make is keys:
            check = KEY
        return [] if check is None else [make(check, *where)]

    def _record(self, info: Any) -> Check:
        if id(info) not in self._records:
            cls = typing.get_origin(info.cls) or info.cls  # of a generic class
            check = Check(name_of(info.cls), cls)
            self._records[id(info)] = info, check
            inside = check.inside[cls] = Inside([])
            for field in info.fields:
                inside.parts.extend(self._part(field.type, attribute, field.name))
        return self._records[id(info)][1]

    def _union(self, info: Any) -> Check | None:
        checks = [self.compile(part) for part in info.types]
        if not any(checks):
            return None
        complete = [c or _plain(part) for c, part in zip(checks, info.types, strict=True)]
        union = Check(" | ".join(check.name for check in complete))
        for check in complete:
            union.add(check)
        return union


def _plain(info: Any) -> Check:
    name, kinds = PLAIN.get(type(info), ("Raw", ()))
    return Check(name, plain=kinds)


def _container(
    info: Any, parts: Iterable[list[Part]], condition: Condition | None = None
) -> Check | None:
    found = [part for some in parts for part in some]
    if not found and condition is None:
        return None
    check = _plain(info)
    check.inside = dict.fromkeys(check.plain, Inside(found, condition))
    return check


def _conditional(condition: Condition, kind: type, *others: type) -> Check:
    check = Check(name_of(kind), kind, *others)
    check.inside[kind] = Inside([], condition)
    return check


def _known_keys(info: Any) -> Condition:
    known = {field.name for field in info.fields}
    return Condition(
        lambda value: value.keys() <= known,
        lambda value: (
            f"has keys that {name_of(info.cls)} does not have, and would arrive without them: "
            f"{', '.join(sorted(map(repr, value.keys() - known)))}"
        ),
    )
