"""What one position of a bundle is read as, before anything is judged of it."""

from __future__ import annotations

import json

import pytest

from ledger.verify.form import parse_entry
from tests.shared import VECTORS

FIRST, SECOND = json.loads((VECTORS / "record-format.json").read_bytes())["events"][:2]
LEAF = FIRST["leaf"].encode()


def test_a_statement_that_the_leaf_commits_to() -> None:
    """It is shown and read."""
    parsed = parse_entry(0, LEAF, FIRST["statement"].encode())
    assert parsed.statement is not None
    assert (parsed.shown, parsed.error) == (True, None)


def test_a_withheld_statement_is_no_error() -> None:
    """An empty line says that the statement is withheld."""
    parsed = parse_entry(0, LEAF, b"")
    assert (parsed.shown, parsed.statement, parsed.error) == (False, None, None)


@pytest.mark.parametrize(
    ("payload", "code"),
    [(None, "PAYLOAD_LINES"), (SECOND["statement"].encode(), "STATEMENT_HASH"), (b"{}", "STATEMENT_HASH")],
)
def test_what_is_not_the_statement_of_the_leaf_is_shown_and_wrong(payload: bytes | None, code: str) -> None:
    """What can't be read is never taken for withheld, and each says why."""
    parsed = parse_entry(0, LEAF, payload)
    assert (parsed.shown, parsed.statement) == (True, None)
    assert parsed.error is not None
    assert parsed.error.code == code
