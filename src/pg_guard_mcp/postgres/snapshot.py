"""`pg_catalog` in, a `Catalog` out: what there is, and what of it the connected role may read.

`information_schema` would hide every key from a role that may only SELECT, and `pg_attribute`
alone would show columns the role may not read; so it is `pg_catalog`, with `has_*_privilege`.
Relations the role may not read are kept, for the masks that views inherit of them.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from pg_guard_mcp.catalog import (
    SYSTEM_SCHEMAS,
    Catalog,
    Column,
    ForeignKey,
    Index,
    Key,
    RelationInfo,
    RelationKind,
    RelationVersion,
)
from pg_guard_mcp.model import Relation
from pg_guard_mcp.postgres import objects, powers, versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pg_guard_mcp.postgres.database import Database

    Rows = list[Mapping[str, Any]]

_KINDS: Mapping[str, RelationKind] = {
    "r": "table",
    "v": "view",
    "m": "materialized view",
    "p": "partitioned table",
    "f": "foreign table",
}

# However short a query of an agent must be. Of 10,000 tables it takes 5 s.
_SECONDS = 120.0
_USER_SCHEMA = objects.USER_SCHEMA
# And the catalogs that the operator named, each by its exact name.
_SERVED = f"""(
{_USER_SCHEMA} OR n.nspname || '.' || c.relname IN (SELECT json_array_elements_text($1::json))
)"""

# A comment may be of a gigabyte, and is kept for as long as the server runs.
_MOST_OF_A_COMMENT = 50_000

_SCHEMAS = f"""
SELECT n.nspname AS name,
       left(obj_description(n.oid, 'pg_namespace'), {_MOST_OF_A_COMMENT}) AS comment
FROM pg_namespace n
WHERE {_USER_SCHEMA} AND has_schema_privilege(n.oid, 'USAGE')
"""

_RELATIONS = f"""
SELECT c.oid::int8 AS id, {versions.DIGEST} AS digest, n.nspname AS schema,
       c.relname AS name, c.relkind AS kind,
       greatest(c.reltuples, 0)::int8 AS rows,
       left(obj_description(c.oid, 'pg_class'), {_MOST_OF_A_COMMENT}) AS comment,
       CASE WHEN c.relkind IN ('v', 'm') AND {_USER_SCHEMA}
            THEN pg_get_viewdef(c.oid) END AS definition
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND {_SERVED}
"""

# Down from a domain to what it is over, and from an array of domains to an array of that.
_BASE = """
WITH RECURSIVE below (oid, typmod, is_array) AS (
    SELECT a.atttypid, a.atttypmod, false
    UNION ALL
    SELECT CASE d.typtype WHEN 'd' THEN d.typbasetype ELSE i.oid END,
           CASE d.typtype WHEN 'd' THEN d.typtypmod ELSE -1 END, b.is_array OR d.typtype <> 'd'
    FROM below b
    JOIN pg_type d ON d.oid = b.oid
    LEFT JOIN pg_type i ON i.oid = d.typelem AND d.typcategory = 'A'
    WHERE d.typtype = 'd' OR i.typtype = 'd')
SELECT format_type(b.oid, b.typmod) || CASE WHEN b.is_array THEN '[]' ELSE '' END
FROM below b
JOIN pg_type d ON d.oid = b.oid
LEFT JOIN pg_type i ON i.oid = d.typelem AND d.typcategory = 'A'
WHERE d.typtype <> 'd' AND i.typtype IS DISTINCT FROM 'd'
"""

_COLUMNS = f"""
SELECT a.attrelid::int8 AS id, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
       t.typname AS type_name, tn.nspname AS type_schema, t.typcategory AS category,
       NOT a.attnotnull AS nullable, pg_get_expr(d.adbin, d.adrelid) AS "default",
       left(col_description(a.attrelid, a.attnum), {_MOST_OF_A_COMMENT}) AS comment,
       a.attgenerated <> '' AS generated,
       CASE WHEN t.typtype = 'd' OR e.typtype = 'd' THEN ({_BASE}) END AS base,
       has_schema_privilege(n.oid, 'USAGE')
           AND has_column_privilege(a.attrelid, a.attnum, 'SELECT') AS readable
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
JOIN pg_namespace tn ON tn.oid = t.typnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v', 'm', 'p', 'f')
  AND {_SERVED}
