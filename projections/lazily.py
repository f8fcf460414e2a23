"""Statements that are decoded when somebody looks into them, and not before.

A replay passes over many statements of which a view then shows few members. `LazyStatement` holds the exact
bytes and decodes them at the first look; `LazyRecord` takes from it what reads now, unless a correction has
put something in its place. Written out (`whole`) both are plain objects, so a state that was looked into and
one that was not are the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson


class LazyStatement(Mapping[str, Any]):
    """A statement's members, decoded at the first look."""

    __slots__ = ("_plain", "_raw")

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._plain: dict[str, Any] | None = None

    @property
    def plain(self) -> dict[str, Any]:
        """The decoded members."""
        if self._plain is None:
            self._plain = orjson.loads(self._raw)
        return self._plain

    @property
    def decoded(self) -> bool:
        """Tell whether a member was asked for."""
        return self._plain is not None

    def __getitem__(self, key: str) -> Any:
        return self.plain[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.plain)

    def __len__(self) -> int:
        return len(self.plain)


class LazyRecord(dict[str, Any]):
    """A record of a book whose `data` and `occurred_at` are the statement's until something replaces them."""

    __slots__ = ()

    def __missing__(self, key: str) -> Any:
        if key not in ("data", "occurred_at"):
            raise KeyError(key)
        value = self[key] = self["statement"][key]
        return value


def whole(value: object) -> dict[str, Any]:
    """Return a lazy object as a plain one, with all of its members; for the encoder.

    Raises:
        TypeError: for anything else that the encoder does not know.
    """
    if isinstance(value, LazyStatement):
        return value.plain
    if isinstance(value, LazyRecord):
        return {**value, "data": value["data"], "occurred_at": value["occurred_at"]}
    raise TypeError(f"expected plain JSON, got {type(value).__name__}")
