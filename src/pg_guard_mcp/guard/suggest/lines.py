"""Proposals in, the lines of a `[mask]` table out, with the reason for each above it.

A pattern is three names between dots in which `*` is any run of characters, so a name with a dot or
a blank edge cannot be written as it is; `*` stands for that place. Where the pattern then fits
other columns too, the line says so, and redacts, which serves every type.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pg_guard_mcp.guard import masking

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pg_guard_mcp.guard.suggest.proposals import Proposal
    from pg_guard_mcp.model import Relation


def pattern(relation: Relation, column: str) -> str:
    """Write a column as a pattern of the mask table."""
    return ".".join(_part(name) for name in (relation.schema, relation.name, column))


def kinds(proposals: Iterable[Proposal], columns: Sequence[str]) -> dict[str, str]:
    """Return the mask table: kinds by pattern. `columns` are the full names of all there are."""
    table: dict[str, str] = {}
    for proposal in proposals:
        key = pattern(*proposal.where)
        clashes = table.get(key, proposal.kind) != proposal.kind or _others(proposal, columns)
        table[key] = "redact" if clashes else proposal.kind
    return table


def written(proposals: Sequence[Proposal], columns: Sequence[str]) -> Iterator[str]:
    """Yield the lines of the table."""
    table: Mapping[str, str] = kinds(proposals, columns)
    reasons: dict[str, list[str]] = {}
    for proposal in proposals:
        lines = reasons.setdefault(pattern(*proposal.where), [])
        lines.append(proposal.reason)
        lines += [
            f"this pattern fits {json.dumps(other)} too" for other in _others(proposal, columns)
        ]
    yield "[mask]"
    for key, kind in table.items():
        yield from (f"# {reason}" for reason in dict.fromkeys(reasons[key]))
        yield f"{_quoted(key)} = {_quoted(kind)}"


def _others(proposal: Proposal, columns: Sequence[str]) -> list[str]:
    """Return the other columns that a proposal's pattern fits, where it is not exact."""
    key = pattern(*proposal.where)
    if "*" not in key:
        return []
    own = f"{proposal.relation}.{proposal.column}"
    return [name for name in columns if name != own and masking.matches(key, name)]


def _part(name: str) -> str:
    """Write one name: `*` for what cannot stand there, which is more than it and never less."""
    inner = name.strip()
    before, after = len(name) - len(name.lstrip()), len(name) - len(name.rstrip())
    return f"{'*' if before else ''}{inner.replace('.', '*')}{'*' if after and inner else ''}"


def _quoted(text: str) -> str:
    """Write a TOML basic string: a JSON string, but for DEL, which TOML wants escaped as well."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
