"""What the database role may do besides reading in, what an operator should know of it out.

Nothing of this is for an agent: it names relations that may be closed to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pg_guard_mcp.catalog import Power

_ANOTHER_ROLE = "give the agent a role of its own, as the README shows"
# What it is able to do, and how to take that away; {names} are some of what it can do it to.
_WORDS = {
    "superuser": ("is a superuser", _ANOTHER_ROLE),
    "bypassrls": ("bypasses row security", "ALTER ROLE ... NOBYPASSRLS"),
    "createrole": ("may create roles", "ALTER ROLE ... NOCREATEROLE"),
    "createdb": ("may create databases", "ALTER ROLE ... NOCREATEDB"),
    "replication": ("may start replication", "ALTER ROLE ... NOREPLICATION"),
    "member": ("is a member of {names}", "REVOKE {names} FROM the role"),
    "owner": ("owns {names}, or is a member of a role that does", _ANOTHER_ROLE),
    "write": (
        "may write to {names}",
        "REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {names} FROM the role, or from PUBLIC",
    ),
    "sequence": (
        "may move the sequence {names}",
        "REVOKE USAGE, UPDATE ON SEQUENCE {names} FROM the role, or from PUBLIC",
    ),
    "alter": (
        "may do more than read and write to {names} (REFERENCES, TRIGGER or MAINTAIN)",
        "REVOKE ALL ON {names} FROM the role, or from PUBLIC, and GRANT SELECT",
    ),
    "grant": (
        "may pass on what it was granted on {names}",
        "REVOKE GRANT OPTION FOR ALL ON {names} FROM the role",
    ),
    "admin": ("may grant the role {names} to others", "REVOKE ADMIN OPTION FOR {names} FROM it"),
    "function": (
        "may call {names}, which is kept from others",
        "REVOKE EXECUTE ON FUNCTION {names} FROM the role, or from PUBLIC",
    ),
    "parameter": (
        "was granted to change {names}",
        "REVOKE SET, ALTER SYSTEM ON PARAMETER {names} FROM the role",
    ),
    "large-object": (
        "may write to the large object {names}",
        "REVOKE UPDATE ON LARGE OBJECT {names} FROM the role",
    ),
    "create": (
        "may create objects in {names}",
        "REVOKE CREATE ON {names} FROM the role, or from PUBLIC",
    ),
}
_UNKNOWN = ("may do more than read ({kind})", _ANOTHER_ROLE)


def problems(powers: Iterable[Power]) -> Iterator[Problem]:
    """Yield a problem for each kind of right that a reader has no use for."""
    for power in powers:
        names = ", ".join(power.names)
        more = (
            f" and {power.total - len(power.names)} more" if power.total > len(power.names) else ""
        )
        message, fix = _WORDS.get(power.kind, _UNKNOWN)
        yield Problem(
            f"the database role {message.format(names=names + more, kind=power.kind)}",
            f"{fix.format(names=names)}; or set database.allow_overprivileged_role = true",
        )
