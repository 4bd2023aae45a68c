"""What the trail says of one call: one verdict before Postgres hears of it, one `finished` after.

    with recorded(call, trail, profile="default") as record:
        record.admitted(relations=guarded.relations, masked=guarded.masked)
        ...
        record.answered(rows=3, bytes=120, truncated=False)

Both are written whatever happens inside. A call that ends before it was judged (cancelled while it
waited, Postgres out of reach, a crash of ours) leaves the event `refused` with the verdict `none`:
nothing was let through, and no rule spoke. `finished` says how it ended.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from pg_guard_mcp.errors import AuditUnavailable, DatabaseError, Internal, Refused
from pg_guard_mcp.record.chain import text_digest
from pg_guard_mcp.record.telemetry import current_trace_id, error_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pg_guard_mcp.model import Relation, ToolCall
    from pg_guard_mcp.record.trail import Trail

Verdict = Literal["admitted", "refused", "none"]


@contextmanager
def recorded(call: ToolCall, trail: Trail, *, profile: str) -> Iterator[Record]:
    """Leave one verdict and one `finished` for `call` on the trail, whatever happens inside.

    Synchronous on purpose: anyio's cancellation strikes at every await until its scope is left, so
    an `await` here would lose the very event that says the call was cancelled.

    Raises: AuditUnavailable, in place of the answer or of any other error, when it cannot.
    """
    record = Record(call, trail, profile)
    try:
        yield record
        record.complete()
    except BaseException as error:
        record.fail(error)
        raise


class Record:
    """What becomes known of one call while it runs. Made by `recorded`."""

    def __init__(self, call: ToolCall, trail: Trail, profile: str) -> None:
        """Start the clock."""
        self._call = call
        self._trail = trail
        self._profile = profile
        self._started = time.monotonic()
        self._verdict: Verdict | None = None
        self._answer: dict[str, object] | None = None
        self._powers: tuple[str, ...] = ()

    def served_by(self, powers: Sequence[str]) -> None:
        """Say what the database role may do besides reading, for the trail to say it, too."""
        self._powers = tuple(powers)

    def admitted(self, *, relations: Sequence[Relation] = (), masked: Sequence[str] = ()) -> None:
        """Say that the call may run, before it does. Raises: AuditUnavailable."""
        if self._verdict is not None:
            raise Internal("a call was judged twice")
        self._judge("admitted", relations=relations, masked=masked)

    def answered(
        self,
        *,
        rows: int,
        bytes: int,  # noqa: A002 - the trail's own name for it
        truncated: bool,
        result: str | None = None,
    ) -> None:
        """Say how large the answer is; `result` is its masked text, where that is recorded."""
        self._answer = {"rows": rows, "bytes": bytes, "truncated": truncated}
        if result is not None:
            self._answer["result"] = result

    def complete(self) -> None:
        """Write `finished` for a call that ends well. Raises: AuditUnavailable, Internal."""
        if self._verdict != "admitted" or self._answer is None:
            # Fail closed: what the trail does not know of must not leave.
            raise Internal("a call ended without a record of its verdict and its answer")
        self._finish("answered", None)

    def fail(self, error: BaseException) -> None:
        """Write what is still missing for a call that `error` ends. Raises: AuditUnavailable."""
        try:
            if self._verdict is None:
                rules = (
                    [finding.rule for finding in error.findings]
                    if isinstance(error, Refused)
                    else []
                )
                self._judge("refused" if isinstance(error, Refused) else "none", rules=rules)
            self._finish(error_code(error), error)
        except AuditUnavailable:
            # A cancellation must stay one for anyio, and has no answer to hold back; the log knows.
            if isinstance(error, Exception):
                raise

    def _judge(
        self,
        verdict: Verdict,
        *,
        relations: Sequence[Relation] = (),
        masked: Sequence[str] = (),
        rules: Sequence[str] = (),
    ) -> None:
        """Write the verdict."""
        self._trail.append(
            {
                "event": "admitted" if verdict == "admitted" else "refused",
                **self._identity(),
                "sql": self._call.sql or None,
                "arguments": self._arguments(),
                "verdict": verdict,
                "rules": list(rules),
                "relations": [str(relation) for relation in relations],
                "columns_masked": list(masked),
                "trace_id": current_trace_id(),
            }
        )
        self._verdict = verdict

    def _finish(self, outcome: str, error: BaseException | None) -> None:
        """Write how the call ended; sizes only where there was an answer."""
        sizes = self._answer if outcome == "answered" and self._answer is not None else {}
        self._trail.append(
            {
                "event": "finished",
                **self._identity(),
                "verdict": self._verdict,
                "rows": None,
                "bytes": None,
                "truncated": None,
                **sizes,
                "seconds": round(time.monotonic() - self._started, 6),
                "outcome": outcome,
                "sqlstate": error.sqlstate if isinstance(error, DatabaseError) else None,
                "trace_id": current_trace_id(),
            }
        )

    def _identity(self) -> dict[str, object]:
        """Say who asked for what: on both events, so that each stands alone in a search."""
        call, client = self._call, self._call.client
        return {
            "call_id": call.call_id,
            "session_id": client.session_id,
            "profile": self._profile,
            "client": {"name": client.name, "version": client.version},
            "subject": client.subject,
            "tool": call.tool,
            "role_powers": list(self._powers),
            "sql_sha256": text_digest(call.sql) if call.sql else None,
        }

    def _arguments(self) -> dict[str, object]:
        """Give the arguments beside the SQL, as far as the agent set them."""
        call = self._call
        arguments = {
            "max_rows": call.max_rows,
            "schema": call.schema,
            "search": call.search,
            "name": call.name,
        }
        return {key: value for key, value in arguments.items() if value is not None}
