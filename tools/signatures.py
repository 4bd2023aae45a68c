"""Running servers in, every signature of their built-in functions out, and a record of them.

`signatures.csv` is the evidence behind the guard's function table: one line for each signature that
any supported major has, with what `pg_proc` says of it, the verdict of the review and its reason.
It is written by `tools/functions.py`; a test holds it against the servers at hand.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Iterable

RECORD = Path(__file__).resolve().parent / "signatures.csv"
MAJORS = (13, 14, 15, 16, 17, 18)

MACHINERY = {"internal", "cstring", "trigger", "event_trigger", "pg_ddl_command"}
"""Types no SQL expression can have, except `cstring`, which only input and output code takes."""

RECORDS = {"record", "any", "anyelement", "anynonarray", "anycompatible", "anycompatiblenonarray"}

_FACTS = (
    *(
        "name",
        "takes",
        "gives",
        "majors",
        "kind",
        "language",
        "volatility",
        "returns_set",
        "strict",
    ),
    *("definer", "defaults", "operator"),
)
HEADER = (*_FACTS, "verdict", "group", "reason")

_OVERLOADS = """
SELECT p.proname::text AS name,
       p.prokind::text AS kind,
       l.lanname::text AS language,
       p.provolatile::text AS volatility,
       p.proretset AS returns_set,
       p.proisstrict AS strict,
       p.prosecdef AS definer,
       p.pronargdefaults::int AS defaults,
       ARRAY(SELECT t.typname::text
               FROM unnest(p.proargtypes) WITH ORDINALITY AS a (oid, position)
               JOIN pg_type AS t ON t.oid = a.oid
              ORDER BY a.position) AS takes,
       ARRAY(SELECT DISTINCT t.typname::text COLLATE "C"
               FROM unnest(p.prorettype || coalesce(p.proallargtypes, '{}')) AS a (oid)
               JOIN pg_type AS t ON t.oid = a.oid
              ORDER BY 1) AS gives,
       EXISTS (SELECT FROM pg_operator AS o WHERE o.oprcode = p.oid) AS operator
  FROM pg_proc AS p
  JOIN pg_language AS l ON l.oid = p.prolang
 WHERE p.pronamespace = 'pg_catalog'::regnamespace
   AND NOT EXISTS (SELECT FROM pg_depend AS d
                    WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
"""


class Signature(NamedTuple):
    """A built-in function with the types it takes, as `pg_proc` has it in some majors."""

    name: str
    takes: tuple[str, ...]
    gives: tuple[str, ...]
    """Its result and every argument, outgoing ones included, each type once."""
    kind: str
    """pg_proc's prokind: f function, a aggregate, w window function, p procedure."""
    language: str
    volatility: str
    returns_set: bool
    strict: bool
    definer: bool
    defaults: int
    operator: bool
    """Whether an operator stands for it."""
    majors: tuple[int, ...]

    def __str__(self) -> str:
        """Write it as a person would."""
        return f"{self.name}({', '.join(self.takes)})"

    @property
    def fewest(self) -> int:
        """How many arguments a call of it needs."""
        return len(self.takes) - self.defaults

    @property
    def single_argument(self) -> bool:
        """Whether `(x).f` may call it."""
        return self.fewest <= 1 <= len(self.takes)

    @property
    def types(self) -> set[str]:
        """Every type it takes or gives, arrays counted as their elements."""
        return {name.removeprefix("_") for name in (*self.takes, *self.gives)}

    @property
    def machinery(self) -> bool:
        """Whether it serves Postgres itself and cannot sensibly be called."""
        return any(name in MACHINERY or name.endswith("_handler") for name in self.types)


class Review(NamedTuple):
    """What the review says of a signature."""

    verdict: str
    group: str
    reason: str


async def read_server(dsn: str) -> list[Signature]:
    """Read every built-in function of the server at `dsn`."""
    connection = await asyncpg.connect(dsn)
    try:
        return await read_signatures(connection)
    finally:
        await connection.close()


async def read_signatures(connection: asyncpg.Connection[asyncpg.Record]) -> list[Signature]:
    """Read every built-in function of the server a connection leads to."""
    major = connection.get_server_version().major
    rows = await connection.fetch(_OVERLOADS)
    return [
        Signature(
            **{**row, "takes": tuple(row["takes"]), "gives": tuple(row["gives"])}, majors=(major,)
        )
        for row in rows
    ]


def merged(signatures: Iterable[Signature]) -> list[Signature]:
    """Put what several majors have into one line, where they say the same of it."""
    majors: dict[Signature, set[int]] = {}
    for signature in signatures:
        majors.setdefault(signature._replace(majors=()), set()).update(signature.majors)
    return sorted(one._replace(majors=tuple(sorted(of))) for one, of in majors.items())


def of_major(signatures: Iterable[Signature], major: int) -> set[Signature]:
    """Pick what one major has, as `read_signatures` gives it."""
    return {one._replace(majors=(major,)) for one in signatures if major in one.majors}


def load(text: str) -> dict[Signature, Review]:
    """Read a record back."""
    return {
        Signature(
            name=line["name"],
            takes=tuple(line["takes"].split()),
            gives=tuple(line["gives"].split()),
            kind=line["kind"],
            language=line["language"],
            volatility=line["volatility"],
            returns_set=line["returns_set"] == "t",
            strict=line["strict"] == "t",
            definer=line["definer"] == "t",
            defaults=int(line["defaults"]),
            operator=line["operator"] == "t",
            majors=tuple(map(int, line["majors"].split())),
        ): Review(line["verdict"], line["group"], line["reason"])
        for line in csv.DictReader(text.splitlines())
    }


def dump(reviewed: Iterable[tuple[Signature, Review]]) -> str:
    """Write the record: one line for each signature, sorted."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(HEADER)
    for signature, review in reviewed:
        lines.writerow((*(_field(getattr(signature, name)) for name in _FACTS), *review))
    return text.getvalue()


def _field(value: object) -> object:
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return value
