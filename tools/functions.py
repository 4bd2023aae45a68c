"""Running servers and the reviewed TOML in, the function table of the guard out.

    uv run python tools/functions.py postgresql://postgres@/?host=/run/pg15 postgresql://...

Give one DSN for each Postgres major that is supported. Nothing is written unless every allowed
name exists and every overload of it is either of a harmless form or was looked at twice: an
overload that is new in some major stops here instead of slipping in under a name that was reviewed
when it meant less.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import io
import sys
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

GUARD = Path(__file__).resolve().parent.parent / "src" / "pg_guard_mcp" / "guard"
HEADER = (
    "name",
    "verdict",
    "rule",
    "group",
    "majors",
    "single_argument",
    "record_argument",
    "arguments",
)

MACHINERY = {"internal", "cstring", "trigger", "event_trigger", "pg_ddl_command"}
"""Types no SQL expression can have, except `cstring`, which only input and output code takes."""

NAMING = {
    "aclitem",
    "cid",
    "oid",
    "oidvector",
    "pg_lsn",
    "pg_snapshot",
    "refcursor",
    "tid",
    "txid_snapshot",
    "xid",
    "xid8",
}
"""Types that name something in the server by number or text; so does every `reg...` type."""

RECORDS = {"record", "any", "anyelement", "anynonarray", "anycompatible", "anycompatiblenonarray"}

OVERLOADS = """
SELECT p.proname::text AS name,
       p.provolatile = 'v' AS volatile,
       p.prosecdef AS definer,
       p.pronargs::int AS arguments,
       p.pronargdefaults::int AS defaults,
       ARRAY(SELECT t.typname::text
               FROM unnest(p.proargtypes) WITH ORDINALITY AS a (oid, position)
               JOIN pg_type AS t ON t.oid = a.oid
              ORDER BY a.position) AS takes,
       ARRAY(SELECT t.typname::text
               FROM unnest(p.prorettype || coalesce(p.proallargtypes, '{}')) AS a (oid)
               JOIN pg_type AS t ON t.oid = a.oid
              ORDER BY 1) AS gives,
       EXISTS (SELECT FROM pg_operator AS o WHERE o.oprcode = p.oid) AS operator
  FROM pg_proc AS p
 WHERE p.pronamespace = 'pg_catalog'::regnamespace
   AND NOT EXISTS (SELECT FROM pg_depend AS d
                    WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
"""


class Overload(NamedTuple):
    """One signature of a built-in function, as `pg_proc` has it."""

    major: int
    name: str
    volatile: bool
    definer: bool
    arguments: int
    defaults: int
    takes: tuple[str, ...]
    gives: tuple[str, ...]
    operator: bool

    @property
    def single_argument(self) -> bool:
        """Whether `(x).f` may call it."""
        return self.arguments - self.defaults <= 1 <= self.arguments

    @property
    def types(self) -> set[str]:
        """Every type it takes or gives, arrays counted as their elements."""
        return {name.removeprefix("_") for name in (*self.takes, *self.gives)}

    @property
    def machinery(self) -> bool:
        """Whether it serves Postgres itself and cannot sensibly be called."""
        return any(name in MACHINERY or name.endswith("_handler") for name in self.types)


class Facts(NamedTuple):
    """What the table records of a name besides the review: seen, not judged."""

    majors: str
    single_argument: str
    record_argument: str
    derived: str
    """`operators` or `internals` when that is all its overloads are, else empty."""


def facts_by_name(overloads: Iterable[Overload]) -> dict[str, Facts]:
    """Sum up the overloads of every name over all majors."""
    by_name: dict[str, list[Overload]] = {}
    for overload in overloads:
        by_name.setdefault(overload.name, []).append(overload)
    return {name: _facts(group) for name, group in by_name.items()}


def _facts(overloads: Sequence[Overload]) -> Facts:
    single = [overload for overload in overloads if overload.single_argument]
    derived = ""
    if all(overload.operator or overload.machinery for overload in overloads):
        derived = "internals" if all(o.machinery for o in overloads) else "operators"
    return Facts(
        majors=" ".join(str(major) for major in sorted({o.major for o in overloads})),
        single_argument="t" if single else "f",
        record_argument="t" if any(o.takes[0] in RECORDS for o in single) else "f",
        derived=derived,
    )


def objections(review: Mapping[str, Any], overloads: Sequence[Overload]) -> Iterator[str]:
    """Say what is wrong with the review: absent names, and overloads nobody looked at twice."""
    allowed = [name for group in review["allow"].values() for name in group["names"]]
    volatile, typed = review["reviewed"]["volatile"], review["reviewed"]["types"]
    for name in sorted({name for name in allowed if allowed.count(name) > 1}):
        yield f"{name} is allowed in two groups"
    for name in sorted({*review["limited"]["names"], *review["arguments"]} - {*allowed}):
        yield f"{name} is limited but not allowed"
    for name in sorted({*allowed} - {overload.name for overload in overloads}):
        yield f"{name} is allowed but no server has it"
    for overload in sorted(o for o in overloads if o.name in allowed and _callable(review, o)):
        signature = f"{overload.name}({', '.join(overload.takes)}) of {overload.major}"
        if overload.definer:
            yield f"{signature} is SECURITY DEFINER"
        if overload.machinery:
            yield f"{signature} belongs to Postgres itself"
        if overload.volatile and overload.name not in volatile:
            yield f"{signature} is volatile and not in reviewed.volatile"
        named = {t for t in overload.types if t in NAMING or t.startswith("reg")}
        if named - {*typed.get(overload.name, {}).get("types", ())}:
            yield f"{signature} takes or gives {sorted(named)} and is not in reviewed.types"


def _callable(review: Mapping[str, Any], overload: Overload) -> bool:
    """Tell whether the bounds on a name's arguments let this overload of it be called."""
    bounds = review["arguments"].get(overload.name, {"minimum": 0, "maximum": overload.arguments})
    fewest = overload.arguments - overload.defaults
    return bool(fewest <= bounds["maximum"] and bounds["minimum"] <= overload.arguments)


def table(review: Mapping[str, Any], facts: Mapping[str, Facts]) -> str:
    """Write the CSV: one line for each name, sorted, the same for the same review and facts."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(HEADER)
    for name in sorted(facts):
        fact, group = facts[name], _allowed_in(review, name)
        bounds = review["arguments"].get(name)
        if group:
            verdict, rule = "limited" if name in review["limited"]["names"] else "allow", ""
        else:
            group = _denied_in(review, name) or fact.derived or "unreviewed"
            verdict, rule = "deny", review["deny"][group].get("rule", "allowed-functions")
        lines.writerow(
            (
                name,
                verdict,
                rule,
                group,
                fact.majors,
                fact.single_argument,
                fact.record_argument,
                f"{bounds['minimum']}-{bounds['maximum']}" if bounds else "",
            )
        )
    return text.getvalue()


def _allowed_in(review: Mapping[str, Any], name: str) -> str:
    return next((key for key, group in review["allow"].items() if name in group["names"]), "")


def _denied_in(review: Mapping[str, Any], name: str) -> str:
    """Name the family that refuses `name`: the first with a pattern that fits."""
    return next(
        (
            key
            for key, group in review["deny"].items()
            if any(fnmatchcase(name, pattern) for pattern in group["names"])
        ),
        "",
    )


async def read_overloads(dsn: str) -> list[Overload]:
    """Read every built-in function of the server at `dsn`."""
    connection = await asyncpg.connect(dsn)
    try:
        major = connection.get_server_version().major
        rows = await connection.fetch(OVERLOADS)
    finally:
        await connection.close()
    return [
        Overload(
            major=major,
            **{**row, "takes": tuple(row["takes"]), "gives": tuple(row["gives"])},
        )
        for row in rows
    ]


def main() -> int:
    """Regenerate functions.csv from the DSNs on the command line."""
    parser = argparse.ArgumentParser(description="Regenerate the guard's function table.")
    parser.add_argument("dsn", nargs="+", help="a server of each supported major")
    dsns: list[str] = parser.parse_args().dsn
    overloads = [overload for dsn in dsns for overload in asyncio.run(read_overloads(dsn))]
    review = tomllib.loads((GUARD / "functions.toml").read_text(encoding="utf-8"))
    found = list(objections(review, overloads))
    if found:
        sys.stderr.write("".join(f"error: {objection}\n" for objection in found))
        return 1
    text = table(review, facts_by_name(overloads))
    (GUARD / "functions.csv").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
