"""Spans: none unless a setting asks for them, and then nothing of anybody in them.

The provider here keeps what it is handed, name by name; it stands where an OpenTelemetry SDK would.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN_CONTEXT, NonRecordingSpan, SpanContext, Tracer, TracerProvider

from api.app import create_app
from api.operating import Operating
from api.telemetry import KEPT, OFF, Scrubbed, telemetry
from tests.api.client import BASE, PARTICIPANT, bearer, open_study
from tests.api.operations import app_in
from tests.ledger.small_ledger import SmallLedger, make

SECRET = "planted-secret-1f"
TRACE = "0af7651916cd43dd8448eb211c80319c"


@dataclass
class Kept:
    """Everything that a provider was told, as text, and the attributes by name."""

    told: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    parents: list[SpanContext] = field(default_factory=list)


class Span(NonRecordingSpan):
    """Keeps what it is told."""

    def __init__(self, kept: Kept) -> None:
        super().__init__(INVALID_SPAN_CONTEXT)
        self._kept = kept

    def is_recording(self) -> bool:
        return True

    def set_attributes(self, attributes: Any) -> None:
        self._kept.told.append(repr(attributes))
        self._kept.attributes |= attributes

    def set_attribute(self, key: str, value: Any) -> None:
        self.set_attributes({key: value})

    def update_name(self, name: str) -> None:
        self._kept.names.append(name)

    def add_event(self, *arguments: Any, **members: Any) -> None:
        self._kept.told.append(repr((arguments, members)))

    def record_exception(self, exception: BaseException, *_: Any, **__: Any) -> None:
        self._kept.told.append(repr(exception))

    def set_status(self, status: Any, description: str | None = None) -> None:
        self._kept.told.append(repr((status, description)))


class Provider(TracerProvider, Tracer):
    """A provider whose tracer is itself."""

    def __init__(self) -> None:
        self.kept = Kept()

    def get_tracer(self, *_: Any, **__: Any) -> Tracer:
        return self

    def start_span(self, name: str, context: Any = None, *arguments: Any, **members: Any) -> Any:
        self.kept.told.append(repr((name, dict(context or {}), arguments, members)))
        self.kept.parents.append(trace.get_current_span(context).get_span_context())
        span = Span(self.kept)
        for each in (*arguments, *members.values()):
            if isinstance(each, dict):
                span.set_attributes(each)
        return span

    @contextmanager
    def start_as_current_span(self, *_: Any, **__: Any) -> Iterator[Any]:  # type: ignore[override]
        raise AssertionError("nobody asks for this")
        yield


@pytest.fixture
def made(tmp_path: Path) -> Iterator[SmallLedger]:
    """A ledger of the test's own."""
    made = make(tmp_path / "ledger", participants=1)
    yield made
    made.ledger.close()


def ask(made: SmallLedger, provider: TracerProvider, monkeypatch: pytest.MonkeyPatch, *, on: bool) -> None:
    """Put planted values everywhere that a request can hold them, while a provider is the process's."""
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    headers = {
        **bearer("coordinator"),
        "traceparent": f"00-{TRACE}-b7ad6b7169203331-01",
        "tracestate": f"vendor={SECRET}",
        "baggage": f"participant={PARTICIPANT}",
        "User-Agent": SECRET,
        "Host": SECRET,
    }
    with app_in(made, Operating(telemetry=on)) as http:
        for path in (f"/participants/{PARTICIPANT}", f"/audit-trail?participant={PARTICIPANT}", f"/{SECRET}"):
            http.get(BASE + path, headers=headers)
        http.request(SECRET.upper(), BASE, headers=headers)

        def fail(*_: object, **__: object) -> None:
            raise ValueError(SECRET)

        monkeypatch.setattr("api.routes.participants.answer", fail)
        assert http.get(f"{BASE}/participants", headers=headers).status_code == 500


def test_it_is_off_unless_it_is_asked_for(made: SmallLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although the process has a provider, nothing is told to it."""
    provider = Provider()
    ask(made, provider, monkeypatch, on=False)
    assert provider.kept == Kept()
    assert telemetry(False) == OFF
    assert not any(OFF.values())


def test_spans_tell_of_nobody(made: SmallLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Route with its placeholders, method, status: no path, query, header, exception or baggage."""
    provider = Provider()
    ask(made, provider, monkeypatch, on=True)
    kept = provider.kept
    assert kept.attributes.keys() <= KEPT
    assert "GET /v1/studies/{study}/participants/{participant}" in kept.names
    everything = repr(kept)
    for planted in (PARTICIPANT, SECRET, SECRET.upper(), "SA-01", "coordinator", "small", "testclient"):
        assert planted not in everything
    assert {format(parent.trace_id, "032x") for parent in kept.parents} == {TRACE}
    assert not any(parent.trace_state for parent in kept.parents)


def test_metrics_and_logs_of_the_framework_stay_off() -> None:
    """Ours take their place, whatever the environment says of exporters."""
    told = telemetry(True)
    assert {name for name, value in told.items() if value} == {"tracing", "tracer_provider"}


def test_whoever_uses_the_tracer_tells_no_more(made: SmallLedger) -> None:
    """Events, links, names and texts of exceptions that any code hands to a span are left out."""
    provider = Provider()
    tracer = Scrubbed(provider).get_tracer("x")
    with tracer.start_as_current_span(SECRET, attributes={"db.query": SECRET}) as span:
        span.add_event(SECRET, {"a": SECRET})
        span.add_link(INVALID_SPAN_CONTEXT, {"a": SECRET})
        span.record_exception(ValueError(SECRET))
        span.update_name(SECRET)
        span.set_attribute("url.path", SECRET)
        span.set_status(trace.Status(trace.StatusCode.ERROR, SECRET), SECRET)
        assert trace.get_current_span() is span
        assert span.is_recording()
        assert not span.get_span_context().is_valid
    assert SECRET not in repr(provider.kept)
    assert create_app([open_study(made)]).title == "trial-ledger"
    assert contexts.get_current() == {}
