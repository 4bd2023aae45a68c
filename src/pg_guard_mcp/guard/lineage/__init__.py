"""Which columns derive from which, and so inherit their masks.

`flows` says what there is to know of a column, `ranges`, `terms`, `joins`, `shaping` and `queries`
find it out of a view's definition, each for a part of it, and `masks` draws the conclusion.
"""

from pg_guard_mcp.guard.lineage.masks import Derivation, derivation, resolve

__all__ = ["Derivation", "derivation", "resolve"]
