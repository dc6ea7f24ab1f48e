from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from made_up_run import run_info

from zonesim import __main__
from zonesim.cli.main import BAD_INPUT, DONE, main
from zonesim.cli.output import OUTPUT_CLOSED, as_json_text, say
from zonesim.cli.run import BadInput, run_folder
from zonesim.results.step_info import StepInfo
from zonesim.results.writer import RunWriter
from zonesim.scenario.loading import scenario_schema

CHECKOUT = Path(__file__).parents[3]
COMMANDS = ["run", "scale", "paths", "report", "top", "scenarios", "check", "doctor", "bench"]
TO_DRAW_OR_SEARCH = {"matplotlib", "numpy", "scipy", "rich.console"}
TO_RUN = {"corororo", "trio", "sqlite3"}


@pytest.fixture(autouse=True)
def _work_in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def refusal(capsys, *arguments: str) -> str:
    """The one line that bad input gives, without the program's name."""
    assert main(arguments) == BAD_INPUT
    output, error = capsys.readouterr()
    assert output == ""
    assert error.startswith("zonesim: error: ")
    assert error.count("\n") == 1
    return error.removeprefix("zonesim: error: ").rstrip("\n")


def run_into(output: int, *arguments: str) -> tuple[int, str]:
    """Run a command of its own process; exit code and standard error."""
    program = [sys.executable, "-m", "zonesim", *arguments]
    ended = subprocess.run(
        program, cwd=CHECKOUT, stdout=output, stderr=subprocess.PIPE, text=True, timeout=60
    )
    return ended.returncode, ended.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_shows_an_example_that_names_it(capsys, command):
    assert main([command, "--help"]) == DONE

    text = capsys.readouterr().out
    assert "Example" in text
    assert f"  zonesim {command}" in text


def test_the_help_lists_the_commands_in_80_columns(capsys):
    assert main(["--help"]) == DONE

    text = capsys.readouterr().out
    listed = text.split("Commands:\n")[1].splitlines()
    assert [line.split()[0] for line in listed] == COMMANDS
    assert not any(line.endswith("...") for line in listed)
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "Missing command; see zonesim --help"),
        (["fly"], "No such command 'fly'"),
        (["run", "field", "--ticks", "many"], "Invalid value for '--ticks'"),
        (["run", "field", "--duration", "long"], "command line: $.duration_s: expected a number"),
        (["run", "field", "--ticks", "0"], "command line: $.ticks: expected a whole number from 1"),
        (["run", "field", "--ticks", "1", "--duration", "2"], "expected ticks or duration_s"),
        (["run", "field", "--zones", "1,x"], "$.zones: expected a number of zones or a ramp"),
        (["run", "field", "--workers", "-1"], "$.workers: expected a whole number from 0 to 256"),
        (["run", "field", "--zones-per-process", "car"], 'from 1 to 1000 or "auto", found "car"'),
        (["run", "field", "--pace", "fast"], '$.pace: expected "max" or "realtime"'),
        (["run", "field", "--set", "mobs"], 'expected --set key=value, found "mobs"'),
        (["run", "none.toml"], "none.toml: cannot be read: No such file or directory"),
        (["scale", "nothing"], '"nothing": no built-in scenario of this name'),
        (["run", "field", "--workers", "4..2"], "$.workers: expected min to be at most max"),
        (["run", "field", "--workers", "1.."], "$.workers.max: expected a whole number from 1"),
        (["paths", "a.map", "a.scen", "--workers", "x"], "$.workers: expected"),
        (["report", "nowhere"], "nowhere"),
        (["doctor", "a", "b"], "expected no further argument, found a b; see zonesim doctor --h"),
        (["doctor", "--clea"], "--clean"),
        (["check"], "expected SCENARIO or --schema, found neither"),
        (["check", "field", "--schema"], "expected SCENARIO or --schema, found both"),
        (["chek"], "No such command 'chek'. Did you mean 'check'? See zonesim --help"),
        (["check", "fields"], '"fields": no built-in scenario of this name; nearest: field'),
        (["check", "a folder.toml"], "a folder.toml: cannot be read: Is a directory"),
        (["check", "a file"], "a file: expected TOML in UTF-8, found: Expected '='"),
        (["run", "field", "--set", "workload=feild"], 'expected "chains" or "field", found "fe'),
        (["run", "field", "--set", "fields.mobs=3"], "command line: $.fields: unknown key; nea"),
        (["run", "field", "--set", "map.path=a folder.toml"], "expected a Moving AI .map file"),
        (["run", "field", "--out", "a file"], "a file: results cannot be written here: File ex"),
        (["run", "field", "--out", "a file/run"], "Not a directory; choose another folder with"),
        (["paths", "a folder.toml", "a file"], "expected a readable map file, found: Is a dire"),
        (["report", "a file"], "a file: expected the folder of a run, found no run.sqlite in it"),
        (["report", "empty"], "empty/run.sqlite: expected the figures of a run, found: no table"),
        (["bench", "peer"], "No such command 'peer'. Did you mean 'peers'? See zonesim bench --"),
        (["bench", "peers", "--only", "hands"], "--only: expected one or more of hand,calls,ma"),
        (["bench", "peers", "--quick", "--only", "fleet-300"], "nothing was measured: fleet-300"),
        (["bench", "peers", "--workers", "0"], "Invalid value for '--workers': 0 is not in the"),
        (["bench", "peers", "--out", "empty"], "empty: expected a new or empty folder for --ou"),
        (["bench", "compare", "empty", "a file"], "empty/bench.json: expected results of `zone"),
        (["bench", "compare", "a file", "a file"], "a file: expected results of `zonesim bench"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(capsys, arguments, problem):
    Path("a file").write_text("some text")
    Path("a folder.toml").mkdir()
    Path("empty").mkdir()
    Path("empty/run.sqlite").touch()
    assert problem in refusal(capsys, *arguments)


@pytest.fixture
def standard_input():
    """Make a file of this program's own the standard input of a test."""
    own = os.dup(0)
    yield lambda file: os.dup2(file, 0)
    os.dup2(own, 0)
    os.close(own)


def test_a_dash_is_a_scenario_from_standard_input(capsys, standard_input, tmp_path):
    (tmp_path / "piped").write_text("zones = 3\nticks = 5\nworkers = 0")
    with open("piped", "rb") as file:
        standard_input(file.fileno())
        assert main(["check", "-"]) == DONE
    assert capsys.readouterr().out == (
        "standard-input: valid; workload field, zones 3, 5 ticks each, 0 workers, seed 1\n"
    )


def test_standard_input_without_a_scenario_is_refused(capsys, standard_input):
    with open(os.devnull, "rb") as nothing:
        standard_input(nothing.fileno())
    assert refusal(capsys, "run", "-") == "standard input: expected a scenario, found nothing"
    terminals = os.openpty()
    standard_input(terminals[1])
    assert "from a pipe or file, found a terminal" in refusal(capsys, "scale", "-")
    for terminal in terminals:
        os.close(terminal)


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "chains"),
        ("run", "field", "--set", "map.path=a.map"),
        ("check", "a.toml"),
        ("report", "a"),
        ("top", "a"),
        ("paths", "a.map", "a.scen"),
        ("bench", "memory"),
        ("bench", "compare", "a", "b"),
    ],
    ids=str,
)
def test_a_working_directory_that_is_gone_holds_no_file_and_is_no_failure(
    capsys, tmp_path, monkeypatch, arguments
):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert main(arguments) == BAD_INPUT
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("zonesim: error: ")


