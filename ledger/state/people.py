"""State: devices, participants' access, logins, inspections, releases, backups, downtime, reaffirmed records.

Each item keeps the index that brought it in, and where it has ended the index that ended it, so that every
question can be asked as of an index (catalogue R10). Only what is open is kept of logins: the past of a
person's attempts is in the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeVar

from ledger.envelope import EventHash

V = TypeVar("V")

FIRST_RULES: Final = 1  # the version of the rules before any release
DEFAULT_LOGIN_FAILURES: Final = 5
LOGIN_UNLOCKED: Final = "login_unlocked"  # whose login an administrator opens again
LOGIN_FAILURES: Final = "login_failures"
"""The setting of `configuration.changed` that says how many failures lock a login (21 CFR 11.300(d))."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A registered device or system; `retired_us` is when its data ceased to be taken in."""

    index: int
    kind: str
    retired: int | None = None
    retired_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A participant's own access; `revoked_us` is when what was entered by it ceased to be taken in."""

    index: int
    event: EventHash
    stream: str
    revoked: int | None = None
    revoked_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Logins:
    """The failures of a person since the last success or lock, and until when login is locked."""

    failures: int = 0
    locked_until_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """An inspection with the people who inspect, the sites that it is of, and what they stay blind to."""

    index: int
    event: EventHash
    inspection: str
    inspectors: tuple[str, ...]
    size: int
    sites: tuple[str, ...]
    blinded: bool
    opened_us: int
    closed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release and the version of the rules that it put to use."""

    index: int
    version: str
    rules: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A backup that was taken, of the log up to a size."""

    index: int
    backup: str
    size: int
    stores: frozenset[str]
    destroyed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Downtime:
    """A downtime from the first instant that its beginning can mean."""

    index: int
    began_us: int
    ended: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """An erasure of sealed values of a statement, and who approved it."""

    index: int
    statement: str
    digests: frozenset[str]
    approved_by: tuple[str, ...]


def _empty() -> Mapping[str, int]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """State of devices, inspections, access, downtime and the versions in use.

    `sessions` are the open ones by the event of their login; `reaffirmed` the suspect records by theirs.
    """

    devices: Mapping[str, Device] = field(default_factory=lambda: MappingProxyType({}))
    accesses: Mapping[str, Access] = field(default_factory=lambda: MappingProxyType({}))
    logins: Mapping[str, Logins] = field(default_factory=lambda: MappingProxyType({}))
    sessions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    login_limits: tuple[tuple[int, int], ...] = ()
    inspections: tuple[Inspection, ...] = ()
    releases: tuple[Release, ...] = ()
    backups: Mapping[str, Backup] = field(default_factory=lambda: MappingProxyType({}))
    downtimes: Mapping[str, Downtime] = field(default_factory=lambda: MappingProxyType({}))
    reaffirmed: Mapping[str, int] = field(default_factory=_empty)
    erasures: tuple[Erasure, ...] = ()

    def rules(self, before: int) -> int:
        """Return the version of the rules in force for the statement of an index."""
        return next((r.rules for r in reversed(self.releases) if r.index < before), FIRST_RULES)

    def takes_in(self, device: str, kinds: frozenset[str], when_us: int, before: int) -> bool:
        """Tell whether data of a device or system are taken in measured at an instant."""
        known = self.devices.get(device)
        if known is None or known.index >= before or known.kind not in kinds:
            return False
        return known.retired is None or known.retired >= before or when_us <= known.retired_us

    def is_erased(self, digests: Iterable[str], before: int) -> bool:
        """Tell whether one of these sealed values was erased."""
        wanted = frozenset(digests)
        return any(each.index < before and each.digests & wanted for each in self.erasures)

    def has_access(self, stream: str, when_us: int, before: int) -> bool:
        """Tell whether the participant of a stream had an access of their own at an instant."""
        return any(
            each.stream == stream
            and each.index < before
            and (each.revoked is None or each.revoked >= before or when_us <= each.revoked_us)
            for each in self.accesses.values()
        )

    def login_limit(self, before: int) -> int:
        """Return how many failures lock a login."""
        limits = (n for index, n in reversed(self.login_limits) if index < before)
        return next(limits, DEFAULT_LOGIN_FAILURES)

    def inspection(self, event: str) -> Inspection | None:
        """Return an inspection by the event that opened it."""
        return next((each for each in self.inspections if each.event == event), None)

    def inspecting(self, person: str, before: int) -> Inspection | None:
        """Return the open inspection that a person takes part in."""
        for each in reversed(self.inspections):
            is_open = each.index < before and (each.closed is None or each.closed >= before)
            if is_open and person in each.inspectors:
                return each
        return None

    def backups_between(self, first: int, last: int, before: int) -> Iterator[tuple[str, Backup]]:
        """Yield the backups, not destroyed by then, that can hold what entered at `first` and left at `last`.

        One that was taken at a size above `first` and recorded before `last` holds it.
        """
        for event, backup in self.backups.items():
            gone = backup.destroyed is not None and backup.destroyed < before
            if not gone and backup.index < before and backup.size > first and backup.index < last:
                yield event, backup


def put(mapping: Mapping[str, V], key: str, value: V) -> Mapping[str, V]:
    """Return a mapping with one value put in or replaced."""
    return MappingProxyType({**mapping, key: value})
