"""Error messages of scenarios: one line with the place, what is expected and what was found."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec
from msgspec import inspect as mi

from .durations import EXAMPLES, unit_of

K = TypeVar("K", bound=mi.Type)

SHOWN_MAX = 60  # characters of a wrong value that a message repeats
_PATH_PART = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_WITH_PATH = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>\$.*)`)?$", re.DOTALL)


class ScenarioError(ValueError):
    """A scenario that cannot be used; the message is one line."""


def scenario_error(where: str, problem: str) -> ScenarioError:
    """Error about one place; characters that would break the line are escaped."""
    text = f"{where}: {problem}"
    return ScenarioError(
        "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    )


def explain(
    error: msgspec.ValidationError, data: Mapping[str, object], model: type[msgspec.Struct]
) -> tuple[str, str]:
    """Path (`$.field.mobs`) and problem ("expected …, found …") of an invalid document."""
    found = _WITH_PATH.match(str(error))
    what, path = (found["what"], found["path"] or "$") if found else (str(error), "$")
    if isinstance(error.__cause__, ValueError):  # raised by a __post_init__, with its own text
        return path + getattr(error.__cause__, "inside", ""), what
    kind, value = _resolve(mi.type_info(model), data, path)
    if isinstance(value, Mapping):
        table = _table_for(kind, value)
        if table is not None:
            return _wrong_key(path, value, table)
        tag = _tag(kind)
        if tag is not None:
            return path, _missing_key(*tag)
    or_text = f", or text such as {_quoted(EXAMPLES)}" if unit_of(path.rpartition(".")[2]) else ""
    return path, f"expected {describe(kind)}{or_text}, found {shown(value)}"


def describe(kind: mi.Type) -> str:
    """What a key may hold, in words."""
    match kind:
        case mi.Metadata(type=mi.StrType(), extra_json_schema={"examples": examples}):
            return f"text such as {_quoted(examples)}"
        case mi.Metadata(type=inner):
            return describe(inner)
        case mi.UnionType(types=types):
            # TOML has no null: None only means that the key is optional.
            words = (describe(t) for t in types if not isinstance(t, mi.NoneType))
            return " or ".join(dict.fromkeys(words))
        case mi.IntType() | mi.FloatType():
            return _describe_number(kind)
        case mi.LiteralType(values=values):
            return _quoted(values)
        case mi.ListType(item_type=item, min_length=low, max_length=high):
            return f"a list of {low} to {high} items, each {describe(item)}"
        case mi.StructType():
            return "a table"
    return "text"


def nearest(name: str, known: Sequence[str]) -> str:
    """The known names most similar to this one, or all of them."""
    close = difflib.get_close_matches(name, known, n=3)
    return f"nearest: {', '.join(close)}" if close else f"known: {', '.join(known)}"


def shown(value: object) -> str:
    """A wrong value as in TOML, cut to a readable length."""
    match value:
        case Mapping():
            text = "a table"
        case bool() | str() | int():
            text = json.dumps(value, ensure_ascii=False)
        case list():
            text = f"[{', '.join(map(shown, value[:10]))}{', …' if len(value) > 10 else ''}]"
        case _:
            text = str(value)
    return text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "…"


def _quoted(values: Sequence[object]) -> str:
    return " or ".join(f'"{value}"' for value in values)


def _describe_number(kind: mi.IntType | mi.FloatType) -> str:
    name = "a whole number" if isinstance(kind, mi.IntType) else "a number"
    if kind.ge is not None and kind.le is not None:
        return f"{name} from {kind.ge} to {kind.le}"
    words = (("at least", kind.ge), ("above", kind.gt), ("at most", kind.le))
    bounds = [f"{word} {bound}" for word, bound in words if bound is not None]
    return f"{name}, {' and '.join(bounds)}" if bounds else name


def _wrong_key(path: str, table: Mapping[str, object], kind: mi.StructType) -> tuple[str, str]:
    """The first missing key of a table, or its first unknown one with similar known ones."""
    for field in kind.fields:
        if field.required and field.encode_name not in table:
            return path, _missing_key(field.encode_name, field.type)
    known = [kind.tag_field] if kind.tag_field else []
    known += [field.encode_name for field in kind.fields]
    unknown = next(key for key in table if key not in known)
    return f"{path}.{unknown}", f"unknown key; {nearest(unknown, known)}"


def _missing_key(name: str, kind: mi.Type) -> str:
    return f"expected {name}, {describe(kind)}, found a table without it"


def _resolve(kind: mi.Type, value: object, path: str) -> tuple[mi.Type, object]:
    """Type and value at a path of the document."""
    for name, index in _PATH_PART.findall(path):
        if isinstance(value, Mapping):
            kind, value = _member(kind, value, name), value[name]
        elif isinstance(value, list):
            [items] = _choices(kind, mi.ListType)
            kind, value = items.item_type, value[int(index)]
    return kind, value


def _member(kind: mi.Type, table: Mapping[str, object], name: str) -> mi.Type:
    tag = _tag(kind)
    if tag is not None and name == tag[0]:
        return tag[1]
    fields = {f.encode_name: f.type for t in [_table_for(kind, table)] if t for f in t.fields}
    return fields[name]


def _table_for(kind: mi.Type, value: Mapping[str, object]) -> mi.StructType | None:
    """The struct type of a table; None where no table is allowed, or its tag is unknown."""
    tables = _choices(kind, mi.StructType)
    return next((t for t in tables if not t.tag_field or value.get(t.tag_field) == t.tag), None)


def _tag(kind: mi.Type) -> tuple[str, mi.LiteralType] | None:
    """The key that tells several struct types apart, and its values; None where there is none."""
    tables = [table for table in _choices(kind, mi.StructType) if table.tag_field]
    if not tables:
        return None
    return str(tables[0].tag_field), mi.LiteralType(tuple(table.tag for table in tables))


def _choices(kind: mi.Type, wanted: type[K]) -> list[K]:
    """The type itself, or its union members, that are of the wanted kind."""
    kind = _without_metadata(kind)
    types = kind.types if isinstance(kind, mi.UnionType) else (kind,)
    return [bare for bare in map(_without_metadata, types) if isinstance(bare, wanted)]


def _without_metadata(kind: mi.Type) -> mi.Type:
    return kind.type if isinstance(kind, mi.Metadata) else kind
