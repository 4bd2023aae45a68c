"""The demo's collector takes traces and nothing else."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pg_guard_mcp.record.receiver import ReceivedSpan, receiving


def post(url: str, body: bytes) -> int:
    """Send a body and give the status."""
    request = urllib.request.Request(url, data=body, method="POST")  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_spans_arrive_earliest_first() -> None:
    export = ExportTraceServiceRequest()
    scope = export.resource_spans.add().scope_spans.add()
    for name, start in (("late", 20), ("early", 10)):
        scope.spans.add(
            name=name,
            trace_id=b"\x01" * 16,
            span_id=bytes([start]) * 8,
            start_time_unix_nano=start,
            end_time_unix_nano=start + 5,
        )

    with receiving() as receiver:
        status = post(f"{receiver.endpoint}/v1/traces", export.SerializeToString())
        spans = receiver.spans()

    assert status == 200
    assert spans[0] == ReceivedSpan(
        name="early",
        trace_id="01" * 16,
        span_id="0a" * 8,
        parent_id="",
        start_nanoseconds=10,
        end_nanoseconds=15,
    )
    assert [span.name for span in spans] == ["early", "late"]


@pytest.mark.parametrize(("path", "body"), [("/v1/logs", b"x"), ("/v1/traces", b"")])
def test_anything_else_is_turned_away(path: str, body: bytes) -> None:
    with receiving() as receiver:
        status = post(f"{receiver.endpoint}{path}", body)

    assert status == 400
    assert receiver.bodies == []
