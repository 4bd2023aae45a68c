"""Rows of `pg_catalog` in, what a database has of code and types out: the rest of the snapshot.

Membership in an extension is no proof by itself: whoever owns an extension can add a function to
it. So an object is an extension's own only if an administrator made the code: it is in C, which
nobody else may create, or a superuser owns it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pg_guard_mcp.catalog import CastInfo, ExtensionInfo, FunctionInfo, OperatorInfo, TypeInfo
from pg_guard_mcp.model import Definition, TypeName
from pg_guard_mcp.postgres import versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Rows = Iterable[Mapping[str, Any]]

USER_SCHEMA = "n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"

_MEMBERS = """
SELECT d.classid, d.objid, e.extname
FROM pg_depend d
JOIN pg_extension e ON e.oid = d.refobjid
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
"""

# One row a function: whose own it is, or nobody's. An aggregate has no language of its own.
_OWN = f"""
SELECT p.oid, m.extname
FROM pg_proc p
JOIN ({_MEMBERS}) m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
JOIN pg_language l ON l.oid = p.prolang
WHERE (p.prokind IN ('f', 'w') AND l.lanname IN ('c', 'internal'))
   OR (SELECT r.rolsuper FROM pg_roles r WHERE r.oid = p.proowner)
"""


def _owners(value: str) -> str:
    """List what `value` is in a group of rows, if every row has it."""
    return f"CASE WHEN count({value}) = count(*) THEN json_agg(DISTINCT {value}) END"


_EXTENSIONS = f"""
SELECT e.extname AS name, n.nspname AS schema, e.extversion AS version,
       n.oid::int8 AS id, {versions.SCHEMA_DIGEST} AS digest
FROM pg_extension e
JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE {USER_SCHEMA}
"""

# Before 14 no range had a multirange, and pg_range had no such column.
_IS_OF_RANGE = "concat(t.oid) IN (concat(r.rngtypid), to_jsonb(r) ->> 'rngmultitypid')"

# An array type has no entry of its own: it is what its element is.
_TYPES = f"""
SELECT n.nspname AS schema, t.typname AS name, t.typtype AS kind, s.typname AS array,
       t.oid::int8 AS id, {versions.TYPE_DIGEST} AS digest,
       CASE WHEN t.typtype = 'b' OR (SELECT r.rolsuper FROM pg_roles r WHERE r.oid = t.typowner)
            THEN m.extname END AS extension,
       (SELECT json_agg(json_build_array(pn.nspname, pt.typname))
        FROM (SELECT nullif(t.typbasetype, 0) UNION ALL
              SELECT r.rngsubtype FROM pg_range r WHERE {_IS_OF_RANGE}
              UNION ALL
              SELECT a.atttypid FROM pg_attribute a
              WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) part (oid)
        JOIN pg_type pt ON pt.oid = part.oid
        JOIN pg_namespace pn ON pn.oid = pt.typnamespace) AS parts,
       (SELECT json_agg(pg_get_expr(k.conbin, 0) ORDER BY k.oid)
        FROM pg_constraint k
        WHERE k.contypid = t.oid AND k.conbin IS NOT NULL) AS checks,
       (SELECT string_agg(format('%I.%I', fn.nspname, f.proname), ', ')
        FROM pg_range r
        JOIN pg_opclass c ON c.oid = r.rngsubopc
        JOIN pg_amproc ap ON ap.amprocfamily = c.opcfamily
        JOIN pg_proc f ON f.oid IN (r.rngcanonical, r.rngsubdiff, ap.amproc)
        JOIN pg_namespace fn ON fn.oid = f.pronamespace
        WHERE {_IS_OF_RANGE} AND fn.nspname <> 'pg_catalog') AS code
FROM pg_type t
JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_type s ON s.oid = t.typarray
LEFT JOIN pg_class c ON c.oid = t.typrelid
LEFT JOIN ({_MEMBERS}) m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
WHERE t.typtype IN ('b', 'c', 'd', 'e', 'm', 'r') AND {USER_SCHEMA}
  AND t.typcategory <> 'A' AND coalesce(c.relkind, 'c') = 'c'
