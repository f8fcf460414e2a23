"""What views ask of the study: definitions in force, zones of sites, and grades of keys.

Read from the `study` stream and, only when a grade is asked for, from the stream of the key's person. A
definition is an attachment named by its hash, so one that was parsed once is good for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from ledger.fold import StoreReader
from ledger.rules.record import span
from ledger.state.sites import Activation
from ledger.store.port import Reads, StoredEntry
from ledger.study.definition import StudyDefinition
from ledger.studystate import read_definition
from ledger.times import parse_instant
from projections.before import entries_before, older_log
from projections.book import Record
from projections.moments import UTC_ZONE

_KEPT: Final = 64  # parsed definitions; a ledger has one for each protocol version
ROOTS: Final = ""  # where the keys of root persons are kept, who have no stream
_PERSON: Final = "person/"
_definitions: dict[tuple[str, str], StudyDefinition | None] = {}


@dataclass(frozen=True, slots=True)
class _Version:
    """An approved version; `definition` is None where its attachment is missing or unreadable."""

    index: int
    version: str
    reconsent: bool
    definition: StudyDefinition | None


class Study:
    """The study as of the first `size` leaves."""

    def __init__(self, reads: Reads, size: int) -> None:
        self._reads = reads
        self.size = size
        self._protocols: list[_Version] = []
        self._zones: dict[str, str] = {}
        self._activated: dict[str, list[Activation]] = {}
        self._grades: dict[str, dict[str, tuple[int, str]]] = {ROOTS: {}}
        self._older: Study | None = None
        for entry in entries_before(reads, "study"):
            if entry.type == "protocol.approved":
                self._approve(entry)
        for entry in reads.stream_entries("study"):
            if entry.index >= size:
                break
            if entry.type == "protocol.approved":
                self._approve(entry)
            elif entry.type in ("ledger.opened", "policy.changed"):
                for root in orjson.loads(entry.statement)["data"].get("root_keys", ()):
                    self._enrol(ROOTS, entry.index, root["key"])

    def definition_of(self, record: Record, site: str | None) -> StudyDefinition | None:
        """Return the definition that a participant's record was made under (catalogue B).

        That is the newest in force at the site when it was done; of those that need re-consent, the one that
        the record names.
        """
        known: dict[str, _Version] = {}
        for each in self._protocols:
            if each.index < record["index"]:
                known.setdefault(each.version, each)
        zone = self.zone(site) or UTC_ZONE
        done_us = span(record["occurred_at"], zone).latest_us
        for activation in reversed(self._amendments(site) if site is not None else ()):
            found = known.get(activation.version)
            if activation.index >= record["index"] or activation.begins_us(zone) > done_us or found is None:
                continue
            if not found.reconsent or found.version == record["statement"].get("protocol"):
                return found.definition
        return _first([*known.values()], site)

    def zone(self, site: str | None) -> str | None:
        """Return the IANA zone of a site; None without a site, and for one that no protocol names."""
        return None if site is None else self._zones.get(site)

    def sites(self) -> tuple[str, ...]:
        """Return the sites of the protocols, in order."""
        return tuple(sorted(self._zones))

    def grade(self, person: str, key: str, index: int) -> str | None:
        """Return the grade of a key at an index (record-format.md §3); None before its enrolment.

        `person` is who is expected to hold it; another's key, which signs along, takes a longer search. Keys
        are enrolled in each log anew, so that of an older log's record is asked there.
        """
        older = older_log(self._reads) if index < 0 else None
        if older is not None:
            if self._older is None:
                self._older = Study(older.store, older.size)
            return self._older.grade(person, key, index + older.size)
        found = self._keys_of(person).get(key) or self._grades[ROOTS].get(key)
        if found is None:
            streams = [row.stream for row in self._reads.streams() if row.stream.startswith(_PERSON)]
            everybody = (self._keys_of(stream[len(_PERSON) :]) for stream in streams)
            found = next((keys[key] for keys in everybody if key in keys), None)
        return found[1] if found is not None and found[0] <= index else None

    def _amendments(self, site: str) -> list[Activation]:
        """Return the versions activated at a site."""
        if site not in self._activated:
            stream = f"site/{site}"
            entries = (
                (*entries_before(self._reads, stream), *self._reads.stream_entries(stream))
                if len(self._protocols) > 1
                else ()
            )
            self._activated[site] = [
                _activation(entry)
                for entry in entries
                if entry.type == "amendment.activated" and entry.index < self.size
            ]
        return self._activated[site]

    def _keys_of(self, person: str) -> dict[str, tuple[int, str]]:
        if person not in self._grades:
            self._grades[person] = {}
            for entry in self._reads.stream_entries(_PERSON + person):
                if entry.index < self.size and entry.type in ("key.enrolled", "key.rotated"):
                    self._enrol(person, entry.index, orjson.loads(entry.statement)["data"]["key"])
        return self._grades[person]

    def _enrol(self, person: str, index: int, key: Mapping[str, Any]) -> None:
        self._grades[person].setdefault(key["id"], (index, key["grade"]))

    def _approve(self, entry: StoredEntry) -> None:
        data = orjson.loads(entry.statement)["data"]
        version, sha256 = data["version"], data["definition"]["sha256"]
        if (sha256, version) not in _definitions:
            kept = StoreReader(self._reads).attachment(sha256)
            if len(_definitions) >= _KEPT:
                _definitions.clear()
            if kept is not None:
                _definitions[sha256, version] = read_definition(kept, version)
        definition = _definitions.get((sha256, version))
        self._protocols.append(_Version(entry.index, version, data["reconsent"], definition))
        if definition is not None:
            self._zones.update({site.id: site.zone for site in definition.sites.values()})


def _activation(entry: StoredEntry) -> Activation:
    data = orjson.loads(entry.statement)["data"]
    recorded_us = parse_instant(entry.at)
    return Activation(
        index=entry.index, version=data["version"], begins=data["from"], recorded_us=recorded_us
    )


def _first(known: Sequence[_Version], site: str | None) -> StudyDefinition | None:
    """Return the definition that is in force at a site without being activated there."""
    found = (each.definition for each in known if each.definition is not None)
    return next((each for each in found if site in each.sites), known[0].definition if known else None)
