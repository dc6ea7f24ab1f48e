"""The command line: options in, tables and exit codes out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import click

from zonesim.cli.bench import bench
from zonesim.cli.doctor import doctor
from zonesim.cli.options import (
    A_PATH,
    RunOptions,
    json_option,
    overrides,
    run_options,
    worker_flag,
    workers_option,
)
from zonesim.cli.output import CliGroup, as_json_text, say, tell
from zonesim.cli.run import (
    BadInput,
    bad_input,
    check_map,
    draw,
    draw_outcome,
    measure,
    not_drawn,
    run_folder,
)
from zonesim.cli.texts import paths_text, scenario_text, summary_text, usage_problem
from zonesim.cli.top import top
from zonesim.scenario.loading import (
    Scenario,
    ScenarioError,
    builtin_scenarios,
    load_scenario,
    scenario_schema,
)
from zonesim.system.interrupts import INTERRUPTED, Interrupts, raising_keyboard_interrupt

# What runs processes, draws or searches paths is imported by the command that needs it, so that
# `zonesim --help` answers at once.

DONE = 0
BROKE_LIMITS = 1
BAD_INPUT = 2


def _print_version(context: click.Context, option: click.Parameter, wanted: bool) -> None:
    if wanted:
        from zonesim.system.machine import versions

        say(f"zonesim {versions()['corororo']}")
        raise click.exceptions.Exit(DONE)


@click.group(cls=CliGroup, no_args_is_help=False)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version and exit.",
)
def app() -> None:
    """How many game zones does this machine hold?

    \b
    Example:
      zonesim scale
    """


@app.command()
@click.argument("scenario")
@run_options
def run(scenario: str, **given: Unpack[RunOptions]) -> None:
    """Run a scenario and write its report.

    SCENARIO is a file, or the name of a built-in one: zonesim scenarios lists them.

    \b
    Examples:
      zonesim run chains --zones 10 --duration 20
      zonesim run field --ticks 50 --set field.mobs=600 --set late=carry
      zonesim run my-scenario.toml --workers 0 --json
    """
    _run(load_scenario(scenario, overrides(given)), given)


@app.command()
@click.argument("scenario", default="scale")
@run_options
def scale(scenario: str, **given: Unpack[RunOptions]) -> None:
    """Run a scenario with more and more zones.

    SCENARIO is a file, or the name of a built-in one; without it, 1 to 100 zones of a field. A
    scenario of a single step takes the steps of that one.

    \b
    Examples:
      zonesim scale
      zonesim scale chains --zones 1,10,100 --workers 2
    """
    keys = overrides(given)
    loaded = load_scenario(scenario, keys)
    if len(loaded.steps) == 1 and "zones" not in keys:
        # Read again, not only replaced: its faults may name a zone that these steps do not have.
        loaded = load_scenario(scenario, keys | {"zones": load_scenario("scale").zones})
    _run(loaded, given)


@app.command()
@click.argument("map_file", type=A_PATH, metavar="MAP")
@click.argument("scen_file", type=A_PATH, metavar="SCEN")
@workers_option
@json_option
def paths(map_file: Path, scen_file: Path, workers: str | None, as_json: bool) -> None:
    """Hold found paths against the optima of a .scen file.

    MAP is a Moving AI .map file, SCEN its .scen file.

    \b
    Example:
      zonesim paths den312d.map den312d.map.scen --workers 2
    """
    count = load_scenario("field", worker_flag(workers)).worker_count  # with a scenario's rules
    from zonesim.live.view import CountView
    from zonesim.system.errors import RunFailed
    from zonesim.world.map import MapError
    from zonesim.world.path_check import ScenError, check_queries

    with (
        bad_input(MapError, ScenError, RunFailed),
        CountView(f"zonesim paths {map_file.name}") as view,
    ):
        checked = check_queries(map_file, scen_file, count, view.update)
    say(as_json_text(checked) if as_json else paths_text(checked))
    raise click.exceptions.Exit(BROKE_LIMITS if checked.mismatches else DONE)


@app.command()
@click.argument("folder", type=A_PATH, metavar="RUN")
def report(folder: Path) -> None:
    """Draw the report of a past run again, from its figures.

    RUN is the folder of the run.

    \b
    Example:
      zonesim report reports/20261123T101500Z-scale
    """
    say(f"report: {draw(folder)}")


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
@click.argument("scenario", required=False)
@click.option("--schema", is_flag=True, help="Print the JSON Schema of scenarios instead.")
@json_option
def check(scenario: str | None, schema: bool, as_json: bool) -> None:
    """Say whether a scenario can be run, without running it.

    SCENARIO is a file, or the name of a built-in one.

    \b
    Examples:
      zonesim check my-scenario.toml
      zonesim check --schema > zonesim-scenario.schema.json
    """
    if schema:
        say(as_json_text(scenario_schema()))
        return
    if scenario is None:
        raise BadInput("expected SCENARIO or --schema, found neither")
    loaded = load_scenario(scenario)
    check_map(loaded)
    say(as_json_text(loaded) if as_json else scenario_text(loaded))


app.add_command(doctor)
app.add_command(bench)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; `arguments` are those of the process."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        # Not by click's own main: where Ctrl-C ends a command that writes to standard error.
        with raising_keyboard_interrupt(), app.make_context("zonesim", words) as context:
            app.invoke(context)
            return DONE
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.UsageError as error:
        return _complain(usage_problem(error))
    except (ScenarioError, BadInput) as error:
        return _complain(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(scenario: Scenario, given: RunOptions) -> None:
    """Run, draw, tell, and exit with what came of it."""
    check_map(scenario)
    as_json = given["as_json"]
    with Interrupts() as interrupts, run_folder(given["out"], scenario.name) as folder:
        outcome = measure(scenario, folder, interrupts)
        drawn = given["with_report"]
        report = draw_outcome(outcome, folder, interrupts) if drawn else not_drawn(folder)
    summary = outcome.summary
    with interrupts.last_words():
        say(as_json_text(summary) if as_json else summary_text(summary))
        if report.line:
            (tell if as_json or report.failed else say)(report.line)
    if interrupts.count:
        raise click.exceptions.Exit(INTERRUPTED)
    kept = outcome.saved and summary.failure is None and summary.limits.ok and not report.failed
    raise click.exceptions.Exit(DONE if kept else BROKE_LIMITS)


def _complain(text: str) -> int:
    line = " ".join(text.split("\n"))
    tell(f"zonesim: error: {line}")
    return BAD_INPUT
