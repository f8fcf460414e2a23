"""Named SQL statements from .sql files, those of this package where none is named.

A file is a sequence of statements, each under a line `-- name: what_it_does`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType

HERE = "ledger.store"
_MARK = "-- name: "


def script(file: str, package: str = HERE) -> str:
    """Return the text of a .sql file of a package."""
    return (files(package) / file).read_text(encoding="utf-8")


def queries(file: str, package: str = HERE) -> Mapping[str, str]:
    """Return the statements of a .sql file by their names."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in script(file, package).splitlines():
        if line.startswith(_MARK):
            lines = found.setdefault(line.removeprefix(_MARK).strip(), [])
        elif not line.startswith("--"):
            lines.append(line)
    return MappingProxyType({name: "\n".join(body).strip() for name, body in found.items()})
