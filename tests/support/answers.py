"""A tool's result, as the model reads it, taken apart again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from mcp.types import TextContent

if TYPE_CHECKING:
    from mcp.types import CallToolResult

_UNESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}


class Answer(NamedTuple):
    """What a tool answered, as the model reads it."""

    text: str
    is_error: bool

    @property
    def code(self) -> str:
        """The stable code of a failure; empty for an answer."""
        return self.text.partition(":")[0] if self.is_error else ""

    @property
    def rules(self) -> list[str]:
        """The rules that refused the call, in the order reported."""
        return re.findall(r"^refused: \[([a-z-]+)\]", self.text, re.MULTILINE)

    @property
    def hint(self) -> str:
        """What to try next, if the answer says."""
        found = re.search(r"^hint: (.+)$", self.text, re.MULTILINE)
        return found.group(1) if found else ""

    @property
    def lines(self) -> list[str]:
        """The rows as they stand between the fences, without the line of column names."""
        fenced = re.search(
            r"^<data (\w+)>\n(.*)\n</data \1>\Z", self.text, re.MULTILINE | re.DOTALL
        )
        assert fenced, self.text
        return fenced.group(2).split("\n")[1:]

    @property
    def rows(self) -> list[tuple[str | None, ...]]:
        """The rows, every cell read back from COPY's text format."""
        return [cells(line) for line in self.lines]


def answer(result: CallToolResult) -> Answer:
    """Read a result, which must be one text and nothing else."""
    (content,) = result.content
    assert isinstance(content, TextContent)
    assert result.structured_content is None
    return Answer(content.text, bool(result.is_error))


def cells(line: str) -> tuple[str | None, ...]:
    """Read a line of COPY's text format."""
    return tuple(map(_cell, line.split("\t")))


def _cell(text: str) -> str | None:
    if text == r"\N":
        return None
    if "\\" not in text:
        return text
    unescaped = re.sub(
        rb"\\(?:x([0-9a-f]{2})|(.))",
        lambda match: (
            bytes.fromhex(match[1].decode()) if match[1] else _UNESCAPED[match[2].decode()].encode()
        ),
        text.encode(),
    )
    return unescaped.decode()
