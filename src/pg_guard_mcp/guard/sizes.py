"""An expression of Postgres's parse tree in, the least size of its value out.

Every answer is a lower bound that constants alone prove, but for one thing: who asks for a thousand
times `x` has more in mind than an empty text. 0 is no statement about a size.
"""

from __future__ import annotations

import re
from math import prod
from typing import TYPE_CHECKING, Any

from pg_guard_mcp.guard.constants import (
    HUGE,
    MAX_DEPTH,
    fold,
    name_of,
    number,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_KEEPING = frozenset(
    {"initcap", "lower", "quote_ident", "quote_literal", "quote_nullable", "reverse", "upper"}
)
"""Functions whose text is at least as long as their first argument."""
# Which argument, where its width is (a width of more digits is out of Postgres's range), or it.
_FORMAT = re.compile(r"%%|%(?:(\d{1,9})\$)?-*(?:(\*)(?:(\d{1,9})\$)?|0*(\d{1,10}))?[sIL]", re.ASCII)
_PLAIN_PATTERN = re.compile(r"[\w ,;:<>=!@#&~'\"/-]+")


class Sizes:
    """Measures expressions of one tree; what stands inside another is looked at once."""

    def __init__(self) -> None:
        """Know nothing yet. The tree must outlive it: nodes are known by identity."""
        self._lengths: dict[int, int] = {}

    def length(self, node: Mapping[str, Any], depth: int = 0) -> int:
        """Return the least number of characters of a text."""
        if depth > MAX_DEPTH or len(node) != 1:
            return 0
        ((kind, fields),) = node.items()
        if id(fields) not in self._lengths:
            self._lengths[id(fields)] = min(self._length(kind, fields, depth + 1), HUGE)
        return self._lengths[id(fields)]

    def _length(self, kind: str, fields: Mapping[str, Any], depth: int) -> int:
        if kind == "A_Const":
            value = fold({kind: fields})
            return len(value) if isinstance(value, str) else int(value is not None)
        if kind == "TypeCast":
            return self._cast_length(fields, depth)
        if kind == "FuncCall":
            return self._called_length(name_of(fields, "funcname"), fields.get("args", []), depth)
        if kind == "A_Expr" and "lexpr" in fields and name_of(fields, "name") == "||":
            return self.length(fields["lexpr"], depth) + self.length(fields["rexpr"], depth)
        return 0

    def _cast_length(self, fields: Mapping[str, Any], depth: int) -> int:
        name = name_of(fields["typeName"], "names")
        length = self.length(fields["arg"], depth)
        limits = [number(limit) for limit in fields["typeName"].get("typmods", ())]
        limit = limits[0] if limits else None
        # What char(n) is filled up with, it loses again on its way into any function.
        if name in {"bpchar", "varchar"} and limit is not None:
            return min(length, max(int(limit), 0))
        return length if name in {"text", "varchar", "json", "xml"} else 0

    def _called_length(self, name: str, arguments: Sequence[Mapping[str, Any]], depth: int) -> int:
        """Return the least length of what a function makes."""
        if name in {"lpad", "repeat", "rpad"} and len(arguments) > 1:
            return self._stretched_length(name, arguments, depth)
        if name == "format" and arguments:
            return _format_width(arguments)
        if name in {"concat", "concat_ws"}:
            values = arguments[1:] if name == "concat_ws" else arguments
            return sum(self.length(value, depth) for value in values)
        if name in {"replace", "regexp_replace"}:
            return self._replaced_length(name, arguments, depth)
        return self.length(arguments[0], depth) if name in _KEEPING and arguments else 0

    def _stretched_length(
        self, name: str, arguments: Sequence[Mapping[str, Any]], depth: int
    ) -> int:
        """Return the length that a count asks for; a text not known counts as one character."""
        unit = arguments[2 if name != "repeat" else 0 :][:1]
        if unit and fold(unit[0]) == "":
            return 0
        return _count(arguments[1]) * (
            max(self.length(unit[0], depth), 1) if name == "repeat" else 1
        )

    def _replaced_length(
        self, name: str, arguments: Sequence[Mapping[str, Any]], depth: int
    ) -> int:
        """Return the least length after replacing every occurrence of a constant."""
        if len(arguments) < 3:  # noqa: PLR2004 - text, pattern and what stands for it
            return 0
        pattern = fold(arguments[1])
        if not isinstance(pattern, str) or not _PLAIN_PATTERN.fullmatch(pattern):
            return 0
        if name == "regexp_replace" and (len(arguments) != 4 or fold(arguments[3]) != "g"):  # noqa: PLR2004 - with flags
            return 0
        return _occurrences(arguments[0], pattern) * self.length(arguments[2], depth)


def elements(node: Mapping[str, Any]) -> int:
    """Return the least number of elements of an array."""
    call = node.get("FuncCall", {})
    arguments = call.get("args", ())
    if name_of(call, "funcname") != "array_fill" or len(arguments) < 2:  # noqa: PLR2004 - value and bounds
        return 0
    bounds = _bounds(arguments[1])
    return min(prod(bounds), HUGE) if bounds else 0


def _count(node: Mapping[str, Any]) -> int:
    return max(_signed(node), 0)


def _signed(node: Mapping[str, Any]) -> int:
    value = number(node)
    return int(value) if value is not None else 0


def _format_width(arguments: Sequence[Mapping[str, Any]]) -> int:
    """Return the widths that a constant template asks for, and what else it holds."""
    template = fold(arguments[0])
    total = at = 0
    for specifier in _FORMAT.finditer(template) if isinstance(template, str) else ():
        position, star, width_position, width = specifier.groups()
        if star:
            at = int(width_position) if width_position else at + 1
            total += abs(_signed(arguments[at])) if at < len(arguments) else 0
        total += int(width or 0)
        if specifier.group() != "%%":
            at = int(position) if position else at + 1
    return total


def _occurrences(node: Mapping[str, Any], text: str) -> int:
    """Count a text in a constant, or in a repeated one."""
    value = fold(node)
    if isinstance(value, str):
        return value.count(text)
    call = node.get("FuncCall", {})
    arguments = call.get("args", ())
    if name_of(call, "funcname") == "repeat" and len(arguments) == 2:  # noqa: PLR2004 - text and count
        return _occurrences(arguments[0], text) * _count(arguments[1])
    return 0


def _bounds(node: Mapping[str, Any]) -> list[int]:
    """Return the dimensions that `ARRAY[1000, 1000]` or `'{1000,1000}'` gives."""
    array = node.get("A_ArrayExpr")
    if array is not None:
        return [_count(element) for element in array.get("elements", ())]
    inner = node.get("TypeCast", {}).get("arg", node)
    if "A_ArrayExpr" in inner:
        return _bounds(inner)
    text = fold(inner)
    return (
        [int(digits) for digits in re.findall(r"\d{1,40}", text)] if isinstance(text, str) else []
    )
