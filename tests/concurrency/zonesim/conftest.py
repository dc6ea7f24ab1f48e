"""Runs for tests: each is ended, and has to have left nothing behind."""

from __future__ import annotations

import pytest
from zonesim_runs import Command


@pytest.fixture
def start(tmp_path):
    """Start a command in an empty folder; no process and no session of it outlives the test."""
    commands: list[Command] = []

    def start_command(*arguments: str, **options: object) -> Command:
        commands.append(Command(*arguments, cwd=tmp_path, **options))
        return commands[-1]

    yield start_command
    left = [command.clean_up() for command in commands]
    assert left == [({}, [])] * len(commands)
