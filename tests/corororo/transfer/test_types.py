"""Values of all kinds, there and back: what arrives as it was, what changes, what is refused."""

from __future__ import annotations

import array
import collections
import dataclasses
import datetime
import decimal
import enum
import functools
import pathlib
import subprocess
import sys
import threading
import uuid
import zoneinfo
from collections.abc import Callable, Iterable
from typing import Any, Generic, NamedTuple, TypedDict, TypeVar

import attrs
import msgspec
import numpy as np
import numpy.typing as npt
import pytest

import corororo as cr

T = TypeVar("T")


class Point(msgspec.Struct, frozen=True):
    x: int


class Mob(msgspec.Struct):
    at: Point
    path: list[Point] = []


class Boss(Mob):
    health: int = 9


class Cat(msgspec.Struct, tag=True):
    name: str


class Tiger(Cat, tag=True):
    stripes: int = 5


@dataclasses.dataclass
class Visit:
    place: Point
    when: datetime.datetime | None = None


@dataclasses.dataclass
class LongVisit(Visit):
    days: int = 2


class Step(NamedTuple):
    x: int
    y: int


class Options(TypedDict):
    speed: int


class Tree(msgspec.Struct):
    value: object
    left: Tree | None = None
    right: list[Tree] = []


class Box(msgspec.Struct, Generic[T]):
    content: T


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Rights(enum.IntFlag):
    READ = 1
    WRITE = 2


class Picture(msgspec.Struct):
    pixels: memoryview


class Mesh(msgspec.Struct):
    points: npt.NDArray[np.float64]
    scale: np.float32
    file: pathlib.Path | None = None


@attrs.define
class Door:
    at: Point
    is_open: bool = attrs.field(default=False, alias="open")


@attrs.define
class Chest(Door):
    _gold: int = 0


class Route:
    def __init__(self, stops: Any) -> None:
        self.stops = stops

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Route) and bool(np.all(self.stops == other.stops))

    __hash__ = None  # type: ignore[assignment]


class LongRoute(Route):
    pass


cr.register_type(Route, encode=lambda route: route.stops, decode=Route)

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
NOON = datetime.datetime(2026, 3, 1, 12)
DOUBLES = memoryview(array.array("d", [1.5, 2.5]))


def with_annotation(kind: Any) -> Callable[[Any], Any]:
    """An AsyncTask that takes what is annotated and returns it."""

    def probe(value: Any) -> Any:
        return value

    probe.__annotations__ = {"value": kind, "return": kind}
    probe.__qualname__ = "probe"
    globals()["probe"] = function = cr.async_task(probe)
    return function


def trip(value: Any, kind: Any) -> Any:
    with cr.Scheduler() as scheduler:
        return scheduler.run(with_annotation(kind)(value))


