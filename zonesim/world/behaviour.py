"""What mobs and players do in a tick.

A Task changes only its own entity and sees the players where they were when the tick began, so
the outcome is the same in whatever order the paths come back.
"""

from __future__ import annotations

from array import array
from typing import Final

import corororo as cr

from .determinism import advance, mix
from .entities import CELL_UNITS, CHASE, REST, RETURN, ROAM, Entities
from .graph_file import ZoneGraph
from .grid import NO_PLAYER, Grid

MOB_SPEED: Final = 5.0  # units a second
PLAYER_SPEED: Final = 4.0  # units a second: a chased player is caught
MOB_REST_S: Final = (10.0, 30.0)
PLAYER_REST_S: Final = (5.0, 20.0)
MOB_ROAM_CELLS: Final = 8  # each way from home
PLAYER_ROAM_CELLS: Final = 16  # each way from where the player stands
LOOK_TICKS: Final = 4  # an aggressive mob looks around in every fourth tick
REACH_UNITS: Final = 5.0  # a chaser this near has caught its player
REPATH_UNITS: Final = 2.5  # a target this far from where the path leads needs a new path
LEASH_UNITS: Final = 75.0  # a chaser this far from home gives up
SIGHT_UNITS: Final = 60.0  # a player this far from its chaser is lost
_DRAWS: Final = 8  # of a cell, until one is connected
_NO_GOAL: Final = -1


@cr.async_task
def find_path(graph: str, start: int, goal: int) -> bytes:
    """Return a shortest path from one cell to another, both included.

    ``graph`` is the path of a graph file. The cells are packed uint32 in native byte order, so
    that ``memoryview(result).cast("I")`` reads them without a copy; ``b""`` means that start and
    goal are not connected.
    """
    # Imported here: zones import this module, and do without scipy.
    from .search import search_path

    return search_path(graph, start, goal)


