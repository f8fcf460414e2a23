"""Conduct: the catalogue's rules judged at an index, and the breaches that the ledger owes (R1-R10).

    violations = conduct.judge(entry, authority)    # would this statement break a rule, here and now?
    caused = conduct.evolve(entry, authority)       # recorded: fold it in; new breaches on earlier statements

The committer judges a candidate inside the transaction that assigns its index, the verifier judges every
recorded statement again offline, by the same functions. A gate is refused on `FORM`, `REFUSE` and `HOLD`; a
fact, and a gate that was passed outside the system, on `FORM` alone (R6). Every other violation, and whatever
`evolve` returns, is owed as `breach.detected`: `unrecorded` says which of them the log lacks.

Two clocks: `leaf.at` is when it was recorded, `occurred_at`, as corrected, when it happened. No rule reads a
real clock, and none but `SEALED_RULE` a sealed value: where the reader does not open it, that rule is not
judged, and a breach of it that is recorded is believed. A correction, voiding or co-signature folds its
participant again; everything else costs one step.

Left out on purpose: who may sign (`authorisation`), order in the log (`chain`), shape of `data` (`actions`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Protocol

from ledger import studyfold, studystate
from ledger.authority import Authority
from ledger.entry import Entry
from ledger.envelope import EventHash
from ledger.errors import FormatError
from ledger.participant import Breach, Participant
from ledger.rules import (
    assurance,
    departures,
    general,
    locks,
    outside,
    participants,
    people,
    pharmacy,
    quality,
    refold,
    safety_desk,
    sealed,
    stocktaking,
    study,
)
from ledger.rules.about import About
from ledger.rules.case import StudyCase
from ledger.rules.codes import RULES, Effect, Rule, codes
from ledger.rules.eligibility import criteria_digest
from ledger.rules.record import DAY_US, Record, record_of
from ledger.rules.rule_versions import in_force
from ledger.rules.stream import CHANGING, QUALITY, StreamView, view_of
from ledger.state.assurance import Assurance, Waiting
from ledger.study.lists import CONTINUE
from ledger.studystate import StudyState

__all__ = ["Conduct", "Effect", "Reader", "Rule", "Violation", "codes", "criteria_digest"]

SKIPPED: Final = "LOCAL_TIME_NONEXISTENT"
_PARTICIPANT: Final = "participant/"
_PHARMACY: Final = "pharmacy/"
Guard = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A rule that a statement breaks; `hint` says more than the rule's own line, where there is more."""

    rule: str
    effect: Effect
    statement: EventHash
    hint: str | None = None


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


