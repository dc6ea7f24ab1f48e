"""The command line: options in, tables and exit codes out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from zonesim.cli_bench import bench
from zonesim.cli_doctor import doctor
from zonesim.cli_options import (
    DurationOption,
    JsonOption,
    OutOption,
    PaceOption,
    ProcessOption,
    ReportOption,
    ScenarioArgument,
    SeedOption,
    SetOption,
    TicksOption,
    TransferOption,
    WorkersOption,
    ZonesOption,
    flags,
    overrides,
    worker_flag,
)
from zonesim.cli_run import (
    BadInput,
    bad_input,
    check_map,
    draw,
    draw_outcome,
    measure,
    not_drawn,
    run_folder,
)
from zonesim.cli_say import as_json_text, say, tell
from zonesim.cli_texts import paths_text, scenario_text, summary_text, usage_problem
from zonesim.cli_top import top
from zonesim.interrupts import INTERRUPTED, Interrupts, raising_keyboard_interrupt
from zonesim.scenario import (
    Scenario,
    ScenarioError,
    builtin_scenarios,
    load_scenario,
    scenario_schema,
)

# What runs processes, draws or searches paths is imported by the command that needs it, so that
# `zonesim --help` answers at once.

DONE = 0
BROKE_LIMITS = 1
BAD_INPUT = 2

# typer takes its usage errors from click or from a copy of its own; this base is both.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
app.add_typer(bench, name="bench")


def _print_version(wanted: bool) -> None:
    if wanted:
        from zonesim.machine import versions

        say(f"zonesim {versions()['zonesim']}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """How many game zones does this machine hold?

    \b
    Example:
      zonesim scale
    """


@app.command()
def run(
    scenario: ScenarioArgument,
    zones: ZonesOption = None,
    workers: WorkersOption = None,
    zones_per_process: ProcessOption = None,
    ticks: TicksOption = None,
    duration: DurationOption = None,
    pace: PaceOption = None,
    seed: SeedOption = None,
    transfer: TransferOption = None,
    settings: SetOption = None,
    out: OutOption = None,
    with_report: ReportOption = True,
    as_json: JsonOption = False,
) -> None:
    """Run a scenario and write its report.

    \b
    Examples:
      zonesim run chains --zones 10 --duration 20
      zonesim run field --ticks 50 --set field.mobs=600 --set late=carry
      zonesim run my-scenario.toml --workers 0 --json
    """
    given = overrides(settings) | flags(
        zones, workers, zones_per_process, ticks, duration, pace, seed, transfer
    )
    _run(load_scenario(scenario, given), out, with_report, as_json)


@app.command()
def scale(
    scenario: ScenarioArgument = "scale",
    zones: ZonesOption = None,
    workers: WorkersOption = None,
    zones_per_process: ProcessOption = None,
    ticks: TicksOption = None,
    duration: DurationOption = None,
    pace: PaceOption = None,
    seed: SeedOption = None,
    transfer: TransferOption = None,
    settings: SetOption = None,
    out: OutOption = None,
    with_report: ReportOption = True,
    as_json: JsonOption = False,
) -> None:
    """Run a scenario with more and more zones.

    A scenario of a single step takes the steps of the built-in one: 1 to 100 zones.

    \b
    Examples:
      zonesim scale
      zonesim scale chains --zones 1,10,100 --workers 2
    """
    given = overrides(settings) | flags(
        zones, workers, zones_per_process, ticks, duration, pace, seed, transfer
    )
    loaded = load_scenario(scenario, given)
    if len(loaded.steps) == 1 and "zones" not in given:
        # Read again, not only replaced: its faults may name a zone that these steps do not have.
        loaded = load_scenario(scenario, given | {"zones": load_scenario("scale").zones})
    _run(loaded, out, with_report, as_json)


@app.command()
def paths(
    map_file: Annotated[Path, typer.Argument(metavar="MAP", help="A Moving AI .map file.")],
    scen_file: Annotated[Path, typer.Argument(metavar="SCEN", help="Its .scen file.")],
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold found paths against the optima of a .scen file.

    \b
    Example:
      zonesim paths den312d.map den312d.map.scen --workers 2
    """
    count = load_scenario("field", worker_flag(workers)).worker_count  # with a scenario's rules
    from zonesim.errors import RunFailed
    from zonesim.live import CountView
    from zonesim.path_check import check_queries
    from zonesim.world.map import MapError, ScenError

    with (
        bad_input(MapError, ScenError, RunFailed),
        CountView(f"zonesim paths {map_file.name}") as view,
    ):
        checked = check_queries(map_file, scen_file, count, view.update)
    say(as_json_text(checked) if as_json else paths_text(checked))
    raise typer.Exit(BROKE_LIMITS if checked.mismatches else DONE)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a past run.")],
) -> None:
    """Draw the report of a past run again, from its figures.

    \b
    Example:
      zonesim report reports/20261123T101500Z-scale
    """
    say(f"report: {draw(folder)}")


app.command()(top)


@app.command()
def scenarios(as_json: JsonOption = False) -> None:
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
def check(
    scenario: Annotated[
        str | None,
        typer.Argument(metavar="SCENARIO", help="A scenario file, or a built-in one's name."),
    ] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of scenarios instead.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say whether a scenario can be run, without running it.

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


app.command()(doctor)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; `arguments` are those of the process."""
    try:
        with raising_keyboard_interrupt():
            return app(args=arguments, prog_name="zonesim", standalone_mode=False) or DONE
    except UsageError as error:
        return _complain(usage_problem(error))
    except (ScenarioError, BadInput) as error:
        return _complain(str(error))
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED


def _run(scenario: Scenario, out: Path | None, with_report: bool, as_json: bool) -> None:
    """Run, draw, tell, and exit with what came of it."""
    check_map(scenario)
    with Interrupts() as interrupts, run_folder(out, scenario.name) as folder:
        outcome = measure(scenario, folder, interrupts)
        report = draw_outcome(outcome, folder, interrupts) if with_report else not_drawn(folder)
    with interrupts.last_words():
        say(as_json_text(outcome.summary) if as_json else summary_text(outcome.summary))
        if report.line:
            (tell if as_json or report.failed else say)(report.line)
    if interrupts.count:
        raise typer.Exit(INTERRUPTED)
    summary = outcome.summary
    kept = outcome.saved and summary.failure is None and summary.limits.ok and not report.failed
    raise typer.Exit(DONE if kept else BROKE_LIMITS)


def _complain(text: str) -> int:
    line = " ".join(text.split("\n"))
    tell(f"zonesim: error: {line}")
    return BAD_INPUT
