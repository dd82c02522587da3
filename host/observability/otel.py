"""Sends spans to an OpenTelemetry collector over OTLP.

Needs the extra `otel`. OpenTelemetry's own variables configure it
(OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME, ...).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import Any

from ..errors import ConfigError
from ..version import VERSION
from .trace import Span, Trace

CLOSE_S = 1.0
SERVICE = {"service.version": VERSION}


class _OtlpSpan:
    def __init__(self, span: Any, trace: Trace) -> None:
        self.trace = trace
        self._span = span

    def set_status(self, status: int) -> None:
        from opentelemetry.trace import Status, StatusCode

        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:
            self._span.set_status(Status(StatusCode.ERROR))


class OtlpTracer:
    """A Tracer. Raises ConfigError if OpenTelemetry is not installed."""

    def __init__(self, service: str) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
                OTLPSpanExporter,
            )
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            from opentelemetry.trace.propagation.tracecontext import (
                TraceContextTextMapPropagator,
            )
        except ImportError as error:
            raise ConfigError(
                "trace: OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not "
                "installed: pip install 'courtside[otel]', or unset the variable "
                "(traces are then only passed on to the agents)"
            ) from error
        resource = Resource.create({"service.name": service, **SERVICE})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("courtside", VERSION)
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def span(
        self, name: str, caller: Trace | None, attributes: Mapping[str, str]
    ) -> Iterator[Span]:
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind, set_span_in_context

        context = Context()
        if caller:
            headers = {"traceparent": caller.parent, "tracestate": caller.state}
            context = self._propagator.extract(headers, context)
        span = self._tracer.start_span(
            name, context, kind=SpanKind.SERVER, attributes=attributes
        )
        own: dict[str, str] = {}
        self._propagator.inject(own, set_span_in_context(span, context))
        try:
            yield _OtlpSpan(span, Trace(own["traceparent"], own.get("tracestate", "")))
        finally:
            span.end()

    def close(self) -> None:
        # A collector that does not respond must not keep the process alive.
        ending = Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(CLOSE_S)
