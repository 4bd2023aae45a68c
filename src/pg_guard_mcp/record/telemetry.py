"""Spans for the stages of a call, under the span the MCP SDK opens for `tools/call`.

Nothing here may hold a value: attributes come from a fixed list, and an exception gives its code,
never its text. Only this module and `export`, which sends spans away, know opentelemetry; the SDK
behind it costs 0.2 s to import and is, only when the environment names a collector.
"""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from pg_guard_mcp.errors import DatabaseError, GuardError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

logger = logging.getLogger(__name__)

Attribute = str | int | float | bool

ATTRIBUTES = frozenset(
    {
        # OpenTelemetry's conventions for databases, stable but for returned_rows.
        "db.collection.name",
        "db.namespace",
        "db.operation.name",
        "db.query.summary",
        "db.response.returned_rows",
        "db.response.status_code",
        "db.system.name",
        "error.type",
        "server.address",
        "server.port",
        # Ours: names, sizes and decisions.
        "pg_guard.audit.head",
        "pg_guard.audit.seq",
        "pg_guard.bytes",
        "pg_guard.call_id",
        "pg_guard.columns_masked",
        "pg_guard.profile",
        "pg_guard.rows",
        "pg_guard.rules",
        "pg_guard.tool",
        "pg_guard.truncated",
        "pg_guard.verdict",
    }
)
"""Every attribute a span may carry. `db.query.text` is left out: literals are values."""

_KEYS = {name: key for key in ATTRIBUTES for name in (key, key.replace(".", "_"))}
_MAX_TEXT_CHARACTERS = 200

_tracer = trace.get_tracer("pg-guard-mcp")


class Stage:
    """A span that is open; `set` adds what becomes known on the way."""

    def __init__(self, span: trace.Span) -> None:
        """Wrap `span`, so that nothing but allowed attributes reaches it."""
        self._span = span

    def set(self, **attributes: Attribute) -> None:
        """Add attributes; those not in `ATTRIBUTES` are dropped with a warning."""
        self._span.set_attributes(_allowed(attributes))


@contextmanager
def span(name: str, **attributes: Attribute) -> Iterator[Stage]:
    """Span one stage of a call: `span("fetch", db_system_name="postgresql")`, dots as underscores.

    A stage that names a database system is a client span, as the conventions ask.
    """
    allowed = _allowed(attributes)
    kind = SpanKind.CLIENT if "db.system.name" in allowed else SpanKind.INTERNAL
    current = _tracer.start_span(name, kind=kind, attributes=allowed)
    if not current.is_recording():
        yield Stage(current)  # Not made current: that costs ten times the span, for nothing.
        return
    with trace.use_span(
        current, end_on_exit=True, record_exception=False, set_status_on_exception=False
    ):
        try:
            yield Stage(current)
        except BaseException as error:
            _fail(current, error)
            raise


def error_code(error: BaseException) -> str:
    """Give the code for how a call ended: ours, `internal` for a crash, else `cancelled`."""
    if isinstance(error, GuardError):
        return error.code
    return "internal" if isinstance(error, Exception) else "cancelled"


def current_trace_id() -> str:
    """Give the id of the trace this call belongs to, in hex; empty where there is none."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else ""


def current_traceparent() -> str:
    """Give the current span as a W3C `traceparent`; empty where there is none."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return ""
    trace_id, span_id = (
        trace.format_trace_id(context.trace_id),
        trace.format_span_id(context.span_id),
    )
    return f"00-{trace_id}-{span_id}-{context.trace_flags:02x}"


def checkpoint(head: str, seq: int) -> None:
    """Tell the trail's head to the collector: on the current span, or on one of its own."""
    current = trace.get_current_span()
    if current.is_recording():
        attributes = _allowed({"pg_guard.audit.head": head, "pg_guard.audit.seq": seq})
        current.add_event("audit checkpoint", attributes)
        return
    with span("audit checkpoint", pg_guard_audit_head=head, pg_guard_audit_seq=seq):
        pass


def configure(environment: Mapping[str, str], service_version: str) -> Callable[[], None]:
    """Send spans where the standard `OTEL_*` variables say; give the function that stops it.

    May be called late, and from a thread: spans opened before it are not sent, later ones are.
    """
    endpoint = _endpoint(environment)
    if endpoint is None:
        return _do_nothing
    from pg_guard_mcp.record import export

    name = environment.get("OTEL_SERVICE_NAME") or "pg-guard-mcp"
    return export.start(endpoint, {"service.name": name, "service.version": service_version})


def _endpoint(environment: Mapping[str, str]) -> str | None:
    """Give the URL that takes traces, if the environment asks for any to be sent."""
    signal = environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
    base = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    if not (signal or base):
        return None
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    # Anything but OTLP is off: "console" would write into the protocol.
    if "otlp" not in (environment.get("OTEL_TRACES_EXPORTER") or "otlp").split(","):
        return None
    protocol = (
        environment.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
        or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL")
        or "http/protobuf"
    )
    if protocol != "http/protobuf":
        logger.warning("telemetry_off protocol=%s supported=http/protobuf", protocol)
        return None
    return signal or f"{base.rstrip('/')}/v1/traces"


def _allowed(attributes: Mapping[str, Attribute]) -> dict[str, Attribute]:
    """Keep what is on the list. A warning, so that our tests fail and a server goes on."""
    for name in attributes.keys() - _KEYS.keys():
        warnings.warn(f"span attribute {name!r} is not on the list and was dropped", stacklevel=4)
    return {
        _KEYS[name]: value[:_MAX_TEXT_CHARACTERS] if isinstance(value, str) else value
        for name, value in attributes.items()
        if name in _KEYS
    }


def _fail(current: trace.Span, error: BaseException) -> None:
    """Mark a span as failed, by code alone."""
    code = error_code(error)
    current.set_attribute("error.type", code)
    if isinstance(error, DatabaseError):
        current.set_attribute("db.response.status_code", error.sqlstate)
    current.set_status(Status(StatusCode.ERROR, code))


def _do_nothing() -> None:
    """Stop what was never started."""
