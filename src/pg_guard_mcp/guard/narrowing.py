"""The policy for everybody and one client's rules in, that client's policy out: never a wider one.

What is open to it is open by both. A column that either masks is masked: see `masking.stricter`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pg_guard_mcp.guard import policy as policies

if TYPE_CHECKING:
    from pg_guard_mcp.guard.policy import Policy
    from pg_guard_mcp.model import AccessRules


def narrow(everybody: Policy, rules: AccessRules) -> Policy:
    """Build the policy of a client whose rules have its own masks alone.

    Raises:
        ConfigurationError: as `policy.build`.

    """
    own = policies.build(rules, everybody.catalog, beside=everybody.masks)
    opened = {
        relation: info
        for relation, info in own.open_relations.items()
        if relation in everybody.open_relations
    }
    return replace(own, open_relations=opened)
