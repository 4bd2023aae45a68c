"""Spans reach a real collector, hold no value, and are in nobody's way when there is none."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pg_guard_mcp.record import telemetry
from pg_guard_mcp.record.export import Scrubbed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

# What the MCP SDK does on its own tracer stands for any library's: it was there before `configure`,
# and it records the text of an exception that escapes.
CALLS = """
import os, sys
from pathlib import Path
from opentelemetry import trace

library = trace.get_tracer("library")

from pg_guard_mcp.errors import DatabaseError
from pg_guard_mcp.model import Client, ToolCall
from pg_guard_mcp.record import telemetry
from pg_guard_mcp.record.event import recorded
from pg_guard_mcp.record.trail import Trail

stop = telemetry.configure(os.environ, "9.9.9")
trail = Trail.open(Path(sys.argv[1]))
call = ToolCall(call_id="call-1", tool="query", client=Client(), sql="SELECT 'secret-in-sql'")
with library.start_as_current_span("tools/call query"):
    sys.stderr.write(telemetry.current_traceparent() + "\\n")
    with recorded(call, trail, profile="p") as record:
        with telemetry.span("classify"):
            pass
        record.admitted()
        with telemetry.span("fetch", db_system_name="postgresql") as stage:
            stage.set(db_response_returned_rows=3, **{"pg_guard.truncated": False})
        record.answered(rows=3, bytes=9, truncated=False)
for error in (DatabaseError("secret-in-message", "", "22012"), ValueError("secret-in-crash")):
    try:
        with library.start_as_current_span("tools/call explain"), telemetry.span("mask"):
            raise error
    except Exception:
        pass
trail.checkpoint()
stop()
"""

UNSCRUBBED = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from pg_guard_mcp.record import telemetry

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
trace.set_tracer_provider(provider)
try:
    with telemetry.span("fetch"):
        raise ValueError("secret-in-crash")
except ValueError:
    pass
"""

UNANSWERED = """
import os
from pg_guard_mcp.record import export, telemetry

export.EXPORT_SECONDS = 60.0
stop = telemetry.configure(os.environ, "9.9.9")
for _ in range(5_000):
    with telemetry.span("classify"):
        pass
stop()
"""


class Collector(ThreadingHTTPServer):
    """Takes traces as a collector does, and keeps them."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on loopback, on any port."""
        self.requests: list[tuple[str, bytes]] = []
        self.answers = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Keep the request; answer once the collector answers at all."""
        assert isinstance(self.server, Collector)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, body))
        self.server.answers.wait()
        with contextlib.suppress(OSError):  # who asked may have gone
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name is the library's
        """Stay silent."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Run a collector that answers."""
    with Collector() as server:
        server.answers.set()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.answers.set()
        server.shutdown()
        thread.join()


def run(
    script: str, environment: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own: a process can have one tracer provider only."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=inherited | environment,
        capture_output=True,
        check=True,
        text=True,
        timeout=25,
    )


def received(collector: Collector) -> list[Span]:
    """Decode every span the collector got."""
    spans: list[Span] = []
    for _, body in collector.requests:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                spans += scope.spans
    return spans


def values(attributes: Iterator[KeyValue]) -> dict[str, object]:
    """Read attributes as a dictionary."""
    return {
        item.key: getattr(item.value, item.value.WhichOneof("value") or "string_value")
        for item in attributes
    }


def test_the_stages_of_a_call_arrive_below_its_span(collector: Collector, tmp_path: Path) -> None:
    run(CALLS, {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}, str(tmp_path / "audit"))

    assert {path for path, _ in collector.requests} == {"/v1/traces"}
    spans = received(collector)
    call = next(span for span in spans if span.name == "tools/call query")
    children = [span for span in spans if span.parent_span_id == call.span_id]
    assert [span.name for span in children] == ["classify", "fetch"]
    assert {span.trace_id for span in children} == {call.trace_id}
    fetch = children[1]
    assert fetch.kind == fetch.SPAN_KIND_CLIENT
    assert values(iter(fetch.attributes)) == {
        "db.system.name": "postgresql",
        "db.response.returned_rows": 3,
        "pg_guard.truncated": False,
    }


