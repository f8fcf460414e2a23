"""Two ledgers that differ in the arms alone, and what each of them shows, written so that it compares.

Arms are sealed, so the ledgers differ in digests, and with these in every hash and signature that comes
after. `Twin.plain` writes a name for each: an event hash becomes the event's index, a tag its stream, a
disclosure what it discloses, any other random value its length. All the rest has to be the same.

    shown = everything(twin, reader)            # label -> text (`tests.twin_views`)
    unlike(shown, everything(other, reader))    # [] where a reader of this role cannot tell the two apart
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from ledger.attachments import attachments
from ledger.committer import Ledger
from ledger.demo.cast import key_of
from ledger.directory import DATABASE, KEYS, Config, open_ledger, read_config
from ledger.errors import FormatError
from ledger.fold import LogFold, StoreReader
from ledger.keyfile import load_key
from ledger.leaf import parse_leaf
from ledger.prepare import Signer
from ledger.recorded import Recorded
from ledger.roles import ROLES, SIGHTS
from ledger.sealing import is_digest, open_disclosure
from ledger.sources import SeededSources
from ledger.statement import parse_statement
from ledger.store.port import StoredEntry
from ledger.store.sqlite import SqliteStore
from ledger.submission import Submission
from ledger.times import parse_instant
from tests.projections.ledgers import opener_of

BLINDED: Final = tuple(
    role
    for role in sorted(ROLES)
    if not (SIGHTS[role].pharmacy or SIGHTS[role].safety) and SIGHTS[role].treatment == "none"
)
"""Every role that sees neither arms nor the streams that tell them."""
SIGHTS_OF: Final = tuple(
    next(role for role in BLINDED if SIGHTS[role] == sight)
    for sight in dict.fromkeys(SIGHTS[role] for role in BLINDED)
)
"""One role for each row of the table of roles that a blinded role has."""

SEED: Final = 1
MINUTE_US: Final = 60_000_000
DAY_US: Final = 1_440 * MINUTE_US
_HEX: Final = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{64}(?![0-9A-Za-z])")
_BASE64: Final = re.compile(r"(?:(?<=\\n)|(?<![A-Za-z0-9+/_\\-]))[A-Za-z0-9+/_-]{43,}={0,2}")
"""Base64 in JSON: an n behind a backslash is the end of the line before it."""
_AROUND: Final = 60
Shown = dict[str, str]


@dataclass(slots=True, kw_only=True)
class Twin:
    """One of the ledgers, open; whoever opened it closes it."""

    directory: Path
    ledger: Ledger
    sources: SeededSources
    config: Config
    _names: dict[str, str] = field(default_factory=lambda: {"0" * 64: "<nothing>"})
    _named: int = 0
    _fold: LogFold | None = None

    @classmethod
    def open(cls, directory: Path, label: str = "twins") -> Twin:
        """Open a ledger's directory a day after its last leaf; `label` draws identifiers and salts."""
        with closing(SqliteStore.open(directory / DATABASE)) as store:
            last = store.entry(store.head().size - 1)
        assert last is not None
        sources = SeededSources(label, parse_instant(last.at) + DAY_US)
        ledger = open_ledger(directory, None, sources)
        return cls(directory=directory, ledger=ledger, sources=sources, config=read_config(directory))

    def named_as(self, other: Twin) -> None:
        """Take over what another twin has learned, of which this one is a copy."""
        self._names, self._named = dict(other._names), other._named

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self.ledger.store.head().size

    @property
    def fold(self) -> LogFold:
        """The whole log, folded as readers fold it."""
        if self._fold is None:
            self._fold = LogFold(StoreReader(self.ledger.store))
        if self._fold.size != self.size:
            with self.ledger.store.snapshot() as reads:
                self._fold.catch_up(reads, reads.size)
            self._fold.reader.reads = self.ledger.store
        return self._fold

    def entries(self) -> list[StoredEntry]:
        """Return the whole log."""
        return list(self.ledger.store.entries(0, self.size))

    def participants(self) -> list[str]:
        """Return the coded ids, in order."""
        return sorted(each.id for each in self.fold.conduct.participants())

    def signer(self, person: str) -> Signer:
        """Let somebody sign with the present key."""
        path = self.directory / KEYS / f"{person}.json"
        known = load_key(path, None) if path.exists() else key_of(SEED, person)
        key = known.signing_key()
        return Signer.of_log(self.ledger, key)

    def say(
        self, person: str, role: str, type_: str, stream: str, data: Mapping[str, Any], **members: Any
    ) -> Recorded:
        """Let somebody record an action a minute after the one before; `opened` is what is sealed of it.

        Raises:
            LedgerError: as `Ledger.record`.
        """
        return self.ledger.record(self.signed(person, role, type_, stream, data, **members))

    def signed(
        self,
        person: str,
        role: str,
        type_: str,
        stream: str,
        data: Mapping[str, Any],
        *,
        opened: Mapping[str, Any] | None = None,
        **members: Any,
    ) -> Submission:
        """Return what somebody would hand in a minute after what was said before."""
        self.sources.advance(MINUTE_US)
        value = {"type": type_, "stream": stream, "role": role, "data": dict(data), **members}
        kind, _, name = stream.partition("/")
        if kind == "participant":
            value |= {"site": self.site_of(name), "protocol": "1.0"}
        return self.signer(person).submission(self.ledger, value, opened or {})

    def site_of(self, participant: str) -> str:
        """Return a participant's site; an unknown one would be of the first site."""
        state = self.fold.conduct.state(participant)
        return "SA-01" if state is None else state.site

    def arms(self) -> dict[str, tuple[str, ...]]:
        """Return what was drawn for each participant, as nobody who is blinded sees it."""
        opener = opener_of(self.ledger)
        return {
            each.id: tuple(str(opener(draw.event, "/data/arm")) for draw in self.drawn(each.id))
            for each in self.fold.conduct.participants()
        }

    def drawn(self, participant: str) -> list[StoredEntry]:
        """Return the allocations of a participant."""
        stream = self.ledger.store.stream_entries(f"participant/{participant}")
        return [entry for entry in stream if entry.type == "participant.randomized"]

    def plain(self, value: bytes | str) -> str:
        """Return a text with a name in the place of everything that follows from a random value."""
        self._name()
        return self._plain(value.decode() if isinstance(value, bytes) else value)

    def _plain(self, text: str) -> str:
        text = _HEX.sub(lambda match: self._names.get(match[0], "<hash>"), text)
        return _BASE64.sub(self._of_base64, text)

    def json(self, value: Any) -> str:
        """Return what holds JSON as such a text."""
        return self.plain(orjson.dumps(value, default=str))

    def _name(self) -> None:
        """Learn the names of what the log has beyond those that are known."""
        size = self.size
        if self._named == size:
            return
        for row in self.ledger.store.streams():
            self._names[row.tag] = f"<tag of {row.stream}>"
        for entry in self.ledger.store.entries(self._named, size):
            self._names[entry.event] = f"<event {entry.index}>"
            leaf, statement = parse_leaf(entry.leaf), parse_statement(entry.statement)
            self._names.setdefault(leaf.stream, f"<tag of {entry.stream}>")
            kept = [sig.key.removeprefix("sha256:") for sig in leaf.sigs]
            kept += [each["sha256"] for each in attachments(statement.data)]
            self._names |= {each: f"<{each[:16]}>" for each in kept}  # the same in every arm
        self._named = size

    def _of_base64(self, match: re.Match[str]) -> str:
        text = match[0]
        if is_digest(text):
            return "<digest>"
        try:
            opened = open_disclosure(text)
        except FormatError:
            pass
        else:
            value = orjson.dumps(opened.value, default=str).decode()
            return f"<disclosure of {opened.path}: {self._plain(value)}>"
        try:
            raw = base64.b64decode(text, validate=True)
        except binascii.Error:
            return text
        try:
            return f"<{self._plain(raw.decode())}>"
        except UnicodeDecodeError:
            return f"<{len(raw)} bytes>"


def unlike(left: Mapping[str, str], right: Mapping[str, str]) -> list[str]:
    """Return what differs between two readings, with the place of each first difference."""
    found = [f"{label}: only one of them" for label in sorted(left.keys() ^ right.keys())]
    for label in left:
        if label in right and left[label] != right[label]:
            found.append(f"{label}: {_first(left[label], right[label])}")
    if not found and list(left) != list(right):
        found.append("another order")
    return found


def _first(left: str, right: str) -> str:
    pairs = enumerate(zip(left, right, strict=False))
    at = next((n for n, (a, b) in pairs if a != b), min(len(left), len(right)))
    start = max(0, at - _AROUND)
    return f"at {at} …{left[start : at + _AROUND]!r} / {right[start : at + _AROUND]!r}"
