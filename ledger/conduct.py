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

Left out on purpose: which rules are asked (`judging`), what they read (`standing`) and how it moves on
(`folding`); who may sign (`authorisation`), order in the log (`chain`), shape of `data` (`actions`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from ledger import guards as unique
from ledger import judging
from ledger.authority import Authority
from ledger.entry import Entry
from ledger.envelope import EventHash
from ledger.errors import FormatError
from ledger.folding import fold
from ledger.guards import Guard
from ledger.participant import Breach, Participant
from ledger.rules import general
from ledger.rules.codes import RULES, Effect, Rule, codes
from ledger.rules.eligibility import criteria_digest
from ledger.rules.record import Record, record_of
from ledger.rules.rule_versions import in_force
from ledger.standing import PARTICIPANT, Reader, Standing
from ledger.studystate import StudyState

__all__ = ["Conduct", "Effect", "Guard", "Reader", "Rule", "Violation", "codes", "criteria_digest"]

SKIPPED: Final = "LOCAL_TIME_NONEXISTENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A rule that a statement breaks; `hint` says more than the rule's own line, where there is more."""

    rule: str
    effect: Effect
    statement: EventHash
    hint: str | None = None


class Conduct:
    """Mutable fold of the study's state and of every participant; the values inside are frozen."""

    def __init__(self, reader: Reader) -> None:
        self._standing = Standing(reader)
        self._judged: tuple[Entry, Record | None, tuple[str, ...]] | None = None

    def saved(self) -> dict[str, Any]:
        """Return what is folded as of now, in values that no later entry changes."""
        return self._standing.saved()

    @classmethod
    def of(cls, reader: Reader, state: Mapping[str, Any]) -> Conduct:
        """Return a fold that goes on from this state, which stays as it is."""
        conduct = cls(reader)
        conduct._standing = Standing.of(reader, state)
        return conduct

    @property
    def study(self) -> StudyState:
        """The study's state as of the newest entry."""
        return self._standing.study

    @property
    def withheld(self) -> int:
        """How many statements are not shown here."""
        return self._standing.withheld

    @property
    def closed(self) -> int:
        """How many statements were not judged by `SEALED_RULE`, because what they seal is closed here."""
        return self._standing.closed

    def judge(self, entry: Entry, authority: Authority) -> tuple[Violation, ...]:
        """Return the rules that a statement breaks at this index, in the order in which they are asked.

        Nothing is changed. A withheld statement is not judged.
        """
        record, found = self._codes(entry, authority)
        if not found:
            return ()
        departed = judging.departed(self._standing, record)
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
        standing = self._standing
        record, found = self._codes(entry, authority)
        self._judged = None
        if record is None:
            if entry.statement is None:
                standing.withhold(entry)
            return ()
        if standing.is_closed(record):
            standing.closed += 1
        touched = fold(standing, entry, record, found)
        return tuple(
            _violation(breach.rule, breach.event)
            for stream in (record.stream, *touched)
            for breach in standing.breaches_of(stream)
            if breach.found == record.index != breach.index
        )

    def state(self, participant_id: str) -> Participant | None:
        """Return a participant as of the newest entry; None where none is registered."""
        return self._standing.participants.get(participant_id)

    def participants(self) -> Iterator[Participant]:
        """Yield every participant, in the order of registration."""
        yield from self._standing.participants.values()

    def breaches(self) -> Iterator[Breach]:
        """Yield every breach that the rules found, open or not, in no promised order."""
        return self._standing.breaches()

    def found_at(self, stream: str, event: str, rule: str) -> int | None:
        """Return the index that brought a breach of a stream to light which is not recorded yet."""
        for breach in self._standing.breaches_of(stream):
            if breach.event == event and breach.rule == rule and breach.recorded is None:
                return breach.found
        return None

    def begin_log(self) -> None:
        """Begin a new log where older epochs were folded in.

        What they owed they were judged by: statements there name positions of their own log, which stand
        elsewhere here. Reviews of their trails do, too, and cover nothing of this one.
        """
        standing = self._standing
        for stream in {*standing.others, *(PARTICIPANT + name for name in standing.participants)}:
            kept_breaches = tuple(b for b in standing.breaches_of(stream) if b.recorded is not None)
            standing.set_breaches(stream, kept_breaches)
        kept = {s: replace(own, reviews=()) for s, own in standing.study.assurance.items()}
        if kept:
            standing.study = replace(standing.study, assurance=MappingProxyType(kept))
        self._judged = None

    def unrecorded(self) -> tuple[Breach, ...]:
        """Return the breaches that the log owes as `breach.detected` and does not have, by index."""
        owed = [breach for breach in self.breaches() if breach.recorded is None]
        return tuple(sorted(owed, key=lambda breach: (breach.found, breach.index, breach.rule)))

    def guards(self, entry: Entry) -> tuple[Guard, ...]:
        """Return the rows that must be unique in the store before this entry is folded in."""
        return unique.guards(entry, self.study)

    def _codes(self, entry: Entry, authority: Authority) -> tuple[Record | None, tuple[str, ...]]:
        """Judge an entry, or recall the judgement: a candidate is judged once and then folded in."""
        if self._judged is not None and self._judged[0] is entry:
            return self._judged[1], self._judged[2]
        standing, record = self._standing, None
        found: tuple[str, ...] = ()
        try:
            statement = entry.statement
            if statement is not None:
                record = standing.open(record_of(entry, standing.study.zone(statement.site)))
            if record is not None:
                asked = in_force(judging.judge(standing, record, authority), standing.study, record.index)
                found = tuple(dict.fromkeys(asked))
        except FormatError:
            # A date that the site's calendar skipped: all other times were read with the statement.
            found = (SKIPPED,)
        self._judged = (entry, record, found)
        return record, found


def _violation(code: str, event: EventHash, *, flagged: bool = False) -> Violation:
    return Violation(rule=code, effect=Effect.FLAG if flagged else RULES[code].effect, statement=event)
