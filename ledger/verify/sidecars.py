"""The small files of a bundle that speak about the log line by line or as a whole (record-format.md §9).

`disclosures.jsonl` and `withheld.jsonl` have one canonical object a line, in index order, and are read beside
the log, never as a whole. `scope.json` and `streams.json` are one canonical object each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from ledger import canonical
from ledger.canonical import Keys
from ledger.errors import FormatError
from ledger.leaf import is_salted, stream_tag
from ledger.verify.bundle import Bundle
from ledger.verify.findings import Finding, finding
from ledger.verify.options import SCOPE_KINDS, Scope

MAX_SCOPE_BYTES: Final = 4_096
MAX_STREAMS_BYTES: Final = 64 * 1024 * 1024
WHYS: Final = ("blinded", "scope")

_SALT = re.compile(r"[0-9a-f]{64}")
_EVENT = re.compile(r"[0-9a-f]{64}")

Reporter = Callable[[Finding], None]


class Lines:
    """A `.jsonl` file read beside the log: `take` gives the line of an index, or None."""

    def __init__(self, bundle: Bundle, name: str, keys: Keys, check: Callable[[Any], bool], report: Reporter):
        """Open the file; a missing one is a finding and then empty."""
        self._name = name
        self._keys = keys
        self._check = check
        self._report = report
        self._last = -1
        self._lines: Iterator[bytes] = bundle.lines(name)
        self._next = self._read()

    def take(self, index: int) -> dict[str, Any] | None:
        """Return the line of `index`; ask for ascending indexes."""
        while self._next is not None and self._next["index"] < index:
            self._next = self._read()
        if self._next is None or self._next["index"] != index:
            return None
        line, self._next = self._next, self._read()
        return line

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the lines that were not taken."""
        while self._next is not None:
            line, self._next = self._next, self._read()
            yield line

    def finish(self, size: int) -> None:
        """Report a line that lies past the log, and read on to the end of the file."""
        while self._next is not None:
            index = self._next["index"]
            if index >= size:
                self._report(finding("FILE_FORM", "a line past the end of the log", file=self._name))
            self._next = self._read()

    def _read(self) -> dict[str, Any] | None:
        try:
            line = next(self._lines, None)
            if line is None:
                return None
            value: Any = _plain(line) if self._keys is Keys.DISCLOSURES else None
            if value is None:
                value = canonical.decode(line, keys=self._keys)
        except FormatError as error:
            self._stop(error.message, code=error.code)
            return None
        if not isinstance(value, dict) or type(value.get("index")) is not int or not self._check(value):
            self._stop("a line is not of the form of this file")
            return None
        if value["index"] <= self._last:
            self._stop("lines are not in index order, each once")
            return None
        self._last = value["index"]
        return value

    def _stop(self, message: str, code: str = "FILE_FORM") -> None:
        self._lines = iter(())
        known = code if code in ("FILE_MISSING", "ZIP_FORM") else "FILE_FORM"
        self._report(
            finding(known, message, file=self._name, index=self._last + 1 if self._last >= 0 else None)
        )


_ONE = re.compile(
    rb'\{"index":(0|[1-9][0-9]{0,14}),"open":\{"(/data/[a-z][a-z0-9_]{0,63})":"([A-Za-z0-9_-]+)"\}\}'
)


def _plain(line: bytes) -> dict[str, Any] | None:
    """Read a line that opens one member, as most do: no other bytes could say this. None for any other."""
    one = _ONE.fullmatch(line)
    if one is None:
        return None
    return {"index": int(one[1]), "open": {one[2].decode(): one[3].decode()}}


def disclosure_lines(bundle: Bundle, report: Reporter) -> Lines:
    """Read `disclosures.jsonl`."""
    return Lines(bundle, "disclosures.jsonl", Keys.DISCLOSURES, _is_disclosure, report)


def withheld_lines(bundle: Bundle, report: Reporter) -> Lines:
    """Read `withheld.jsonl`."""
    return Lines(bundle, "withheld.jsonl", Keys.STATEMENT, _is_withheld, report)


def _is_disclosure(value: dict[str, Any]) -> bool:
    opened = value.get("open")
    return (
        value.keys() == {"index", "open"}
        and isinstance(opened, dict)
        and bool(opened)
        and all(isinstance(text, str) for text in opened.values())
    )


def _is_withheld(value: dict[str, Any]) -> bool:
    return (
        value.keys() == {"index", "statement", "why"}
        and value["why"] in WHYS
        and isinstance(value["statement"], str)
        and _EVENT.fullmatch(value["statement"]) is not None
    )


def read_scope(bundle: Bundle) -> tuple[Scope, str, int]:
    """Read `scope.json`: scope, role, size.

    Raises:
        FormatError: `FILE_FORM` and what reading raises.
    """
    name = "scope.json"
    value = _object(bundle, name, MAX_SCOPE_BYTES, Keys.STATEMENT)
    kind = value.get("kind")
    expected = {"kind", "role", "size"} | (set() if kind == "study" else {"id"})
    texts = [value.get(member) for member in expected - {"size"}]
    if (
        kind not in SCOPE_KINDS
        or value.keys() != expected
        or not all(isinstance(text, str) for text in texts)
    ):
        raise FormatError("FILE_FORM", "expected kind, role, size, and an id but for a study", field=name)
    if type(value["size"]) is not int:
        raise FormatError("FILE_FORM", "expected a size", field=name)
    return Scope(kind=kind, id=value.get("id")), value["role"], value["size"]


def read_streams(bundle: Bundle) -> dict[str, str]:
    """Read `streams.json`: stream by tag, for every salt that is given.

    Raises:
        FormatError: `FILE_FORM` and what reading raises.
    """
    name = "streams.json"
    tags: dict[str, str] = {}
    for stream, salt in _object(bundle, name, MAX_STREAMS_BYTES, Keys.STREAMS).items():
        if not isinstance(salt, str) or _SALT.fullmatch(salt) is None or not is_salted(stream):
            raise FormatError("FILE_FORM", "expected salted streams, each with 64 hex digits", field=name)
        try:
            tags[stream_tag(stream, bytes.fromhex(salt))] = stream
        except FormatError as error:
            raise FormatError("FILE_FORM", error.message, field=name) from error
    return tags


def _object(bundle: Bundle, name: str, max_bytes: int, keys: Keys) -> dict[str, Any]:
    data = bundle.read(name, max_bytes=max_bytes)
    try:
        value = canonical.decode(data, keys=keys, max_bytes=max_bytes)
    except FormatError as error:
        raise FormatError("FILE_FORM", error.message, field=name) from error
    if not isinstance(value, dict):
        raise FormatError("FILE_FORM", "expected an object", field=name)
    return value