class Behaviour:
    """The rules of one zone, over its entities and its map."""

    def __init__(
        self, entities: Entities, graph: ZoneGraph, graph_path: str, period_s: float
    ) -> None:
        self.entities = entities
        self._graph = graph
        self._graph_path = graph_path
        self._grid = Grid(graph.width * CELL_UNITS, graph.height * CELL_UNITS)
        self._steps = (MOB_SPEED * period_s, PLAYER_SPEED * period_s)
        self._rests = (_ticks(MOB_REST_S, period_s), _ticks(PLAYER_REST_S, period_s))
        self._decide = {
            REST: self._rest,
            ROAM: self._roam,
            CHASE: self._chase,
            RETURN: self._return,
        }
        self._tick = 0
        self._player_x = entities.x[:0]
        self._player_y = entities.y[:0]
        self.waiting = bytearray(len(entities))  # 1 while an entity's path is being found
        # By entity: the number of the call of fit() that it arrived with. It shows that a reused
        # entity number stands for another entity.
        self._arrivals = array("Q", bytes(8 * len(entities)))
        self._arrival = 0

    def begin_tick(self, number: int) -> None:
        """Record where the Tasks of this tick see the players."""
        entities = self.entities
        self._tick = number
        self._player_x = entities.x[entities.mobs :]
        self._player_y = entities.y[entities.mobs :]
        self._grid.rebuild(self._player_x, self._player_y)

    def fit(self) -> None:
        """Adjust to a changed number of players; called between two ticks."""
        count = len(self.entities)
        del self.waiting[count:], self._arrivals[count:]
        more = count - len(self.waiting)
        self._arrival += 1
        self.waiting.extend(bytes(more))
        self._arrivals.extend([self._arrival] * more)

    async def think(self, i: int) -> None:
        """Run one entity's tick; wait for a path only where its state asks for a new one."""
        entities = self.entities
        goal = self._decide[entities.state[i]](i)
        if goal == _NO_GOAL:
            return
        entities.goal[i] = goal
        entities.paths[i] = None
        self.waiting[i] = 1
        arrival = self._arrivals[i]
        try:
            path = await find_path(self._graph_path, self.cell(i), goal)
        finally:
            gone = i >= len(self._arrivals) or self._arrivals[i] != arrival
            if not gone:
                self.waiting[i] = 0
        if gone:
            return  # it left while its path was out; its number may stand for another entity now
        # The first cell is the one stood in. Walking on to the second from anywhere within the
        # first stays on cells that the rules of movement keep free.
        entities.paths[i] = memoryview(path).cast("I") if path else None
        entities.at[i] = 1
        self._walk(i)

    # Each decision returns the cell to find a path to, or _NO_GOAL.

    def _rest(self, i: int) -> int:
        if self.entities.aggressive[i]:
            player = self._look_around(i)
            if player != NO_PLAYER:
                return self._start_chase(i, player)
        if self._tick < self.entities.wake[i]:
            return _NO_GOAL
        self.entities.state[i] = ROAM
        return self.roam_goal(i)

    def _roam(self, i: int) -> int:
        if self.entities.aggressive[i]:
            player = self._look_around(i)
            if player != NO_PLAYER:
                return self._start_chase(i, player)
        if self._walk(i):
            self._start_rest(i)
        return _NO_GOAL

    def _chase(self, i: int) -> int:
        entities = self.entities
        player = entities.target[i]
        if player == NO_PLAYER or self._far_from_home(i):  # its player has left
            return self._give_up(i)
        x, y = entities.x[i], entities.y[i]
        player_x, player_y = self._player_x[player], self._player_y[player]
        distance = _squared(player_x - x, player_y - y)
        if distance > SIGHT_UNITS * SIGHT_UNITS:
            return self._give_up(i)
        if distance <= REACH_UNITS * REACH_UNITS:
            return _NO_GOAL
        lost = entities.paths[i] is None  # restored from a snapshot taken before the path came
        moved = _squared(player_x - entities.aim_x[i], player_y - entities.aim_y[i])
        if lost or moved > REPATH_UNITS * REPATH_UNITS:
            entities.aim_x[i], entities.aim_y[i] = player_x, player_y
            goal = self._cell_at(player_x, player_y)
            if lost or goal != entities.goal[i]:
                return goal
        self._walk(i)
        return _NO_GOAL

    def _return(self, i: int) -> int:
        if self.entities.paths[i] is None:
            return self.entities.home[i]  # restored from a snapshot taken before the path came
        if self._walk(i):
            self._start_rest(i)
        return _NO_GOAL

    def _look_around(self, i: int) -> int:
        """The player that an aggressive mob would chase. Not all mobs look in the same tick."""
        if (self._tick + i) % LOOK_TICKS:
            return NO_PLAYER
        return self._grid.nearest(self.entities.x[i], self.entities.y[i])

    def _start_rest(self, i: int) -> None:
        self.entities.wake[i] = self._tick + self.draw_rest_ticks(i)
        self.entities.paths[i] = None
        self.entities.state[i] = REST

    def _start_chase(self, i: int, player: int) -> int:
        entities = self.entities
        entities.state[i] = CHASE
        entities.target[i] = player
        entities.aim_x[i], entities.aim_y[i] = self._player_x[player], self._player_y[player]
        return self._cell_at(entities.aim_x[i], entities.aim_y[i])

    def _give_up(self, i: int) -> int:
        self.entities.state[i] = RETURN
        return self.entities.home[i]

    def roam_goal(self, i: int) -> int:
        """Draw a cell in reach around a mob's home or a player's place."""
        mob = i < self.entities.mobs
        middle = self.entities.home[i] if mob else self.cell(i)
        return self.cell_near(i, middle, MOB_ROAM_CELLS if mob else PLAYER_ROAM_CELLS)

    def cell_near(self, i: int, middle: int, radius: int) -> int:
        """Draw a connected cell at most ``radius`` columns and rows from the middle."""
        graph = self._graph
        y, x = divmod(middle, graph.width)
        for _ in range(_DRAWS):
            draw = self._draw(i)
            near_x = x - radius + ((draw >> 32) * (2 * radius + 1) >> 32)
            near_y = y - radius + ((draw & 0xFFFF_FFFF) * (2 * radius + 1) >> 32)
            if graph.in_main(near_x, near_y):
                return near_y * graph.width + near_x
        return middle

    def draw_rest_ticks(self, i: int) -> int:
        """Draw how long an entity rests."""
        low, high = self.rest_ticks(i)
        return low + ((self._draw(i) * (high - low + 1)) >> 64)

    def rest_ticks(self, i: int) -> tuple[int, int]:
        """The shortest and the longest rest of an entity."""
        return self._rests[i >= self.entities.mobs]

    def step_units(self, i: int) -> float:
        """How far an entity walks in a tick."""
        return self._steps[i >= self.entities.mobs]

    def _walk(self, i: int) -> bool:
        """Follow the path for a tick; tell whether its end is reached."""
        return self.entities.walk(i, self._steps[i >= self.entities.mobs], self._graph.width)

    def _far_from_home(self, i: int) -> bool:
        row, column = divmod(self.entities.home[i], self._graph.width)
        dx = (column + 0.5) * CELL_UNITS - self.entities.x[i]
        dy = (row + 0.5) * CELL_UNITS - self.entities.y[i]
        return _squared(dx, dy) > LEASH_UNITS * LEASH_UNITS

    def cell(self, i: int) -> int:
        """The cell that an entity is in."""
        return self._cell_at(self.entities.x[i], self.entities.y[i])

    def _cell_at(self, x: float, y: float) -> int:
        return int(y / CELL_UNITS) * self._graph.width + int(x / CELL_UNITS)

    def _draw(self, i: int) -> int:
        state = advance(self.entities.draws[i])
        self.entities.draws[i] = state
        return mix(state)


def _squared(dx: float, dy: float) -> float:
    return dx * dx + dy * dy


def _ticks(bounds_s: tuple[float, float], period_s: float) -> tuple[int, int]:
    low_s, high_s = bounds_s
    return max(1, round(low_s / period_s)), max(1, round(high_s / period_s))
