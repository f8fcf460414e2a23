"""Where the study and its participants stand: what `judging` reads and `folding` moves on.

Mutable, and one for a fold; the values that it holds are frozen. Besides the study's state and every
participant it keeps the breaches of all other streams, and what is not shown here: withheld statements and
sealed values that do not open, on which no judgement can rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, Final, Protocol

from ledger import studystate
from ledger.entry import Entry
from ledger.participant import Breach, Participant
from ledger.rules import assurance, refold, sealed
from ledger.rules.case import Case
from ledger.rules.record import Record
from ledger.rules.stream import CHANGING, StreamView, view_of
from ledger.state.assurance import Assurance
from ledger.study.lists import CONTINUE
from ledger.studystate import StudyState

PARTICIPANT: Final = "participant/"
_OWN: Final = frozenset({"reader", "_case"})


class Reader(Protocol):
    """What conduct asks of the log. Answers may reach beyond the entry in hand: what is later is not used."""

    def entries_of(self, stream: str) -> Sequence[Entry]:
        """Return a stream's entries in order."""

    def index_of(self, event: str) -> int | None:
        """Return the index of an event hash; None where the log has none."""

    def entry_at(self, index: int) -> Entry | None:
        """Return the entry of an index; None where there is none to be read."""

    def attachment(self, sha256: str) -> bytes | None:
        """Return an attachment's bytes."""

    def opened(self, event: str) -> Mapping[str, Any] | None:
        """Return the values of a statement's sealed paths; None where they are closed here."""


