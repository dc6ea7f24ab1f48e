"""Holds paths that the workers find against the optima of a .scen file. Prints nothing."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

import corororo as cr
from zonesim.system.errors import RunFailed
from zonesim.world.map import Query, load_map, load_scen
from zonesim.world.map_store import lay_graph
from zonesim.world.paths import PathError, check_path, find_path, query_matches
from zonesim.world.terrain import Map

CHUNK = 32  # queries between two reports of progress
EXAMPLES = 5  # mismatches that are told one by one

OnCount = Callable[[int, int], None]


class PathReport(msgspec.Struct):
    """What came of the queries of one .scen file."""

    map: str
    scen: str
    queries: int
    answered: int
    skipped: int  # rows that start off the ground
    mismatches: int  # answered with a path that is not legal, or not of the optimal length
    unreachable: int  # answered with no path; a mismatch each, since every query has an optimum
    seconds: float
    queries_per_s: float
    first_mismatches: list[str]


def check_queries(
    map_path: Path, scen_path: Path, workers: int, on_progress: OnCount
) -> PathReport:
    """Answer every query through ``workers`` worker processes, and check each path cell by cell.

    Raises MapError or ScenError where a file is not what it should be, RunFailed where the
    machine has no room for the workers' memory.
    """
    ground = load_map(map_path)
    queries = load_scen(scen_path, ground)
    report = PathReport(
        map=map_path.name,
        scen=scen_path.name,
        queries=len(queries),
        answered=0,
        skipped=queries.skipped,
        mismatches=0,
        unreachable=0,
        seconds=0.0,
        queries_per_s=0.0,
        first_mismatches=[],
    )
    try:
        with (
            cr.WorkerPool(workers, name="zonesim", imports=["zonesim.world.search"]) as pool,
            cr.Scheduler(pool) as scheduler,
        ):
            graph = Path(pool.address) / "map.graph"
            lay_graph(ground, graph)
            began = time.monotonic()
            scheduler.run(_answer_all(ground, str(graph), queries, report, on_progress))
            report.seconds = time.monotonic() - began
    except (cr.SessionError, cr.PoolFailed) as error:
        raise RunFailed(str(error)) from None
    report.queries_per_s = report.answered / report.seconds if report.seconds else 0.0
    return report


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
    if not cells:
        report.unreachable += 1
        problem = "no path was found"
    else:
        try:
            cost = check_path(ground, query.start, query.goal, cells)
            problem = "" if query_matches(query, cost) else f"the path found has length {cost:.6f}"
        except PathError as error:
            problem = str(error)
    if problem:
        report.mismatches += 1
        if len(report.first_mismatches) < EXAMPLES:
            start, goal = ground.position(query.start), ground.position(query.goal)
            report.first_mismatches.append(
                f"from {start} to {goal}, optimum {query.optimum}: {problem}"
            )
