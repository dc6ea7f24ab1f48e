"""AsyncTasks with options, and of all kinds of types, for the tests beside."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import os
import time
from typing import Generic, TypeVar

import msgspec

import corororo as cr

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Point(msgspec.Struct, frozen=True):
    x: float
    y: float


@dataclasses.dataclass
class Parcel:
    weight: int
    at: Point
    colour: Colour


class Box(msgspec.Struct, Generic[T]):
    content: T


@cr.async_task(timeout=0.3)
def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@cr.async_task(timeout=0.3)
def spin_for_ever(number: int) -> int:
    return sum(range(10**12)) if number < 0 else number


@cr.async_task
def move(point: Point, dx: float = 1.0, *, dy: float = 0.0) -> Point:
    return Point(point.x + dx, point.y + dy)


@cr.async_task
def repaint(parcel: Parcel, colour: Colour) -> Parcel:
    return dataclasses.replace(parcel, colour=colour)


@cr.async_task
def a_day_later(moment: datetime.datetime) -> datetime.datetime:
    return moment + datetime.timedelta(days=1)


@cr.async_task
def wrap(number: int) -> Box[list[int]]:
    return Box([number])


@cr.async_task
def backwards(data: bytes) -> memoryview:
    return memoryview(data[::-1])


@cr.async_task
def cpus_of_worker() -> list[int]:
    return sorted(os.sched_getaffinity(0))


@cr.async_task
def triple(number: int) -> int:
    if number == 13:
        raise ValueError("13 brings bad luck")
    return 3 * number


@cr.async_task
async def triple_twice(number: int) -> int:
    return await triple(await triple(number))
