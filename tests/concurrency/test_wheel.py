"""The wheel: what it holds, and what each of its installations can do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
APART = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
SNIPPET = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[0]


def run(*command: str, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, check=check, env=APART, capture_output=True, text=True, timeout=110
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "-w", ".", cwd=folder)
    [path] = folder.glob("corororo-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """The ``bin`` folder of an environment that has the bare wheel and what it requires."""
    folder = wheel.parent / "environment"
    venv.create(folder, with_pip=True)
    run(str(folder / "bin" / "pip"), "install", "--quiet", str(wheel), cwd=wheel.parent)
    return folder / "bin"


def test_the_wheel_holds_both_packages_their_types_and_the_scenarios(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    scenarios = {f"zonesim/scenarios/{path.name}" for path in (ROOT / "scenarios").glob("*.toml")}
    assert scenarios | {"corororo/py.typed", "zonesim/py.typed"} <= set(names)
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"corororo", "zonesim"}
    assert not [name for name in names if "test_" in name or "__pycache__" in name]


def test_the_bare_wheel_runs_the_snippet_of_the_readme(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "snippet.py").write_text(SNIPPET)
    done = run(str(installed / "python"), "snippet.py", cwd=tmp_path)
    assert done.stdout.startswith("1800\n")


def test_the_bare_wheel_brings_trio_and_msgspec_alone(installed: Path, tmp_path: Path) -> None:
    listed = run(str(installed / "pip"), "list", "--format=freeze", cwd=tmp_path).stdout
    found = {line.partition("==")[0] for line in listed.splitlines()}
    assert found >= {"corororo", "trio", "msgspec"}
    assert found.isdisjoint({"click", "rich", "scipy", "numpy", "matplotlib", "setproctitle"})


def test_zonesim_without_its_extra_says_in_one_line_what_to_install(
    installed: Path, tmp_path: Path
) -> None:
    done = run(str(installed / "zonesim"), "scenarios", cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "pip install 'corororo[zonesim]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
