"""What a relation was when a statement was judged, and whether it still is when it runs.

A column added since the last snapshot, or a view written anew, could show what a mask should
cover. So the transaction that runs a statement checks, in the round trip that opens it, that
every relation it reads has the columns and the definition it was judged by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# The row of a view's rule is written anew with every CREATE OR REPLACE VIEW, and so is its xmin;
# the same goes for the expression of a generated column.
DIGEST = """
md5(concat_ws(' ', c.relnamespace, c.relname, c.relkind, c.relrowsecurity,
    (SELECT string_agg(concat_ws(' ', a.attnum, a.attname, a.atttypid, a.atttypmod), ','
                       ORDER BY a.attnum)
     FROM pg_attribute a
     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    (SELECT string_agg(d.xmin::text, ',' ORDER BY d.oid)
     FROM pg_attrdef d
     WHERE d.adrelid = c.oid),
    (SELECT string_agg(i.inhrelid::text, ',' ORDER BY i.inhrelid)
     FROM pg_inherits i
     WHERE i.inhparent = c.oid),
    (SELECT string_agg(r.xmin::text, ',' ORDER BY r.oid)
     FROM pg_rewrite r
     WHERE r.ev_class = c.oid)))
"""

UNCHANGED = "SELECT 1"


def check(versions: Sequence[tuple[int, str]]) -> str:
    """Return SQL that divides by zero if any relation is not what it was.

    In a batch of the simple protocol an error is the only answer that does not cost a round trip.
    """
    if not versions:
        return UNCHANGED
    # The digest holds schema and name, so that no relation can stand in for another.
    oids = ", ".join(str(oid) for oid, _ in versions)
    digests = ", ".join(f"'{digest}'" for _, digest in versions)
    return (
        f"SELECT 1 / (count(*) = {len(versions)})::int FROM pg_class c"
        f" WHERE c.oid IN ({oids}) AND {DIGEST.strip()} IN ({digests})"
    )
