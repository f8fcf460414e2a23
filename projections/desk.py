"""What a report reads: the log as known at one size, through one reader, and the rules' own fold of it.

    desk = Desk(reads, reader=Reader(role="blinded_monitor"), known=412)
    for record in desk.records("visit.started", "visit.missed"):    # as they read now: corrected, not voided
        record.data["visit"], record.participant, record.site, record.index

A record is shown as the reader sees it: what is sealed from the reader is a marker, and statements that the
reader does not see are not there. `state` and `authority` are what the rules hold at that size; whoever asks
them shows only what follows from records that this reader sees (`sees_participant`, `sees_site`).

Ages and overdue times are told from the recording time of the last leaf that counts, never from a clock, so
that a report as known at an index is the same whenever it is asked for.

Where the log goes on from an older one, records of that one are read with it, at indexes below 0, as the
rules count them: a report of one log alone would call missing what the older one holds. A range of the log
that such a record names is told by the same indexes.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Final

from ledger.authority import Authority
from ledger.conduct import Conduct
from ledger.fold import LogFold, StoreReader
from ledger.participant import Participant
from ledger.rules.protocols import version_for
from ledger.rules.record import span
from ledger.store.port import Reads, StoredEntry
from ledger.study.definition import StudyDefinition
from ledger.times import Interval, parse_instant
from projections.authorization import Site, allowed
from projections.before import closed_before
from projections.book import Record
from projections.breaches import breaches
from projections.joined import Joined
from projections.moments import UTC_ZONE, Known, known_size, local
from projections.participant import PARTICIPANT, site_of
from projections.projection import State, replay
from projections.reader import Reader
from projections.show import is_hidden, show
from projections.study import Study

_PARTICIPANT: Final = "participant/"
_RANGED: Final = frozenset({"trail.reviewed", "monitoring_visit.recorded"})
"""Types that name a range of the log, by `first` and `last`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One record of a stream, as it reads now for the reader.

    Attributes:
        index: below 0 of a record of an older log.
        data: corrected; a sealed member is in its place as a value or a marker.
        occurred: when it happened, as the interval that the corrected time can mean at its site.
        recorded_us: when the log took it in.
        voided: index of the voiding that counts.
    """

    index: int
    event: str
    type: str
    schema: int
    stream: str
    participant: str | None
    site: str | None
    person: str
    role: str
    data: dict[str, Any]
    occurred_at: str
    occurred: Interval
    recorded_at: str
    recorded_us: int
    meaning: str
    protocol: str | None
    corrected_by: tuple[int, ...]
    cosigned_by: tuple[int, ...]
    voided: int | None


class Desk:
    """One reading of the log for a report. Not shared between threads."""

    def __init__(
        self, reads: Reads, *, reader: Reader, known: Known = None, fold: LogFold | None = None
    ) -> None:
        """Open the desk; `fold` is used where it is of the size asked for, else the log is folded anew.

        Raises:
            FormatError: `KNOWN`.
        """
        self.reads = reads
        self.reader = reader
        self.size = known_size(reads, known)
        self.study = Study(reads, self.size)
        last = reads.entry(self.size - 1) if self.size else None
        self.now_us = parse_instant(last.at) if last is not None else 0
        self._now = Interval(earliest_us=self.now_us, latest_us=self.now_us)
        self._fold = fold if fold is not None and fold.size == self.size else None
        self._books: dict[str, State] = {}
        self._readers: dict[str, Reader] = {}
        self._joined = Joined(reads)
        self._participant: str | None = None

    def of(self, participant: str) -> Desk:
        """Return this desk with the records of one participant beside those of sites, study and people."""
        desk = copy(self)
        desk._participant = participant
        return desk

    @property
    def fold(self) -> LogFold:
        """Order, authority and conduct, folded up to this size."""
        if self._fold is None:
            self._fold = LogFold(StoreReader(self.reads))
            self._fold.catch_up(self.reads, self.size)
        return self._fold

    @property
    def conduct(self) -> Conduct:
        """What the rules hold at this size: study, participants, breaches."""
        return self.fold.conduct

    @property
    def authority(self) -> Authority:
        """Who may do what at this size."""
        return self.fold.authority

    def streams(self, kind: str) -> list[str]:
        """Return the streams of a kind that have statements by then, in order: `participant`, `site`, …"""
        found = self._joined.streams() if self.size else ()
        if kind == "participant" and self._participant is not None:
            found = {_PARTICIPANT + self._participant}.intersection(found)
        named = sorted(stream for stream in found if stream.partition("/")[0] == kind)
        return [stream for stream in named if self.book(stream)["records"]]

    def book(self, stream: str) -> State:
        """Return a stream's records with corrections and voidings settled (catalogue R10)."""
        if stream not in self._books:
            self._books[stream] = replay(
                PARTICIPANT, self.entries_of(stream), stream.partition("/")[2], self.size
            )
        return self._books[stream]

    def entries_of(self, stream: str) -> list[StoredEntry]:
        """Return a stream's entries, those of older logs first, at indexes below 0."""
        return self._joined.stream_entries(stream) if self.size else []

    def begin_of(self, index: int) -> int:
        """Return where the log begins that an index stands in: places that it names count from there."""
        return self._joined.begin_of(index)

    def records(self, *types: str, kind: str = "participant", voided: bool = False) -> Iterator[Line]:
        """Yield the records of some types in all streams of a kind that the reader sees, stream by stream."""
        for stream in self.streams(kind):
            yield from self.records_of(stream, *types, voided=voided)

    def records_of(self, stream: str, *types: str, voided: bool = False) -> Iterator[Line]:
        """Yield the records of some types, or of all, of one stream, in the order of the log."""
        book = self.book(stream)
        hidden = self.reader.hidden
        # Who has a participant now reads what was recorded at the site that the participant came from.
        now = {"site": site_of(book)} if stream.startswith(_PARTICIPANT) else None
        for record in book["records"]:
            type_ = record["type"]
            if (types and type_ not in types) or ("voided" in record and not voided):
                continue
            sees = self.reader.sees(stream, type_, record["statement"]) or (
                now is not None and self.reader.sees(stream, type_, now)
            )
            if sees and not is_hidden(record, book, hidden):
                yield self._line(stream, record, book)

    def breaches(self, *, only_open: bool = False) -> list[dict[str, Any]]:
        """Return the breaches that the reader sees; none before the log began."""
        if not self.size:
            return []
        known = self.size - 1
        return breaches(self.reads, self.conduct, reader=self.reader, known=known, only_open=only_open)

    def participants(self) -> Iterator[Participant]:
        """Yield the rules' state of each participant whom the reader sees, by id."""
        for participant in sorted(self.conduct.participants(), key=lambda each: each.id):
            if self._participant not in (None, participant.id):
                continue
            if self.sees_participant(participant.id, participant.site):
                yield participant

    def definition_of(
        self, participant: Participant, index: int | None = None, occurred: Interval | None = None
    ) -> StudyDefinition | None:
        """Return the definition that a participant is under, now or for a record at an index (catalogue B).

        A fact is judged by when it occurred, a gate by its recording. A version that needs re-consent counts
        once that is given.
        """
        when, before = self._now, self.size
        if index is not None:
            participant = replace(participant, site=participant.site_at(index))
            when, before = occurred or self._recorded(index), index
        protocol = version_for(participant, self.conduct.study, when, before)
        return None if protocol is None else protocol.definition

    def definition_at(self, site: str | None) -> StudyDefinition | None:
        """Return the definition in force at a site at the last leaf that counts; of the study, the newest."""
        protocol = self.conduct.study.protocol_for(site, self.size, self._now)
        return None if protocol is None else protocol.definition

    def _recorded(self, index: int) -> Interval:
        entry = self._joined.entry(index)
        at_us = self.now_us if entry is None else parse_instant(entry.at)
        return Interval(earliest_us=at_us, latest_us=at_us)

    def sees_participant(self, participant: str, site: str | None) -> bool:
        """Tell whether the reader sees a participant's stream."""
        return self.reader.sees(_PARTICIPANT + participant, "participant.registered", {"site": site})

    def sees_site(self, site: str) -> bool:
        """Tell whether a site is one of the reader's."""
        return bool(allowed(self.reader, None, Site(site=site)))

    def sites(self) -> list[str]:
        """Return the study's sites that the reader sees, in order."""
        return [site for site in self.study.sites() if self.sees_site(site)]

    def zone(self, site: str | None) -> str:
        """Return the IANA zone of a site; UTC without one."""
        return self.study.zone(site) or UTC_ZONE

    def local(self, us: int, site: str | None) -> str:
        """Return an instant as the clock at a site shows it, with its offset (FDA 2024 Q14)."""
        return local(us, self.zone(site))

    def _placed(self, record: Record, data: dict[str, Any]) -> dict[str, Any]:
        """Return a record's data with the range of the log that it names told by the indexes of this one."""
        if record["index"] >= 0 or record["type"] not in _RANGED:
            return dict(data)
        begin = self.begin_of(record["index"])
        return {name: value + begin if name in ("first", "last") else value for name, value in data.items()}

    def _line(self, stream: str, record: Record, book: State) -> Line:
        statement = record["statement"]
        site = statement.get("site")
        if stream not in self._readers:
            self._readers[stream] = closed_before(self.reader, book)
        shown = show(record, book, self._readers[stream])
        return Line(
            index=record["index"],
            event=record["event"],
            type=record["type"],
            schema=record["schema"],
            stream=stream,
            participant=stream[len(_PARTICIPANT) :] if stream.startswith(_PARTICIPANT) else None,
            site=site,
            person=shown["by"],
            role=shown["role"],
            data=self._placed(record, shown["data"]),
            occurred_at=record["occurred_at"],
            occurred=span(record["occurred_at"], self.zone(site)),
            recorded_at=record["at"],
            recorded_us=parse_instant(record["at"]),
            meaning=statement["meaning"],
            protocol=statement.get("protocol"),
            corrected_by=tuple(shown.get("corrected_by", ())),
            cosigned_by=tuple(shown.get("cosigned_by", ())),
            voided=record.get("voided"),
        )


__all__ = ["Desk", "Line"]
