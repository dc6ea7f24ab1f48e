"""Places for what is out, used again and again, and functions by number. Knows no way to workers.

A handle is the index of a place and, above it, which of its tenants is meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import corororo as cr

from .answers import ENCODER, Codec, Sent, as_request, codec_of

NEXT_VERSION = 1 << 32
HANDLES = 1 << 64


class Place(Sent):
    """What one message needs at home; for one after another."""

    __slots__ = ("handle",)

    def __init__(self, index: int) -> None:
        self.handle = index

    @property
    def index(self) -> int:
        """Which place it is."""
        return self.handle % NEXT_VERSION


class Places:
    """A fixed number of them."""

    def __init__(self, count: int) -> None:
        self._places = [Place(index) for index in range(count)]
        self._free = list(self._places)

    def occupied(self) -> Iterable[Sent]:
        """Those that are not free."""
        free = set(self._free)
        return [place for place in self._places if place not in free]

    def occupy(self, codec: Codec, ticket: object, start: int, calls: int) -> Place:
        """A free place, under its next handle."""
        place = self._free.pop()
        place.handle = (place.handle + NEXT_VERSION) % HANDLES
        place.fill(codec, ticket, start, calls)
        return place

    def vacate(self, handle: int) -> Place:
        """The place is free; what stands in it is good until the next ``occupy``."""
        place = self._places[handle % NEXT_VERSION]
        if place.handle != handle:
            raise cr.StaleHandle(f"handle {handle:#x}: its place is at {place.handle:#x} by now")
        self._free.append(place)
        return place


class Numbers:
    """The functions that the worker of a line knows by number, and memory for their requests."""

    def __init__(self) -> None:
        self._known: dict[cr.AsyncTaskFunction[..., Any], tuple[Codec, int]] = {}
        self.buffer = bytearray()

    def encode(
        self, function: cr.AsyncTaskFunction[..., Any], calls: Sequence[Any], offset: int
    ) -> tuple[Codec, int, bytes]:
        """Fill the buffer from ``offset``: the name where the worker wants it, then the calls.

        Gives the number of the function, and the name that stands there. What was sent is to be
        told to ``learned``.
        """
        known = self._known.get(function)
        name = b"" if known else function.name.encode()
        codec, number = known or (codec_of(function), len(self._known))
        ENCODER.encode_into(as_request(calls), self.buffer, offset + len(name))
        if name:
            self.buffer[offset : offset + len(name)] = name
        return codec, number, name

    def learned(self, function: cr.AsyncTaskFunction[..., Any], codec: Codec, number: int) -> None:
        """The worker has been told the name that goes with a number."""
        self._known[function] = codec, number
