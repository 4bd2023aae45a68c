"""Spans on their way to an OTLP collector over HTTP: batched, scrubbed, and never in a call's way.

Imported only where a collector is configured. An exporter thread does the sending; when the
collector does not answer, spans are dropped, and the log says so once in five minutes.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Status

from pg_guard_mcp.errors import GuardError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

logger = logging.getLogger(__name__)

SHUTDOWN_SECONDS = 2.0
"""How long the last spans may hold up the end of the server."""

EXPORT_SECONDS = 5.0
"""How long one batch is tried for; the queue behind it is bounded and drops what is new."""

_QUIET_SECONDS = 300.0


def start(endpoint: str, resource: Mapping[str, str]) -> Callable[[], None]:
    """Send every span to `endpoint` from now on; give the function that flushes and stops."""
    library = logging.getLogger("opentelemetry")
    library.propagate, library.handlers = False, [_Quiet()]
    provider = TracerProvider(resource=Resource.create(dict(resource)), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(Scrubbed(exporter)))
    trace.set_tracer_provider(provider)

    def stop() -> None:
        # The SDK waits up to 30 s for a batch under way: give it a thread, and a deadline of ours.
        worker = threading.Thread(target=provider.shutdown, name="telemetry-stop", daemon=True)
        worker.start()
        worker.join(SHUTDOWN_SECONDS)

    return stop


class Scrubbed(SpanExporter):
    """Takes exception texts off every span before it leaves, whoever opened the span.

    The MCP SDK records an exception that escapes a handler, with its message and traceback, and a
    driver's message can hold a row value.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        """Stand before `exporter`."""
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send scrubbed copies of `spans`."""
        return self._exporter.export([_scrub(span) for span in spans])

    def shutdown(self) -> None:
        """Stop sending."""
        self._exporter.shutdown()


def _scrub(span: ReadableSpan) -> ReadableSpan:
    """Copy `span` without exception events, and without a status text that is no code of ours."""
    codes = {kind.code for kind in GuardError.__subclasses__()}
    is_ours = span.status.description in codes
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=[event for event in span.events if event.name != "exception"],
        links=span.links,
        kind=span.kind,
        status=span.status if is_ours else Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


class _Quiet(logging.Handler):
    """Stands for all of the library's own logging: one line of ours, now and then.

    It would otherwise log every failed attempt, with the collector's address and answer.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._silent_until = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Say once that spans are being lost, and from which part of the library we know."""
        now = time.monotonic()
        if now >= self._silent_until:
            self._silent_until = now + _QUIET_SECONDS
            logger.warning("telemetry_failing source=%s", record.name)
