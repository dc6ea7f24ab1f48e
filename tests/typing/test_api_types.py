"""The types that users see, as a strict type checker sees them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).with_name("api_example.py")


@pytest.mark.timeout(110)
def test_the_example_of_the_api_is_clean_under_strict_type_checking(
    root: Path, source_environment: dict[str, str], tmp_path: Path
) -> None:
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--warn-unused-ignores"]
    found = subprocess.run(
        [*command, "--config-file=", f"--cache-dir={tmp_path}", str(EXAMPLE)],
        cwd=root,
        env=source_environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert found.returncode == 0, found.stdout + found.stderr
