"""Imports point down only, and each room keeps to itself. Read from the sources, nothing runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = sorted((ROOT / "corororo").rglob("*.py"))
SIMULATOR = sorted((ROOT / "zonesim").rglob("*.py"))
GROUND = {
    "_exceptions",
    "_garbage",
    "_handles",
    "_idle",
    "_inline",
    "_main_module",
    "_platform",
    "_views",
    "abc",
}
# Which rooms each room may import. The rooms of a line import those of the lines above it alone.
LIBRARY_ROOMS = {
    "_ring": set[str](),
    "_core": set[str](),
    "_transfer": {"_ring", "_core"},
    "processes": {"_ring"},
    "_worker": {"_ring", "_transfer", "processes"},
    "_pool": {"_ring", "_core", "_transfer", "_worker", "processes"},
    "testing": {"_core", "_pool"},
}
SIMULATOR_ROOMS = (
    "system",
    "scenario",
    "world",
    "workloads",
    "wire",
    "zone",
    "processes",
    "results",
    "live",
    "doctor",
    "controller",
    "report",
    "bench",
    "cli",
    "__main__",
)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def nodes(path: Path) -> list[ast.AST]:
    """The whole syntax tree of a file; those of all files are too large to be kept."""
    return list(ast.walk(ast.parse(path.read_text(), str(path))))


@cache
def imported(path: Path) -> frozenset[str]:
    """Every module that a file imports, with its full name, wherever the import stands."""
    return frozenset(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    package = module_name(path) if path.name == "__init__.py" else module_name(path.parent / "x")
    package = package.removesuffix(".x")
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package if node.level else ""
            stem = ".".join(part for part in (base, node.module) if part)
            yield stem
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def breaches(paths: list[Path], *forbidden: str) -> list[str]:
    """Imports of a forbidden module, or of anything inside it."""
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in paths
        for name in sorted(imported(path))
        if any(name == room or name.startswith(f"{room}.") for room in forbidden)
    ]


@cache
def words(path: Path) -> set[str]:
    """The names and attributes of a file, and the folders on top of the paths it writes out."""
    found = nodes(path)
    texts = [n.value for n in found if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    folders = {"/".join(t.split("/")[:n]) for t in texts for n in (2, 3) if t.startswith("/")}
    names = {n.attr for n in found if isinstance(n, ast.Attribute)}
    return folders | names | {n.id for n in found if isinstance(n, ast.Name)}


def room_of(module: str) -> str:
    """The folder of a package that holds a module, or the module where it lies beside them."""
    package, _, rest = module.partition(".")
    return rest.partition(".")[0] or package


def imported_rooms(paths: list[Path], package: str) -> dict[str, dict[str, str]]:
    """For each room of a package the rooms that it imports, and one module that does so.

    Imports for type checkers alone count as well.
    """
    known = {module_name(path) for path in paths}
    rooms: dict[str, dict[str, str]] = {}
    for path in paths:
        room = room_of(module_name(path))
        for name in imported(path) & known:
            if name != package and room_of(name) != room:
                rooms.setdefault(room, {})[room_of(name)] = module_name(path)
    return rooms


def test_rooms_of_the_library_import_those_below_them_alone() -> None:
    rooms = imported_rooms(LIBRARY, "corororo")
    del rooms["corororo"]  # it exports what the rooms hold
    assert rooms.keys() >= LIBRARY_ROOMS.keys()
    wrong = {
        f"{room} imports {below} in {where}"
        for room, imports in rooms.items()
        for below, where in imports.items()
        if below not in LIBRARY_ROOMS.get(room, set()) | GROUND
    }
    assert wrong == set()


def test_rooms_of_the_simulator_import_those_below_them_alone() -> None:
    rooms = imported_rooms(SIMULATOR, "zonesim")
    assert rooms.keys() <= set(SIMULATOR_ROOMS)
    wrong = {
        f"{room} imports {other} in {where}"
        for room, imports in rooms.items()
        for other, where in imports.items()
        if SIMULATOR_ROOMS.index(other) > SIMULATOR_ROOMS.index(room)
    }
    assert wrong == set()


def test_the_simulator_imports_no_private_module_of_the_library() -> None:
    private = {
        f"{module_name(path)} imports {name}"
        for path in SIMULATOR
        for name in imported(path)
        if name.startswith("corororo._")
    }
    assert private == set()


def test_bytes_and_coroutines_are_apart_from_processes() -> None:
    ring = [path for path in LIBRARY if path.parent.name == "_ring"]
    core = [path for path in LIBRARY if path.parent.name == "_core"]
    assert breaches(ring, "trio", "asyncio") == []
    assert breaches(core, "multiprocessing", "subprocess", "signal") == []


@pytest.mark.parametrize("package", ["corororo", "zonesim"])
def test_no_module_takes_part_in_an_import_cycle(package: str) -> None:
    """Imports for type checkers and inside of functions count as well."""
    paths = LIBRARY if package == "corororo" else SIMULATOR
    known = {module_name(path) for path in paths}
    left = {module_name(path): (imported(path) & known) - {module_name(path)} for path in paths}
    while free := {module for module, imports in left.items() if not imports & left.keys()}:
        left = {module: imports for module, imports in left.items() if module not in free}
    assert left == {}


def test_the_library_does_not_know_the_simulator_nor_its_tools() -> None:
    forbidden = ("zonesim", "numpy", "scipy", "matplotlib", "click", "rich", "sqlite3", "pickle")
    assert breaches(LIBRARY, *forbidden) == []


def test_figures_are_drawn_by_the_report_and_the_benches_alone() -> None:
    paths = [path for path in SIMULATOR if room_of(module_name(path)) not in ("report", "bench")]
    assert breaches(paths, "matplotlib") == []


def test_the_terminal_is_written_by_the_command_line_and_the_live_view_alone() -> None:
    paths = [path for path in SIMULATOR if path.parent.name not in ("cli", "live")]
    assert breaches(paths, "click", "rich") == []


def test_only_the_clock_asks_for_the_time() -> None:
    askers = [
        module_name(path) for path in LIBRARY if "time" in {n.split(".")[0] for n in imported(path)}
    ]
    assert askers == ["corororo._platform"]


def test_one_place_of_each_package_asks_which_system_this_is() -> None:
    """A description of the machine, as ``platform`` gives it, decides nothing and is free."""
    questions = ("sys.platform", "os.uname", "platform.system", "hasattr(os,", "hasattr(socket,")
    askers = {
        module_name(path)
        for path in (*LIBRARY, *SIMULATOR)
        for node in nodes(path)
        if isinstance(node, (ast.Attribute, ast.Call)) and ast.unparse(node).startswith(questions)
    }
    assert askers == {
        "corororo._platform",
        "zonesim.system.operating_system",
    }


def test_what_only_some_systems_have_is_used_behind_a_flag() -> None:
    """Whoever calls it or opens it also imports the flag that says whether it is there."""
    guards = {
        "HAS_FALLOCATE": ("posix_fallocate",),
        "HAS_AFFINITY": ("sched_getaffinity",),
        "HAS_SIGIO": ("F_SETOWN", "O_ASYNC"),
        "HAS_PROC": ("/proc",),
        "HAS_MEMORY_FILES": ("/dev/shm",),
        "HAS_TITLES": ("setproctitle",),
    }
    unguarded = [
        f"{module_name(path)} uses {thing} and not {flag}"
        for path in (*LIBRARY, *SIMULATOR)
        if module_name(path) != "corororo._platform"
        for flag, things in guards.items()
        for thing in things
        if thing in words(path)
        and not {f"corororo.{home}.{flag}" for home in ("_platform", "processes")} & imported(path)
    ]
    assert unguarded == []


def test_only_traps_yield_to_the_scheduler() -> None:
    """A generator that ``types.coroutine`` makes awaitable yields straight to who drives it.

    ``_task`` uses it the other way round, for the runner that awaits what users wrote.
    """
    users = {
        module_name(path)
        for path in LIBRARY
        for node in nodes(path)
        if isinstance(node, ast.Attribute)
        and node.attr == "coroutine"
        and isinstance(node.value, ast.Name)
        and node.value.id == "types"
    }
    assert users == {"corororo._core._traps", "corororo._core._task"}
    makers_of_awaitables = {
        module_name(path)
        for path in LIBRARY
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef) and node.name == "__await__"
    }
    assert makers_of_awaitables <= {"corororo._core._traps"}


@pytest.mark.parametrize("path", LIBRARY, ids=module_name)
def test_a_module_says_first_what_it_owns(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring
    assert docstring.splitlines()[0].rstrip().endswith((".", "::", "…"))
