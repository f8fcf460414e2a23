"""State: enrolment and the randomization lists that it draws on (record-format.md §8)."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.envelope import EventHash


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """Enrolment opened: how many may be randomized, and where, from its recording on."""

    index: int
    cap: int
    sites: tuple[str, ...]
    recorded_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """One contributor's committed seed."""

    index: int
    event: EventHash
    person: str
    organisation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomizationList:
    """The steps of one list, each by the index that took it (record-format.md §8)."""

    name: str
    begun: int
    seeds: tuple[Seed, ...] = ()
    parameters: int | None = None
    algorithm: str = ""
    first: str | None = None
    strata: tuple[str, ...] = ()
    slots: int = 0
    beacon_size: int = 0
    committed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """One allocation: which slot of which list went to whom, at which index of the log."""

    index: int
    event: EventHash
    participant: str
    list: str
    stage: int
    stratum: str
    list_index: int | None