def test_the_trail_and_the_trace_share_an_id(collector: Collector, tmp_path: Path) -> None:
    child = run(CALLS, {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}, str(tmp_path / "audit"))

    call = next(span for span in received(collector) if span.name == "tools/call query")
    trail = next((tmp_path / "audit").glob("*.jsonl")).read_text()
    assert trail.count(f'"trace_id":"{call.trace_id.hex()}"') == 2
    assert f"00-{call.trace_id.hex()}-{call.span_id.hex()}-0" in child.stderr


def test_the_trails_head_is_told_to_the_collector(collector: Collector, tmp_path: Path) -> None:
    run(CALLS, {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}, str(tmp_path / "audit"))

    spans = received(collector)
    call = next(span for span in spans if span.name == "tools/call query")
    head = (tmp_path / "audit" / "HEAD").read_text().split()[0]
    told = [values(iter(event.attributes)) for event in call.events]
    assert [attributes["pg_guard.audit.seq"] for attributes in told] == [1]
    alone = next(span for span in spans if span.name == "audit checkpoint")
    assert values(iter(alone.attributes)) == {"pg_guard.audit.head": head, "pg_guard.audit.seq": 2}


def test_a_failed_stage_gives_its_code_and_nothing_else(
    collector: Collector, tmp_path: Path
) -> None:
    run(CALLS, {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}, str(tmp_path / "audit"))

    failed, crashed = (span for span in received(collector) if span.name == "mask")
    assert (failed.status.code, failed.status.message) == (2, "database-error")
    assert values(iter(failed.attributes)) == {
        "error.type": "database-error",
        "db.response.status_code": "22012",
    }
    assert (crashed.status.code, crashed.status.message) == (2, "internal")
    assert values(iter(crashed.attributes)) == {"error.type": "internal"}


def test_no_sql_and_no_exception_text_leaves_in_any_span(
    collector: Collector, tmp_path: Path
) -> None:
    child = run(CALLS, {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}, str(tmp_path / "audit"))

    assert received(collector)
    assert not any(b"secret" in body for _, body in collector.requests)
    assert "secret" not in child.stderr
    failed = [span for span in received(collector) if span.name == "tools/call explain"]
    assert [(span.status.code, span.status.message) for span in failed] == [(2, ""), (2, "")]


def test_our_own_spans_hold_no_exception_text_even_unscrubbed() -> None:
    child = run(UNSCRUBBED, {})

    assert '"description": "internal"' in child.stdout
    assert "secret" not in child.stdout


@pytest.mark.parametrize("exporter", ["otlp", "console", "otlp,console"])
def test_nothing_is_ever_written_to_stdout(
    collector: Collector, tmp_path: Path, exporter: str
) -> None:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_TRACES_EXPORTER": exporter,
    }

    assert run(CALLS, environment, str(tmp_path / "audit")).stdout == ""

    assert bool(received(collector)) == ("otlp" in exporter)


@pytest.mark.parametrize(
    ("environment", "name"),
    [({}, "pg-guard-mcp"), ({"OTEL_SERVICE_NAME": "ours"}, "ours")],
)
def test_spans_say_which_service_they_come_from(
    collector: Collector, tmp_path: Path, environment: dict[str, str], name: str
) -> None:
    run(
        CALLS,
        {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **environment},
        str(tmp_path / "audit"),
    )

    request = ExportTraceServiceRequest.FromString(collector.requests[0][1])
    resource = values(iter(request.resource_spans[0].resource.attributes))
    assert resource["service.name"] == name
    assert resource["service.version"] == "9.9.9"


def test_a_collector_that_is_not_there_is_mentioned_once(collector: Collector) -> None:
    url = collector.url
    collector.server_close()

    child = run(UNANSWERED, {"OTEL_EXPORTER_OTLP_ENDPOINT": url})

    assert child.stdout == ""
    assert len(child.stderr.splitlines()) == 1
    assert child.stderr.startswith("telemetry_failing")


