from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from made_up_run import MS, row, run_info, step_info
from msgspec.structs import replace

from zonesim.report import breakdown
from zonesim.report.page import redraw
from zonesim.results.saved_run import Event, OutputError, Packing, RunError
from zonesim.results.writer import RunWriter
from zonesim.wire.messages import TickRow

PNG_START = b"\x89PNG\r\n\x1a\n"
VOID = {"meta", "img", "br", "hr", "link"}


class Page(HTMLParser):
    """Checks that tags nest, and keeps the text of cells and the sources of images."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.links: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.links += [value for name, value in attrs if name in {"src", "href"}]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def write_run(
    directory: Path,
    *,
    limits: dict[str, float] | None = None,
    detail: str = "",
    ticks: int = 5,
    packing: Packing | None = None,
) -> Path:
    info = run_info(
        limits=limits or {},
        packing=packing,
        scenario="scale <&>",
        scenario_text="zones = [1, 2]  # <script>\n",
        machine={"cpu": "Abacus <3>", "cpus": 2, "memory_mb": 640},
    )
    with RunWriter(directory, info) as writer:
        for step, zones in enumerate((1, 2), start=1):
            writer.begin_step(step_info(step, zones))
            writer.add_ticks(
                step, [tick_row(z, tick) for z in range(zones) for tick in range(ticks)]
            )
            at_ns = 10**15 + 2_500 * MS
            writer.add_event(Event(step, at_ns, "worker-died", detail, worker=1, pid=17))
            writer.end_step(step, 2.0, 5.5)
        writer.finish("9f00000000000001")
    return directory


def tick_row(zone: int, tick: int) -> TickRow:
    plain = row(zone, tick)
    finished_ns = plain.scheduled_ns + 4 * MS
    return replace(plain, finished_ns=finished_ns, late=tick == 1, missed=0)


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """The report of a run, redrawn from its figures alone."""
    folder = tmp_path_factory.mktemp("run")
    write_run(folder, limits={"late_ratio": 0.1}, detail="<b onclick='x'>")
    (folder / "summary.json").rename(folder / "before.json")
    return redraw(folder)


def page_of(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def test_a_run_is_redrawn_into_figures_summary_and_a_report_that_holds_them(report):
    folder = report.parent
    assert (folder / "summary.json").read_bytes() == (folder / "before.json").read_bytes()
    links = page_of(report).links
    assert len(links) == len(list(folder.glob("*.png"))) == 4
    for link in links:
        kind, _, content = link.partition(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(content, validate=True).startswith(PNG_START)
    assert not re.search(r"https?:|@import|url\(", report.read_text())


def test_the_report_is_well_formed_and_its_tables_are_even(report):
    page = page_of(report)
    assert page.open == []
    assert page.seen[:2] == ["html", "head"]
    assert {len(cells) for cells in page.rows} == {2, 5, 8, 9, 13}


def test_steps_times_events_and_machine_stand_in_tables(report):
    rows = page_of(report).rows
    assert ["2", "2", "2", "10", "2", "0", "2.5", "2.5"] in [cells[:8] for cells in rows]
    assert ["response", "2", "4.00", "4.00", "4.00", "4.00", "4.00", "4.00"] in rows
    assert ["2.500", "1", "worker-died", "worker 1 (pid 17)", "<b onclick='x'>"] in rows
    assert ["cpu", "Abacus <3>"] in rows
    assert ["memory (MB)", "640"] in rows


def test_text_of_a_run_is_escaped(report):
    text = report.read_text()
    assert "<script>" not in text
    assert "<b onclick" not in text
    assert "scale &lt;&amp;&gt;" in text
    assert "zones = [1, 2]  # &lt;script&gt;" in text


def test_limits_are_named_whether_kept_or_broken(report, tmp_path):
    broken = "step 2 (2 zones): late_ratio is 0.2, above the limit of 0.1"
    assert broken in report.read_text()
    kept = redraw(write_run(tmp_path, limits={"late_ratio": 0.5}))
    assert "All kept: late_ratio 0.5." in kept.read_text()


def test_the_report_begins_with_the_verdict(report):
    verdict = "does not hold 1 zone at 2.5 ticks/s: 20 % late"
    title, _, rest = report.read_text().partition(verdict)
    assert "<h1>" in title
    assert "started 2026" in rest


def test_the_report_says_how_zones_were_put_into_processes(tmp_path):
    text = "300 zones in 2 processes; a process each would carry 150 (CPU), packed 230"
    path = write_run(tmp_path, packing=Packing(2, 150, 230, text))
    assert f"{text}." in redraw(path).read_text()


def test_a_run_without_a_tick_has_a_report(tmp_path):
    path = redraw(write_run(tmp_path, ticks=0, detail="signal 9"))
    assert ["0.000", "1", "worker-died", "worker 1 (pid 17)", "signal 9"] in page_of(path).rows
    assert "The scenario sets no limits." in path.read_text()


def test_a_run_that_did_not_finish_has_a_report(tmp_path):
    with RunWriter(tmp_path, run_info()) as writer:
        writer.add_event(Event(1, 1, "run-failed", "no zone is left"))
    page = redraw(tmp_path).read_text()
    assert "the run did not finish" in page
    assert "The run failed: no zone is left." in page


def test_a_figure_that_cannot_be_drawn_costs_that_figure_and_one_line(tmp_path, monkeypatch):
    write_run(tmp_path)
    (tmp_path / "heatmap.png").mkdir()
    monkeypatch.setattr(breakdown, "draw", lambda *_: 1 / 0)
    lines: list[str] = []

    page = page_of(redraw(tmp_path, on_failure=lines.append))

    assert len(page.links) == 2
    assert lines == [
        f"{tmp_path}/heatmap.png: cannot be drawn: IsADirectoryError: [Errno 21] Is a directory: "
        f"'{tmp_path}/heatmap.png'",
        f"{tmp_path}/breakdown.png: cannot be drawn: ZeroDivisionError: division by zero",
    ]


def test_a_folder_without_a_run_has_no_report(tmp_path):
    with pytest.raises(RunError):
        redraw(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_cannot_be_written_is_refused_in_one_line(tmp_path):
    write_run(tmp_path, ticks=0)
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OutputError, match=r"report\.html: cannot be written") as refusal:
        redraw(tmp_path)
    assert "\n" not in str(refusal.value)