class Conduct:
    """Mutable fold of the study's state and of every participant; the values inside are frozen."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._participants: dict[str, Participant] = {}
        self._others: dict[str, tuple[Breach, ...]] = {}
        self._judged: tuple[Entry, Record | None, tuple[str, ...]] | None = None
        self.study: StudyState = studystate.INITIAL
        self.withheld = 0
        self.closed = 0
        """How many statements were not judged by `SEALED_RULE`, because what they seal is closed here."""
        self._unseen: set[str] = set()
        self._cut: set[str] = set()

    def judge(self, entry: Entry, authority: Authority) -> tuple[Violation, ...]:
        """Return the rules that a statement breaks at this index, in the order in which they are asked.

        Nothing is changed. A withheld statement is not judged.
        """
        record, found = self._codes(entry, authority)
        departed = self._departed(record)
        violations = tuple(_violation(code, entry.event, flagged=code in departed) for code in found)
        if SKIPPED not in found or entry.statement is None:
            return violations
        hint = general.hint(entry.statement.occurred_at, self.study.zone(entry.statement.site))
        return tuple(replace(each, hint=hint) if each.rule == SKIPPED else each for each in violations)

    def evolve(self, entry: Entry, authority: Authority) -> tuple[Violation, ...]:
        """Fold a recorded entry in; return the breaches that it newly causes on earlier statements.

        They come from a correction, voiding or co-signature, from a consent entered late, from study day 1
        becoming known, and from a second signature that is overdue.
        """
        record, found = self._codes(entry, authority)
        self._judged = None
        if record is None:
            if entry.statement is None:
                self._withhold(entry)
            return ()
        if self._is_closed(record):
            self.closed += 1
        touched = self._fold(entry, record, found)
        if record.stream.startswith(pharmacy.STREAM) and record.type != "breach.detected":
            self._look_back(record)
        return tuple(
            _violation(breach.rule, breach.event)
            for stream in (record.stream, *touched)
            for breach in self._breaches(stream)
            if breach.found == record.index != breach.index
        )

    def state(self, participant_id: str) -> Participant | None:
        """Return a participant as of the newest entry; None where none is registered."""
        return self._participants.get(participant_id)

    def participants(self) -> Iterator[Participant]:
        """Yield every participant, in the order of registration."""
        yield from self._participants.values()

    def breaches(self) -> Iterator[Breach]:
        """Yield every breach that the rules found, open or not, in no promised order."""
        for participant in self._participants.values():
            yield from participant.breaches
        for breaches in self._others.values():
            yield from breaches

    def found_at(self, stream: str, event: str, rule: str) -> int | None:
        """Return the index that brought a breach of a stream to light which is not recorded yet."""
        for breach in self._breaches(stream):
            if breach.event == event and breach.rule == rule and breach.recorded is None:
                return breach.found
        return None

    def unrecorded(self) -> tuple[Breach, ...]:
        """Return the breaches that the log owes as `breach.detected` and does not have, by index."""
        owed = [breach for breach in self.breaches() if breach.recorded is None]
        return tuple(sorted(owed, key=lambda breach: (breach.found, breach.index, breach.rule)))

    def guards(self, entry: Entry) -> tuple[Guard, ...]:
        """Return the rows that must be unique in the store before this entry is folded in.

        They hold the rules that go across participants where two processes write at once.
        """
        statement = entry.statement
        if statement is None:
            return ()
        data = statement.data
        match statement.type:
            case "study.registered":
                return (("study", "registered"),)
            case "protocol.approved":
                return (("protocol", data["version"]),)
            case "site.activated":
                site = statement.site or ""
                count = len(self.study.site(site).standings)  # a suspended site is activated again
                return (("site", f"{site}/{count}" if count else site),)
            case "participant.registered":
                return (("participant", data["participant"]),)
            case "randomization.list_committed":
                return (("list", data["list"]),)
            case "participant.randomized":
                return self._allocation_guards(entry)
        return ()

    def _allocation_guards(self, entry: Entry) -> tuple[Guard, ...]:
        statement = entry.statement
        if statement is None:
            return ()
        data = statement.data
        participant = statement.stream.partition("/")[2]
        rows = [("allocation", f"{participant}/{data['stage']}")]
        if "list_index" in data:
            rows.append(("slot", f"{data['list']}/{data['list_index']}"))
        if data["stage"] == 1:
            rows.append(("enrolment", str(self.study.randomized(entry.index) + 1)))
        return tuple(rows)

    def _withhold(self, entry: Entry) -> None:
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

    def _codes(self, entry: Entry, authority: Authority) -> tuple[Record | None, tuple[str, ...]]:
        """Judge an entry, or recall the judgement: a candidate is judged once and then folded in."""
        if self._judged is not None and self._judged[0] is entry:
            return self._judged[1], self._judged[2]
        record: Record | None = None
        try:
            statement = entry.statement
            if statement is not None:
                record = self._open(record_of(entry, self.study.zone(statement.site)))
            if record is not None:
                asked = in_force(self._judge(record, authority), self.study, record.index)
                found = tuple(dict.fromkeys(asked))
            else:
                found = ()
        except FormatError:
            # A date that the site's calendar skipped: all other times were read with the statement.
            found = (SKIPPED,)
        self._judged = (entry, record, found)
        return record, found

    def _open(self, record: Record | None) -> Record | None:
        """Give a record the sealed values that a rule asks for, where they can be opened."""
        if record is None or record.type not in sealed.ASKED:
            return record
        return replace(record, opened=self._reader.opened(record.event))

    def _is_closed(self, record: Record) -> bool:
        """Tell whether a sealed value that a rule asks for of this record does not open here."""
        if record.type not in sealed.ASKED:
            return False
        participant = self._participants.get(record.data["participant"])
        if record.opened is None or participant is None or not participant.randomized:
            return record.opened is None
        return self._arm(participant, record.index) is None

    def _arm(self, participant: Participant, before: int) -> str | None:
        """Return the arm that a participant had before an index; None where it is closed or not there yet."""
        arm: str | None = None
        for each in participant.randomizations:
            if each.answered is None or each.answered >= before:
                continue
            entry = self._reader.entry_at(each.answered)
            opened = None if entry is None else self._reader.opened(entry.event)
            if entry is not None and opened is None:
                return None
            if opened is not None and opened["/data/arm"] != CONTINUE:
                arm = opened["/data/arm"]
        return arm

    def _departed(self, record: Record | None) -> frozenset[str]:
        """Return the rules that were set aside for a gate, to remove an immediate hazard (catalogue E)."""
        if record is None or not record.stream.startswith(_PARTICIPANT):
            return frozenset()
        participant = self._participants.get(record.stream[len(_PARTICIPANT) :])
        if participant is None or not participant.bedside.departures:
            return frozenset()
        return frozenset(each.rule for each in departures.in_effect(participant, record))

    def _judge(self, record: Record, authority: Authority) -> Iterator[str]:
        yield from people.judge_source(record, self.study)
        yield from self._judge_by_area(record, authority)
        if record.spec.references and not all(self._is_earlier(e, record) for e in record.references):
            yield "REFERENCE"

    def _is_cut(self, record: Record) -> bool:
        """Tell whether earlier statements of a participant are withheld: what rests on them is not judged."""
        return record.stream.startswith(_PARTICIPANT) and record.statement.tag in self._cut

    def _judge_by_area(self, record: Record, authority: Authority) -> Iterator[str]:
        if self._is_cut(record):
            yield from general.judge_clocks(record, self.study)
        elif record.type in QUALITY:
            yield from general.judge_clocks(record, self.study)
            yield from self._judge_quality(record)
        elif record.stream.startswith(_PARTICIPANT):
            yield from self._judge_participant(record)
            if record.type == "participant.registered" and authority.used(record.data["participant"]):
                yield "CLASS_STREAM"
        else:
            earlier = partial(self._earlier, before=record.index)
            case = StudyCase(
                record,
                self.study,
                authority,
                self._reader.attachment,
                earlier,
                self._participants.get,
                self._arm,
            )
            yield from general.judge_clocks(record, self.study)
            yield from study.judge_any(case)
            yield from locks.judge_record(record, assurance.EMPTY, self.study)
            if record.type == "database.locked":
                everybody = self._participants.values()
                yield from locks.judge_database(case, everybody, withheld=self.withheld > 0)
            rule = outside.JUDGES.get(record.type)
            if rule is not None:
                yield from rule(case)
            if record.type == "account.created" and record.data["person"] in self._participants:
                yield "CLASS_STREAM"

    def _judge_participant(self, record: Record) -> Iterator[str]:
        name = record.stream[len(_PARTICIPANT) :]
        participant = self._participants.get(name)
        if record.type == "participant.registered":
            if participant is not None:
                yield "ID_REUSED"
            if record.data["participant"] != name:
                yield "PARTICIPANT_ID"
            if self.study.registered is None:
                yield "STUDY_NOT_REGISTERED"
            participant = refold.start(record)
        elif participant is None:
            yield "PARTICIPANT_UNKNOWN"
            return
        yield from participants.judge(refold.case_of(record, participant, self.study))

    def _judge_quality(self, record: Record) -> Iterator[str]:
        if record.type == "breach.detected":
            # A breach may rest on a statement that is not shown here.
            if not self.study.partial and not self._rests_unseen(record):
                yield from quality.judge_detected(record, self._breaches(record.stream))
            return
        view = self._view(record)
        participant = None
        if record.stream.startswith(_PARTICIPANT):
            participant = self._participants.get(record.stream[len(_PARTICIPANT) :])
            if participant is None:
                yield "PARTICIPANT_UNKNOWN"
        own = self._assurance(record.stream)
        yield from quality.judge(
            About(record, view, own, self.study, participant, self._reader.index_of, self.withheld > 0)
        )

    def _view(self, record: Record, *added: Entry) -> StreamView:
        """Return the stream's view; for a second person who changes nothing there, of their statement alone.

        Pharmacies have a second person for every dose: to read their stream again for each would take longer
        and longer.
        """
        confirmed = self._confirmed(record)
        if confirmed is not None:
            return view_of([confirmed, *added], record.index + 1)
        earlier = [e for e in self._reader.entries_of(record.stream) if e.index < record.index]
        return view_of([*earlier, *added], record.index + 1)

    def _confirmed(self, record: Record) -> Entry | None:
        """Return what a second person signs, where that is no change of another record; else None."""
        if record.type != "record.cosigned" or record.stream.startswith(_PARTICIPANT):
            return None
        named = self._earlier(record.data["statement"], before=record.index)
        statement = None if named is None else named.statement
        if statement is None or statement.stream != record.stream or statement.type in CHANGING:
            return None
        return named

    def _assurance(self, stream: str) -> Assurance:
        if stream.startswith(_PARTICIPANT):
            participant = self._participants.get(stream[len(_PARTICIPANT) :])
            return assurance.EMPTY if participant is None else participant.assurance
        return self.study.assurance.get(stream, assurance.EMPTY)

    def _assure(self, record: Record, view: StreamView | None = None) -> None:
        """Fold what is assured of a stream that is no participant's, and flag what is overdue there (R9)."""
        stream, own = record.stream, self._assurance(record.stream)
        breaches = self._breaches(stream)
        late = (*assurance.overdue(own, record), *self._unsettled(breaches, record))
        flagged = assurance.flag_overdue(breaches, late, record.index)
        if view is not None and record.type in CHANGING and self._confirmed(record) is None:
            after = assurance.replay(view, self.study.zone(record.site))
        else:
            after = assurance.fold(own, record, view or assurance.NO_VIEW)
        flagged = assurance.account(flagged, after)
        if flagged != breaches:
            self._set_breaches(stream, flagged)
        if after != own:
            kept = MappingProxyType({**self.study.assurance, stream: after})
            self.study = replace(self.study, assurance=kept)

    def _rests_unseen(self, detected: Record) -> bool:
        """Tell whether what a recorded breach rests on is sealed or withheld here."""
        rule = detected.data["rule"]
        if rule == sealed.RULE:
            return self.closed > 0
        return rule in sealed.UNSEEN and detected.site in self._unseen

    def _is_earlier(self, event: str, record: Record) -> bool:
        index = self._reader.index_of(event)
        return index is not None and index < record.index

    def _earlier(self, event: str, *, before: int) -> Entry | None:
        index = self._reader.index_of(event)
        return self._reader.entry_at(index) if index is not None and index < before else None

    def _breaches(self, stream: str) -> tuple[Breach, ...]:
        if stream.startswith(_PARTICIPANT):
            participant = self._participants.get(stream[len(_PARTICIPANT) :])
            return participant.breaches if participant is not None else ()
        return self._others.get(stream, ())

    def _set_breaches(self, stream: str, breaches: tuple[Breach, ...]) -> None:
        if stream.startswith(_PARTICIPANT):
            name = stream[len(_PARTICIPANT) :]
            participant = self._participants.get(name)
            if participant is not None:
                self._participants[name] = replace(participant, breaches=breaches)
        else:
            self._others[stream] = breaches

    def _fold(self, entry: Entry, record: Record, found: tuple[str, ...]) -> tuple[str, ...]:
        """Fold a record in; return the other streams that its correction or voiding was folded into."""
        if record.type in QUALITY:
            return () if self._is_cut(record) else self._fold_quality(entry, record, found)
        if self._is_cut(record):
            self._add(record, found)
        elif record.stream.startswith(_PARTICIPANT):
            name = record.stream[len(_PARTICIPANT) :]
            participant = self._participants.get(name) or refold.start(record)
            self._participants[name] = refold.advance(record, participant, self.study, found)
        elif found:
            self._add(record, found)
        self.study = studyfold.evolve(self.study, record, self._reader.attachment)
        if not record.stream.startswith(_PARTICIPANT):
            self._assure(record)
            known = self._breaches(record.stream)
            late = safety_desk.overdue(self.study, record, known)
            if late:
                self._set_breaches(record.stream, (*known, *late))
        if record.type in ("delegation.accepted", "training.recorded"):
            self._explain(record)
        return ()

    def _unsettled(self, breaches: tuple[Breach, ...], record: Record) -> Iterator[Waiting]:
        """Yield the changes by which breaches would vanish and that wait for their second person too long."""
        for event in dict.fromkeys(b.pending for b in breaches if b.is_open and b.pending is not None):
            named = self._earlier(event, before=record.index)
            made = None if named is None or named.statement is None else record_of(named, "UTC")
            if made is not None and record.at_us - made.at_us > DAY_US:
                yield from assurance.waiting_of(made, ("approver",))

    def _look_back(self, record: Record) -> None:
        """Flag what is overdue in a pharmacy by this record, once."""
        breaches = self._breaches(record.stream)
        known = {(breach.event, breach.rule) for breach in breaches}
        new = tuple(b for b in pharmacy.look_back(self.study, record) if (b.event, b.rule) not in known)
        if new:
            self._set_breaches(record.stream, (*breaches, *new))

    def _add(self, record: Record, found: Iterable[str]) -> None:
        breaches = (
            Breach(event=record.event, rule=code, index=record.index, found=record.index) for code in found
        )
        new = tuple(refold.explain(breach, record, self.study) for breach in breaches)
        if new:
            self._set_breaches(record.stream, (*self._breaches(record.stream), *new))

    def _marked(self, detected: Record) -> tuple[Breach, ...]:
        """Mark a breach as recorded; one that cannot be judged here is believed (§10)."""
        breaches = self._breaches(detected.stream)
        named, rule = detected.data["statement"], detected.data["rule"]
        index = self._reader.index_of(named)
        known = any(b.event == named and b.rule == rule and b.recorded is None for b in breaches)
        if not known and index is not None and self._rests_unseen(detected):
            believed = Breach(event=EventHash(named), rule=rule, index=index, found=detected.index)
            breaches = (*breaches, believed)
        return _mark(breaches, detected)

    def _fold_quality(self, entry: Entry, record: Record, found: tuple[str, ...]) -> tuple[str, ...]:
        if record.type == "breach.detected":
            self._set_breaches(record.stream, self._marked(record))
            return ()
        touched: tuple[str, ...] = ()
        view = self._view(record, entry)
        if record.stream.startswith(_PARTICIPANT):
            name = record.stream[len(_PARTICIPANT) :]
            participant = self._participants.get(name)
            if participant is not None:
                if record.type in CHANGING:
                    participant = participants.overdue(participant, record)
                    participant = refold.again(participant, view, record, self.study)
                else:
                    participant = refold.assured(participant, record, view)
                self._participants[name] = participant
        else:
            before = self.study
            if record.type in CHANGING and self._confirmed(record) is None:
                records = self._study_again(record, view)
                if record.stream.startswith(pharmacy.STREAM):
                    self._pharmacy_again(record, view, records)
                else:
                    self._times_again(record, view)
            self.study = studyfold.evolve(self.study, record, self._reader.attachment)
            if self.study != before:
                touched = tuple(self._bring_out(record))
            if record.type == "record.cosigned" and record.stream.startswith(pharmacy.STREAM):
                self.study = pharmacy.fold_cosigned(self.study, record)
            self._assure(record, view)
        self._add(record, found)
        return touched

    def _bring_out(self, record: Record) -> Iterator[str]:
        """Judge participants again by an approval or training that was corrected or voided (R10)."""
        for name, participant in self._participants.items():
            if record.site is not None and record.site not in participant.sites:
                continue
            stream = _PARTICIPANT + name
            view = view_of(self._reader.entries_of(stream), record.index)
            self._participants[name] = refold.brought_out(participant, view, record, self.study)
            yield stream

    def _pharmacy_again(self, record: Record, view: StreamView, records: tuple[Record, ...]) -> None:
        """Judge a pharmacy again by what was corrected, voided or settled there (R10)."""
        old = self._breaches(record.stream)
        found = tuple(stocktaking.breaches_of(old, records, self.study, self._participants.get, self._arm))
        about: set[str] = {
            e.event for e in view.entries if e.statement is not None and e.statement.type in QUALITY
        }
        self._set_breaches(record.stream, refold.compare(old, found, record, about, view))

    def _times_again(self, record: Record, view: StreamView) -> None:
        """Judge the times of any other stream again, and nothing of what is voided there (R10)."""
        old = self._breaches(record.stream)
        found = tuple(refold.times_again(old, view, self.study))
        about: set[str] = {
            e.event for e in view.entries if e.statement is not None and e.statement.type in QUALITY
        }
        self._set_breaches(record.stream, refold.compare(old, found, record, about, view))

    def _study_again(self, record: Record, view: StreamView) -> tuple[Record, ...]:
        zone = self.study.zone(record.site)
        facts = (
            self._open(view.record(entry, zone))
            for entry in view.entries
            if entry.statement is not None and entry.statement.type in studyfold.CORRECTABLE
        )
        records = tuple(fact for fact in facts if fact is not None)
        self.study = studyfold.again(self.study, record.stream, records)
        return records

    def _explain(self, record: Record) -> None:
        """Let a delegation or training that came too late explain the breaches that it covers."""
        rule = "NOT_DELEGATED" if record.type == "delegation.accepted" else "NOT_TRAINED"
        pharmacies = [stream for stream in self._others if stream.startswith(_PHARMACY)]
        for stream in (*(_PARTICIPANT + name for name in self._participants), *pharmacies):
            found = self._breaches(stream)
            open_ = {b.event for b in found if b.rule == rule and b.is_open and b.explained is None}
            if not open_:
                continue
            view = view_of(self._reader.entries_of(stream), record.index)
            records = {
                e.event: view.record(e, self.study.zone(e.statement.site))
                for e in view.entries
                if e.event in open_ and e.statement is not None
            }
            breaches = tuple(
                refold.explain(b, named, self.study)
                if b.rule == rule and (named := records.get(b.event)) is not None
                else b
                for b in found
            )
            self._set_breaches(stream, breaches)


def _mark(breaches: tuple[Breach, ...], record: Record) -> tuple[Breach, ...]:
    """Mark the breach that a `breach.detected` records."""
    named, rule = record.data["statement"], record.data["rule"]
    return tuple(
        replace(b, recorded=record.index) if b.event == named and b.rule == rule and b.recorded is None else b
        for b in breaches
    )


def _violation(code: str, event: EventHash, *, flagged: bool = False) -> Violation:
    return Violation(rule=code, effect=Effect.FLAG if flagged else RULES[code].effect, statement=event)
