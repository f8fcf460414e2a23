"""The questions that a study's edit checks ask about a record while it is entered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.committer import Ledger
from ledger.edit_checks import Prompt, prompts


def prompts_of(ledger: Ledger, action: Mapping[str, Any], opened: Mapping[str, Any]) -> list[Prompt]:
    """Return the questions about an action that is to be prepared, by the version in force at its site."""
    stream, type_, data, site = (action.get(name) for name in ("stream", "type", "data", "site"))
    schema = action.get("schema", 1)
    if not isinstance(stream, str) or stream.partition("/")[0] not in ("participant", "pharmacy", "safety"):
        return []
    if not isinstance(type_, str) or not isinstance(data, Mapping) or type(schema) is not int:
        return []
    fold = ledger.refresh()
    protocol = fold.conduct.study.protocol_for(site if isinstance(site, str) else None, fold.size)
    if protocol is None or protocol.definition is None:
        return []
    return prompts(protocol.definition.edit_checks, type_, schema, data, opened)
