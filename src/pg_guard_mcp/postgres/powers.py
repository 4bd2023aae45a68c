"""What the connected role may do besides reading: the query for it, and its rows as they come.

A right that Postgres gives to everybody counts like the role's own, and a role counts for all that
it is a member of: SET ROLE is one statement away. Reading is no matter of this: what of it is open
the policy says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pg_guard_mcp.catalog import Power
from pg_guard_mcp.postgres.objects import USER_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# PostgreSQL manual, Predefined Roles: those that do more than read. Each major has some of them.
_PREDEFINED = """
'pg_checkpoint', 'pg_create_subscription', 'pg_execute_server_program', 'pg_maintain',
'pg_read_server_files', 'pg_signal_autovacuum_worker', 'pg_signal_backend', 'pg_write_all_data',
'pg_write_server_files'
"""
_RELATIONS = f"""
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND {USER_SCHEMA}
"""

QUERY = f"""
WITH me AS (SELECT * FROM pg_roles WHERE rolname = current_user),
powers (kind, name) AS (
    SELECT 'bypassrls', '' FROM me WHERE rolbypassrls
    UNION ALL SELECT 'createrole', '' FROM me WHERE rolcreaterole
    UNION ALL SELECT 'createdb', '' FROM me WHERE rolcreatedb
    UNION ALL SELECT 'replication', '' FROM me WHERE rolreplication
    UNION ALL
    SELECT 'member', rolname FROM pg_roles
    WHERE pg_has_role(oid, 'MEMBER')
      AND (rolname IN ({_PREDEFINED})
           OR rolsuper OR rolbypassrls OR rolcreaterole OR rolreplication)
      AND rolname <> current_user
    UNION ALL
    SELECT 'owner', format('%I.%I', n.nspname, c.relname) {_RELATIONS}
      AND pg_has_role(c.relowner, 'MEMBER')
    UNION ALL
    SELECT 'owner', format('%I', n.nspname) FROM pg_namespace n
    WHERE {USER_SCHEMA} AND pg_has_role(n.nspowner, 'MEMBER')
    UNION ALL
    SELECT 'owner', format('%I', datname) FROM pg_database
    WHERE datname = current_database() AND pg_has_role(datdba, 'MEMBER')
    UNION ALL
    SELECT 'write', format('%I.%I', n.nspname, c.relname) {_RELATIONS}
      AND NOT pg_has_role(c.relowner, 'MEMBER')
      AND (has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
           OR has_any_column_privilege(c.oid, 'INSERT, UPDATE'))
    UNION ALL
    SELECT 'sequence', format('%I.%I', n.nspname, c.relname)
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE {USER_SCHEMA}
      AND CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'USAGE, UPDATE') END
    UNION ALL
    SELECT 'create', format('SCHEMA %I', n.nspname) FROM pg_namespace n
    WHERE {USER_SCHEMA} AND has_schema_privilege(n.oid, 'CREATE')
      AND NOT pg_has_role(n.nspowner, 'MEMBER')
    UNION ALL
    SELECT 'create', format('DATABASE %I', current_database())
    FROM pg_database
    WHERE datname = current_database() AND has_database_privilege(oid, 'CREATE')
      AND NOT pg_has_role(datdba, 'MEMBER')
)
SELECT kind, (array_agg(name ORDER BY name))[1:3] AS names, count(*) AS total
FROM (SELECT 'superuser', '' FROM me WHERE rolsuper
      UNION ALL SELECT * FROM powers WHERE NOT (SELECT rolsuper FROM me)) AS found (kind, name)
GROUP BY kind
ORDER BY kind
"""  # noqa: S608 - put together from constants above


def powers(rows: Iterable[Mapping[str, Any]]) -> tuple[Power, ...]:
    """Return what the role may do besides reading, a kind of right at a time."""
    return tuple(
        Power(kind=row["kind"], names=tuple(row["names"]), total=row["total"]) for row in rows
    )