def test_a_collector_that_never_answers_does_not_hold_up_the_end(collector: Collector) -> None:
    # The SDK alone would wait for 30 s at the end, longer than `run` gives the process.
    collector.answers.clear()

    child = run(UNANSWERED, {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})

    assert child.stdout == ""
    assert len(child.stderr.splitlines()) <= 1
    assert collector.requests


@pytest.mark.parametrize(
    ("environment", "endpoint"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, None),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "http://c:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/"}, "http://c:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/x"}, "http://c/x"),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://a",
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://b/x",
            },
            "http://b/x",
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_SDK_DISABLED": "True"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_TRACES_EXPORTER": "none"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_TRACES_EXPORTER": "console"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, None),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://a",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            },
            "http://a/v1/traces",
        ),
    ],
)
def test_the_standard_variables_say_whether_and_where(
    environment: dict[str, str], endpoint: str | None
) -> None:
    assert telemetry._endpoint(environment) == endpoint


def test_without_an_endpoint_there_is_nothing_to_start_or_stop() -> None:
    before = trace.get_tracer_provider()

    telemetry.configure({}, "9.9.9")()

    assert trace.get_tracer_provider() is before


def test_a_protocol_we_do_not_speak_is_not_ignored_in_silence(
    caplog: pytest.LogCaptureFixture,
) -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}

    telemetry.configure(environment, "9.9.9")()

    assert "telemetry_off protocol=grpc" in caplog.text


def test_an_attribute_that_is_not_on_the_list_is_dropped_with_a_warning() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    current = provider.get_tracer("test").start_span("fetch")

    with pytest.warns(UserWarning, match="'db_query_text' is not on the list"):
        telemetry.Stage(current).set(db_query_text="SELECT 1", pg_guard_rows=1)
    current.end()

    assert exporter.get_finished_spans()[0].attributes == {"pg_guard.rows": 1}


def test_an_attribute_given_with_the_span_is_held_to_the_same_list() -> None:
    with pytest.warns(UserWarning, match="email"), telemetry.span("fetch", email="a@example.com"):
        pass


def test_a_long_attribute_is_cut() -> None:
    assert telemetry._allowed({"db.query.summary": "x" * 1_000}) == {"db.query.summary": "x" * 200}


def test_exceptions_are_scrubbed_and_everything_else_is_kept() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(Scrubbed(exporter)))
    tracer = provider.get_tracer("library", "1.0")

    with (
        contextlib.suppress(ValueError),
        tracer.start_as_current_span("call", attributes={"kept": 1}) as current,
    ):
        current.add_event("audit checkpoint")
        raise ValueError("secret")
    provider.shutdown()

    (span,) = exporter.get_finished_spans()
    assert "secret" not in span.to_json()
    assert [event.name for event in span.events] == ["audit checkpoint"]
    assert not span.status.is_ok
    assert span.attributes == {"kept": 1}
    assert span.context == current.get_span_context()
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == "library"


def test_without_a_trace_there_is_no_id() -> None:
    assert telemetry.current_trace_id() == ""
    assert telemetry.current_traceparent() == ""


def test_the_id_of_a_trace_begun_elsewhere_is_known_without_a_provider() -> None:
    context = trace.SpanContext(
        trace_id=0xABC, span_id=0xDEF, is_remote=True, trace_flags=trace.TraceFlags(1)
    )

    with trace.use_span(trace.NonRecordingSpan(context)), telemetry.span("classify"):
        assert telemetry.current_trace_id() == f"{0xABC:032x}"
        assert telemetry.current_traceparent() == f"00-{0xABC:032x}-{0xDEF:016x}-01"


def test_a_failure_passes_through_a_span_that_nobody_records() -> None:
    with pytest.raises(ZeroDivisionError), telemetry.span("mask"):
        raise ZeroDivisionError
