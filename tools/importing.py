"""A module's syntax tree in, that module imported from it instead of from its file."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast
    from types import CodeType


class _FromTree(SourceFileLoader):
    """Finds and loads one module, from a tree."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        super().__init__(name, str(path))
        self._tree = tree

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """Answer for the one module."""
        if name != self.name:
            return None
        places = [str(Path(self.path).parent)] if self.is_package(name) else None
        return importlib.util.spec_from_file_location(
            name, self.path, loader=self, submodule_search_locations=places
        )

    def get_code(self, _name: str) -> CodeType:
        """Compile the tree, and read no cache."""
        return compile(self._tree, self.path, "exec")


def import_mutated(name: str, path: Path, tree: ast.Module) -> None:
    """Have the next import of `name` take it from `tree`."""
    sys.meta_path.insert(0, _FromTree(name, path, tree))