"""

# Postgres makes these for every range type, in its own language: they only put a value together.
_CONSTRUCTOR = """
(l.lanname = 'internal'
 AND p.prosrc IN ('range_constructor2', 'range_constructor3', 'multirange_constructor0',
                  'multirange_constructor1', 'multirange_constructor2'))
"""

# An aggregate does what its support functions do; what pg_proc says of itself is not the point.
_FUNCTIONS = f"""
SELECT n.nspname AS schema, p.proname AS name, n.oid::int8 AS id,
       bool_or(has_schema_privilege(n.oid, 'USAGE') AND has_function_privilege(p.oid, 'EXECUTE'))
           AS callable,
       bool_or(p.provolatile = 'v' OR coalesce(s.volatile, false)) AS volatile,
       bool_or(p.prosecdef OR coalesce(s.definer, false)) AS security_definer,
       coalesce(string_agg(CASE WHEN p.prokind IN ('f', 'w') AND l.lanname NOT IN ('c', 'internal')
                                THEN pg_get_functiondef(p.oid) END, E'\\n'), '')
       || coalesce(string_agg(s.source, E'\\n'), '') AS source,
       bool_and(CASE WHEN p.prokind = 'a' THEN s.trusted
                     ELSE l.lanpltrusted OR {_CONSTRUCTOR} END) AS trusted_language,
       bool_or(p.pronargs > 0 AND p.pronargs - p.pronargdefaults <= 1) AS one_argument,
       json_agg(y.types) AS types, {_owners("o.extname")} AS extensions,
       (SELECT {versions.FUNCTION_DIGEST}
        FROM pg_proc f
        WHERE f.pronamespace = n.oid AND f.proname = p.proname) AS digest
FROM pg_proc p
JOIN pg_language l ON l.oid = p.prolang
JOIN pg_namespace n ON n.oid = p.pronamespace
LEFT JOIN ({_OWN}) o ON o.oid = p.oid
LEFT JOIN LATERAL (
    SELECT bool_or(f.provolatile = 'v') AS volatile, bool_or(f.prosecdef) AS definer,
           string_agg(f.prosrc, E'\\n') AS source,
           bool_and(fl.lanpltrusted OR f.pronamespace = 'pg_catalog'::regnamespace) AS trusted
    FROM pg_aggregate a
    JOIN pg_proc f ON f.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggmtransfn,
                                a.aggminvtransfn, a.aggmfinalfn, a.aggserialfn, a.aggdeserialfn)
    JOIN pg_language fl ON fl.oid = f.prolang
    WHERE a.aggfnoid = p.oid) s ON true
LEFT JOIN LATERAL (
    SELECT json_agg(json_build_array(tn.nspname, t.typname)) AS types
    FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]) || p.prorettype) u (oid)
    JOIN pg_type t ON t.oid = u.oid
    JOIN pg_namespace tn ON tn.oid = t.typnamespace AND tn.nspname <> 'pg_catalog') y ON true
WHERE {USER_SCHEMA}
GROUP BY n.nspname, p.proname, n.oid
"""

_OPERATORS = f"""
SELECT n.nspname AS schema, o.oprname AS name, json_agg(DISTINCT f.proname) AS functions,
       {_owners("CASE WHEN w.extname = m.extname THEN m.extname END")} AS extensions,
       bool_or(NOT EXISTS (SELECT FROM pg_type t
                           WHERE t.oid IN (o.oprleft, o.oprright)
                             AND t.typnamespace <> 'pg_catalog'::regnamespace)) AS takes_builtins