SAME: list[tuple[Any, Any]] = [
    (None, None),
    (True, bool),
    (2**64 - 1, int),
    (0.1, float),
    ("ä", str),
    (b"a", bytes),
    (bytearray(b"a"), bytearray),
    ({"a": [(1, {2.0})]}, dict[str, list[tuple[int, set[float]]]]),
    ([None, True, 1, 0.1, "a", b"a", {"b": [1], (1, "c"): 2}], Any),
    ([1, {"a": [2]}], object),
    (Mob(Point(1), [Point(2)]), Mob),
    ([Cat("a"), Tiger("b")], list[Cat | Tiger]),
    ({"a": Visit(Point(1), NOON)}, dict[str, Visit]),
    (Box([Point(1)]), Box[list[Point]]),
    (Step(1, 2), Step),
    (Door(Point(1), True), Door),
    ({"speed": 1}, Options),
    (Tree(1, Tree([2]), [Tree("a")]), Tree),
    (functools.reduce(lambda tree, _: Tree(1, tree), range(300), None), Tree | None),
    (Colour.RED, Colour),
    (Level.LOW, Level),
    (Rights.READ | Rights.WRITE, Rights),
    (NOON, datetime.datetime),
    (NOON.astimezone(datetime.UTC), datetime.datetime),
    (datetime.time(1, tzinfo=datetime.timezone(datetime.timedelta(hours=2))), datetime.time),
    (NOON.date(), datetime.date),
    (datetime.timedelta(1, 2, 3), datetime.timedelta),
    (uuid.UUID(int=5), uuid.UUID),
    (decimal.Decimal("1.50"), decimal.Decimal),
    (memoryview(b"abc"), memoryview),
    (memoryview(b"abcdef")[::2], memoryview),
    (DOUBLES, memoryview),
    ({"a": (DOUBLES, memoryview(b"a"))}, dict[str, tuple[memoryview, memoryview | None]]),
    (memoryview(np.arange(6).reshape(2, 3)), memoryview),
    (memoryview(array.array("d")), memoryview),
    (Picture(memoryview(b"abc")), Picture),
    (array.array("d", [1.5]), array.array),
    (pathlib.Path("/a"), pathlib.Path),
    (pathlib.Path("a\udcff"), pathlib.Path),
    (pathlib.PurePosixPath("/a"), pathlib.PurePath),
    (pathlib.PureWindowsPath("c:/a"), pathlib.PureWindowsPath),
    ({pathlib.Path("/a"): 1j}, dict[pathlib.Path, complex]),
    (range(1, 9, 2), range),
    (np.float64(0.1), np.float64),
    (np.int8(3), np.int8),
    (np.bool_(True), np.bool_),
    (np.complex64(1j), np.complex64),
    (np.datetime64(5, "ns"), np.datetime64),
    (np.longdouble(1) / 3, np.longdouble),
    (Route([1, 2]), Route),
    ([Route(np.arange(3)), pathlib.Path("/a"), 1j], Any),
]
CHANGED: list[tuple[Any, Any, Any]] = [
    (1, float, 1.0),
    (Level.LOW, int, 1),
    (Colour.RED, str, "red"),
    (Rights.READ, int | None, 1),
    (Level.LOW, Cat | int, 1),
    (np.float64(0.5), float, 0.5),
    (np.int32(3), int, 3),
    (np.int32(3), float, 3.0),
    (np.bool_(True), bool, True),
    (np.str_("a"), str, "a"),
    (np.complex64(1j), complex, 1j),
    ([np.float32(0.5)], list[float], [0.5]),
    (np.float64(0.5), Mob | float, 0.5),
    (np.int8(3), Mob | int, 3),
    (0.5, np.float32, np.float32(0.5)),
    ([1, 2], tuple[int, int], (1, 2)),
    ((1, 2), list[int], [1, 2]),
    ((Point(1),), list[Point], [Point(1)]),
    ({1}, frozenset[int], frozenset({1})),
    (Step(1, 2), tuple[int, int], (1, 2)),
    (collections.OrderedDict(a=1), dict[str, int], {"a": 1}),
    (collections.defaultdict(list, a=Point(1)), dict[str, Point], {"a": Point(1)}),
    (NOON.date(), str, "2026-03-01"),
    (decimal.Decimal("1.50"), str, "1.50"),
    (bytearray(b"a"), bytes, b"a"),
    (memoryview(b"a"), bytes, b"a"),
]


def is_same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and a == b


@pytest.mark.parametrize(("value", "kind"), SAME)
def test_what_travels_arrives_as_it_was(value: Any, kind: Any) -> None:
    got = trip(value, kind)
    assert is_same(got, value)
    if isinstance(value, memoryview):
        assert (got.format, got.shape) == (value.format, value.shape)


@pytest.mark.parametrize(("value", "kind", "expected"), CHANGED)
def test_what_stands_for_a_plain_type_arrives_as_the_annotated_type(
    value: Any, kind: Any, expected: Any
) -> None:
    assert is_same(trip(value, kind), expected)


