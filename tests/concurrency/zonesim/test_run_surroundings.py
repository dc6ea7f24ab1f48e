"""Runs in the surroundings of their users: streams, names, settings and places as they come."""

from __future__ import annotations

import os

import pytest
from zonesim_runs import Command

RUN = ("run", "chains", "--ticks", "2", "--pace", "max", "--set", "chains.chains=4")
MAP = "type octile\nheight 3\nwidth 3\nmap\n...\n...\n...\n"


@pytest.mark.parametrize("closed", [(2,), (0, 1, 2)], ids=str)
def test_a_run_whose_streams_are_closed_is_whole(start, tmp_path, closed):
    def close_streams():
        for stream in closed:
            os.close(stream)

    ended = start(*RUN, "--workers", "1", "--out", "run", preexec_fn=close_streams).finish()

    assert (ended.code, ended.error) == (0, "")
    assert (tmp_path / "run" / "summary.json").stat().st_size > 0


def test_a_run_does_not_depend_on_names_encodings_and_the_settings_of_figures(tmp_path):
    folder = tmp_path / os.fsdecode("Zürich 地図 ".encode() + b"\xff")
    folder.mkdir()
    (folder / "matplotlibrc").write_text("text.usetex: True")
    (folder / f"{folder.name}.map").write_text(MAP)
    notebook = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    command = Command(
        *("run", "field", "--ticks", "2", "--pace", "max", "--workers", "1"),
        *("--set", "field.mobs=2", "--set", f"map.path={folder.name}.map"),
        *("--out", folder.name, "--json", "--report"),
        cwd=folder,
        environment={"PYTHONIOENCODING": "ascii:strict", **notebook},
    )
    ended = command.finish()

    assert command.clean_up() == ({}, [])
    assert ended.code == 0, ended.error
    assert ended.document["limits"]["ok"]
    last = ended.error.splitlines()[-1]
    assert last == r"report: Z\xfcrich \u5730\u56f3 \udcff/report.html"
    page = (folder / folder.name / "report.html").read_text()
    assert page.count('src="data:image/png;base64,') == 4


def test_the_session_of_a_run_may_stand_in_a_folder_whose_path_no_socket_can_have(start, tmp_path):
    place = tmp_path / ("n" * 120)
    place.mkdir()
    environment = {"TMPDIR": str(place), "CORORORO_PORTABLE": "1"}  # rings on a disk

    ended = start(*RUN, "--zones", "2", "--workers", "1", environment=environment).finish()

    assert ended.code == 0, ended.error
    assert list(place.iterdir()) == []
