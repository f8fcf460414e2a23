"""Reading tokens of services, as `ledger.toml` holds them: by SHA-256, with whom they read as."""

from __future__ import annotations

import json  # its strings are TOML's basic strings
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.errors import FormatError
from ledger.roles import ROLES

_TOKEN_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A reading token by its SHA-256 (hex), with the role, person and sites that it reads as."""

    sha256: str
    role: str
    person: str
    sites: tuple[str, ...]


def format_tokens(tokens: Sequence[Token]) -> list[str]:
    """Write tokens as the lines of tables `[[tokens]]`."""
    lines: list[str] = []
    for token in tokens:
        lines += [
            "",
            "[[tokens]]",
            f"sha256 = {_quoted(token.sha256)}",
            f"role = {_quoted(token.role)}",
            f"person = {_quoted(token.person)}",
            f"sites = [{', '.join(_quoted(site) for site in token.sites)}]",
        ]
    return lines


def read_token(value: Any, n: int) -> Token:
    """Read one table.

    Raises:
        FormatError: `CONFIG` with the member.
    """
    where = f"tokens.{n}"
    if not isinstance(value, Mapping) or value.keys() != {"sha256", "role", "person", "sites"}:
        raise FormatError("CONFIG", "expected exactly sha256, role, person and sites", field=where)
    if not isinstance(value["sha256"], str) or _TOKEN_HASH.fullmatch(value["sha256"]) is None:
        raise FormatError("CONFIG", "expected the token's SHA-256 in hex", field=f"{where}.sha256")
    if not isinstance(value["role"], str) or value["role"] not in ROLES:
        raise FormatError("CONFIG", "expected a role of the catalogue", field=f"{where}.role")
    sites = value["sites"]
    if not isinstance(sites, list) or not sites or not all(isinstance(site, str) for site in sites):
        raise FormatError("CONFIG", 'expected site ids, or "*"', field=f"{where}.sites")
    if not isinstance(value["person"], str):
        raise FormatError("CONFIG", "expected a person id", field=f"{where}.person")
    return Token(sha256=value["sha256"], role=value["role"], person=value["person"], sites=tuple(sites))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