FROM pg_operator o
JOIN pg_namespace n ON n.oid = o.oprnamespace
LEFT JOIN pg_proc f ON f.oid = o.oprcode
LEFT JOIN ({_OWN}) w ON w.oid = o.oprcode
LEFT JOIN ({_MEMBERS}) m ON m.classid = 'pg_operator'::regclass AND m.objid = o.oid
WHERE {USER_SCHEMA}
GROUP BY n.nspname, o.oprname
"""

_CASTS = f"""
SELECT json_build_array(sn.nspname, s.typname) AS source,
       json_build_array(tn.nspname, t.typname) AS target, c.castcontext AS context,
       fn.nspname || '.' || f.proname AS function, w.extname AS extension
FROM pg_cast c
JOIN pg_proc f ON f.oid = c.castfunc
JOIN pg_namespace fn ON fn.oid = f.pronamespace
JOIN pg_type s ON s.oid = c.castsource
JOIN pg_namespace sn ON sn.oid = s.typnamespace
JOIN pg_type t ON t.oid = c.casttarget
JOIN pg_namespace tn ON tn.oid = t.typnamespace
LEFT JOIN ({_OWN}) w ON w.oid = f.oid
WHERE fn.nspname <> 'pg_catalog'
"""

_COLLATIONS = f"""
SELECT n.nspname AS schema, c.collname AS name
FROM pg_collation c
JOIN pg_namespace n ON n.oid = c.collnamespace
WHERE {USER_SCHEMA} AND has_schema_privilege(n.oid, 'USAGE')
"""

QUERIES = {
    "types": _TYPES,
    "functions": _FUNCTIONS,
    "operators": _OPERATORS,
    "casts": _CASTS,
    "collations": _COLLATIONS,
    "extensions": _EXTENSIONS,
}


def types(rows: Rows) -> tuple[TypeInfo, ...]:
    """Read the types outside pg_catalog."""
    return tuple(
        TypeInfo(
            schema=row["schema"],
            name=row["name"],
            kind=row["kind"],
            array=row["array"] or "",
            parts=_type_names(row["parts"] or ()),
            checks=tuple(row["checks"] or ()),
            code=row["code"],
            extension=row["extension"],
            definition=Definition("type", "", row["id"], row["digest"]),
        )
        for row in rows
    )


def functions(rows: Rows) -> tuple[FunctionInfo, ...]:
    """Read the functions outside pg_catalog: those the role may not call, others may for it."""
    return tuple(
        FunctionInfo(
            schema=row["schema"],
            name=row["name"],
            volatile=row["volatile"],
            security_definer=row["security_definer"],
            callable=row["callable"],
            source=row["source"],
            trusted_language=row["trusted_language"],
            one_argument=row["one_argument"],
            types=_type_names(name for names in row["types"] for name in names or ()),
            extensions=tuple(row["extensions"] or ()),
            definition=Definition("function", row["name"], row["id"], row["digest"]),
        )
        for row in rows
    )


def operators(rows: Rows) -> tuple[OperatorInfo, ...]:
    """Read the operators outside pg_catalog."""
    return tuple(
        OperatorInfo(
            row["schema"],
            row["name"],
            tuple(row["functions"]),
            tuple(row["extensions"] or ()),
            row["takes_builtins"],
        )
        for row in rows
    )


def casts(rows: Rows) -> tuple[CastInfo, ...]:
    """Read the casts that run a function outside pg_catalog."""
    return tuple(
        CastInfo(
            TypeName(*row["source"]),
            TypeName(*row["target"]),
            row["context"],
            row["function"],
            row["extension"],
        )
        for row in rows
    )


def collations(rows: Rows) -> frozenset[tuple[str, str]]:
    """Read the collations outside pg_catalog."""
    return frozenset((row["schema"], row["name"]) for row in rows)


def extensions(rows: Rows) -> tuple[ExtensionInfo, ...]:
    """Read the extensions, each with what its schema holds."""
    return tuple(
        ExtensionInfo(
            row["name"],
            row["schema"],
            row["version"],
            Definition("schema", "", row["id"], row["digest"]),
        )
        for row in rows
    )


def _type_names(pairs: Iterable[Sequence[str]]) -> tuple[TypeName, ...]:
    return tuple(dict.fromkeys(TypeName(schema, name) for schema, name in pairs))