def test_a_report_folder_that_holds_files_is_refused_and_left_alone(capsys, tmp_path):
    (tmp_path / "mine.txt").write_text("kept")

    assert "expected a new or empty folder" in refusal(
        capsys, "run", "field", "--out", str(tmp_path)
    )
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_broken_map_is_refused_before_anything_starts(capsys, tmp_path):
    Path("cut.map").write_text("type octile\nheight 3\nwidth 3\nmap\n...\n")

    assert "cut.map" in refusal(capsys, "run", "field", "--set", "map.path=cut.map")
    assert not Path("reports").exists()


def test_a_run_that_wrote_nothing_leaves_no_folder_of_its_own_behind():
    Path("given").mkdir()
    for out in (Path("made"), Path("given")):
        with pytest.raises(BadInput, match="no room"), run_folder(out, "field"):
            raise BadInput("no room")

    assert not Path("made").exists()
    assert Path("given").is_dir()


def test_the_built_in_scenarios_are_listed_with_what_they_are(capsys):
    assert main(["scenarios"]) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert main(["scenarios", "--json"]) == DONE
    entries = json.loads(capsys.readouterr().out)

    assert [line.split()[0] for line in lines] == ["chains", "chaos", "field", "scale"]
    assert [entry["name"] for entry in entries] == ["chains", "chaos", "field", "scale"]
    assert all(Path(entry["file"]).is_file() for entry in entries)


def test_checking_a_valid_scenario_prints_what_it_would_run(capsys):
    Path("rush.toml").write_text('zones = "1,3..5:+2 every 2s"\nworkers = {max = 6}')

    assert main(["check", "rush.toml"]) == DONE
    assert capsys.readouterr().out == (
        "rush: valid; workload field, zones 1, 3, 5, 2 s to 10 s each, "
        "1 to 6 (for a utilisation of 70%) workers, seed 1\n"
    )


