"""What the connected role may do besides reading: the query for it, and its rows as they come.

A right that Postgres gives to everybody counts like the role's own, and so does one of a role that
it is a member of, inherited or not: SET ROLE is one statement away. Reading is no matter of this:
what of it is open the policy says.

What is harmless is listed, and nothing else is: a privilege or a predefined role of a later major
is more than reading until somebody has looked at it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pg_guard_mcp.catalog import Power
from pg_guard_mcp.postgres.objects import USER_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# PostgreSQL manual, Predefined Roles: those that only read. Who owns the database, which the last
# stands for, is told as its owner.
_READERS = """
'pg_monitor', 'pg_read_all_data', 'pg_read_all_settings', 'pg_read_all_stats',
'pg_stat_scan_tables', 'pg_database_owner'
"""

# Everything that belongs to one of the roles, whatever it is; of databases, this one. What says who
# may use what, default privileges and user mappings, is nobody's object.
_OWNED = """
SELECT 'owner', i.identity
FROM pg_shdepend d
CROSS JOIN pg_identify_object(d.classid, d.objid, d.objsubid) i
WHERE i.identity IS NOT NULL AND d.deptype = 'o' AND d.refclassid = 'pg_authid'::regclass
  AND d.refobjid IN (SELECT oid FROM mine)
  AND d.dbid IN (0, (SELECT oid FROM here))
  AND d.classid NOT IN ('pg_default_acl'::regclass, 'pg_user_mapping'::regclass)
  AND (d.classid <> 'pg_database'::regclass OR d.objid = (SELECT oid FROM here))
  AND coalesce(i.schema, '') !~ '^pg_(toast_)?temp'
"""

# Tables and views, and sequences, by the table as a whole or by column. An owner is told above.
_GRANTED = f"""
SELECT CASE WHEN c.relkind = 'S' THEN 'sequence'
            WHEN a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE') THEN 'write'
            WHEN a.privilege_type <> 'SELECT' THEN 'alter'
            ELSE 'grant' END,
       format('%I.%I', n.nspname, c.relname)
FROM (SELECT oid AS id, relacl AS acl FROM pg_class WHERE relacl IS NOT NULL
      UNION ALL SELECT attrelid, attacl FROM pg_attribute WHERE attacl IS NOT NULL) g
JOIN pg_class c ON c.oid = g.id
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN aclexplode(g.acl) a
WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f', 'S') AND {USER_SCHEMA}
  AND a.grantee IN (SELECT oid FROM anybody)
  AND c.relowner NOT IN (SELECT oid FROM mine)
  AND (a.privilege_type <> 'SELECT' OR a.is_grantable)
"""

# Of these there are few, and few rights on each: what can be made in them. USAGE of a foreign
# server is no such right: it lets nothing be made but user mappings.
_CREATING = f"""
SELECT 'create', format('SCHEMA %I', n.nspname)
FROM pg_namespace n CROSS JOIN aclexplode(n.nspacl) a
WHERE {USER_SCHEMA} AND n.nspowner NOT IN (SELECT oid FROM mine)
  AND a.grantee IN (SELECT oid FROM anybody) AND a.privilege_type <> 'USAGE'
UNION ALL
SELECT 'create', format('DATABASE %I', d.datname)
FROM pg_database d CROSS JOIN aclexplode(d.datacl) a
WHERE d.oid = (SELECT oid FROM here) AND d.datdba NOT IN (SELECT oid FROM mine)
  AND a.grantee IN (SELECT oid FROM anybody) AND a.privilege_type NOT IN ('CONNECT', 'TEMPORARY')
