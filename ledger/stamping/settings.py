"""The table `[timestamps]` of `ledger.toml`: who stamps published checkpoints. Without it nobody is asked.

[timestamps]
url = "https://tsa.example/tsr"
certificates = "tsa.pem"          # below the ledger's directory: the authority's own first, a root last
"""

from __future__ import annotations

import json  # its strings are TOML's basic strings
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ledger.errors import FormatError

_URL = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class StampSettings:
    """The table `[timestamps]` of `ledger.toml`: the authority's address, and the file of its
    certificates."""

    url: str
    certificates: str


def read_timestamps(value: Any) -> StampSettings:
    """Read `[timestamps]`.

    Raises:
        FormatError: `CONFIG` with the member.
    """
    if not isinstance(value, Mapping) or value.keys() != {"url", "certificates"}:
        raise FormatError("CONFIG", "expected exactly url and certificates", field="timestamps")
    if not isinstance(value["url"], str) or _URL.fullmatch(value["url"]) is None:
        raise FormatError("CONFIG", "expected an address of http or https", field="timestamps.url")
    if not isinstance(value["certificates"], str) or not value["certificates"]:
        raise FormatError("CONFIG", "expected a file of certificates", field="timestamps.certificates")
    return StampSettings(url=value["url"], certificates=value["certificates"])


def format_timestamps(settings: StampSettings) -> list[str]:
    """Write the lines of `[timestamps]`."""
    return [
        "",
        "[timestamps]",
        f"url = {json.dumps(settings.url)}",
        f"certificates = {json.dumps(settings.certificates)}",
    ]
