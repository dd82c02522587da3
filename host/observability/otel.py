"""Owns the telling of spans to an OpenTelemetry collector, over OTLP.

trace.py asks it around each request. Needs the extra `otel`; where to and how, the
variables of OpenTelemetry say (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME, ...).
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


class _Told:
    def __init__(self, span: Any, trace: Trace) -> None:
        self.trace = trace
        self._span = span

    def answered(self, status: int) -> None:
        from opentelemetry.trace import Status, StatusCode

        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:
            self._span.set_status(Status(StatusCode.ERROR))


class Spans:
    """A Tracer. Raises ConfigError where OpenTelemetry is not installed."""

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
                "trace: OTEL_EXPORTER_OTLP_ENDPOINT asks for spans, which need "
                "OpenTelemetry: pip install 'courtside[otel]'; or unset it, to pass "
                "the trace on to the agents and no more"
            ) from error
        resource = Resource.create({"service.name": service, **SERVICE})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("courtside", VERSION)
        self._form = TraceContextTextMapPropagator()

    @contextmanager
    def span(
        self, name: str, caller: Trace | None, about: Mapping[str, str]
    ) -> Iterator[Span]:
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind, set_span_in_context

        context = Context()
        if caller:
            said = {"traceparent": caller.parent, "tracestate": caller.state}
            context = self._form.extract(said, context)
        span = self._tracer.start_span(
            name, context, kind=SpanKind.SERVER, attributes=about
        )
        ours: dict[str, str] = {}
        self._form.inject(ours, set_span_in_context(span, context))
        try:
            yield _Told(span, Trace(ours["traceparent"], ours.get("tracestate", "")))
        finally:
            span.end()

    def close(self) -> None:
        # A collector that does not answer must not keep the process.
        ending = Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(CLOSE_S)
