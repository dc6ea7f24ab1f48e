"""What the live table is made of: cells, marks, bars, lines. Knows no runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

WARNING_SHARE = 0.8  # of the period: yellow from here, red from the whole period on
LABEL_WIDTH = 13  # of what stands in front of a line
GAP = "   "
_CELL_WIDTH = 16
_BAR, _ROOM = "━", "─"
_ASCII = str.maketrans({_BAR: "=", _ROOM: "-"})


def style_of(share: float) -> str:
    """Colour of a share of the period: yellow from 80 %, red from 100 %."""
    if share >= 1.0:
        return "red"
    return "yellow" if share >= WARNING_SHARE else ""


def marked(text: str, share: float, width: int = 0) -> Text:
    """A figure in the colour of its share, and a mark behind it where there are no colours.

    ``width`` aligns it to the right, the two places of the mark not counted.
    """
    mark = {"": "  ", "yellow": "! ", "red": "!!"}[style_of(share)]
    return Text(f"{text:>{width}}{mark if width else mark.rstrip()}", style_of(share))


def row(cells: Iterable[str | Text], style: str = "") -> Text:
    """One line of cells, as wide as they are."""
    line = Text(style=style, no_wrap=True, overflow="crop")
    for cell in cells:
        line.append(cell) if isinstance(cell, str) else line.append_text(cell)
    return line


def labelled(label: str, pieces: Sequence[str | Text], width: int) -> list[Text]:
    """A line with a label in front; as many lines as it takes in ``width`` columns."""
    lines: list[list[str | Text]] = [[f"{label:{LABEL_WIDTH}}"]]
    used = LABEL_WIDTH
    for piece in pieces:
        if used + len(piece) > width and len(lines[-1]) > 1:
            lines.append([" " * LABEL_WIDTH])
            used = LABEL_WIDTH
        lines[-1] += [piece, GAP]
        used += len(piece) + len(GAP)
    return [row(line[:-1]) for line in lines]


def aligned(label: str, cells: Mapping[str, Text], last: Text, width: int) -> list[Text]:
    """A line of named figures that stand below each other in all such lines, and a last one.

    Where the line is longer than ``width`` it flows, and nothing is aligned any more.
    """
    pieces = [Text.assemble(f"{name} ", value) for name, value in cells.items()]
    line = row([f"{label:{LABEL_WIDTH}}"])
    for piece in pieces:
        line.append_text(piece).append(" " * max(1, _CELL_WIDTH - len(piece)))
    line.append_text(last)
    return [line] if len(line) <= width else labelled(label, [*pieces, last], width)


def beside(left: Sequence[Text], right: Sequence[Text], width: int) -> list[Text]:
    """Two blocks side by side; the right one begins at column ``width``."""
    lines = []
    for one, other in zip_longest(left, right, fillvalue=row(())):
        gap = " " * max(0, width - len(one)) if len(other) else ""
        lines.append(row((one, gap, other)))
    return lines


def bar(share: float, width: int) -> Text:
    """A bar of so many columns; share is 0 to 1."""
    done = min(width, max(0, round(share * width)))
    return Text.assemble((_BAR * done, "green"), (_ROOM * (width - done), "dim"))


def printable(line: Text, options: ConsoleOptions) -> Text:
    """The line in what the terminal can write."""
    if options.ascii_only:
        line.plain = line.plain.translate(_ASCII)
    return line


class BarLine:
    """A bar over the whole width with its share and a word behind it."""

    def __init__(self, share: float, text: str) -> None:
        self._share = share
        self._text = text

    def line(self, width: int) -> Text:
        """The bar in so many columns."""
        behind = f" {self._share:4.0%}  {self._text}"
        return row((bar(self._share, width - len(behind)), behind))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield printable(self.line(options.max_width), options)