ORDER BY a.attrelid, a.attnum
"""

# A whole-row reference leaves no trace by column in pg_depend, so a view is taken to read every
# column of the relations it depends on.
_SOURCES = """
SELECT DISTINCT r.ev_class::int8 AS id, d.refobjid::int8 AS source
FROM pg_rewrite r
JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
UNION
SELECT inhrelid::int8, inhparent::int8
FROM pg_inherits
"""

_CONSTRAINTS = """
SELECT k.conrelid::int8 AS id, k.contype AS kind, k.confrelid::int8 AS target,
       (SELECT json_agg(a.attname ORDER BY s.i)
        FROM unnest(k.conkey) WITH ORDINALITY s(n, i)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = s.n) AS columns,
       (SELECT json_agg(a.attname ORDER BY s.i)
        FROM unnest(k.confkey) WITH ORDINALITY s(n, i)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = s.n) AS target_columns
FROM pg_constraint k
WHERE k.contype IN ('p', 'u', 'f') AND k.conparentid = 0
"""

_INDEXES = f"""
SELECT i.indrelid::int8 AS id, c.relname AS name, i.indisunique AS unique, m.amname AS method,
       (SELECT json_agg(a.attname ORDER BY s.i)
        FROM unnest(i.indkey::int2[]) WITH ORDINALITY s(n, i)
        LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = s.n
        WHERE s.i <= i.indnkeyatts) AS columns
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_am m ON m.oid = c.relam
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_USER_SCHEMA} AND NOT i.indisprimary
ORDER BY c.relname
"""

_SYSTEM_NAMES = """
SELECT (SELECT json_agg(DISTINCT proname) FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace) AS functions,
       (SELECT json_agg(DISTINCT oprname) FROM pg_operator
        WHERE oprnamespace = 'pg_catalog'::regnamespace) AS operators
