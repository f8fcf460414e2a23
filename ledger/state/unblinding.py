"""State: who was unblinded, when and by what; envelopes (catalogue D)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ledger.envelope import EventHash


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """One participant's regimen shown to somebody in an emergency; `envelope` None: by the ledger."""

    index: int
    event: EventHash
    participant: str
    statement: str
    persons: frozenset[str]
    envelope: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """An envelope issued for one participant: the site that it lies at, the number on its seal.

    `settled` is the index that found it intact under its seal, or its opening explained, or that replaced it.
    """

    index: int
    participant: str
    site: str
    seal: str
    settled: int | None = None


def _none() -> Mapping[str, Envelope]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Unblinding:
    """Every unblinding in order, and every envelope by its id."""

    opened: tuple[Opened, ...] = ()
    envelopes: Mapping[str, Envelope] = field(default_factory=_none)

    def shown_to(self, person: str, participant: str, before: int) -> bool:
        """Tell whether a participant's regimen was shown to a person: what the sight of one rests on."""
        return any(o.participant == participant and person in o.persons for o in self._before(before))

    def unblinded(self, participant: str, before: int) -> bool:
        """Tell whether somebody was shown a participant's regimen."""
        return any(o.participant == participant for o in self._before(before))

    def explains(self, envelope: str, before: int) -> bool:
        """Tell whether an unblinding is recorded that opened an envelope."""
        return any(o.envelope == envelope for o in self._before(before))

    def envelope(self, name: str, before: int) -> Envelope | None:
        """Return an envelope that was issued."""
        found = self.envelopes.get(name)
        return found if found is not None and found.index < before else None

    @property
    def unsettled(self) -> tuple[Envelope, ...]:
        """The envelopes that nobody has accounted for yet."""
        return tuple(envelope for envelope in self.envelopes.values() if envelope.settled is None)

    def _before(self, before: int) -> tuple[Opened, ...]:
        return tuple(o for o in self.opened if o.index < before)
