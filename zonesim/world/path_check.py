"""Check paths that the workers find against the optima of a Moving AI ``.scen`` file."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import msgspec

import corororo as cr
from zonesim.system.errors import RunFailed, user_text

from .behaviour import find_path
from .map import Map, load_map
from .map_store import write_graph_file
from .scen import Query, load_scen

CHUNK = 32  # queries between two reports of progress
EXAMPLES = 5  # mismatches that are reported one by one

OnCount = Callable[[int, int], None]
OnNote = Callable[[str], None]


class PathReport(msgspec.Struct):
    """What `zonesim paths` reports of one .scen file."""

    map: str
    scen: str
    queries: int
    skipped: int  # rows that start off the ground
    answered: int = 0
    mismatches: int = 0  # answers that are no legal path, or not of the optimal length
    unreachable: int = 0  # answers without a path; mismatches too, since every query has an optimum
    seconds: float = 0.0
    queries_per_s: float = 0.0
    first_mismatches: list[str] = []


def check_queries(
    map_path: Path, scen_path: Path, workers: int, on_progress: OnCount, on_note: OnNote
) -> PathReport:
    """Answer every query through ``workers`` worker processes, and check each path cell by cell.

    Raises MapError or ScenError where a file is not valid, RunFailed where the machine has no
    room for the workers' memory.
    """
    ground, queries, skipped, notes = load_scen(scen_path, load_map(map_path))
    for note in notes:
        on_note(note)
    report = PathReport(map_path.name, scen_path.name, len(queries), skipped)
    try:
        with (
            cr.WorkerPool(workers, name="zonesim", imports=["zonesim.world.search"]) as pool,
            cr.Scheduler(pool, inline="direct") as scheduler,
        ):
            graph = Path(pool.address) / "map.graph"
            write_graph_file(ground, graph)
            began = time.monotonic()
            scheduler.run(_answer_all(ground, str(graph), queries, report, on_progress))
            report.seconds = time.monotonic() - began
    except (cr.SessionError, cr.PoolFailed) as error:
        raise RunFailed(user_text(error)) from None
    report.queries_per_s = report.answered / report.seconds if report.seconds else 0.0
    return report


def path_cost(on_map: Map, cells: Sequence[int]) -> float | None:
    """Return the cost of a path in cells; None where a step is not legal."""
    total = 0.0
    for (x, y), (next_x, next_y) in pairwise(map(on_map.position, cells)):
        cost = on_map.step_cost(x, y, next_x - x, next_y - y)
        if cost is None:
            return None
        total += cost
    return total


def query_matches(query: Query, cost: float) -> bool:
    """Tell whether a cost is the query's optimum, within what its printed digits allow."""
    return abs(cost - query.optimum) <= max(0.011, 6e-6 * cost)


async def _answer_all(
    ground: Map, graph: str, queries: Sequence[Query], report: PathReport, on_progress: OnCount
) -> None:
    async def answer(chunk: Sequence[Query]) -> None:
        found = await find_path.starmap((graph, query.start, query.goal) for query in chunk)
        for query, packed in zip(chunk, found, strict=True):
            _check(ground, query, array("I", packed), report)
        on_progress(report.answered, len(queries))

    on_progress(0, len(queries))
    await cr.gather(*(answer(queries[i : i + CHUNK]) for i in range(0, len(queries), CHUNK)))


def _check(ground: Map, query: Query, cells: array[int], report: PathReport) -> None:
    report.answered += 1
    report.unreachable += not cells
    problem = _problem(ground, query, cells)
    if problem:
        report.mismatches += 1
        if len(report.first_mismatches) < EXAMPLES:
            start, goal = ground.position(query.start), ground.position(query.goal)
            report.first_mismatches.append(
                f"from {start} to {goal}, optimum {query.optimum}: {problem}"
            )


def _problem(ground: Map, query: Query, cells: array[int]) -> str:
    if not cells:
        return "no path was found"
    cost = path_cost(ground, cells)
    if cost is None or (cells[0], cells[-1]) != (query.start, query.goal):
        return "the path found is not legal"
    return "" if query_matches(query, cost) else f"the path found has length {cost:.6f}"
