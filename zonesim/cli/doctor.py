"""`zonesim doctor`: report what this machine can hold."""

from __future__ import annotations

import click

from .options import json_option
from .output import as_json_text, say

NOT_CLEAN = 1


@click.command()
@click.option("--clean", is_flag=True, help="Remove what killed runs of yours left behind.")
@json_option
def doctor(clean: bool, as_json: bool) -> None:
    """Report what this machine can hold and what was left behind.

    It takes about three seconds, since it runs a zone to measure the cost of a tick.

    \b
    Examples:
      zonesim doctor
      zonesim doctor --clean
    """
    from zonesim.doctor.diagnosis import doctor_text, examine

    diagnosis = examine(clean)
    say(as_json_text(diagnosis) if as_json else doctor_text(diagnosis))
    raise click.exceptions.Exit(NOT_CLEAN if diagnosis.kept else 0)