UNION ALL
SELECT 'create', format('TABLESPACE %I', t.spcname)
FROM pg_tablespace t CROSS JOIN aclexplode(t.spcacl) a
WHERE t.spcowner NOT IN (SELECT oid FROM mine) AND a.grantee IN (SELECT oid FROM anybody)
"""

# Parameters have been things to grant since 15 (6243 is their catalog), and of large objects there
# can be millions, so both are looked for where Postgres notes who was granted something.
_OTHERS = """
SELECT 'parameter', i.identity
FROM pg_shdepend d
CROSS JOIN pg_identify_object(d.classid, d.objid, d.objsubid) i
WHERE i.identity IS NOT NULL AND d.deptype = 'a' AND d.classid = 6243
  AND d.refclassid = 'pg_authid'::regclass AND d.refobjid IN (SELECT oid FROM mine)
UNION ALL
SELECT 'large-object', l.oid::text
FROM pg_shdepend d
JOIN pg_largeobject_metadata l ON l.oid = d.objid
CROSS JOIN aclexplode(l.lomacl) a
WHERE d.deptype = 'a' AND d.classid = 'pg_largeobject'::regclass
  AND d.dbid = (SELECT oid FROM here)
  AND d.refclassid = 'pg_authid'::regclass AND d.refobjid IN (SELECT oid FROM mine)
  AND a.grantee IN (SELECT oid FROM anybody) AND a.privilege_type <> 'SELECT'
"""

# Functions that Postgres, or an extension, kept from everybody when it was installed (to read files
# of the server, to end sessions, to change the log), and that were given to the role since.
_FUNCTIONS = """
SELECT 'function', p.oid::regprocedure::text
FROM pg_init_privs i
JOIN pg_proc p ON p.oid = i.objoid
CROSS JOIN aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
WHERE i.classoid = 'pg_proc'::regclass AND i.objsubid = 0
  AND p.proowner NOT IN (SELECT oid FROM mine)
  AND a.grantee IN (SELECT oid FROM anybody)
  AND NOT EXISTS (SELECT FROM aclexplode(i.initprivs) before
                  WHERE before.grantee IN (SELECT oid FROM anybody))
"""

QUERY = f"""
WITH me AS (SELECT * FROM pg_roles WHERE rolname IN (current_user, session_user)),
mine AS MATERIALIZED (
    SELECT r.* FROM pg_roles r
    WHERE EXISTS (SELECT FROM me WHERE pg_has_role(me.oid, r.oid, 'MEMBER'))
),
anybody (oid) AS (SELECT 0::oid UNION ALL SELECT oid FROM mine),
here AS (SELECT oid FROM pg_database WHERE datname = current_database()),
powers (kind, name) AS (
    SELECT 'bypassrls', '' FROM me WHERE rolbypassrls
    UNION ALL SELECT 'createrole', '' FROM me WHERE rolcreaterole
    UNION ALL SELECT 'createdb', '' FROM me WHERE rolcreatedb
    UNION ALL SELECT 'replication', '' FROM me WHERE rolreplication
    UNION ALL
    SELECT 'member', rolname FROM mine
    WHERE oid NOT IN (SELECT oid FROM me)
      AND (rolname ~ '^pg_' AND rolname NOT IN ({_READERS})
           OR rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)
    UNION ALL
    SELECT 'admin', rolname FROM mine
    WHERE oid NOT IN (SELECT oid FROM me)
      AND EXISTS (SELECT FROM me
                  WHERE pg_has_role(me.oid, mine.oid, 'MEMBER WITH ADMIN OPTION'))
    UNION ALL {_OWNED}
    UNION ALL {_GRANTED}
    UNION ALL {_CREATING}
    UNION ALL {_OTHERS}
    UNION ALL {_FUNCTIONS}
)
SELECT kind, (array_agg(name ORDER BY name))[1:3] AS names, count(*) AS total
FROM (SELECT 'superuser', '' FROM me WHERE rolsuper
      UNION SELECT * FROM powers WHERE NOT (SELECT bool_or(rolsuper) FROM me)
     ) AS found (kind, name)
GROUP BY kind
ORDER BY kind
"""


def powers(rows: Iterable[Mapping[str, Any]]) -> tuple[Power, ...]:
    """Return what the role may do besides reading, a kind of right at a time."""
    return tuple(
        Power(kind=row["kind"], names=tuple(row["names"]), total=row["total"]) for row in rows
    )
