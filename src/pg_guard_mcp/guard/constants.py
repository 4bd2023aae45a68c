"""An expression of Postgres's parse tree in, its value out, where constants alone make it.

Folds what people write for a number or a time (`10^9`, `1e9::int`, `now() - interval '1 year'`)
and gives up on all else: None is no statement about a value. Numbers are cut off at `HUGE`, so that
`9^9^9^9` costs nothing here.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HUGE = 10**40
MAX_DEPTH = 40
"""Expressions nested deeper are not looked into."""


class Moment(NamedTuple):
    """A point in time: seconds since 1970, or since now."""

    seconds: Decimal
    from_now: bool = False


class Interval(NamedTuple):
    """A length of time; months and years are as long as the longest of them."""

    seconds: Decimal


Value: TypeAlias = "Decimal | str | Moment | Interval | None"

_WHOLE = frozenset({"int2", "int4", "int8"})
_NUMBERS = frozenset({"float4", "float8", "numeric"})
_TEXTS = frozenset({"bpchar", "name", "text", "varchar"})
_TIMES = frozenset({"date", "timestamp", "timestamptz"})
_NOW = frozenset(
    {"clock_timestamp", "now", "statement_timestamp", "timeofday", "transaction_timestamp"}
)
_CLOCKS = frozenset({"SVFOP_CURRENT_DATE", "SVFOP_CURRENT_TIMESTAMP", "SVFOP_LOCALTIMESTAMP"})
_DAY = 86_400
_UNITS: Mapping[str, Decimal] = {
    "us": Decimal("0.000001"),
    "microsecond": Decimal("0.000001"),
    "ms": Decimal("0.001"),
    "millisecond": Decimal("0.001"),
    "s": Decimal(1),
    "sec": Decimal(1),
    "second": Decimal(1),
    "m": Decimal(60),
    "min": Decimal(60),
    "minute": Decimal(60),
    "h": Decimal(3_600),
    "hour": Decimal(3_600),
    "d": Decimal(_DAY),
    "day": Decimal(_DAY),
    "w": Decimal(7 * _DAY),
    "week": Decimal(7 * _DAY),
    "mon": Decimal(31 * _DAY),
    "month": Decimal(31 * _DAY),
    "y": Decimal(366 * _DAY),
    "year": Decimal(366 * _DAY),
}
_PART = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*([a-z]+)\s*", re.IGNORECASE)
_CLOCK = re.compile(r"(\d+):(\d\d)(?::(\d\d(?:\.\d+)?))?")


def fold(node: Mapping[str, Any], depth: int = 0) -> Value:
    """Return the value of an expression, as far as constants make it."""
    if depth > MAX_DEPTH or len(node) != 1:
        return None
    ((kind, fields),) = node.items()
    folding = _FOLDINGS.get(kind)
    try:
        return _cut(folding(fields, depth + 1)) if folding else None
    except (ArithmeticError, ValueError):
        return None  # Postgres will say what is wrong with it


def number(node: Mapping[str, Any]) -> Decimal | None:
    """Return an expression's value if it is a number, or a text that will become one."""
    value = fold(node)
    if isinstance(value, str):
        try:
            return _cut_number(_parsed(value))
        except (ArithmeticError, ValueError):
            return None
    return value if isinstance(value, Decimal) else None


def name_of(fields: Mapping[str, Any], key: str) -> str:
    """Return the last part of a name: of a function, a type or an operator."""
    last: str = fields[key][-1]["String"]["sval"] if fields.get(key) else ""
    return last