def test_scale_checks_the_faults_against_its_own_steps(capsys):
    Path("far.toml").write_text(
        'zones = 200\nfaults = [{kind = "kill-zone", at_s = 1, zone = 150}]'
    )

    assert main(["check", "far.toml"]) == DONE
    capsys.readouterr()
    assert "far.toml: $.faults[0].zone: expected a zone of the run, from 0 to 99, found 150" in (
        refusal(capsys, "scale", "far.toml")
    )


def test_checking_prints_the_scenario_or_the_schema_as_json(capsys):
    assert main(["check", "chains", "--json"]) == DONE
    assert json.loads(capsys.readouterr().out)["chains"] == {"chains": 396, "work": "none"}
    assert main(["check", "--schema"]) == DONE
    assert json.loads(capsys.readouterr().out) == scenario_schema()


@pytest.mark.parametrize("given", ["past", "past/run.sqlite"])
def test_a_past_run_is_drawn_again_from_its_figures(capsys, tmp_path, given):
    with RunWriter(tmp_path / "past", run_info()) as writer:
        writer.begin_step(StepInfo(1, 1, 1, 0, 400.0, "realtime"))
        writer.end_step(1, 10.0, None)
        writer.finish("00")

    assert main(["report", given]) == DONE
    assert capsys.readouterr().out == f"report: {Path('past') / 'report.html'}\n"
    assert Path("past/report.html").stat().st_size > 0


@pytest.mark.parametrize(
    ("modules", "unwanted"),
    [
        ("zonesim.cli.main", TO_DRAW_OR_SEARCH | TO_RUN),
        ("zonesim.controller.run, zonesim.live.view", TO_DRAW_OR_SEARCH),
    ],
    ids=["help", "a run without a map and a terminal"],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(modules, unwanted):
    code = f"import sys, {modules}; print(*sys.modules.keys() & {unwanted})"

    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )

    assert loaded.stdout == "\n"


HELP = [("--help",), ("bench", "peers", "--help"), ("check", "--schema")]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", HELP, ids=str)
def test_output_onto_a_full_disk_is_one_line_and_exit_code_2(command):
    with open("/dev/full", "w") as full:
        assert run_into(full.fileno(), *command) == (
            BAD_INPUT,
            "zonesim: error: standard output cannot be written: No space left on device\n",
        )


@pytest.mark.parametrize("command", HELP, ids=str)
def test_output_into_a_closed_pipe_is_no_failure(command):
    reader, writer = os.pipe()
    os.close(reader)
    ended = run_into(writer, *command)
    os.close(writer)
    assert ended == (OUTPUT_CLOSED, "")


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
def test_standard_streams_may_be_closed(closed):
    """What the command prints and opens goes into none of its files."""
    code = (
        "import os, sys, zonesim.__main__ as z; "
        "sys.argv[1:] = ['scenarios']; code = z.main(); "
        "print('more', file=sys.stderr); file = os.open(os.devnull, 0); "
        f"sys.exit(code or file < 3 or not all(map(os.get_inheritable, {closed})))"
    )
    program = [sys.executable, "-c", code]
    ended = subprocess.run(
        program,
        cwd=CHECKOUT,
        capture_output=True,
        timeout=60,
        preexec_fn=lambda: [os.close(number) for number in closed],
    )
    assert ended.returncode == DONE, ended.stderr


def test_output_waits_for_its_reader_also_where_a_program_that_shares_it_does_not():
    code = (
        "import os, zonesim.__main__ as z; os.set_blocking(1, False); z.prepare_streams(); "
        "print(os.get_blocking(1))"
    )
    program = [sys.executable, "-c", code]
    ended = subprocess.run(program, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert ended.stdout == "True\n"


@pytest.mark.parametrize(
    ("encoding", "printed"),
    [
        ("ascii", b"Z\\xfcri\\udcff\n"),
        ("latin-1", b"Z\xfcri\\udcff\n"),
        ("utf-8", b"Z\xc3\xbcri\\udcff\n"),
    ],
)
def test_any_name_is_printed_whatever_the_encoding_of_the_stream(monkeypatch, encoding, printed):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding))
    __main__.prepare_streams()

    say("Züri\udcff")

    assert written.getvalue() == printed
    assert as_json_text("Züri\udcff") == '"Z\\u00fcri\\udcff"'  # in any encoding, and still JSON


def test_missing_packages_are_one_line_that_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setattr(__main__, "NEEDED", ("sys", "no_such_a", "no_such_b"))

    assert __main__.main() == BAD_INPUT
    assert capsys.readouterr().err == (
        "zonesim needs no_such_a, no_such_b: pip install 'corororo[zonesim]'\n"
    )
