"""The wheel holds what a user needs to run it from anywhere. Builds with what PyPI gives."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile

import pytest
from zonesim_runs import CHECKOUT

pytestmark = pytest.mark.slow


def pip(*arguments, cwd):
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, timeout=110)


def test_the_wheel_holds_the_scenarios_and_runs_from_any_folder(tmp_path):
    pip("wheel", str(CHECKOUT), "--no-deps", "-w", str(tmp_path / "wheel"), cwd=tmp_path)
    [wheel] = (tmp_path / "wheel").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    pip("install", "--no-deps", "--target", str(tmp_path / "site"), str(wheel), cwd=tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    listed = subprocess.run(
        [sys.executable, "-m", "zonesim", "scenarios"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    scenarios = sorted(path.stem for path in (CHECKOUT / "scenarios").glob("*.toml"))
    assert [line.split()[0] for line in listed.stdout.splitlines()] == scenarios
    assert {f"zonesim/scenarios/{name}.toml" for name in scenarios} <= set(names)
    assert {"corororo/py.typed", "zonesim/py.typed"} <= set(names)
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"corororo", "zonesim"}
    assert not [name for name in names if "test_" in name or "__pycache__" in name]
