"""One line that says what a scenario must hold and what stands there. Reads no files."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec
from msgspec import inspect as mi

K = TypeVar("K", bound=mi.Type)

SHOWN_MAX = 60  # characters of a wrong value that a message repeats
_PATH_PART = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_WITH_PATH = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>\$.*)`)?$", re.DOTALL)


class ScenarioError(ValueError):
    """A scenario that cannot be used; always one line."""


def scenario_error(where: str, problem: str) -> ScenarioError:
    """Error about one place; characters that would break the line are escaped."""
    return ScenarioError(_one_line(f"{where}: {problem}"))


def is_utf8(text: str) -> bool:
    """Whether text can be saved; names of files may hold bytes of any other encoding."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def explain(
    error: msgspec.ValidationError, data: Mapping[str, object], model: type[msgspec.Struct]
) -> tuple[str, str]:
    """Path (`$.field.mobs`) and problem ("expected …, found …") of a refused document."""
    found = _WITH_PATH.match(str(error))
    what, path = (found["what"], found["path"] or "$") if found else (str(error), "$")
    if isinstance(error.__cause__, ValueError):  # a rule of its own says it all itself
        return path + getattr(error.__cause__, "inside", ""), what
    kind, value = _walk(mi.type_info(model), data, path)
    if isinstance(value, Mapping):
        table = _table_for(kind, value)
        if table is not None:
            return _wrong_keys(path, value, table)
        tags = _tags(kind)
        if tags is not None:
            return path, _expected_key(*tags)
    return path, f"expected {describe(kind)}, found {shown(value)}"


def describe(kind: mi.Type) -> str:
    """What a key may hold, in words."""
    match kind:
        case mi.Metadata(type=mi.StrType(), extra_json_schema={"examples": examples}):
            return "text such as " + ", ".join(map(str, examples))
        case mi.Metadata(type=inner):
            return describe(inner)
        case mi.UnionType(types=types):
            # TOML has no null: None only says that a key may be left out.
            words = (describe(t) for t in types if not isinstance(t, mi.NoneType))
            return " or ".join(dict.fromkeys(words))  # several kinds of tables are a table
        case mi.IntType() | mi.FloatType():
            return _describe_number(kind)
        case mi.LiteralType(values=values):
            return " or ".join(f'"{value}"' for value in values)
        case mi.ListType(item_type=item, min_length=low, max_length=high):
            return f"a list of {low} to {high} items, each {describe(item)}"
        case mi.StructType():
            return "a table"
    return "text"


def nearest(name: str, known: Sequence[str]) -> str:
    """The known names most like this one, or all of them."""
    close = difflib.get_close_matches(name, known, n=3)
    return f"nearest: {', '.join(close)}" if close else f"known: {', '.join(known)}"


def shown(value: object) -> str:
    """A wrong value as its author wrote it, cut to one short piece."""
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


def _describe_number(kind: mi.IntType | mi.FloatType) -> str:
    name = "a whole number" if isinstance(kind, mi.IntType) else "a number"
    if kind.ge is not None and kind.le is not None:
        return f"{name} from {kind.ge} to {kind.le}"
    words = (("at least", kind.ge), ("above", kind.gt), ("at most", kind.le))
    bounds = [f"{word} {bound}" for word, bound in words if bound is not None]
    return f"{name}, {' and '.join(bounds)}" if bounds else name


def _wrong_keys(path: str, table: Mapping[str, object], kind: mi.StructType) -> tuple[str, str]:
    """The first key that a table lacks, or may not hold and what its author may have meant."""
    for field in kind.fields:
        if field.required and field.encode_name not in table:
            return path, _expected_key(field.encode_name, _bare(field.type))
    tags = _tags(kind)
    known = [tags[0]] if tags else []
    known += [field.encode_name for field in kind.fields]
    unknown = next(key for key in table if key not in known)
    return f"{path}.{unknown}", f"unknown key; {nearest(unknown, known)}"


def _expected_key(name: str, kind: mi.Type) -> str:
    return f"expected {name}, {describe(kind)}, found a table without it"


def _walk(kind: mi.Type, value: object, path: str) -> tuple[mi.Type, object]:
    """Type and value that stand at a path of the document."""
    for name, index in _PATH_PART.findall(path):
        if name:
            kind, value = _member(kind, value, name)
        else:
            kind, value = _item(kind, value, int(index))
    return _bare(kind), value


def _member(kind: mi.Type, value: object, name: str) -> tuple[mi.Type, object]:
    assert isinstance(value, Mapping)
    tags = _tags(kind)
    if tags is not None and name == tags[0]:
        return tags[1], value[name]
    table = _table_for(kind, value)
    assert table is not None
    return next(field.type for field in table.fields if field.encode_name == name), value[name]


def _item(kind: mi.Type, value: object, index: int) -> tuple[mi.Type, object]:
    items = _one_of(kind, mi.ListType)
    assert items is not None
    assert isinstance(value, list)
    return items.item_type, value[index]


def _table_for(kind: mi.Type, value: Mapping[str, object]) -> mi.StructType | None:
    """The kind of table that a value is to be; None where none is, or its tag names none."""
    table = _one_of(kind, mi.StructType)
    if table is None or table.tag_field is None:
        return table
    kinds = _all_of(kind, mi.StructType)
    return next((t for t in kinds if value.get(table.tag_field) == t.tag), None)


def _tags(kind: mi.Type) -> tuple[str, mi.LiteralType] | None:
    """The key that tells kinds of tables apart, and what it may hold; None where there is none."""
    tables = [table for table in _all_of(kind, mi.StructType) if table.tag_field is not None]
    if not tables:
        return None
    return str(tables[0].tag_field), mi.LiteralType(tuple(table.tag for table in tables))


def _one_of(kind: mi.Type, wanted: type[K]) -> K | None:
    """The type itself or the one of its choices that is of this kind; None where none is."""
    return next(iter(_all_of(kind, wanted)), None)


def _all_of(kind: mi.Type, wanted: type[K]) -> list[K]:
    """The type itself or those of its choices that are of this kind."""
    kind = _bare(kind)
    choices = kind.types if isinstance(kind, mi.UnionType) else (kind,)
    return [bare for bare in map(_bare, choices) if isinstance(bare, wanted)]


def _bare(kind: mi.Type) -> mi.Type:
    """The type itself, without its description; text keeps it for its examples."""
    if isinstance(kind, mi.Metadata) and not isinstance(kind.type, mi.StrType):
        return kind.type
    return kind


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