class Standing:
    """The study's state, every participant, and the breaches of each stream."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.participants: dict[str, Participant] = {}
        self.others: dict[str, tuple[Breach, ...]] = {}
        """Breaches of the streams that are no participant's."""
        self.study: StudyState = studystate.INITIAL
        self.withheld = 0
        self.closed = 0
        self._unseen: set[str] = set()
        self._cut: set[str] = set()
        self._case: Case | None = None

    def saved(self) -> dict[str, Any]:
        """Return where all stand as of now, in values that no later entry changes."""
        return {name: copy(value) for name, value in vars(self).items() if name not in _OWN}

    @classmethod
    def of(cls, reader: Reader, state: Mapping[str, Any]) -> Standing:
        """Return a standing that goes on from this state, which stays as it is."""
        standing = cls(reader)
        vars(standing).update({name: copy(value) for name, value in state.items()})
        return standing

    def participant_of(self, stream: str) -> Participant | None:
        """Return the participant of a stream `participant/…`; None where none is registered."""
        return self.participants.get(stream[len(PARTICIPANT) :])

    def case_of(self, record: Record, participant: Participant) -> Case:
        """Return the case of a record: that which was judged is the one that is folded in."""
        case = self._case
        if (
            case is None
            or case.record is not record
            or case.participant is not participant
            or case.study is not self.study
        ):
            case = self._case = refold.case_of(record, participant, self.study, self.reader.index_of)
        return case

    def assurance_of(self, stream: str) -> Assurance:
        """Return what people assured of a stream."""
        if stream.startswith(PARTICIPANT):
            participant = self.participant_of(stream)
            return assurance.EMPTY if participant is None else participant.assurance
        return self.study.assurance.get(stream, assurance.EMPTY)

    # Breaches.

    def breaches_of(self, stream: str) -> tuple[Breach, ...]:
        """Return the breaches of a stream, open or not."""
        if stream.startswith(PARTICIPANT):
            participant = self.participant_of(stream)
            return participant.breaches if participant is not None else ()
        return self.others.get(stream, ())

    def breaches(self) -> Iterator[Breach]:
        """Yield every breach, in no promised order."""
        for participant in self.participants.values():
            yield from participant.breaches
        for breaches in self.others.values():
            yield from breaches

    def set_breaches(self, stream: str, breaches: tuple[Breach, ...]) -> None:
        """Put others in place of a stream's breaches."""
        if stream.startswith(PARTICIPANT):
            name = stream[len(PARTICIPANT) :]
            participant = self.participants.get(name)
            if participant is not None:
                self.participants[name] = replace(participant, breaches=breaches)
        else:
            self.others[stream] = breaches

    def add_breaches(self, record: Record, found: Iterable[str]) -> None:
        """Add what a record breaks to its stream's breaches."""
        breaches = (
            Breach(event=record.event, rule=code, index=record.index, found=record.index) for code in found
        )
        new = tuple(refold.explain(breach, record, self.study) for breach in breaches)
        if new:
            self.set_breaches(record.stream, (*self.breaches_of(record.stream), *new))

    # What the log says elsewhere.

    def earlier(self, event: str, *, before: int) -> Entry | None:
        """Return the entry of an event hash below an index."""
        index = self.reader.index_of(event)
        return self.reader.entry_at(index) if index is not None and index < before else None

    def is_earlier(self, event: str, record: Record) -> bool:
        """Tell whether an event stands before a record."""
        index = self.reader.index_of(event)
        return index is not None and index < record.index

    def view(self, record: Record, *added: Entry) -> StreamView:
        """Return the stream's view; for a second person who changes nothing there, of their statement alone.

        Pharmacies have a second person for every dose: to read their stream again for each would take longer
        and longer.
        """
        confirmed = self.confirmed(record)
        if confirmed is not None:
            return view_of([confirmed, *added], record.index + 1)
        earlier = [e for e in self.reader.entries_of(record.stream) if e.index < record.index]
        return view_of([*earlier, *added], record.index + 1)

    def confirmed(self, record: Record) -> Entry | None:
        """Return what a second person signs, where that is no change of another record; else None."""
        if record.type != "record.cosigned" or record.stream.startswith(PARTICIPANT):
            return None
        named = self.earlier(record.data["statement"], before=record.index)
        statement = None if named is None else named.statement
        if statement is None or statement.stream != record.stream or statement.type in CHANGING:
            return None
        return named

    # What is not shown here.

    def withhold(self, entry: Entry) -> None:
        """Take note of a statement that is not shown. What the rules rest on is `control` or `open`.

        A restricted one (pharmacy, safety, access) draws no slot, so it excuses nothing there: else one such
        leaf would let its writer skip slots. Of a pharmacy, whose leaves alone have a site, it hides what a
        breach of `sealed.UNSEEN` in that site's streams rests on.

        A participant's stream is cut from there on: one that was transferred is shown in part to each site.
        """
        self.withheld += 1
        if entry.leaf.cls == "open" and entry.leaf.stream not in self._cut:
            self._cut.add(entry.leaf.stream)
            self.study = replace(self.study, cut=frozenset(self._cut))
        if entry.leaf.cls == "restricted" and entry.leaf.site:
            self._unseen.add(entry.leaf.site)
        if entry.leaf.cls != "restricted" and not self.study.partial:
            self.study = replace(self.study, partial=True)

    def is_cut(self, record: Record) -> bool:
        """Tell whether earlier statements of a participant are withheld: what rests on them is not judged."""
        return bool(self._cut) and record.stream.startswith(PARTICIPANT) and record.statement.tag in self._cut

    def rests_unseen(self, detected: Record) -> bool:
        """Tell whether what a recorded breach rests on is sealed or withheld here."""
        rule = detected.data["rule"]
        if rule == sealed.RULE:
            return self.closed > 0
        return rule in sealed.UNSEEN and detected.site in self._unseen

    def open(self, record: Record | None) -> Record | None:
        """Give a record the sealed values that a rule asks for, where they can be opened."""
        if record is None or record.type not in sealed.ASKED:
            return record
        return replace(record, opened=self.reader.opened(record.event))

    def is_closed(self, record: Record) -> bool:
        """Tell whether a sealed value that a rule asks for of this record does not open here."""
        if record.type not in sealed.ASKED:
            return False
        participant = self.participants.get(record.data["participant"])
        if record.opened is None or participant is None or not participant.randomized:
            return record.opened is None
        return self.arm(participant, record.index) is None

    def arm(self, participant: Participant, before: int) -> str | None:
        """Return the arm that a participant had before an index; None where it is closed or not there yet."""
        arm: str | None = None
        for each in participant.randomizations:
            if each.answered is None or each.answered >= before:
                continue
            entry = self.reader.entry_at(each.answered)
            opened = None if entry is None else self.reader.opened(entry.event)
            if entry is not None and opened is None:
                return None
            if opened is not None and opened["/data/arm"] != CONTINUE:
                arm = opened["/data/arm"]
        return arm
