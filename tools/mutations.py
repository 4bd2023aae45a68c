"""A module's source in, every small change to it out: what a mutation run tries.

A mutation turns one comparison, condition, number, operator, call or return into another. Words of
messages and hints, annotations and decorators are left alone: no test should hang on them.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.Mod: ast.Mult,
}
_WORDS = {"message", "hint", "reason", "why"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One change: which, in order of the walk, on what line, and what it does."""

    number: int
    line: int
    what: str


def mutations(source: str) -> list[Mutation]:
    """List every mutation of a module."""
    return [
        Mutation(number=number, line=line, what=what)
        for number, (line, what, _) in enumerate(_changes(ast.parse(source)))
    ]


def mutated(source: str, number: int) -> ast.Module:
    """Return the module with one mutation made."""
    tree = ast.parse(source)
    for index, (_, _, change) in enumerate(_changes(tree)):
        if index == number:
            change()
            return ast.fix_missing_locations(tree)
    raise IndexError(number)


def _changes(tree: ast.Module) -> Iterator[tuple[int, str, Callable[[], None]]]:
    """Yield what can be changed; nothing changes until a change is called."""
    for node in _walk(tree):
        for what, change in _of(node):
            placed = node.target if isinstance(node, ast.comprehension) else node
            yield getattr(placed, "lineno", 1), what, change


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Walk what runs: no annotation, decorator, docstring, message, or import for types."""
    yield node
    if isinstance(node, ast.Raise):
        return  # what an exception says is words
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "type_comment", "keywords"}:
            if name == "keywords":
                for keyword in value:
                    if keyword.arg not in _WORDS:
                        yield from _walk(keyword.value)
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_left_alone(child):
                yield from _walk(child)


def _is_left_alone(node: ast.AST) -> bool:
    return (
        (isinstance(node, ast.If) and isinstance(node.test, ast.Name))
        and node.test.id == "TYPE_CHECKING"
    ) or isinstance(node, (ast.JoinedStr, ast.Import, ast.ImportFrom))


def _of(node: ast.AST) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the changes of one node."""
    if isinstance(node, ast.Compare):
        yield from _compared(node)
    elif isinstance(node, ast.BoolOp):
        yield "and becomes or, or or and", lambda: _set(node, "op", _other(node.op))
        for index in range(len(node.values)):
            yield f"operand {index + 1} is dropped", _dropper(node.values, index)
    elif isinstance(node, ast.BinOp) and type(node.op) in _COMPUTED:
        new = _COMPUTED[type(node.op)]
        old = type(node.op).__name__
        yield f"{old} becomes {new.__name__}", lambda: _set(node, "op", new())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        # `not not x`: the same truth as `x`, whatever its type.
        inner = ast.UnaryOp(op=ast.Not(), operand=node.operand)
        yield "not is dropped", lambda: _set(node, "operand", inner)
    elif isinstance(node, ast.Constant):
        yield from _constant(node)
    else:
        yield from _flow(node)
    yield from _statements(node)


def _flow(node: ast.AST) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the changes of what decides where to go."""
    if isinstance(node, (ast.If, ast.IfExp, ast.While)):
        yield "the condition is true", lambda: _set(node, "test", ast.Constant(True))
        yield "the condition is false", lambda: _set(node, "test", ast.Constant(False))
    elif isinstance(node, ast.comprehension):
        for index in range(len(node.ifs)):
            yield f"filter {index + 1} is dropped", _dropper(node.ifs, index)
    elif isinstance(node, ast.Return) and not _is_falsy(node.value):
        yield "None is returned", lambda: _set(node, "value", ast.Constant(None))


def _is_falsy(value: ast.expr | None) -> bool:
    return value is None or (isinstance(value, ast.Constant) and not value.value)


def _statements(node: ast.AST) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the statements of a block that can be left out."""
    for block in ("body", "orelse", "finalbody"):
        statements = getattr(node, block, None)
        if not isinstance(statements, list):
            continue
        for index, statement in enumerate(statements):
            is_words = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            droppable = (ast.Expr, ast.Raise, ast.AugAssign, ast.Continue, ast.Break, ast.For)
            if isinstance(statement, droppable) and not is_words:
                kind = type(statement).__name__.lower()
                yield f"line {statement.lineno}: {kind} is left out", _passer(statements, index)


def _compared(node: ast.Compare) -> Iterator[tuple[str, Callable[[], None]]]:
    for index, operator in enumerate(node.ops):
        new = _COMPARED[type(operator)]
        what = f"{type(operator).__name__} becomes {new.__name__}"
        yield what, lambda index=index, new=new: node.ops.__setitem__(index, new())  # type: ignore[misc]  # bound now, not later


def _constant(node: ast.Constant) -> Iterator[tuple[str, Callable[[], None]]]:
    value = node.value
    if isinstance(value, bool):
        yield f"{value} becomes {not value}", lambda: _set(node, "value", not value)
    elif isinstance(value, int):
        yield f"{value} becomes {value + 1}", lambda: _set(node, "value", value + 1)
    elif isinstance(value, bytes) and value:
        yield f"{value!r} becomes another", lambda: _set(node, "value", value + b"~")
    elif isinstance(value, str) and value and " " not in value and value.isidentifier():
        yield f"{value!r} becomes another", lambda: _set(node, "value", value + "_")


def _other(operator: ast.boolop) -> ast.boolop:
    return ast.Or() if isinstance(operator, ast.And) else ast.And()


def _set(node: ast.AST, name: str, value: object) -> None:
    setattr(node, name, value)


def _dropper(values: list[ast.expr], index: int) -> Callable[[], None]:
    def drop() -> None:
        del values[index]
        if not values:
            values.append(ast.Constant(True))

    return drop


def _passer(statements: list[ast.stmt], index: int) -> Callable[[], None]:
    return lambda: statements.__setitem__(index, ast.Pass())
