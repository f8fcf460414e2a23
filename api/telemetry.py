"""OpenTelemetry spans, off unless a setting asks for them, and scrubbed before any provider sees them.

FastAPI writes paths, queries and exceptions into spans. Between it and the process's provider stands one
that lets through what `KEPT` names: method, route with its placeholders, status, class of an error. Events,
links and texts of spans, a caller's `tracestate` and baggage are left out. FastAPI's own metrics and logs
stay off: `api.metrics` and `api.logs` are ours.

No exporter comes with the program. A process that is started under OpenTelemetry's own launcher has a
provider, and spans go there; in any other process nothing happens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    Tracer,
    TracerProvider,
)

KEPT: Final = frozenset(
    {"http.request.method", "http.response.status_code", "http.route", "url.scheme", "error.type"}
)
OFF: Final = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


def telemetry(on: bool) -> dict[str, Any]:
    """Return what FastAPI is told."""
    return {**OFF, "tracing": True, "tracer_provider": Scrubbed()} if on else dict(OFF)


class Scrubbed(TracerProvider):
    """Hands out tracers of the process's provider, or of the one given, whose spans hold `KEPT` alone."""

    def __init__(self, behind: TracerProvider | None = None) -> None:
        self._behind = behind

    def get_tracer(self, *arguments: Any, **members: Any) -> Tracer:
        behind = self._behind if self._behind is not None else trace.get_tracer_provider()
        return _Tracer(behind.get_tracer(*arguments, **members))


class _Tracer(Tracer):
    def __init__(self, behind: Tracer) -> None:
        self._behind = behind

    def start_span(
        self,
        name: str,
        context: contexts.Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Any = None,
        links: Any = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> Span:
        span = self._behind.start_span(
            "request", _parent(context), kind, _kept(attributes), None, start_time, False, False
        )
        return _Span(span)

    @contextmanager
    def start_as_current_span(self, name: str, *_: Any, **members: Any) -> Iterator[Span]:  # type: ignore[override]
        with trace.use_span(
            self.start_span(name, members.get("context")),
            end_on_exit=True,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield span


class _Span(Span):
    """A span without names, events, texts or attributes of others."""

    def __init__(self, behind: Span) -> None:
        self._behind = behind

    def end(self, end_time: int | None = None) -> None:
        self._behind.end(end_time)

    def get_span_context(self) -> SpanContext:
        return self._behind.get_span_context()

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        kept = _kept(attributes)
        self._behind.set_attributes(kept)
        if "http.route" in kept:
            self._behind.update_name(f"{kept.get('http.request.method', 'HTTP')} {kept['http.route']}")

    def set_attribute(self, key: str, value: Any) -> None:
        self.set_attributes({key: value})

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        """Leave it out."""

    def add_link(self, context: SpanContext, attributes: Any = None) -> None:
        """Leave it out."""

    def update_name(self, name: str) -> None:
        """Leave it out: the name follows from the route."""

    def is_recording(self) -> bool:
        return self._behind.is_recording()

    def set_status(self, status: Any, description: str | None = None) -> None:
        self._behind.set_status(getattr(status, "status_code", status) if status else StatusCode.UNSET)

    def record_exception(self, *_: Any, **__: Any) -> None:
        """Leave it out."""


def _kept(attributes: Any) -> dict[str, Any]:
    return {name: value for name, value in (attributes or {}).items() if name in KEPT}


def _parent(context: contexts.Context | None) -> contexts.Context:
    """Return a context with the caller's trace and nothing else of what it sent."""
    given = trace.get_current_span(context).get_span_context()
    if not given.is_valid:
        return contexts.Context()
    own = SpanContext(given.trace_id, given.span_id, given.is_remote, given.trace_flags)
    return trace.set_span_in_context(NonRecordingSpan(own), contexts.Context())
