"""A collector for one reader: takes spans over OTLP/HTTP on loopback and keeps them in memory.

For the demo, which shows a trace where no collector is at hand. A server never imports it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_BODY_BYTES = 4_000_000
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedSpan:
    """One span as it arrived; `parent_id` is empty where a trace begins."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    start_nanoseconds: int
    end_nanoseconds: int


class Receiver(ThreadingHTTPServer):
    """Listens on a free port of loopback and keeps every request as it came."""

    daemon_threads = True

    def __init__(self) -> None:
        """Bind; nothing is taken before `receiving` serves."""
        self.bodies: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def endpoint(self) -> str:
        """Say what to put into OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self) -> list[ReceivedSpan]:
        """Decode what has arrived so far, earliest first."""
        found = [
            ReceivedSpan(
                name=span.name,
                trace_id=span.trace_id.hex(),
                span_id=span.span_id.hex(),
                parent_id=span.parent_span_id.hex(),
                start_nanoseconds=span.start_time_unix_nano,
                end_nanoseconds=span.end_time_unix_nano,
            )
            for body in tuple(self.bodies)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        return sorted(found, key=lambda span: span.start_nanoseconds)


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        """Keep the body; anything but traces of a plausible size is turned away."""
        size = int(self.headers.get("Content-Length") or 0)
        taken = self.path == "/v1/traces" and 0 < size <= _MAX_BODY_BYTES
        if taken:
            self.server.bodies.append(self.rfile.read(size))
        self.send_response(200 if taken else 400)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Stay silent."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver while the block lasts."""
    with Receiver() as receiver:
        arguments = {"poll_interval": _POLL_SECONDS}
        thread = Thread(target=receiver.serve_forever, kwargs=arguments, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()
