"""`zonesim doctor`: its options, and its exit code. Examines nothing itself."""

from __future__ import annotations

import click

from zonesim.cli.options import json_option
from zonesim.cli.output import CliCommand, as_json_text, say

# What examines is imported by the command, so that `zonesim --help` answers at once.

DONE = 0
NOT_CLEAN = 1


@click.command(cls=CliCommand)
@click.option("--clean", is_flag=True, help="Remove what killed runs of yours left behind.")
@json_option
def doctor(clean: bool, as_json: bool) -> None:
    """Say what this machine can hold, and what was left behind.

    Takes three seconds: one zone ticks for a moment, for what it costs here.

    \b
    Examples:
      zonesim doctor
      zonesim doctor --clean
    """
    from zonesim.doctor.examine import examine
    from zonesim.doctor.text import doctor_text

    diagnosis = examine(clean)
    say(as_json_text(diagnosis) if as_json else doctor_text(diagnosis))
    raise click.exceptions.Exit(NOT_CLEAN if diagnosis.kept else DONE)
