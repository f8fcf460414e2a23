"""The questions that a study's edit checks ask about a record while it is entered."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ledger.committer import Ledger
from ledger.conduct import Conduct
from ledger.edit_checks import Prompt, prompts
from ledger.errors import FormatError
from ledger.rules.protocols import version_for
from ledger.rules.record import span
from ledger.studystate import Protocol
from ledger.times import Interval


def prompts_of(ledger: Ledger, action: Mapping[str, Any], opened: Mapping[str, Any]) -> list[Prompt]:
    """Return the questions about an action to be prepared, by the version that it is recorded under."""
    stream, type_, data, site = (action.get(name) for name in ("stream", "type", "data", "site"))
    schema = action.get("schema", 1)
    if not isinstance(stream, str) or stream.partition("/")[0] not in ("participant", "pharmacy", "safety"):
        return []
    if not isinstance(type_, str) or not isinstance(data, Mapping) or type(schema) is not int:
        return []
    fold = ledger.refresh()
    at = site if isinstance(site, str) else None
    done = _done(action.get("occurred_at"), fold.conduct.study.zone(at), ledger.sources.now_us())
    protocol = version_at(fold.conduct, stream, at, fold.size, done)
    if protocol is None or protocol.definition is None:
        return []
    return prompts(protocol.definition.edit_checks, type_, schema, data, opened)


def _done(told: Any, zone: str, now_us: int) -> Interval:
    """Return when it was done; now where that can't be read: it is refused when it is handed in."""
    with suppress(FormatError):
        if isinstance(told, str):
            return span(told, zone)
    return Interval(earliest_us=now_us, latest_us=now_us)


def version_at(conduct: Conduct, stream: str, site: str | None, size: int, when: Interval) -> Protocol | None:
    """Return the version that a record is under: the participant's own, else the site's (catalogue B)."""
    kind, _, name = stream.partition("/")
    participant = conduct.state(name) if kind == "participant" else None
    if participant is None:
        return conduct.study.protocol_for(site, size, when)
    return version_for(participant, conduct.study, when, size)