REFUSED: list[tuple[Any, Any, str]] = [
    (Boss(Point(1)), Mob, "value has type {m}.Boss where {m}.Mob is annotated, and would lose"),
    ([Mob(Point(1)), Boss(Point(1))], list[Mob], "value[1] has type {m}.Boss where {m}.Mob is"),
    ({"a": (1, Boss(Point(1)))}, dict[str, tuple[int, Mob]], "value['a'][1] has type {m}.Boss"),
    ({Point(1): Boss(Point(1))}, dict[Point, Mob | None], "where {m}.Mob | None is annotated"),
    (Tiger("a"), Cat, "annotate {m}.Tiger, or a union of Structs with tags"),
    (LongVisit(Point(1)), Visit, "value has type {m}.LongVisit where {m}.Visit"),
    (Box(Boss(Point(1))), Box[Mob], "value.content has type {m}.Boss where {m}.Mob is annotated"),
    (
        Tree(1, Tree((1,))),
        Tree,
        "value.left.value has type tuple where Any or nothing is annotated",
    ),
    ({"x": 1}, Point, "value has type dict where {m}.Point is annotated; pass that, or annotate"),
    (None, Point, "value has type None where {m}.Point is annotated"),
    ((1, 2), Step, "value has type tuple where {m}.Step is annotated"),
    ({"speed": 1, "size": 2}, Options, "value has keys that {m}.Options does not have"),
    (collections.Counter(size=2), Options, "would arrive without them: 'size'"),
    ("red", Colour, "value has type str where {m}.Colour is annotated"),
    (1, Level, "value has type int where {m}.Level is annotated"),
    ("2026-03-01", datetime.date, "value has type str where datetime.date is annotated"),
    (NOON.replace(tzinfo=BERLIN), datetime.datetime, "value has the time zone Europe/Berlin"),
    (Visit(Point(1), NOON.replace(tzinfo=BERLIN)), Visit, "value.when has the time zone Europe"),
    (datetime.time(1, tzinfo=BERLIN), datetime.time, "value has the time zone Europe/Berlin"),
    (
        (1, 2),
        Any,
        "value has type tuple where Any or nothing is annotated, and would arrive as list; ",
    ),
    ({"a": [{1}]}, Any, "value['a'][0] has type set where Any or nothing is annotated"),
    (
        {"a": Point(1)},
        object,
        "value['a'] has type {m}.Point where Any or nothing is annotated, and would",
    ),
    ([Step(1, 2)], list, "value[0] has type {m}.Step where Any or nothing is annotated"),
    (
        {Level.LOW: 1},
        dict,
        "value's key <Level.LOW: 1> has type {m}.Level where Any or nothing is annotated",
    ),
    (collections.OrderedDict(), Any, "would arrive as dict; convert it to dict"),
    (NOON, Any, "would arrive as str; annotate datetime.datetime"),
    (bytearray(b"a"), Any, "would arrive as bytes; annotate bytearray"),
    (np.float64(1), Any, "would arrive as float; annotate numpy.float64"),
    (Picture(DOUBLES), Picture, "value.pixels is a memoryview of format 'd' and shape (2,)"),
    (memoryview(np.zeros(2, ">f8")), memoryview, "value is a memoryview of format '>d'"),
    (np.array([None]), np.ndarray, "value: an array of dtype object cannot be encoded"),
    (np.zeros(2, "i4,f8"), np.ndarray, "value: an array of dtype [('f0'"),
    ([np.ma.masked_array([1])], Any, "value[0]: a numpy.ma.MaskedArray cannot be encoded"),
    (np.zeros(2), npt.NDArray[np.int64], "an array of dtype `int64`, got one of `float64` - at `v"),
    (Mesh(np.zeros(2, int), np.float32(1)), Mesh, "got one of `int64` - at `value.points`"),
    (np.zeros(2), list[float], "Expected `list, tuple or set`, got `numpy.ndarray or"),
    ({1: 2}, list[int] | None, "Expected `list, tuple or set | None`, got `dict` - at `value`"),
    (np.memmap(__file__, "u1", "r"), Any, "numpy.memmap cannot be encoded; pass numpy.asarray of"),
    (memoryview(np.zeros((0, 2))), memoryview, "of format 'd' and shape (0, 2), and would arrive"),
    (np.float64(1), int, "Expected `int`, got `float` - at `value`"),
    (0.5, np.int8, "Expected `numpy.int8`, got `float` - at `value`"),
    ("a", pathlib.Path, "Expected `Path`, got `str` - at `value`"),
    (LongRoute([1]), Route, "value: a {m}.LongRoute cannot be encoded"),
    (2**64, int, "value: can't serialize ints"),
]


@pytest.mark.parametrize(("value", "kind", "message"), REFUSED)
def test_what_would_change_is_refused_with_its_path(value: Any, kind: Any, message: str) -> None:
    with pytest.raises(TypeError) as refusal:
        trip(value, kind)
    assert message.format(m=__name__) in str(refusal.value)


