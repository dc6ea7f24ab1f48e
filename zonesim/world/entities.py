"""State of the mobs and players of a zone, as arrays.

One array per property, not one object per entity: a tick copies, hashes and saves the arrays
as bytes, which costs microseconds for hundreds of entities.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from math import sqrt
from typing import Any, Final

import msgspec

CELL_UNITS: Final = 5.0  # side of a map cell; a 64x64 map is 320 units wide

# States of an entity. A chase begins at rest or while roaming, and ends with the walk home.
REST: Final = 0
ROAM: Final = 1
CHASE: Final = 2
RETURN: Final = 3

# What changes over a zone's life, with the array's item type. Hashed and saved in this order.
_CHANGING: Final = {
    "x": "d",  # units
    "y": "d",  # units
    "state": "B",
    "wake": "q",  # the tick at which a rest ends
    "goal": "q",  # the cell that the path leads to
    "aim_x": "d",  # units: where the chased player stood when the path was asked for
    "aim_y": "d",
    "target": "q",  # number of the chased player
    "draws": "Q",  # state of the entity's own random stream
    "at": "q",  # index of the next cell within the path
}


class SavedEntities(msgspec.Struct, frozen=True):
    """The changing state of all entities; arrays as their bytes, native-endian."""

    arrays: list[bytes]
    paths: list[bytes]  # packed uint32 cells; empty when the entity follows none


class Entities:
    """Mobs, then players, each a number from 0; entity ``mobs + p`` is player p."""

    __slots__ = (*_CHANGING, "aggressive", "home", "mobs", "paths", "players")

    x: array[float]
    y: array[float]
    state: array[int]
    wake: array[int]
    goal: array[int]
    aim_x: array[float]
    aim_y: array[float]
    target: array[int]
    draws: array[int]
    at: array[int]

    def __init__(self, mobs: int, players: int) -> None:
        self.mobs = mobs
        for name, kind in _CHANGING.items():
            setattr(self, name, array(kind))
        # Made from the seed, never changed after: neither hashed nor saved.
        self.home = array("q")  # cell; of mobs only
        self.aggressive = bytearray()
        self.paths: list[memoryview[int] | None] = []
        self.set_players(players)

    def __len__(self) -> int:
        return self.mobs + self.players

    def set_players(self, players: int) -> None:
        """Change the number of players: the last ones go, or new ones come, all zeros.

        The arrays stay the same objects, so references to them remain valid.
        """
        self.players = players
        count = len(self)
        for values in (*self.changing(), self.home):
            del values[count:]
            values.frombytes(bytes(values.itemsize * (count - len(values))))
        del self.aggressive[count:], self.paths[count:]
        self.aggressive.extend(bytes(count - len(self.aggressive)))
        self.paths.extend([None] * (count - len(self.paths)))

    def place(self, i: int, cell: int, columns: int) -> None:
        """Stand an entity in the middle of a cell of a map that is so many columns wide."""
        y, x = divmod(cell, columns)
        self.x[i] = (x + 0.5) * CELL_UNITS
        self.y[i] = (y + 0.5) * CELL_UNITS

    def walk(self, i: int, step: float, columns: int) -> bool:
        """Move an entity by ``step`` units along its path; tell whether its end is reached.

        ``columns`` is the width of the map in cells.
        """
        path = self.paths[i]
        at = self.at[i]
        if path is None or at >= len(path):
            return True
        # The hot loop of a tick: about one cell each time.
        x, y = self.x[i], self.y[i]
        while True:
            row, column = divmod(path[at], columns)
            next_x, next_y = (column + 0.5) * CELL_UNITS, (row + 0.5) * CELL_UNITS
            dx, dy = next_x - x, next_y - y
            distance = sqrt(dx * dx + dy * dy)
            if distance > step:
                share = step / distance
                x += dx * share
                y += dy * share
                break
            x, y = next_x, next_y
            step -= distance
            at += 1
            if at == len(path):
                break
        self.x[i], self.y[i], self.at[i] = x, y, at
        return at == len(path)

    def changing(self) -> Iterator[array[Any]]:
        """Yield the arrays that make up the state, always in the same order."""
        for name in _CHANGING:
            yield getattr(self, name)

    def save(self) -> SavedEntities:
        """Return a copy of the changing state."""
        paths = [b"" if path is None else bytes(path) for path in self.paths]
        arrays = [values.tobytes() for values in self.changing()]
        return SavedEntities(arrays, paths)

    def load(self, saved: SavedEntities) -> None:
        """Take over a saved state with the same number of mobs and any number of players."""
        self.set_players(len(saved.paths) - self.mobs)
        for values, data in zip(self.changing(), saved.arrays, strict=True):
            values[:] = array(values.typecode, data)
        self.paths[:] = [memoryview(path).cast("I") if path else None for path in saved.paths]
