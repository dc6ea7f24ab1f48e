from __future__ import annotations

import getpass
import os
import platform

import pytest

from zonesim.system import machine
from zonesim.system import operating_system as system


@pytest.fixture(autouse=True)
def _there_is_a_proc(monkeypatch):
    monkeypatch.setattr(system, "HAS_PROC", True)


def test_the_machine_is_described_with_its_figures():
    found = machine.describe_machine()
    assert found["cpu"]
    assert found["memory_mb"] > 0
    assert 1 <= found["cpus_usable"] <= found["cpus"]
    assert platform.python_version() in str(found["python"])


def test_the_description_names_neither_host_nor_user(monkeypatch):
    monkeypatch.setenv("LOGNAME", "somebody-private")
    described = " ".join(map(str, machine.describe_machine().values()))
    assert platform.node() not in described.split()
    assert getpass.getuser() not in described


def test_a_machine_without_proc_is_described_too(monkeypatch, tmp_path):
    monkeypatch.setattr(system, "PROC", tmp_path)
    assert machine.describe_machine()["cpu"]
    monkeypatch.undo()
    monkeypatch.setattr(system, "HAS_PROC", False)
    assert machine.describe_machine()["cpu"]
    assert machine.pss_mb(os.getpid()) is None


def test_versions_name_every_package_that_figures_depend_on():
    found = machine.versions()
    assert set(found) == {"python", "corororo", "trio", "msgspec", "scipy", "matplotlib"}
    assert all(found.values())


def test_proportional_memory_is_read_in_millions_of_bytes(monkeypatch, tmp_path):
    monkeypatch.setattr(system, "PROC", tmp_path)
    (tmp_path / "17").mkdir()
    (tmp_path / "17" / "smaps_rollup").write_text(
        "5581c000-7ffd [rollup]\nRss:      9000 kB\nPss:      5000 kB\nPss_Anon:  40 kB\n"
    )
    assert machine.pss_mb(17) == pytest.approx(5.12)


def test_memory_of_a_process_that_is_gone_is_unknown(monkeypatch, tmp_path):
    monkeypatch.setattr(system, "PROC", tmp_path)
    assert machine.pss_mb(os.getpid()) is None


def test_memory_is_unknown_where_the_figure_is_not_given(monkeypatch, tmp_path):
    monkeypatch.setattr(system, "PROC", tmp_path)
    (tmp_path / "17").mkdir()
    (tmp_path / "17" / "smaps_rollup").write_text("Rss: 9000 kB\n")
    assert machine.pss_mb(17) is None
