"""What masks and detectors add to a call: the same read, with and without, in one run.

    uv run python -m tools.mask_cost [--calls 60] [--json]

Real servers answer over stdio, one for each set of masks, on one database; calls of all of them
are interleaved, so that whatever else the machine does is shared. Each answer has 1,000 rows. A
row of the report tells the time of the bare call, of the masked one, and what was added: median
milliseconds, and those that the server's and Postgres's processors worked, which depend less on
what else the machine does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil
from tests.support.postgres import connected, postgres_18_with_shop
from tests.support.server import configure, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.postgres import OwnServer, Shop
    from tests.support.server import Place, Server

DETECTORS = '["payment-card", "us-ssn", "iban", "jwt", "private-key", "cloud-key"]'
ALL_DETECTORS = DETECTORS[:-1] + ', "email", "phone"]'
KEY = {"PG_GUARD_MASK_KEY": "bm90IGEga2V5IHRvIGtlZXA6IHRoaXJ0eS10d28gYnl0ZXM="}
TARGET = 0.15
_TABLES = """
CREATE TABLE shop.narrow AS
SELECT n AS id, 'person' || n || '@example.com' AS email, '+1 212 555-' || (1000 + n) AS phone,
       date '1960-01-01' + n AS born, n * 37 % 90000 AS salary, md5(n::text) AS secret
FROM generate_series(1, 1000) n;
CREATE TABLE shop.wide AS
SELECT n AS id, {columns}
FROM generate_series(1, 1000) n;
CREATE TABLE shop.long AS
SELECT n AS id, 'person' || n || '@example.com' AS email,
       (SELECT string_agg('word' || (n * i % 977), ' ') FROM generate_series(1, 150) i) AS body
FROM generate_series(1, 1000) n;
"""
_POLICY = """
[access]
schemas = ["shop"]
[limits]
max_rows = 1000
max_result_bytes = 10000000
max_cell_bytes = 100000
[mask]
{masks}
[mask.detectors]
enabled = {detectors}
"""
_WIDE = 20
_WARM_UP = 5
_BLOCK = 10


class Variant(NamedTuple):
    """What is masked, in which relation, and which detectors look."""

    name: str
    relation: str
    masks: Mapping[str, str]
    detectors: str = DETECTORS


class Cost(NamedTuple):
    """What one call took, bare and masked, in milliseconds: by the clock, and of work."""

    name: str
    bare: float
    masked: float
    bare_work: float
    masked_work: float

    @property
    def added(self) -> float:
        """The share of the bare call's time that is added."""
        return self.masked / self.bare - 1

    @property
    def added_work(self) -> float:
        """The same, of the time that processors worked."""
        return self.masked_work / self.bare_work - 1


def variants() -> Iterator[Variant]:
    """Yield what is measured."""
    narrow = {
        "email": "email",
        "phone": "last4",
        "secret": "redact",
        "born": "year",
        "salary": "bucket:10000",
    }
    yield Variant("narrow: 6 columns, detectors alone", "narrow", {})
    yield Variant("narrow: 6 columns, five masks", "narrow", narrow)
    for kind in ("redact", "null", "email", "last4", "first1", "hash"):
        yield Variant(f"narrow: one mask, {kind}", "narrow", {"email": kind})
    yield Variant("narrow: one mask, year", "narrow", {"born": "year"})
    yield Variant("narrow: one mask, bucket", "narrow", {"salary": "bucket:10000"})
    yield Variant("wide: 41 columns, detectors alone", "wide", {})
    masks = {
        f"mail{n}": kind
        for n, kind in zip(range(5), ("email", "last4", "first1", "redact", "hash"), strict=True)
    }
    yield Variant("wide: 41 columns, five masks", "wide", masks)
    yield Variant(
        "wide: 41 columns, 20 masks, email", "wide", {f"mail{n}": "email" for n in range(_WIDE)}
    )
    yield Variant(
        "wide: 41 columns, 20 masks, hash", "wide", {f"mail{n}": "hash" for n in range(_WIDE)}
    )
    yield Variant("text: 1 MB, detectors alone", "long", {})
    yield Variant("text: 1 MB, all detectors", "long", {}, ALL_DETECTORS)
    yield Variant("text: 1 MB, one mask beside it", "long", {"email": "email"})
    yield Variant("text: 1 MB, the text masked", "long", {"body": "redact"})


