"""A seed in, labelled cells out: values and look-alikes, in every form a cell can have.

A cell that holds a value comes with what it must become: the mark in the value's place and nothing
else changed, valid for the cell's type.
"""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from tools.detector_lookalikes import NEGATIVE
from tools.detector_values import POSITIVE, connection

if TYPE_CHECKING:
    from collections.abc import Callable

    Write = Callable[[str], str]

SEED = 4
_EACH = 160
_OF_EACH_LOOK_ALIKE = 30
_PROSE = (
    "The customer wrote {} in the chat.",
    "Note: {}",
    "({}) was rejected, see ticket 4711",
    "first line\n{}\nlast line",
    "old={}; new=unknown",
    "<{}>",
)


class Case(NamedTuple):
    """One cell of a result, and what it must become: itself, if it holds nothing."""

    detector: str
    """Empty for a look-alike."""
    what: str
    type: str
    cell: str
    expected: str


class _Form(NamedTuple):
    """A way to write a text into a cell of a type."""

    name: str
    type: str
    write: Write


def in_array(*elements: str) -> str:
    """Write a Postgres array of texts, every element quoted."""
    quoted = (element.replace("\\", "\\\\").replace('"', '\\"') for element in elements)
    return "{" + ",".join(f'"{element}"' for element in quoted) + "}"


def in_composite(*fields: str) -> str:
    """Write a Postgres row, every field quoted."""
    quoted = (field.replace("\\", "\\\\").replace('"', '""') for field in fields)
    return "(" + ",".join(f'"{field}"' for field in quoted) + ")"


def in_hstore(value: str) -> str:
    """Write a Postgres hstore."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"id"=>"7", "note"=>"{escaped}"'


def in_xml(value: str) -> str:
    """Write an XML document."""
    escaped = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<note><to>shop</to><text>{escaped}</text></note>"


def in_bytes(value: str) -> str:
    """Write a bytea."""
    return "\\x" + f"to shop: {value}".encode("latin-1").hex()


_FORMS = (
    _Form("bare", "text", lambda value: value),
    _Form("bare", "varchar", lambda value: value),
    *(_Form("prose", "text", prose.format) for prose in _PROSE),
    _Form("JSON leaf", "jsonb", lambda value: json.dumps({"id": 7, "note": value})),
    _Form("JSON leaf", "json", lambda value: json.dumps({"note": value}, ensure_ascii=False)),
    _Form("JSON key", "jsonb", lambda value: json.dumps({value: True, "n": 1})),
    _Form("nested JSON", "jsonb", lambda value: json.dumps([[{"a": [1, value]}]])),
    _Form("JSON in text", "text", lambda value: json.dumps({"log": json.dumps({"note": value})})),
    _Form("array", "_text", lambda value: in_array("a", value, "b")),
    _Form("nested array", "_text", lambda value: f"{{{in_array(value)},{in_array('x')}}}"),
    _Form("composite", "record", lambda value: in_composite("7", value)),
    _Form("array of composites", "_record", lambda value: in_array(in_composite(value, "x"))),
    _Form("array of JSON", "_jsonb", lambda value: in_array(json.dumps({"note": value}), "1")),
    _Form("composite of arrays", "record", lambda value: in_composite(in_array(value), "x")),
    _Form("hstore", "hstore", in_hstore),
    _Form("XML", "xml", in_xml),
)
_PLAIN_FORMS = (
    _Form("bytes", "bytea", in_bytes),
    _Form("array of bytes", "_bytea", lambda value: in_array(in_bytes(value))),
    _Form("range", "textrange", lambda value: f'["{value}","x")'),
)
"""Of text without quotes, backslashes and characters beyond Latin-1."""


def cases(seed: int = SEED) -> list[Case]:
    """Make the labelled set."""
    source = Random(seed)  # noqa: S311 - the same cases in every run
    made = []
    for detector, make in POSITIVE.items():
        for number in range(_EACH):
            value = make(source)
            form = _form(source, value, number)
            made.append(_positive(detector, form, value, value))
        made += [_encoded(detector, make(source), number) for number in range(_EACH // 8)]
    for number in range(_EACH):
        text, secret = connection(source)
        form = _form(source, text, number)
        made.append(_positive("cloud-key", form, text, secret))
    for what, make in NEGATIVE.items():
        for number in range(_OF_EACH_LOOK_ALIKE):
            form = _form(source, value := make(source), number)
            cell = form.write(value)
            made.append(Case("", f"{what}, {form.name}", form.type, cell, cell))
    return made


def _form(source: Random, value: str, number: int) -> _Form:
    """Choose a form, a third of the time the bare value."""
    if number % 3 == 0:
        return _FORMS[0]
    plain = value.isascii() and not set(value) & set("\\\"'\n")
    return source.choice(_FORMS + (_PLAIN_FORMS if plain else ()))


def _positive(detector: str, form: _Form, text: str, secret: str) -> Case:
    masked = text.replace(secret, f"[{detector}]")
    return Case(detector, form.name, form.type, form.write(text), form.write(masked))


def _encoded(detector: str, value: str, number: int) -> Case:
    """Write a value so that the cell does not hold its characters."""
    mark = f"[{detector}]"
    if number % 2:
        value = value.replace("%", "")
        cell = f"q=1&note={quote(value)}"
        return Case(detector, "percent", "text", cell, f"q=1&note={mark}")
    escaped = "".join(f"\\u{ord(char):04x}" for char in value)
    return Case(detector, "escapes", "json", f'{{"note": "{escaped}"}}', f'{{"note": "{mark}"}}')
