"""State: what concerns consent beside the consents themselves: defects, re-consent, pregnancy, transfer.

Kept are indexes, event hashes and times; of clinical matter only what a gate asks for: whether pregnancy is
possible, the results of tests, and the plain values that a criterion's check names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from ledger.envelope import EventHash
from ledger.study.criteria import Reading
from ledger.times import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """One consent, at the participant's own time."""

    index: int
    event: EventHash
    form_version: str
    time: Interval
    authorization: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """Consent withdrawn for some scopes, in effect when it was said; `authorization`: only to use data."""

    index: int
    event: EventHash
    scopes: frozenset[str]
    effective: Interval
    authorization: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Discussion:
    """A conversation before consent; `superior` says whether a superior was present."""

    index: int
    event: EventHash
    time: Interval
    superior: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """A defect of a consent or discussion; `decided` is the index of the decision on it."""

    index: int
    event: EventHash
    statement: str
    kind: str
    decided: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconsent:
    """Consent that is asked for again, until its last day; `permitted`: goes on under the earlier one."""

    index: int
    event: EventHash
    form_version: str | None
    due: Interval
    obtained: int | None = None
    declined: int | None = None
    permitted: bool = False

    @property
    def is_settled(self) -> bool:
        """Tell whether nothing waits for it any more."""
        return self.obtained is not None or self.permitted

    def is_overdue(self, us: int) -> bool:
        """Tell whether it holds at an instant: declined, or past its last day."""
        return not self.is_settled and (self.declined is not None or us > self.due.latest_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class Potential:
    """Whether pregnancy is possible, since a time."""

    index: int
    since: Interval
    value: Literal["yes", "no", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PregnancyTest:
    """One test: when, and what it showed."""

    index: int
    time: Interval
    result: Literal["negative", "positive", "invalid"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A screening episode that failed; `rescreened` is the index that opened the next one."""

    index: int
    event: EventHash
    rescreened: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """A confirmation of eligibility taken back, and what was decided about dosing."""

    index: int
    event: EventHash
    confirmation: str
    dosing: Literal["continued", "held", "discontinued"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A transfer between two sites, in effect for every later index."""

    index: int
    event: EventHash
    left: str
    entered: str


def _empty() -> Mapping[str, Reading]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Consenting:
    """Consent beside the consents themselves: defects, re-consent, eligibility taken back, transfer.

    Attributes:
        confirmations: every `eligibility.confirmed` there was, in order.
        linked: indexes that say that the same human has another id, which is sealed.
        readings: the newest plain value of each field that a criterion's check names.
    """

    discussions: tuple[Discussion, ...] = ()
    defects: tuple[Defect, ...] = ()
    reconsents: tuple[Reconsent, ...] = ()
    potentials: tuple[Potential, ...] = ()
    pregnancy_tests: tuple[PregnancyTest, ...] = ()
    confirmations: tuple[EventHash, ...] = ()
    failures: tuple[Failure, ...] = ()
    revocations: tuple[Revocation, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    linked: tuple[int, ...] = ()
    readings: Mapping[str, Reading] = field(default_factory=_empty)

    def consent_is_held(self, consents: tuple[Consent, ...]) -> bool:
        """Tell whether a defect, or a superior who was present, still speaks against the consents there are.

        A defect is lifted by a decision on it, or by a later consent that has none. After a discussion with
        a superior, another one without comes first.
        """
        defective = {d.statement for d in self.defects if d.decided is None}
        sound = tuple(consent for consent in consents if consent.event not in defective)
        found = {consent.event: consent for consent in consents}
        for event in defective:
            consent = found.get(EventHash(event))
            if consent is not None and not any(_follows(later, consent) for later in sound):
                return True
        return any(True for _ in self.unrepaired(consents))

    def unrepaired(self, consents: tuple[Consent, ...]) -> Iterator[Discussion]:
        """Yield the discussions with a superior or a defect after which nothing has set it right."""
        defective = {d.statement for d in self.defects if d.decided is None}
        sound = tuple(consent for consent in consents if consent.event not in defective)
        for talk in self.discussions:
            if (talk.superior or talk.event in defective) and not self._is_repaired(talk, sound):
                yield talk

    def _is_repaired(self, talk: Discussion, sound: tuple[Consent, ...]) -> bool:
        """Tell whether a discussion was decided on, or held again without its defect and consented after."""
        own = [defect for defect in self.defects if defect.statement == talk.event]
        if own and all(defect.decided is not None for defect in own):
            return True
        defective = {defect.statement for defect in self.defects if defect.decided is None}
        again = (
            later
            for later in self.discussions
            if not later.superior and later.event not in defective and _follows(later, talk)
        )
        return any(_follows(consent, later) for later in again for consent in sound)

    @property
    def dosing_is_held(self) -> bool:
        """Tell whether the newest eligibility was taken back and nobody decided that dosing continues."""
        if not self.revocations or self.revocations[-1].confirmation not in self.confirmations[-1:]:
            return False
        return self.revocations[-1].dosing != "continued"

    def reconsent_due(self, us: int) -> bool:
        """Tell whether a re-consent is overdue at an instant."""
        return any(each.is_overdue(us) for each in self.reconsents)

    @property
    def waits_for_reconsent(self) -> bool:
        """Tell whether a re-consent is asked for and not there: the earlier schedule stays."""
        return any(not each.is_settled for each in self.reconsents)


def _follows(later: Consent | Discussion, earlier: Consent | Discussion) -> bool:
    """Tell whether one was recorded after another and can have taken place after it."""
    return later.index > earlier.index and later.time.latest_us >= earlier.time.earliest_us
