"""A ledger whose study asks about a heart rate and an age: for tests of edit checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.ledger import small_ledger
from tests.ledger.small_ledger import SmallLedger, make

PULSE: dict[str, Any] = {
    "id": "range_of_pulse",
    "type": "vital_signs.recorded",
    "path": "/data/measurements/[heart_rate]/quantity/value",
    "prompt": "Is this pulse right?",
    "minimum": "40",
    "maximum": "120",
}
AGE: dict[str, Any] = {
    "id": "range_of_age",
    "type": "demographics.recorded",
    "path": "/data/age_years",
    "prompt": "Is this age right?",
    "minimum": "18",
    "maximum": "75",
}


def with_checks(directory: Path, monkeypatch: pytest.MonkeyPatch, *checks: dict[str, Any]) -> SmallLedger:
    """Make a small ledger whose protocol has edit checks."""
    root = json.loads(small_ledger.DEFINITION.read_bytes())
    said = [{name: {"value": value, "source": "X"} for name, value in each.items()} for each in checks]
    root["edit_checks"] = said
    place = directory.parent / "definition.json"
    place.write_text(json.dumps(root))
    monkeypatch.setattr(small_ledger, "DEFINITION", place)
    return make(directory, participants=1)