"""

# The number stays a text here: a superuser's cast from text to integer would run.
_SERVER = """
SELECT current_database() AS database, current_setting('server_version_num') AS version
"""


async def take(database: Database, application: str, named: Sequence[Relation] = ()) -> Catalog:
    """Read the catalog in one transaction: relations of users, and the catalogs among `named`.

    Raises:
        GuardError: Postgres could not be reached or did not answer.

    """
    texts: dict[str, list[str]] = {}
    catalogs = json.dumps(
        [str(relation) for relation in named if relation.schema in SYSTEM_SCHEMAS]
    )
    seconds = max(database.limits.statement_timeout_seconds, _SECONDS)
    limits = replace(database.limits, statement_timeout_seconds=seconds)
    async with database.transaction(application, limits=limits) as connection:
        # What Postgres writes of types and views is read here as it writes it by default.
        await connection.execute("SET LOCAL quote_all_identifiers = off")
        for name, sql in _QUERIES.items():
            # Every type comes as text, so one JSON text a row keeps the decoding in one place; one
            # for all rows would hold up everybody while it is read, and may have a gigabyte.
            arguments = (catalogs,) if "$1" in sql else ()
            records = await connection.fetch(
                f"SELECT row_to_json(q)::text FROM ({sql}) q", *arguments
            )
            texts[name] = [text for (text,) in records]
    return await anyio.to_thread.run_sync(_read, texts)


def _read(texts: Mapping[str, Sequence[str]]) -> Catalog:
    return _assemble({name: [*map(json.loads, rows)] for name, rows in texts.items()})


_QUERIES = {
    "schemas": _SCHEMAS,
    "relations": _RELATIONS,
    "columns": _COLUMNS,
    "sources": _SOURCES,
    "constraints": _CONSTRAINTS,
    "indexes": _INDEXES,
    "system_names": _SYSTEM_NAMES,
    "server": _SERVER,
    "powers": powers.QUERY,
    **objects.QUERIES,
}


def _assemble(found: Mapping[str, Rows]) -> Catalog:
    names = {row["id"]: Relation(row["schema"], row["name"]) for row in found["relations"]}
    columns = _grouped(found["columns"])
    sources = _grouped(found["sources"])
    constraints = _grouped(found["constraints"])
    indexes = _grouped(found["indexes"])
    # By relation: of 10,000 tables each with a key, looking through all for each took minutes.
    leaving: dict[Relation, list[ForeignKey]] = {}
    arriving: dict[Relation, list[ForeignKey]] = {}
    for foreign_key in _foreign_keys(found["constraints"], names):
        leaving.setdefault(foreign_key.source, []).append(foreign_key)
        if foreign_key.target != foreign_key.source:
            arriving.setdefault(foreign_key.target, []).append(foreign_key)
    relations: dict[Relation, RelationInfo] = {}
    for row in found["relations"]:
        relation = names[row["id"]]
        relations[relation] = RelationInfo(
            relation=relation,
            kind=_KINDS[row["kind"]],
            columns=tuple(_column(column) for column in columns.get(row["id"], ())),
            estimated_rows=row["rows"],
            version=RelationVersion(row["id"], row["digest"]),
            comment=row["comment"],
            keys=tuple(
                Key(primary=key["kind"] == "p", columns=tuple(key["columns"]))
                for key in constraints.get(row["id"], ())
                if key["kind"] in {"p", "u"}
            ),
            foreign_keys=tuple(leaving.get(relation, ())),
            referenced_by=tuple(arriving.get(relation, ())),
            indexes=tuple(_index(index) for index in indexes.get(row["id"], ())),
            definition=row["definition"],
            sources=tuple(
                (names[source["source"]], column["name"])
                for source in sources.get(row["id"], ())
                if source["source"] in names and relation.schema not in SYSTEM_SCHEMAS
                for column in columns.get(source["source"], ())
            ),
        )
    (server,) = found["server"]
    (system,) = found["system_names"]
    return Catalog(
        database=server["database"],
        server_version=int(server["version"]),
        relations=relations,
        system_functions=frozenset(system["functions"]),
        system_operators=frozenset(system["operators"]),
        schemas={row["name"]: row["comment"] for row in found["schemas"]},
        types=objects.types(found["types"]),
        functions=objects.functions(found["functions"]),
        operators=objects.operators(found["operators"]),
        casts=objects.casts(found["casts"]),
        collations=objects.collations(found["collations"]),
        extensions=objects.extensions(found["extensions"]),
        powers=powers.powers(found["powers"]),
    )


def _grouped(rows: Rows) -> dict[int, Rows]:
    groups: dict[int, Rows] = {}
    for row in rows:
        groups.setdefault(row["id"], []).append(row)
    return groups


def _column(row: Mapping[str, Any]) -> Column:
    return Column(**{key: value for key, value in row.items() if key != "id"})


def _index(row: Mapping[str, Any]) -> Index:
    return Index(
        name=row["name"],
        unique=row["unique"],
        columns=tuple(row["columns"] or ()),
        method=row["method"],
    )


def _foreign_keys(rows: Rows, names: Mapping[int, Relation]) -> Iterable[ForeignKey]:
    for row in rows:
        if row["kind"] == "f" and row["id"] in names and row["target"] in names:
            yield ForeignKey(
                source=names[row["id"]],
                columns=tuple(row["columns"]),
                target=names[row["target"]],
                target_columns=tuple(row["target_columns"]),
            )
