"""Named SQL statements from the package's .sql files.

A file is a sequence of statements, each under a line `-- name: what_it_does`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType

_MARK = "-- name: "


def script(file: str) -> str:
    """Return the text of a .sql file of this package."""
    return (files("ledger.store") / file).read_text(encoding="utf-8")


def queries(file: str) -> Mapping[str, str]:
    """Return the statements of a .sql file by their names."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in script(file).splitlines():
        if line.startswith(_MARK):
            lines = found.setdefault(line.removeprefix(_MARK).strip(), [])
        elif not line.startswith("--"):
            lines.append(line)
    return MappingProxyType({name: "\n".join(body).strip() for name, body in found.items()})
