"""The stream of an inspector: what the checkpoint holds, and an end when the inspection is closed."""

from __future__ import annotations

import http.client
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from api.routes import stream
from ledger.subscriber.sse import SseEvent, SseReader
from tests.api.client import BASE
from tests.api.marked_ledger import MARKS, close, marked, records
from tests.fuzz_http import serving
from tests.ledger.small_ledger import SITE

TIMEOUT_S = 30


def test_a_stream_is_frozen_and_ends_with_the_inspection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every entry below the frozen size and its checkpoint; nothing of what comes meanwhile; then the end."""
    monkeypatch.setattr(stream, "ASK_AGAIN_TICKS", 1)
    made = marked(tmp_path / "ledger")
    opened = made.ledger.fold.conduct.study.people.inspections[-1]
    with serving(made) as address:
        parts = urlsplit(address)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        connection.request("GET", f"{BASE}/stream", headers={"Authorization": "Bearer inspector"})
        answer = connection.getresponse()
        assert answer.status == 200
        assert (answer.headers["Ledger-Head"] or "").split()[0] == str(opened.size)
        reader, events = SseReader(), list[SseEvent]()
        while "caught-up" not in {event.event for event in events}:
            events += reader.feed(answer.read1(65_536))
        records(made, {name: mark + "zzafter" for name, mark in MARKS.items()}, f"{SITE}-002")
        close(made, opened.event)
        while piece := answer.read1(65_536):
            events += reader.feed(piece)
        connection.close()
    told = [event for event in events if event.id is not None]
    assert [int(event.id or "") for event in told] == list(range(opened.size))
    assert not any("zzafter" in event.data for event in events)
    assert any(event.event == "checkpoint" for event in events)
    made.ledger.close()
