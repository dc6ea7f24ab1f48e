from __future__ import annotations

from pathlib import Path

import pytest

from zonesim.scenario.loading import ScenarioError, load_scenario


@pytest.fixture
def write(tmp_path):
    """Write a scenario file; its path."""

    def write(text: str, name: str = "mine.toml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def refusal():
    """Load a scenario that is invalid; the message."""

    def refusal(*args: object) -> str:
        with pytest.raises(ScenarioError) as caught:
            load_scenario(*args)
        message = str(caught.value)
        assert message.isprintable()  # which means one line, too
        return message

    return refusal
