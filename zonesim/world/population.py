"""The entities of a zone as an hour would have left them, drawn from its seed.

The figures below were measured in zones of the default size, whose states no longer drift after
200 ticks.
"""

from __future__ import annotations

from array import array
from math import dist, inf, sqrt
from typing import Final, NamedTuple

from .behaviour import LEASH_UNITS, Behaviour
from .determinism import Random, derive
from .entities import CELL_UNITS, CHASE, RETURN, ROAM
from .graph_file import ZoneGraph

_PLACES: Final = 0  # names of the derived random streams; .players has the next one
_ENTITY: Final = 1
AGGRESSIVE_PERCENT: Final = 15
MOB_WALK_UNITS: Final = 53.0  # mean length of a walk
PLAYER_WALK_UNITS: Final = 78.0
RETURNING: Final = 6  # one in so many aggressive mobs is on its way home
CHASED_UNITS: Final = (50.0, 75.0)  # how far from its home a mob chases a player
BEHIND_UNITS: Final = (4.5, 6.6)  # how far behind its player a chaser is
WALKED_UNITS: Final = (6.6, 16.6)  # what a player has walked: far enough for those behind it
_LINES: Final = 8  # of a way, at most


class Way(NamedTuple):
    """Connected cells, and how far along them an entity is."""

    cells: array[int]
    walked: float  # units


class Population:
    """Places all entities of a zone by its seed, in the largest connected region."""

    def __init__(self, behaviour: Behaviour, graph: ZoneGraph, seed: int) -> None:
        self._behaviour = behaviour
        self._entities = behaviour.entities
        self._graph = graph
        self._seed = seed
        self._random = Random(derive(seed, _PLACES))

    def place_all(self) -> None:
        """Place the players first: they decide what aggressive mobs do."""
        entities, random = self._entities, self._random
        ways = [self._place_player(i) for i in range(entities.mobs, len(entities))]
        for i in range(entities.mobs):
            self._create(i)
            entities.aggressive[i] = random.below(100) < AGGRESSIVE_PERCENT
            if not (entities.aggressive[i] and self._hunt(i, ways)):
                self._place_mob(i)

    def _place_mob(self, i: int) -> None:
        entities = self._entities
        if not entities.aggressive[i]:  # an aggressive one stays where it sees no player
            entities.place(i, self._behaviour.roam_goal(i), self._graph.width)
        left = self._draw_walk(i, MOB_WALK_UNITS)
        if left:
            self._set_out(i, ROAM, self._find_way(i, left).cells)

    def _place_player(self, i: int) -> Way:
        """Place a player on its way, or where that ends."""
        self._create(i)
        left = self._draw_walk(i, PLAYER_WALK_UNITS)
        walked = self._between(WALKED_UNITS)
        way, units = self._find_way(i, walked + left)
        if left:
            self._set_out(i, ROAM, way, walked)
            return Way(way, walked)
        self._entities.place(i, way[-1], self._graph.width)
        return Way(way, units)

    def _create(self, i: int) -> None:
        cell = self._graph.main_cell(self._random.bits())
        self._entities.place(i, cell, self._graph.width)
        self._entities.home[i] = cell
        self._entities.draws[i] = derive(self._seed, _ENTITY, i)

    def _draw_walk(self, i: int, mean_units: float) -> float:
        """Draw a moment of a walk or of the rest after it.

        Returns how far an entity still walks: 0 where it rests. Walks have any length up to twice
        the mean, and rests any from low to high; a longer one is met more often.
        """
        low, high = self._behaviour.rest_ticks(i)
        walk_ticks = mean_units / self._behaviour.step_units(i)
        moment = self._share() * (walk_ticks + (low + high) / 2)
        if moment < walk_ticks:
            return 2 * mean_units * (1 - sqrt(1 - moment / walk_ticks))
        left, span = moment - walk_ticks, high - low
        if left > low:
            left = high - sqrt(span * span - 2 * span * (left - low))
        self._entities.wake[i] = int(left)
        return 0.0

    def _hunt(self, i: int, ways: list[Way]) -> bool:
        """Have an aggressive mob return home or chase the player that is nearest, if any is."""
        entities = self._entities
        if self._random.below(RETURNING) == 0:
            self._return(i)
            return True
        here = entities.x[i], entities.y[i]
        players = range(entities.mobs, len(entities))
        distances = [dist(here, (entities.x[p], entities.y[p])) for p in players]
        nearest = min(distances, default=LEASH_UNITS)
        if nearest >= self._between(CHASED_UNITS):
            return False
        target = distances.index(nearest)
        self._chase(i, target, ways[target])
        return True

    def _return(self, i: int) -> None:
        home = self._entities.home[i]
        away = self._behaviour.cell_near(i, home, int(LEASH_UNITS / CELL_UNITS))
        way = array("I", [home])
        units = self._lead(way, away, inf)
        way.reverse()
        self._set_out(i, RETURN, way, self._share() * units)

    def _chase(self, i: int, target: int, way: Way) -> None:
        """Put a mob behind its player, on a path to where that was one to three ticks ago."""
        entities, behaviour = self._entities, self._behaviour
        player = entities.mobs + target
        step = behaviour.step_units(player) if entities.state[player] == ROAM else 0.0
        self._set_out(i, CHASE, way.cells, way.walked - step * self._random.between(1, 3))
        entities.target[i] = target
        entities.aim_x[i], entities.aim_y[i] = entities.x[i], entities.y[i]
        end = entities.at[i]
        end += way.cells[end : end + 1] == array("I", [behaviour.cell(i)])
        self._set_out(i, CHASE, way.cells[:end], way.walked - self._between(BEHIND_UNITS))

    def _set_out(self, i: int, state: int, way: array[int], walked: float = 0.0) -> None:
        """Have an entity follow a way of which it has walked so many units."""
        entities, width = self._entities, self._graph.width
        entities.place(i, way[0], width)
        entities.state[i], entities.goal[i], entities.at[i] = state, way[-1], 1
        entities.paths[i] = memoryview(way)
        entities.walk(i, max(0.0, walked), width)  # a way may be shorter than wanted

    def _find_way(self, i: int, units: float) -> Way:
        """A way so long, or a step longer, from an entity to places that it might go to."""
        way, found = array("I", [self._behaviour.cell(i)]), 0.0
        for _ in range(_LINES):
            found += self._lead(way, self._behaviour.roam_goal(i), units - found)
            if found >= units:
                break
        return Way(way, found)

    def _lead(self, way: array[int], goal: int, units: float) -> float:
        """Lead a way to the goal, until something is in the way or it is so much longer."""
        is_free, width = self._graph.in_main, self._graph.width
        y, x = divmod(way[-1], width)
        goal_y, goal_x = divmod(goal, width)
        led = 0.0
        while led < units:
            dx, dy = (goal_x > x) - (goal_x < x), (goal_y > y) - (goal_y < y)
            aside, ahead = dx and is_free(x + dx, y), dy and is_free(x, y + dy)
            if aside and ahead and is_free(x + dx, y + dy):
                x, y = x + dx, y + dy
                led += CELL_UNITS * sqrt(2.0)
            elif aside:
                x += dx
                led += CELL_UNITS
            elif ahead:
                y += dy
                led += CELL_UNITS
            else:
                break
            way.append(y * width + x)
        return led

    def _share(self) -> float:
        """A number from 0 to below 1."""
        return (self._random.bits() >> 11) / (1 << 53)

    def _between(self, bounds: tuple[float, float]) -> float:
        low, high = bounds
        return low + self._share() * (high - low)
