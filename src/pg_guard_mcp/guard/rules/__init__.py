"""The rules, in the order in which their findings are reported.

A rule reads a statement's facts and yields what speaks against it; it decides nothing and knows
no other rule. What a statement's form alone forbids is found on the way (`guard.kinds`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.guard.rules.allowed_columns import allowed_columns
from pg_guard_mcp.guard.rules.allowed_extensions import allowed_extensions
from pg_guard_mcp.guard.rules.allowed_functions import allowed_functions
from pg_guard_mcp.guard.rules.allowed_operators import allowed_operators
from pg_guard_mcp.guard.rules.allowed_relations import allowed_relations
from pg_guard_mcp.guard.rules.allowed_types import allowed_types
from pg_guard_mcp.guard.rules.bounded_work import bounded_work
from pg_guard_mcp.guard.rules.built_in_names import built_in_names
from pg_guard_mcp.guard.rules.masked_relation_shape import masked_relation_shape
from pg_guard_mcp.guard.rules.no_catalogs import no_catalogs
from pg_guard_mcp.guard.rules.no_parameters import no_parameters
from pg_guard_mcp.guard.rules.no_system_columns import no_system_columns

if TYPE_CHECKING:
    from pg_guard_mcp.guard.policy import Rule

RULES: tuple[Rule, ...] = (
    no_parameters,
    no_catalogs,
    allowed_relations,
    allowed_columns,
    no_system_columns,
    allowed_functions,
    allowed_types,
    allowed_operators,
    allowed_extensions,
    built_in_names,
    bounded_work,
    masked_relation_shape,
)

NAME_RULES = frozenset(
    {
        "allowed-columns",
        "allowed-extensions",
        "allowed-functions",
        "allowed-operators",
        "allowed-relations",
        "allowed-types",
    }
)
"""Rules whose findings a fresh catalog may lift: something was made since the last snapshot."""
