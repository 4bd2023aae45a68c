"""Running servers and the reviewed TOML in, the function table of the guard out.

    uv run python tools/functions.py postgresql://postgres@/?host=/run/pg15 postgresql://...

Give a DSN for each major whose functions are to be read anew; of the others the recorded signatures
stay as they are, and without any DSN the review alone is applied to the record. Nothing is written
unless every allowed name exists and every signature of it is either of a harmless form or was
looked at twice: an overload that is new in some major stops here instead of slipping in under a
name that was reviewed when it meant less.
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

if __name__ == "__main__":  # run by its path, it finds its sibling only from the root
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.signatures import (
    MAJORS,
    RECORD,
    RECORDS,
    Review,
    Signature,
    dump,
    load,
    merged,
    of_major,
    read_server,
)

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


class Facts(NamedTuple):
    """What the table records of a name besides the review: seen, not judged."""

    majors: str
    single_argument: str
    record_argument: str
    derived: str
    """`operators` or `internals` when that is all its signatures are, else empty."""


def facts_by_name(signatures: Iterable[Signature]) -> dict[str, Facts]:
    """Sum up the signatures of every name over all majors."""
    by_name: dict[str, list[Signature]] = {}
    for signature in signatures:
        by_name.setdefault(signature.name, []).append(signature)
    return {name: _facts(group) for name, group in by_name.items()}


def _facts(signatures: Sequence[Signature]) -> Facts:
    single = [signature for signature in signatures if signature.single_argument]
    derived = ""
    if all(signature.operator or signature.machinery for signature in signatures):
        derived = "internals" if all(one.machinery for one in signatures) else "operators"
    return Facts(
        majors=_span({major for one in signatures for major in one.majors}),
        single_argument="t" if single else "f",
        record_argument="t" if any(one.takes[0] in RECORDS for one in single) else "f",
        derived=derived,
    )


def _span(majors: set[int]) -> str:
    """Write `13-18`; no name has gone and come back so far."""
    return f"{min(majors)}-{max(majors)}" if len(majors) > 1 else str(*majors)


def objections(review: Mapping[str, Any], signatures: Iterable[Signature]) -> Iterator[str]:
    """Say what is wrong with the review: absent names, and overloads nobody looked at twice."""
    signatures = sorted(signatures)
    allowed = [name for group in review["allow"].values() for name in group["names"]]
    volatile, typed = review["reviewed"]["volatile"], review["reviewed"]["types"]
    for name in sorted({name for name in allowed if allowed.count(name) > 1}):
        yield f"{name} is allowed in two groups"
    for name in sorted({*review["limited"]["names"], *review["arguments"]} - {*allowed}):
        yield f"{name} is limited but not allowed"
    for name in sorted({*allowed} - {signature.name for signature in signatures}):
        yield f"{name} is allowed but no server has it"
    reviewed = {*allowed}
    for one in signatures:
        if one.name not in reviewed or not _callable(review, one):
            continue
        which = f"{one} of {one.majors[0]}"
        if one.definer:
            yield f"{which} is SECURITY DEFINER"
        if one.machinery:
            yield f"{which} belongs to Postgres itself"
        if one.volatility == "v" and one.name not in volatile:
            yield f"{which} is volatile and not in reviewed.volatile"
        named = {t for t in one.types if t in NAMING or t.startswith("reg")}
        if named - {*typed.get(one.name, {}).get("types", ())}:
            yield f"{which} takes or gives {sorted(named)} and is not in reviewed.types"


def _callable(review: Mapping[str, Any], signature: Signature) -> bool:
    """Tell whether the bounds on a name's arguments let this overload of it be called."""
    bounds = review["arguments"].get(signature.name)
    return bounds is None or bool(
        signature.fewest <= bounds["maximum"] and bounds["minimum"] <= len(signature.takes)
    )


class Verdict(NamedTuple):
    """What the review says of a name: the CSV's columns of that name, and why."""

    verdict: str
    rule: str
    group: str
    reason: str


def verdict_on(review: Mapping[str, Any], name: str, derived: str) -> Verdict:
    """Find the group of a name, and what it says."""
    if group := _allowed_in(review, name):
        limited = name in review["limited"]["names"]
        return Verdict(
            "limited" if limited else "allow", "", group, review["allow"][group]["reason"]
        )
    group = _denied_in(review, name) or derived or "unreviewed"
    family = review["deny"][group]
    return Verdict("deny", family.get("rule", "allowed-functions"), group, family["reason"])


def reviewed(
    review: Mapping[str, Any], signatures: Iterable[Signature], facts: Mapping[str, Facts]
) -> Iterator[tuple[Signature, Review]]:
    """Put the verdict and its reason to every signature, the particular reason where it has one."""
    for signature in sorted(signatures):
        name = signature.name
        said = verdict_on(review, name, facts[name].derived)
        verdict, group, reason = said.verdict, said.group, said.reason
        if verdict != "deny" and not _callable(review, signature):
            verdict, group, reason = "deny", "arguments", review["arguments"][name]["reason"]
        elif verdict != "deny" and signature.volatility == "v":
            reason = review["reviewed"]["volatile"][name]
        elif verdict != "deny" and name in review["reviewed"]["types"]:
            naming = review["reviewed"]["types"][name]
            reason = naming["reason"] if signature.types & {*naming["types"]} else reason
        yield signature, Review(verdict, group, reason)


def table(review: Mapping[str, Any], facts: Mapping[str, Facts]) -> str:
    """Write the CSV: one line for each name, sorted, the same for the same review and facts."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(HEADER)
    for name in sorted(facts):
        fact, bounds = facts[name], review["arguments"].get(name)
        lines.writerow(
            (
                name,
                *verdict_on(review, name, fact.derived)[:3],
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


def read_anew(dsns: Sequence[str]) -> list[Signature]:
    """Read the signatures of some majors from servers, and of the others from the record."""
    fresh = [signature for dsn in dsns for signature in asyncio.run(read_server(dsn))]
    seen = {major for signature in fresh for major in signature.majors}
    known = load(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    kept = [one for major in MAJORS if major not in seen for one in of_major(known, major)]
    return merged([*fresh, *kept])


def main() -> int:
    """Regenerate signatures.csv and functions.csv."""
    parser = argparse.ArgumentParser(description="Regenerate the guard's function table.")
    parser.add_argument("dsn", nargs="*", help="a server of each major to read anew")
    signatures = read_anew(parser.parse_args().dsn)
    review = tomllib.loads((GUARD / "functions.toml").read_text(encoding="utf-8"))
    found = list(objections(review, signatures))
    if found:
        sys.stderr.write("".join(f"error: {objection}\n" for objection in found))
        return 1
    facts = facts_by_name(signatures)
    RECORD.write_text(dump(reviewed(review, signatures, facts)), encoding="utf-8")
    (GUARD / "functions.csv").write_text(table(review, facts), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
