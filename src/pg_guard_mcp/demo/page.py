"""How the demo's story looks: acts, calls with their answers, and what was checked.

ASCII but for what the shop itself holds, and nothing said by colour alone, so that it reads the
same through a pipe.
"""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

_PIPE_COLUMNS = 100
_MARGIN = " " * 4


class Page:
    """Where the story is written."""

    def __init__(self, console: Console) -> None:
        """Write on `console`."""
        self._console = console

    def act(self, title: str, point: str) -> None:
        """Begin an act: its title, and what it is to show."""
        self._line("")
        self._line(title, "bold cyan")
        self._line("-" * len(title), "cyan")
        self._wrapped(point)

    def say(self, text: str) -> None:
        """Write a line as it is."""
        self._line(text)

    def call(self, tool: str, argument: str) -> None:
        """Write what the agent calls."""
        self._line("")
        self._wrapped(f"{tool} {argument}", "bold", further=_MARGIN)

    def answer(self, text: str, *, lines: int = 8) -> None:
        """Write an answer: its data with the columns in line, cut to `lines` and to the page."""
        shown = _aligned(text.split("\n"))
        if len(shown) > lines:
            # The closing fence belongs to what the agent sees.
            left_out = f"... {len(shown) - lines + 1} more lines"
            shown = [*shown[: lines - 2], left_out, shown[-1]]
        room = self._console.width - len(_MARGIN)
        for line in shown:
            cut = line if len(line) <= room else f"{line[: room - 3]}..."
            self._line(_MARGIN + cut, "dim")

    def whole_answer(self, text: str) -> None:
        """Write an answer with nothing cut off."""
        for line in text.split("\n"):
            self._wrapped(line, "dim", first=_MARGIN, further=_MARGIN)

    def refusal(self, text: str) -> None:
        """Write a refusal or a failure in full: its hint is the point."""
        for line in text.split("\n"):
            style = "yellow" if line.startswith("hint:") else "red"
            self._wrapped(line, style, first=_MARGIN, further=_MARGIN * 2)

    def checked(self, fact: str) -> None:
        """Write what was just checked, and held."""
        self._wrapped(f"  checked: {fact}", "green", further=_MARGIN)

    def tree(self, rows: Sequence[tuple[str, str]]) -> None:
        """Write names, indented already, with a figure to the right of each."""
        width = max(len(name) for name, _ in rows)
        for name, figure in rows:
            self._line(f"{_MARGIN}{name:<{width}}  {figure:>10}", "dim")

    def _wrapped(self, text: str, style: str = "", *, first: str = "", further: str = "") -> None:
        width = self._console.width
        for line in wrap(
            text,
            width,
            initial_indent=first,
            subsequent_indent=further,
            break_on_hyphens=False,
        ):
            self._line(line, style)

    def _line(self, text: str, style: str = "") -> None:
        """Write a line; the terminal folds what is too long, so that it can be copied whole."""
        self._console.print(Text(text, style=style), soft_wrap=True)


def open_page() -> Page:
    """Write to stdout: as wide as the terminal, or wide enough for a pipe."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _PIPE_COLUMNS
    return Page(console)


def _aligned(lines: list[str]) -> list[str]:
    """Put the tab-separated rows that are as wide as the header in line, for reading."""
    rows = [line.split("\t") for line in lines]
    count = next((len(row) for row in rows if len(row) > 1), 0)
    table = [row for row in rows if len(row) == count]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        if row in table
        else "  ".join(row)
        for row in rows
    ]
