"""The command line: all commands, usage errors and exit codes."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zonesim.scenario.faults import fault_text
from zonesim.scenario.loading import (
    Scenario,
    ScenarioError,
    builtin_scenarios,
    load_scenario,
    scenario_schema,
)
from zonesim.system.interrupts import INTERRUPTED, raising_keyboard_interrupt

from .bench import bench
from .doctor import doctor
from .options import A_PATH, json_option, scenario_argument, workers_option
from .output import BadInput, CliGroup, as_json_text, bad_input, say, tell
from .run import BROKE_LIMITS, DONE, check_map, draw, run, scale
from .top import top

if TYPE_CHECKING:
    from zonesim.world.path_check import PathReport

BAD_INPUT = 2
_EXTRA = re.compile(r"Got unexpected extra argument\S* \((?P<found>.*)\)")


@click.group(cls=CliGroup, no_args_is_help=False)
@click.version_option(
    package_name="corororo", message="zonesim %(version)s", help="Print the version and exit."
)
def app() -> None:
    """How many game zones does this machine hold?

    \b
    Example:
      zonesim scale
    """


app.add_command(run)
app.add_command(scale)


@app.command()
@click.argument("map_file", type=A_PATH, metavar="MAP")
@click.argument("scen_file", type=A_PATH, metavar="SCEN")
@workers_option
@json_option
def paths(map_file: Path, scen_file: Path, workers: object, as_json: bool) -> None:
    """Compare the paths found here with the optima of a .scen file.

    MAP is a Moving AI .map file, SCEN its .scen file. The exit code is 1 if any path differs.

    \b
    Example:
      zonesim paths den312d.map den312d.map.scen --workers 2
    """
    # A scenario checks the number of workers and resolves "auto".
    count = load_scenario("field", {} if workers is None else {"workers": workers}).worker_count
    from zonesim.live.view import LiveView
    from zonesim.system.errors import RunFailed
    from zonesim.world.map import MapError
    from zonesim.world.path_check import check_queries
    from zonesim.world.scen import ScenError

    with bad_input(MapError, ScenError, RunFailed), LiveView() as view:
        on_checked = partial(view.count, f"zonesim paths {map_file.name}")
        checked = check_queries(
            map_file,
            scen_file,
            count,
            on_checked,
            lambda note: view.notice(f"zonesim: note: {note}"),
        )
    say(as_json_text(checked) if as_json else _paths_text(checked))
    raise click.exceptions.Exit(BROKE_LIMITS if checked.mismatches else DONE)


@app.command()
@click.argument("run_path", type=A_PATH, metavar="RUN")
def report(run_path: Path) -> None:
    """Redraw the report of a past run from its saved data.

    RUN is the folder of the run, or a file in it.

    \b
    Example:
      zonesim report reports/20261123T101500Z-scale
    """
    from zonesim.results.saved_run import run_folder_of

    say(f"report: {draw(run_folder_of(run_path))}")


app.add_command(top)


@app.command()
@json_option
def scenarios(as_json: bool) -> None:
    """List the built-in scenarios.

    \b
    Example:
      zonesim scenarios
    """
    found = [
        {"name": name, "description": load_scenario(file).description, "file": str(file)}
        for name, file in builtin_scenarios().items()
    ]
    width = max((len(entry["name"]) for entry in found), default=0)
    lines = (f"{entry['name']:{width}}  {entry['description']}" for entry in found)
    say(as_json_text(found) if as_json else "\n".join(lines))


@app.command()
@scenario_argument(required=False)
@click.option("--schema", is_flag=True, help="Print the JSON Schema of scenarios instead.")
@json_option
def check(scenario: str | bytes | None, schema: bool, as_json: bool) -> None:
    """Check a scenario without running it.

    SCENARIO is a file, the name of a built-in one, or - for standard input.

    \b
    Examples:
      zonesim check my-scenario.toml
      zonesim check --schema > zonesim-scenario.schema.json
    """
    if schema == (scenario is not None):
        raise BadInput(f"expected SCENARIO or --schema, found {'both' if schema else 'neither'}")
    if scenario is None:
        say(as_json_text(scenario_schema()))
        return
    loaded = load_scenario(scenario)
    check_map(loaded)
    say(as_json_text(loaded) if as_json else _scenario_text(loaded))


app.add_command(doctor)
app.add_command(bench)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; the default arguments are sys.argv's."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        # click's own main() prints to standard error on Ctrl-C; this one does not.
        with raising_keyboard_interrupt():
            return _invoke(words)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.UsageError as error:
        problem = usage_problem(error)
    except (ScenarioError, BadInput) as error:
        problem = str(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    tell(f"zonesim: error: {problem}".replace("\n", " "))
    return BAD_INPUT


def _invoke(words: list[str]) -> int:
    try:
        with app.make_context("zonesim", words) as context:
            app.invoke(context)
            return DONE
    except OSError:  # perhaps of standard output: click wrote a help text
        say("")
        raise


def usage_problem(error: click.UsageError) -> str:
    """A usage error of click in one line that names the command to ask for help."""
    message = error.format_message().rstrip(".")
    message = _EXTRA.sub(r"expected no further argument, found \g<found>", message)
    see = " See" if message.endswith("?") else "; see"
    return f"{message}{see} {error.ctx.command_path if error.ctx else 'zonesim'} --help"


def _scenario_text(scenario: Scenario) -> str:
    """A valid scenario in one line, and one more for each of its faults."""
    steps = ", ".join(map(str, scenario.steps))
    durations_s = [step.duration_s for step in scenario.plan if step.duration_s is not None]
    if durations_s:
        lengths = [f"{least:g} s" for least in sorted({min(durations_s), max(durations_s)})]
    else:
        lengths = [f"{scenario.ticks} ticks"]
    workers, bounds = str(scenario.worker_count), scenario.worker_bounds
    if bounds is not None:
        wanted = f"{bounds.target_utilisation:.0%}"
        workers = f"{bounds.min} to {bounds.max} (for a utilisation of {wanted})"
    valid = (
        f"{scenario.name}: valid; workload {scenario.workload}, zones {steps}, "
        f"{' to '.join(lengths)} each, {workers} workers, seed {scenario.seed}"
    )
    return "\n  ".join([valid, *map(fault_text, scenario.faults)])


def _paths_text(report: PathReport) -> str:
    lines = [
        f"{report.map}: {report.answered} of {report.queries} queries answered, "
        f"{report.skipped} skipped, {report.unreachable} unreachable",
        f"mismatches: {report.mismatches}",
        *report.first_mismatches,
        f"{report.seconds:.2f} s, {report.queries_per_s:.0f} queries/s",
    ]
    return "\n".join(lines)
