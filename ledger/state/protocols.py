"""State: protocol versions, consent forms and trainings on them, each with the index that brought it in."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.rules.record import span
from ledger.state.conditions import ALL_SITES
from ledger.study.definition import StudyDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """An approved protocol version; `definition` is None where its attachment is missing or unreadable.

    `reconsent`: whoever consented before it is in force goes over to it by a consent to a newer form.
    `checked`: the fields that the checks of its criteria name.
    """

    index: int
    version: str
    definition: StudyDefinition | None
    irb_reference: str
    reconsent: bool
    checked: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentForm:
    """An approved consent form and the dates between which it is in effect, both included.

    `retired` is the index that ended it before that, and `last` its last day then.
    """

    index: int
    version: str
    language: str
    begins: str
    ends: str | None
    sha256: str
    sites: tuple[str, ...]
    retired: int | None = None
    last: str | None = None

    def ends_us(self, zone: str, before: int) -> int | None:
        """Return the last instant of its effect as the log stood; None where it has no end."""
        ends = [self.ends] if self.ends is not None else []
        if self.retired is not None and self.retired < before and self.last is not None:
            ends.append(self.last)
        return min((span(end, zone).latest_us for end in ends), default=None)

    def is_for(self, site: str) -> bool:
        """Tell whether it is approved for a site."""
        return site in self.sites or ALL_SITES in self.sites


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A training of a person, for one protocol version where it names one."""

    index: int
    protocol: str | None
    date: str
