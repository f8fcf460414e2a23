"""An entry as a page: as its JSON has it, with what is opened here as text and not as the disclosure of it.

A disclosure is what a program checks against the digest that was signed; a person wants to read the value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.call import Call
from api.pages import Page, laid_out
from ledger.sealing import open_disclosure


def event_page(call: Call, value: Mapping[str, Any]) -> Page:
    """Lay an entry out; values that were opened stand under their paths."""
    opened = {path: open_disclosure(each).value for path, each in (value.get("open") or {}).items()}
    return laid_out(call, {**value, "open": opened})
