"""The stage: who signs, the clock, and the order in which stories that run side by side are recorded.

A story is a generator of commands; what it gets back is the command's outcome. `run` takes whichever command
is due first, sets the clock to it and records it through the write path that everyone uses, one by one.
A command says which refusal or which breaches are to follow; if anything else happens the demonstration ends
with an error, because then either it or the rules are wrong.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from ledger.actions.registry import Action
from ledger.committer import Ledger
from ledger.demo.cast import Person
from ledger.errors import LedgerError, RefusedError
from ledger.keyfile import KeyMaterial
from ledger.keys import SigningKey
from ledger.prepare import Signer
from ledger.recorded import Recorded
from ledger.rules.protocols import version_for
from ledger.rules.record import span
from ledger.sources import SeededSources
from ledger.study.definition import StudyDefinition
from ledger.times import format_instant

SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US

# The meaning that a person signs with, where the authority table leaves a choice.
_MEANINGS: Final = ("authorship", "approval", "responsibility", "verification", "review")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One action to be recorded.

    Attributes:
        at_us: when it is recorded; later if the stage is later by then.
        occurred: clinical time as it is written; absent, the time of recording.
        members: further members of the statement.
        breaches: rule codes that are to be detected with it, in any order.
        refused: code with which it is to be refused; then nothing is recorded but the refusal.
    """

    at_us: int
    person: str
    role: str
    action: Action
    stream: str
    occurred: str | None = None
    reason: tuple[str, str] | None = None
    members: Mapping[str, Any] = field(default_factory=dict)
    further: tuple[SigningKey, ...] = ()
    breaches: tuple[str, ...] = ()
    refused: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Do nothing until a time."""

    at_us: int


Story: TypeAlias = Generator[Any, Recorded | None, None]
"""Yields commands and waits; another story that it yields starts beside it."""
Telling: TypeAlias = Generator[Any, Recorded | None, str]
"""A part of a story that ends with something which the rest of it needs."""


class Stage:
    """The open ledger with everybody's keys."""

    def __init__(
        self,
        ledger: Ledger,
        sources: SeededSources,
        definition: StudyDefinition,
        seed: int,
        *,
        seeds_label: str | None = None,
    ) -> None:
        """`seeds_label` draws the randomization lists; another one changes the arms and nothing else."""
        self.ledger = ledger
        self.sources = sources
        self.definition = definition
        self.seed = seed
        self.seeds_label = seeds_label or str(seed)
        self.people: dict[str, Person] = {}
        self.keys: dict[str, KeyMaterial] = {}
        self.signers: dict[str, Signer] = {}
        self.successors: dict[str, str] = {}

    def enter(self, person: Person, key: KeyMaterial) -> Signer:
        """Let a person sign from now on with this key."""
        self.people[person.id] = person
        self.keys[person.id] = key
        signer = Signer(key.signing_key(), person.id, person.name, person.organisation)
        self.signers[person.id] = signer
        return signer

    def perform(self, command: Command) -> Recorded | None:
        """Record one command at its time; None where it was refused as it was to be.

        Who has handed over does not sign any more: the successor does. What names a protocol version names
        the one that is in force for the participant when it is recorded.

        Raises:
            LedgerError: another refusal, or `DEMO_UNEXPECTED` with the codes.
        """
        self.sources.advance_to(command.at_us)
        signer = self.signers[self.successors.get(command.person, command.person)]
        members = dict(command.members)
        if "protocol" in members:
            members["protocol"] = self._version(command) or members["protocol"]
        if command.occurred is not None:
            members["occurred_at"] = command.occurred
        allowed = command.action.spec.roles.get(command.role, frozenset({_MEANINGS[0]}))
        try:
            recorded = signer.record(
                self.ledger,
                command.action,
                stream=command.stream,
                role=command.role,
                meaning=next(meaning for meaning in _MEANINGS if meaning in allowed),
                reason=command.reason,
                further=command.further,
                **members,
            )
        except LedgerError as error:
            if isinstance(error, RefusedError) and error.code == command.refused:
                return None
            raise _unexpected(command, error.code) from error
        if command.refused is not None or sorted(recorded.breaches) != sorted(command.breaches):
            raise _unexpected(command, ", ".join(sorted(recorded.breaches)) or "no breach")
        return recorded

    def _version(self, command: Command) -> str | None:
        """Return the protocol version that a participant, or else the site, is under by a command's time."""
        fold, site = self.ledger.refresh(), command.members.get("site")
        kind, _, name = command.stream.partition("/")
        known = getattr(command.action, "participant", name)
        participant = fold.conduct.state(known if kind == "pharmacy" else name)
        study, zone = fold.conduct.study, fold.conduct.study.zone(site)
        when = span(command.occurred or format_instant(self.sources.now_us()), zone)
        if participant is None:
            version = study.protocol_for(site, fold.size, when)
        else:
            version = version_for(participant, study, when, fold.size)
        return None if version is None else version.version

    def run(self, stories: Iterable[Story], watch: Callable[[int], None]) -> None:
        """Record all stories in the order of their times; `watch` is told each time."""
        due: list[tuple[int, int, Story, Command | Wait]] = []
        count = 0

        def advance(story: Story, outcome: Recorded | None) -> None:
            nonlocal count
            try:
                step = story.send(outcome)
                while not isinstance(step, Command | Wait):
                    advance(step, None)
                    step = story.send(None)
            except StopIteration:
                return
            count += 1  # equal times keep the order in which they were asked for
            heapq.heappush(due, (step.at_us, count, story, step))

        for story in stories:
            advance(story, None)
        while due:
            at_us, _, story, step = heapq.heappop(due)
            watch(at_us)
            self.sources.advance_to(at_us)
            advance(story, self.perform(step) if isinstance(step, Command) else None)


def _unexpected(command: Command, found: str) -> LedgerError:
    expected = command.refused or ", ".join(sorted(command.breaches)) or "no breach"
    what = f"{command.action.spec.type} by {command.person} in {command.stream}, {command.occurred}"
    return LedgerError("DEMO_UNEXPECTED", f"{what}: expected {expected}, got {found}")


def instant(on: date, minutes: int, zone: str) -> int:
    """Return microseconds since the epoch of so many minutes after midnight, by the clocks of a zone."""
    wall = datetime.combine(on, time(), ZoneInfo(zone)) + timedelta(minutes=minutes)
    return int(wall.timestamp()) * SECOND_US


def written(us: int, zone: str) -> str:
    """Return a clinical time to the second, with the zone's offset."""
    return datetime.fromtimestamp(us // SECOND_US, ZoneInfo(zone)).isoformat(timespec="seconds")
