"""What a call leaves behind, for the demo to show: its lines on the trail, and its trace."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from pg_guard_mcp.demo.proof import prove
from pg_guard_mcp.record import chain
from pg_guard_mcp.record.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pg_guard_mcp.demo.page import Page
    from pg_guard_mcp.record.receiver import ReceivedSpan
    from pg_guard_mcp.record.verify import Fault

_SHOWN = (
    *("ts", "event", "call_id", "subject", "tool", "sql", "relations", "columns_masked"),
    *("rows", "bytes", "seconds", "outcome", "prev"),
)


def show_trail(directory: Path, calls: int, page: Page) -> str:
    """Verify the trail, show one call on it and that a changed byte is found; give its trace.

    Raises: StoryBroken.
    """
    page.act(
        "6. What is on record",
        "Each call leaves a verdict, written before Postgres hears of it, and how it ended. Every"
        " line carries the digest of the one before.",
    )
    verification = verify(directory)
    prove(verification.intact, f"the trail is not whole: {verification.problems}")
    events = [
        entry.event
        for path in chain.day_files(directory)
        for line in chain.lines(path)
        if (entry := chain.parse(line.content))
    ]
    per_call = Counter(str(event["call_id"]) for event in events)
    prove(len(per_call) == calls, f"{calls} calls were made, {len(per_call)} are on the trail")
    prove(set(per_call.values()) == {2}, "a call has more or less than a verdict and an end")
    masked = (event for event in events if event.get("columns_masked"))
    shown = next(event for event in masked if event["tool"] == "query")
    for event in (event for event in events if event["call_id"] == shown["call_id"]):
        page.whole_answer(json.dumps({name: event[name] for name in _SHOWN if event.get(name)}))
    page.checked(f"{calls} calls, {verification.lines} lines, every link of the chain in place")
    fault, place = _tamper(directory)
    prove(place == (fault.file, fault.line), f"the change in {place} was found in {fault}")
    page.checked(
        f"one byte changed in a copy: {fault.file}:{fault.line}: {fault.what}: {fault.message}"
    )
    return str(shown["trace_id"])


def show_trace(spans: Sequence[ReceivedSpan], trace_id: str, page: Page) -> None:
    """Show the spans of one trace as a tree. Raises: StoryBroken."""
    page.act(
        "7. Where the time went",
        f"The same call as OpenTelemetry saw it; its trace id, {trace_id}, is on the trail too.",
    )
    own = [span for span in spans if span.trace_id == trace_id]
    stages = {"classify", "judge", "rewrite", "fetch", "mask", "render"}
    missing = stages - {span.name for span in own}
    prove(not missing, f"the trace lacks {sorted(missing)}")
    page.tree(list(_tree(own, {span.span_id for span in own})))


def _tree(
    spans: Sequence[ReceivedSpan], known: set[str], parent: str | None = None, depth: int = 0
) -> Iterator[tuple[str, str]]:
    """Walk down from the spans whose parent nobody sent us."""
    for span in spans:
        if span.parent_id == parent or (parent is None and span.parent_id not in known):
            milliseconds = (span.end_nanoseconds - span.start_nanoseconds) / 1_000_000
            yield "  " * depth + span.name, f"{milliseconds:.2f} ms"
            yield from _tree(spans, known, span.span_id, depth + 1)


def _tamper(directory: Path) -> tuple[Fault, tuple[str, int]]:
    """Change one letter in a copy of the trail; give what `verify` finds, and where it was done."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "audit"
        shutil.copytree(directory, copy)
        path = chain.day_files(copy)[0]
        content = path.read_bytes()
        index = content.index(b"DELETE FROM shop.orders")
        path.write_bytes(content[:index] + b"d" + content[index + 1 :])
        faults = verify(copy).problems
        prove(bool(faults), "a changed trail passes for whole")
        return faults[0], (path.name, content[:index].count(b"\n") + 1)
