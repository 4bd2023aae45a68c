"""A mutation changes what runs, and only that; words, annotations and decorators stay."""

from __future__ import annotations

import ast
from pathlib import Path
from types import ModuleType

import pytest
from tools import swapping
from tools.mutations import mutated, mutations

from pg_guard_mcp.guard import rules

SOURCE = '''
"""What it is for."""
LIMIT = 3

def judge(count: int, names: list[str]) -> bool:
    """Say so."""
    if count > LIMIT and names:
        raise ValueError("too many")
    return not any(name == "x" for name in names if name)
'''
MODULES = sorted(Path(rules.__file__).parent.glob("*.py"))


def module(source: str) -> ModuleType:
    """Import a module from its source."""
    made = ModuleType("made")
    made.__dict__["__file__"] = "made.py"
    exec(compile(source, "made.py", "exec"), made.__dict__)  # noqa: S102 - a text of ours
    return made


def test_everything_that_decides_is_mutated_and_no_word_is() -> None:
    assert {(one.line, one.what) for one in mutations(SOURCE)} == {
        (3, "3 becomes 4"),
        (7, "Gt becomes GtE"),
        (7, "and becomes or, or or and"),
        (7, "operand 1 is dropped"),
        (7, "operand 2 is dropped"),
        (7, "the condition is false"),
        (7, "the condition is true"),
        (7, "line 8: raise is left out"),
        (9, "'x' becomes another"),
        (9, "Eq becomes NotEq"),
        (9, "None is returned"),
        (9, "filter 1 is dropped"),
        (9, "not is dropped"),
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_mutation_of_a_module_is_another_module(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    unchanged = ast.dump(ast.parse(source))

    dumped = [ast.dump(mutated(source, one.number)) for one in mutations(source)]

    assert unchanged not in dumped


def test_whoever_imported_a_function_calls_the_mutated_one() -> None:
    made = module(SOURCE)
    judge = made.judge
    number = next(one.number for one in mutations(SOURCE) if one.what == "not is dropped")

    changed = swapping.swap(made, mutated(SOURCE, number))

    assert changed
    assert judge(1, ["x"])
    assert not judge(1, ["y"])


def test_what_a_module_made_when_it_was_imported_is_not_swapped() -> None:
    made = module(SOURCE)
    number = next(one.number for one in mutations(SOURCE) if one.what == "3 becomes 4")

    assert not swapping.swap(made, mutated(SOURCE, number))
