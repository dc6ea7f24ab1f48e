"""AsyncTasks with each annotation that can travel, imported by a test and by its workers."""

from __future__ import annotations

import array
import dataclasses
import datetime
import decimal
import enum
import pathlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, NewType, TypedDict

import msgspec
import numpy as np
import numpy.typing as npt

import corororo as cr


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Rights(enum.IntFlag):
    READ = 1
    WRITE = 2


class Point(msgspec.Struct, frozen=True):
    x: int
    y: float = 0.5


class Circle(msgspec.Struct, tag=True):
    centre: Point
    radius: float


class Line(msgspec.Struct, tag=True, array_like=True):
    ends: tuple[Point, Point]
    next: Line | None = None


class Square(msgspec.Struct, tag=True, array_like=True):
    corner: Point


class Even(msgspec.Struct):
    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ValueError(f"{self.number} is odd")


@dataclasses.dataclass
class Mob:
    name: str
    at: Point | None = None
    tags: set[str] = dataclasses.field(default_factory=set)


class Pair(NamedTuple):
    first: int
    second: str = "b"


class Options(TypedDict, total=False):
    depth: int
    name: str


class Picture(msgspec.Struct):
    name: str
    pixels: memoryview


class Mesh(msgspec.Struct):
    points: npt.NDArray[np.float64]
    scale: np.float32
    file: pathlib.PurePath


Identity = NewType("Identity", int)


class Own:
    """A type that msgspec does not know."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Own({self.name!r})"


def _decode_own(name: str) -> Own:
    if not name:
        raise LookupError("an Own has a name")
    return Own(name)


cr.register_type(Own, encode=lambda own: own.name, decode=_decode_own)

KINDS: dict[str, Any] = {
    "none": None,
    "anything": Any,
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "list": list,
    "ints": list[int],
    "sequence": Sequence[int],
    "row": tuple[int, ...],
    "cell": tuple[int, str],
    "set": set[int],
    "frozenset": frozenset[str],
    "dict": dict[str, int],
    "mapping": Mapping[int, list[bytes]],
    "enum": Colour,
    "int_enum": Level,
    "int_flag": Rights,
    "literal": Literal["a", 3, None],
    "optional": int | None,
    "union": int | str | list[float] | None,
    "bounded": Annotated[int, msgspec.Meta(ge=0, lt=100)],
    "new_type": Identity,
    "datetime": datetime.datetime,
    "date": datetime.date,
    "time": datetime.time,
    "timedelta": datetime.timedelta,
    "decimal": decimal.Decimal,
    "uuid": uuid.UUID,
    "raw": msgspec.Raw,
    "struct": Point,
    "structs": dict[str, list[Point]],
    "checked": Even,
    "tagged": Circle | int,
    "tagged_arrays": Line | Square,
    "dataclass": Mob,
    "named_tuple": Pair,
    "typed_dict": Options,
    "view_in_struct": list[Picture],
    "views": list[memoryview],
    "path": pathlib.PurePath,
    "array": npt.NDArray[np.float64],
    "arrays": dict[str, np.ndarray],
    "scalar": np.float64,
    "scalars": tuple[np.int32 | None, np.bool_],
    "registered": list[Own],
    "plain_array": array.array,
    "complex": complex,
    "range": range,
    "arrays_in_struct": Mesh | None,
}


def _declare(name: str, argument: Any, result: Any) -> Callable[..., Any]:
    def call(value: Any) -> Any:
        return value

    call.__name__ = call.__qualname__ = name
    call.__annotations__ = {"value": argument, "return": result}
    return cr.async_task(call)


for _name, _kind in KINDS.items():
    for _call in (_declare(f"take_{_name}", _kind, _kind), _declare(f"give_{_name}", Any, _kind)):
        globals()[_call.__name__] = _call


class Refused(Exception):
    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.code = code


class Unusual(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError


class Remarkable(ValueError):
    """Has notes."""

    def __init__(self) -> None:
        super().__init__("remarkable")
        self.add_note("a note")


ERRORS: list[Callable[[], BaseException]] = [
    ValueError,
    lambda: KeyError("name", 3),
    lambda: FileNotFoundError(2, "No such file", "name"),
    lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "reason"),
    lambda: Refused("reason", code=3),
    lambda: ExceptionGroup("several", [ValueError(1), Refused("reason", 4)]),
    lambda: LookupError(print),
    lambda: ValueError("\udcff"),
    lambda: StopIteration(3),
    lambda: cr.WorkerDied("by itself"),
    GeneratorExit,
    lambda: cr.Cancelled("by itself"),
    Unusual,
    Remarkable,
]


@cr.async_task
def fail(which: int) -> None:
    raise ERRORS[which]()


@cr.async_task
def unusable(value: NoSuchType) -> int:  # type: ignore[name-defined]  # noqa: F821
    return 1


@cr.async_task
def change(value: list[int], *, also: bool = True) -> int:
    value.append(also)
    return sum(value)


@cr.async_task
async def nested(value: list[int]) -> list[int]:
    return [await change(value), await change(value, also=False), *value]