def main(arguments: list[str] | None = None) -> int:
    """Measure, and report."""
    parser = argparse.ArgumentParser(prog="python -m tools.mask_cost")
    parser.add_argument("--calls", type=int, default=60, metavar="N", help="calls of each variant")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args(arguments)
    costs = measure(options.calls)
    if options.json:
        rows = [
            {**cost._asdict(), "added": cost.added, "added_work": cost.added_work} for cost in costs
        ]
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
    else:
        sys.stdout.write("\n".join(_lines(costs)) + "\n")
    return 0 if all(cost.added_work < TARGET for cost in costs) else 1


def measure(calls: int) -> list[Cost]:
    """Time calls of every variant and of the bare read, in turn."""
    with tempfile.TemporaryDirectory() as directory, postgres_18_with_shop() as shop:
        asyncio.run(_furnish(shop))
        return list(_costs(Path(directory), shop, calls))


def _costs(directory: Path, shop: OwnServer, calls: int) -> Iterator[Cost]:
    """Compare every variant with one server that masks nothing and detects nothing."""
    bare = _configured(directory / "bare", shop, Variant("", "", {}, "[]"))
    with serving(bare, "legacy") as without:
        for index, variant in enumerate(variants()):
            # The role may hold eight connections.
            with serving(_configured(directory / str(index), shop, variant), "legacy") as server:
                yield _compared(variant, without, server, calls, shop)


def _compared(variant: Variant, bare: Server, masked: Server, calls: int, shop: OwnServer) -> Cost:
    """Call both in turn, a block of calls each."""
    times: dict[Server, list[float]] = {bare: [], masked: []}
    work = {bare: 0.0, masked: 0.0}
    for server in (bare, masked):
        _timed(server, variant.relation, _WARM_UP)
    for turn in range(calls // _BLOCK):
        for server in (bare, masked) if turn % 2 else (masked, bare):
            before = _worked(shop)
            times[server] += _timed(server, variant.relation, _BLOCK)
            work[server] += _worked(shop) - before
    return Cost(
        variant.name,
        statistics.median(times[bare]),
        statistics.median(times[masked]),
        work[bare] / len(times[bare]),
        work[masked] / len(times[masked]),
    )


def _timed(server: Server, relation: str, calls: int) -> list[float]:
    found = []
    for _ in range(calls):
        started = time.perf_counter()
        answer = server.query(f"TABLE shop.{relation}")
        found.append(1_000 * (time.perf_counter() - started))
        if answer.is_error or not answer.text.startswith("1000 rows"):
            raise RuntimeError(answer.text[:200])
    return found


def _worked(shop: OwnServer) -> float:
    """Return how many milliseconds the servers and Postgres have worked so far."""
    postgres = psutil.Process(shop.server.process_id)
    processes = {*psutil.Process().children(recursive=True), *postgres.children()}
    total = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            spent = process.cpu_times()
            total += spent.user + spent.system
    return 1_000 * total


def _configured(directory: Path, shop: Shop, variant: Variant) -> Place:
    masks = "\n".join(
        f'"shop.{variant.relation}.{column}" = "{kind}"' for column, kind in variant.masks.items()
    )
    policy = _POLICY.format(masks=masks, detectors=variant.detectors)
    return configure(directory, shop.agent, policy, environment=KEY)


async def _furnish(shop: Shop) -> None:
    columns = ", ".join(
        f"'person{number}_' || n || '@example.com' AS mail{number}, n * {number} AS number{number}"
        for number in range(_WIDE)
    )
    async with connected(shop.admin) as connection:
        await connection.execute(_TABLES.format(columns=columns))
        await connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA shop TO {shop.agent.user}")
        await connection.execute("ANALYZE")


def _lines(costs: list[Cost]) -> Iterator[str]:
    yield f"A CALL OF 1,000 ROWS, milliseconds{'by the clock':>27}{'of work':>27}"
    yield f"{'bare':>48} {'masked':>8} {'added':>8} {'bare':>8} {'masked':>8} {'added':>8}"
    for cost in costs:
        yield (
            f"  {cost.name:<37} {cost.bare:>8.1f} {cost.masked:>8.1f} {100 * cost.added:>7.1f}%"
            f" {cost.bare_work:>8.1f} {cost.masked_work:>8.1f} {100 * cost.added_work:>7.1f}%"
        )


if __name__ == "__main__":
    sys.exit(main())
