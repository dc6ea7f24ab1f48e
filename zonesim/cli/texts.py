"""Results and refusals as text for people. Prints nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zonesim.results.step_table import step_table
from zonesim.scenario.faults import fault_text
from zonesim.scenario.loading import Scenario

if TYPE_CHECKING:  # they bring more along than a command needs that only prints
    from zonesim.results.saved_run import Summary
    from zonesim.world.path_check import PathReport

_EXTRA = re.compile(r"Got unexpected extra argument\S* \((?P<found>.*)\)")


def summary_text(summary: Summary) -> str:
    """The table of steps, why the run broke off, the limits that it broke, and its world's hash."""
    told = [] if summary.failure is None else [f"run failed: {summary.failure}"]
    told += [f"limit broken: {what}" for what in summary.limits.broken]
    return "\n".join([step_table(summary.steps), "", *told, f"world hash: {summary.world_hash}"])


def scenario_text(scenario: Scenario) -> str:
    """A scenario that can be run, in one line, and one more for each of its faults."""
    steps = ", ".join(map(str, scenario.steps))
    run = (
        f"{scenario.name}: can be run; workload {scenario.workload}, zones {steps}, "
        f"{_bounds_text(scenario)} each, {_workers(scenario)} workers, seed {scenario.seed}"
    )
    return "\n  ".join([run, *map(fault_text, scenario.faults)])


def usage_problem(error: Exception) -> str:
    """A usage error of click's in our words, with the command whose help tells more."""
    message: str = error.format_message()  # type: ignore[attr-defined]
    message = _EXTRA.sub(r"expected no further argument, found \g<found>", message.rstrip("."))
    context = getattr(error, "ctx", None)
    see = " See" if message.endswith("?") else "; see"
    return f"{message}{see} {context.command_path if context else 'zonesim'} --help"


def _bounds_text(scenario: Scenario) -> str:
    """How long steps last; from the shortest to the longest where they differ."""
    durations_s = [step.duration_s for step in scenario.plan if step.duration_s is not None]
    if not durations_s:
        return f"{scenario.ticks} ticks"
    shortest, longest = f"{min(durations_s):g} s", f"{max(durations_s):g} s"
    return shortest if shortest == longest else f"{shortest} to {longest}"


def _workers(scenario: Scenario) -> str:
    bounds = scenario.worker_bounds
    if bounds is None:
        return str(scenario.worker_count)
    return f"{bounds.min} to {bounds.max} (for a utilisation of {bounds.target_utilisation:.0%})"


def paths_text(report: PathReport) -> str:
    """What came of the queries of a .scen file."""
    lines = [
        f"{report.map}: {report.answered} of {report.queries} queries answered, "
        f"{report.skipped} skipped, {report.unreachable} unreachable",
        f"{report.mismatches} differ from the optimum",
        *report.first_mismatches,
        f"{report.seconds:.2f} s, {report.queries_per_s:.0f} queries/s",
    ]
    return "\n".join(lines)
