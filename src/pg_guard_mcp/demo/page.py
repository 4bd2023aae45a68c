"""How the demo's story looks: acts, calls with their answers, and what was checked.

ASCII but for what the shop itself holds, and nothing said by colour alone, so that it reads the
same through a pipe.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

_PIPE_COLUMNS = 100
_MARGIN = 4
_GAP = 2


class Page:
    """Where the story is written."""

    def __init__(self, console: Console) -> None:
        """Write on `console`."""
        self._console = console

    def act(self, title: str, point: str) -> None:
        """Begin an act: its title, and what it is to show."""
        self._console.print()
        self._console.print(Text(title, style="bold cyan"))
        self._console.print(Text("-" * len(title), style="cyan"))
        self._console.print(Text(point))

    def say(self, text: str) -> None:
        """Write a plain line."""
        self._console.print(Text(text), soft_wrap=True)

    def call(self, tool: str, argument: str) -> None:
        """Write what the agent calls."""
        line = Text.assemble((tool, "bold"), " ", argument)
        self._console.print()
        self._console.print(line, soft_wrap=True)

    def answer(self, text: str, *, lines: int = 8) -> None:
        """Write an answer: its data with the columns in line, cut to `lines` and the page."""
        shown = _aligned(text.split("\n"))
        if len(shown) > lines:
            # The closing fence belongs to what the agent sees.
            left_out = f"... {len(shown) - lines + 1} more lines"
            shown = [*shown[: lines - 2], left_out, shown[-1]]
        for line in shown:
            self._console.print(self._quoted(line), soft_wrap=True)

    def refusal(self, text: str) -> None:
        """Write a refusal or a failure in full: its hint is the point."""
        for line in text.split("\n"):
            style = "yellow" if line.startswith("hint:") else "red"
            self._console.print(Padding(Text(line, style=style), (0, 0, 0, _MARGIN)))

    def checked(self, fact: str) -> None:
        """Write what was just checked, and held."""
        self._console.print(Padding(Text(f"checked: {fact}", style="green"), (0, 0, 0, _GAP)))

    def tree(self, rows: Sequence[tuple[str, str]]) -> None:
        """Write names, indented already, with a figure to the right of each."""
        width = max(len(name) for name, _ in rows)
        for name, figure in rows:
            self._console.print(Text(f"{' ' * _MARGIN}{name:<{width}}  {figure:>9}", style="dim"))

    def _quoted(self, line: str) -> Text:
        room = self._console.width - _MARGIN
        return Text(
            " " * _MARGIN + (line if len(line) <= room else line[: room - 3] + "..."), "dim"
        )


def open_page() -> Page:
    """Write to stdout: as wide as the terminal, or wide enough for a pipe."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _PIPE_COLUMNS
    return Page(console)


def _aligned(lines: list[str]) -> list[str]:
    """Put the tab-separated columns of the data in line, for reading."""
    rows = [line.split("\t") for line in lines]
    table = [row for row in rows if len(row) > 1]
    columns = zip_longest(*table, fillvalue="")
    widths = [max(map(len, column)) + _GAP for column in columns]
    return [
        "".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)).rstrip()
        if len(row) > 1
        else row[0]
        for row in rows
    ]