def moment(text: str) -> Moment | None:
    """Read a date or a time as people write it first to Postgres: in ISO form."""
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return Moment(Decimal((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()))


def interval(text: str) -> Interval | None:
    """Read `1 day`, `2 hours 30 minutes` or `00:00:01`."""
    if clock := _CLOCK.fullmatch(text.strip()):
        hours, minutes, seconds = clock.groups(default="0")
        return Interval(Decimal(hours) * 3_600 + Decimal(minutes) * 60 + Decimal(seconds))
    total, end = Decimal(0), 0
    # Each is tried at one place only: to search takes time quadratic in a row of digits.
    while part := _PART.match(text, end):
        count, unit = part.groups()
        length = _UNITS.get(unit.lower()) or _UNITS.get(unit.lower().removesuffix("s"))
        if length is None:
            return None
        total, end = total + Decimal(count) * length, part.end()
    return Interval(total) if text and end == len(text) else None


def _constant(fields: Mapping[str, Any], _depth: int) -> Value:
    if "ival" in fields:
        return Decimal(fields["ival"].get("ival", 0))
    if "fval" in fields:
        return _parsed(fields["fval"]["fval"])
    if "bsval" in fields:
        digits = fields["bsval"]["bsval"]
        return Decimal(int(digits[1:33] or "0", 16 if digits[0] in "xX" else 2))
    if "sval" in fields:
        text: str = fields["sval"].get("sval", "")
        return text
    return None


def _cast(fields: Mapping[str, Any], depth: int) -> Value:
    return _as_type(fold(fields["arg"], depth), name_of(fields["typeName"], "names"))


def _as_type(value: Value, name: str) -> Value:
    """Cast a constant; a type not known here makes it one that is not known."""
    if name in _TIMES:
        return moment(value) if isinstance(value, str) else _if(value, Moment)
    if name == "interval":
        return interval(value) if isinstance(value, str) else _if(value, Interval)
    if name in _WHOLE | _NUMBERS:
        read = _parsed(value) if isinstance(value, str) else value
        if name in _WHOLE and isinstance(read, Decimal):
            return _cut_number(read).to_integral_value(ROUND_HALF_UP)
        return _if(read, Decimal)
    if name in _TEXTS:
        return str(value) if isinstance(value, Decimal) else _if(value, str)
    return None


def _if(value: Value, kind: type) -> Value:
    return value if isinstance(value, kind) else None


def _operation(fields: Mapping[str, Any], depth: int) -> Value:
    if fields.get("kind") != "AEXPR_OP" or "rexpr" not in fields:
        return None
    right = fold(fields["rexpr"], depth)
    if "lexpr" not in fields:
        return _of_one(name_of(fields, "name"), right)
    return _of_two(name_of(fields, "name"), fold(fields["lexpr"], depth), right)


def _of_one(operator: str, right: Value) -> Value:
    if not isinstance(right, Decimal):
        return None
    return {"-": -right, "+": right, "@": abs(right)}.get(operator)


def _of_two(operator: str, left: Value, right: Value) -> Value:
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        arithmetic = _ARITHMETIC.get(operator)
        return arithmetic(left, right) if arithmetic else None
    if operator == "||" and isinstance(left, str) and isinstance(right, str):
        return left + right
    if isinstance(right, Interval) and operator in {"+", "-"}:
        seconds = right.seconds if operator == "+" else -right.seconds
        if isinstance(left, Moment):
            return left._replace(seconds=left.seconds + seconds)
        return Interval(left.seconds + seconds) if isinstance(left, Interval) else None
    if isinstance(left, Decimal):
        left, right = right, left
    if operator == "*" and isinstance(left, Interval) and isinstance(right, Decimal):
        return Interval(left.seconds * right)
    return None


def _divided(left: Decimal, right: Decimal) -> Decimal:
    """Divide as Postgres does: whole numbers by whole numbers give whole numbers."""
    quotient = left / right
    return Decimal(int(quotient)) if left == int(left) and right == int(right) else quotient


def _power(left: Decimal, right: Decimal) -> Decimal:
    try:
        power = math.pow(float(left), float(right))
    except OverflowError:
        return Decimal(HUGE)
    return Decimal(power)


def _shifted(left: Decimal, right: Decimal) -> Decimal:
    return _power(Decimal(2), right) * left


_ARITHMETIC: Mapping[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": Decimal.__add__,
    "-": Decimal.__sub__,
    "*": Decimal.__mul__,
    "/": _divided,
    "%": Decimal.__mod__,
    "^": _power,
    "<<": _shifted,
}


def _call(fields: Mapping[str, Any], depth: int) -> Value:
    name, arguments = name_of(fields, "funcname"), fields.get("args", [])
    if name in _NOW:
        return Moment(Decimal(0), from_now=True)
    if name == "make_interval":
        return _made_interval(arguments, depth)
    values = [fold(argument, depth) for argument in arguments]
    if name in {"pow", "power"} and len(values) == 2:  # noqa: PLR2004 - base and exponent
        return _of_two("^", *values)
    if name in {"abs", "ceil", "ceiling", "floor", "round", "trunc"} and len(values) == 1:
        return _as_type(_of_one("@" if name == "abs" else "+", values[0]), "int8")
    return _as_type(values[0], name) if len(values) == 1 else None


def _made_interval(arguments: list[Mapping[str, Any]], depth: int) -> Value:
    total = Decimal(0)
    for argument in arguments:
        named = argument.get("NamedArgExpr")
        value = fold(named["arg"], depth) if named else None
        unit = _UNITS.get(named["name"].removesuffix("s")) if named else None
        if unit is None or not isinstance(value, Decimal):
            return None
        total += unit * value
    return Interval(total)


def _keyword(fields: Mapping[str, Any], _depth: int) -> Value:
    """Fold `current_date` and its like; `current_user` is one of them to the grammar."""
    is_time = fields["op"].removesuffix("_N") in _CLOCKS
    return Moment(Decimal(0), from_now=True) if is_time else None


def _subquery(fields: Mapping[str, Any], depth: int) -> Value:
    """Fold `(SELECT 1000000)`."""
    select = fields.get("subselect", {}).get("SelectStmt", {})
    if fields.get("subLinkType") != "EXPR_SUBLINK" or len(select.get("targetList", ())) != 1:
        return None
    if not select.keys() <= {"targetList", "limitOption", "op"}:
        return None
    return fold(select["targetList"][0]["ResTarget"]["val"], depth)


_FOLDINGS: Mapping[str, Callable[[Mapping[str, Any], int], Value]] = {
    "A_Const": _constant,
    "A_Expr": _operation,
    "FuncCall": _call,
    "SQLValueFunction": _keyword,
    "SubLink": _subquery,
    "TypeCast": _cast,
}


def _parsed(text: str) -> Decimal:
    """Read a number as Postgres writes and reads it, `0x1F` and `1_000` included."""
    plain = text.strip().replace("_", "")
    if plain[:2].lower() in {"0x", "0o", "0b"}:
        return Decimal(int(plain[:40], 0))
    try:
        return Decimal(plain)
    except InvalidOperation:
        raise ValueError(text) from None


def _cut(value: Value) -> Value:
    return _cut_number(value) if isinstance(value, Decimal) else value


def _cut_number(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise ValueError
    return max(min(value, Decimal(HUGE)), Decimal(-HUGE))