def test_attributes_beside_the_fields_stay_behind() -> None:
    visit = Visit(Point(1))
    visit.guests = 3  # type: ignore[attr-defined]
    assert vars(trip(visit, Visit)) == {"place": Point(1), "when": None}


@cr.async_task
def make(name: str) -> Mob | None:
    return {"boss": Boss(Point(1)), "mob": Mob(Point(1))}.get(name)


def test_a_result_that_would_change_fails_its_call_alone() -> None:
    with cr.Scheduler() as scheduler:
        assert scheduler.run(make.map(["mob", "none"])) == [Mob(Point(1)), None]
        with pytest.raises(TypeError, match=r"the result of .*:make has type .*Boss where .*Mob"):
            scheduler.run(make.map(["mob", "boss"]))


# -- arrays

ARRAYS = [
    np.arange(6.0).reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(10)[::2],
    np.arange(10)[::-1],
    np.array(3.0),
    np.zeros((0, 3)),
    np.arange(3).astype(">i4"),
    np.array(["2026-03-01", "NaT"], "M8[D]"),
    np.array([5], "m8[ns]"),
    np.array([True, False]),
    np.array([1j]),
    np.array(["ab", "c"]),
    np.array([b"ab"]),
    np.zeros(3, np.float16),
]


@pytest.mark.parametrize("kind", [np.ndarray, npt.NDArray[Any], Any], ids=str)
@pytest.mark.parametrize("value", ARRAYS, ids=lambda value: f"{value.dtype}{value.shape}")
def test_arrays_arrive_equal(value: npt.NDArray[Any], kind: Any) -> None:
    got = trip(value, kind)
    assert (type(got), got.dtype, got.shape) == (np.ndarray, value.dtype, value.shape)
    assert got.tobytes() == value.tobytes()


def test_arrays_show_the_reply_read_only_and_aligned() -> None:
    values = [np.arange(100.0), np.zeros(3, np.int8), np.ones(50)]
    for got in trip(values, list[np.ndarray]):
        assert not got.flags.writeable
        assert not got.flags.owndata
        assert got.flags.aligned


def test_arrays_and_scalars_travel_in_fields() -> None:
    mesh = trip(Mesh(np.ones(3), np.float32(0.5), pathlib.Path("/a")), Mesh)
    assert (mesh.points.tolist(), mesh.scale, mesh.file) == ([1.0] * 3, 0.5, pathlib.Path("/a"))
    assert type(mesh.scale) is np.float32


def test_numpy_is_not_imported_by_the_library() -> None:
    program = "import sys, corororo; print('numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


# -- annotations and registered types


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (threading.Lock, "argument value of probe cannot travel as"),
        (list[LongRoute], "msgspec does not know {m}.LongRoute; annotate another type, or let it"),
        (Iterable[int], "msgspec does not know collections.abc.Iterable; annotate another type"),
        (np.floating, "no value has this type; annotate numpy.float64"),
        (np.ndarray | int, "Type unions containing a custom type"),
        (Boss | Mob, "all Struct types must be tagged"),
        (list[Chest], "of an attrs class, msgspec would leave out {m}.Chest._gold; rename it"),
        (Callable[[int], int], "msgspec does not know collections.abc.Callable"),
    ],
)
def test_an_annotation_that_nothing_can_carry_is_refused_at_decoration(
    kind: Any, message: str
) -> None:
    with pytest.raises(TypeError) as refusal:
        with_annotation(kind)
    assert "argument value of probe cannot travel as" in str(refusal.value)
    assert message.format(m=__name__) in str(refusal.value)


class Early(msgspec.Struct):
    late: Late  # noqa: F821 - defined later


def test_names_that_are_defined_later_are_left_to_the_first_call() -> None:
    class Unknown: ...

    function = with_annotation(list[Early])
    globals()["Late"] = Unknown
    with (
        cr.Scheduler() as scheduler,
        pytest.raises(TypeError, match="msgspec does not know"),
    ):
        scheduler.run(function([]))


@pytest.mark.parametrize("kind", [Mob, dict, collections.OrderedDict, Level, datetime.date, 5])
def test_only_what_msgspec_does_not_know_can_be_registered(kind: Any) -> None:
    with pytest.raises(TypeError, match="register"):
        cr.register_type(kind, encode=list, decode=kind)
