"""Programs of every kind start a pool: workers find their functions, or one line says why not."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import worker_calls as calls

import corororo as cr

pytestmark = pytest.mark.timeout(60)

FUNCTION = """
import corororo as cr
from sibling import add
import worker_calls as calls

@cr.async_task
def double(n: int) -> int:
    return add(n, n)
"""
START = """
if {condition}:
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        print(scheduler.run({call}))
"""
OWN = FUNCTION + START.format(condition='__name__ == "__main__"', call="double(21)")
UNGUARDED = FUNCTION + START.format(condition=True, call="double(21)")
FROM_A_MODULE = FUNCTION + START.format(condition=True, call="calls.double(21)")
IN_A_NOTEBOOK = """
import sys, types
sys.modules["__main__"] = kernel = types.ModuleType("__main__")
for number, cell in enumerate({cells!r}):
    exec(compile(cell, f"/tmp/ipykernel_1/{{number}}.py", "exec"), vars(kernel))
"""
DAEMON = """
import multiprocessing
import corororo as cr
import worker_calls as calls

def own_a_pool():
    assert multiprocessing.current_process().daemon
    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
        print(scheduler.run(calls.double(21)), flush=True)

if __name__ == "__main__":
    for method in ("fork", "spawn"):
        child = multiprocessing.get_context(method).Process(target=own_a_pool, daemon=True)
        child.start()
        child.join()
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(
    tmp_path: Path, import_path: list[Path], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, [*import_path, tmp_path])))
    Path("sibling.py").write_text("def add(a, b): return a + b\n")

    def run(*arguments: str, source: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, input=source, capture_output=True, text=True, timeout=40, check=False
        )

    return run


@pytest.mark.parametrize(
    "way",
    [
        ["pkg/__main__.py"],
        ["-m", "pkg"],
        ["-m", "pkg.program"],
        ["pkg"],
        ["program.zip"],
        ["-m", "cProfile", "-o", "profile", "pkg/__main__.py"],
    ],
    ids=" ".join,
)
def test_workers_find_the_functions_of_a_main_module_with_a_file(
    run: Run, way: Sequence[str]
) -> None:
    Path("pkg").mkdir()
    for name in ("__main__", "program"):
        Path("pkg", f"{name}.py").write_text(OWN)
    with zipfile.ZipFile("program.zip", "w") as program:
        program.writestr("__main__.py", OWN)
    done = run(*way)
    assert (done.stdout, done.stderr) == ("42\n", "")


@pytest.mark.parametrize(
    ("way", "source"),
    [
        (["unguarded.py"], ""),
        (["-"], FROM_A_MODULE),
        (["-c", FROM_A_MODULE], ""),
        (["-c", IN_A_NOTEBOOK.format(cells=[FUNCTION, FROM_A_MODULE])], ""),
    ],
    ids=["script without a guard", "standard input", "-c", "notebook"],
)
def test_a_main_module_without_functions_that_are_called_need_not_be_importable(
    run: Run, way: Sequence[str], source: str
) -> None:
    Path("unguarded.py").write_text(FROM_A_MODULE.replace("@cr.async_task", ""))
    done = run(*way, source=source)
    assert (done.stdout, done.stderr) == ("42\n", "")


@pytest.mark.parametrize(
    ("way", "source"),
    [
        (["-"], OWN),
        (["-c", OWN], ""),
        (["-c", IN_A_NOTEBOOK.format(cells=[FUNCTION, OWN])], ""),
    ],
    ids=["standard input", "-c", "notebook"],
)
def test_a_function_without_a_file_is_refused_before_it_is_sent(
    run: Run, way: Sequence[str], source: str
) -> None:
    done = run(*way, source=source)
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("TypeError: double stands in no file")
    assert "RemoteTraceback" not in done.stderr


@pytest.mark.usefixtures("run")  # for its folder
def test_at_a_prompt_workers_run_functions_of_modules() -> None:
    owner, terminal = pty.openpty()
    basic = {**os.environ, "PYTHON_BASIC_REPL": "1"}
    python = subprocess.Popen(
        [sys.executable, "-q"], stdin=terminal, stdout=terminal, stderr=terminal, env=basic
    )
    os.close(terminal)
    for call in ("calls.double(21)", "double(21)"):
        os.write(owner, f"{FUNCTION}\n{START.format(condition=True, call=call)}\n".encode())
    os.write(owner, b"exit()\n")
    shown = b""
    with contextlib.suppress(OSError):  # of Linux, at the end
        while more := os.read(owner, 1 << 16):
            shown += more
    os.close(owner)
    assert python.wait(20) == 0
    assert b"\n42\r\n" in shown
    assert b"double stands in no file that a worker can import" in shown


def test_a_function_that_stands_under_the_guard_fails_with_the_remedy(run: Run) -> None:
    indented = OWN.replace("\n", "\n    ")
    Path("program.py").write_text(f'if __name__ == "__main__":{indented}')
    done = run("program.py")
    last = done.stderr.splitlines()[-1]
    assert last.startswith("LookupError: a worker that imports __main__ finds no function double")
    assert last.endswith('not under `if __name__ == "__main__":`')


@pytest.mark.parametrize("where", ["script", "module"])
def test_a_pool_that_each_worker_would_start_is_one_short_error(run: Run, where: str) -> None:
    Path("starts.py").write_text(UNGUARDED)
    Path("program.py").write_text("import starts\n")
    done = run("starts.py" if where == "script" else "program.py")
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) <= 15
    last = done.stderr.splitlines()[-1]
    assert "starts.py, line 11, starts a pool when it is imported" in last
    assert 'if __name__ == "__main__":' in last


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import no_such_module", r"1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("\n1 / 0", r"2: ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", r"1: ImportError: fails raises SystemExit\(3\)"),
    ],
)
def test_an_import_that_fails_in_workers_is_one_line_and_is_not_printed_by_them(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    code: str,
    why: str,
) -> None:
    (tmp_path / "fails.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        cr.PoolFailed, match=rf"^a worker cannot import fails: \S*fails.py, line {why}"
    ):
        cr.WorkerPool(2, imports=["fails"]).start()
    assert capfd.readouterr() == ("", "")


def test_workers_that_cannot_import_what_they_need_leave_a_pool_that_grows_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "was_there.py"
    module.touch()
    monkeypatch.syspath_prepend(tmp_path)
    with cr.WorkerPool(1, imports=["was_there"]) as pool, cr.Scheduler(pool) as scheduler:
        module.unlink()
        with pytest.raises(cr.PoolFailed, match="a worker cannot import was_there"):
            pool.resize(2)
        assert scheduler.run(calls.double(21)) == 42


def test_a_daemonic_process_may_own_a_pool(run: Run) -> None:
    Path("daemon.py").write_text(DAEMON)
    done = run("daemon.py")
    assert (done.stdout, done.stderr) == ("42\n42\n", "")
