"""A module already imported in, the same with a mutation in its functions out.

Whoever imported a function holds on to it, so it is not replaced: its code is. That cannot change
what a module made of itself when it was imported; such mutations need a fresh process.
"""

from __future__ import annotations

from functools import cached_property
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterable, Iterator


def swap(module: ModuleType, tree: ast.Module) -> bool:
    """Give the module's functions the code in `tree`; tell whether that changed any."""
    codes = {code.co_qualname: code for code in _codes(compile(tree, str(module.__file__), "exec"))}
    changed = False
    for function in _functions(module):
        code = codes.get(function.__qualname__)
        if code is not None and code != function.__code__:
            function.__code__ = code
            changed = True
    return changed


def forget(modules: Iterable[ModuleType]) -> None:
    """Empty the caches of the modules' functions."""
    for module in modules:
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of every function and method, but not of those inside functions."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            # The body of a class is code too, which has methods in it.
            if "." not in constant.co_qualname:
                yield from _codes(constant)


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    for value in vars(module).values():
        if isinstance(value, type) and value.__module__ == module.__name__:
            for attribute in vars(value).values():
                yield from _function(attribute, module)
        else:
            yield from _function(value, module)


def _function(value: object, module: ModuleType) -> Iterator[FunctionType]:
    """Yield the function in a method, a property or a wrapper."""
    if isinstance(value, property):
        value = value.fget
    elif isinstance(value, cached_property):
        value = value.func
    elif isinstance(value, (staticmethod, classmethod)):
        value = value.__func__
    while hasattr(value, "__wrapped__"):
        value = value.__wrapped__
    if isinstance(value, FunctionType) and value.__module__ == module.__name__:
        yield value
