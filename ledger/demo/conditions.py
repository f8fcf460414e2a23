"""What the study permits, and what not for a time: a halt, a board's suspension, a shut site."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

from ledger.actions.conditions import EnrolmentPaused, StudyHalted, StudyResumed, UrgentSafetyMeasureTaken
from ledger.actions.fields import Source
from ledger.actions.sites import IrbApprovalSuspended, IrbContinuationPermitted, SiteActivated, SiteSuspended
from ledger.actions.study import EnrolmentOpened
from ledger.demo.cast import ADMINISTRATOR, BOARD, MEDICAL_MONITOR, REVIEW_BOARD
from ledger.demo.office import ESOURCE, Desk
from ledger.demo.setup import Setup
from ledger.demo.stage import Story

HALTED: Final = date(2024, 11, 15)
"""A Friday evening: nobody is infused until Monday, when the pumps have been replaced."""
RESUMED: Final = date(2024, 11, 17)
SITE_SHUT: Final = date(2025, 2, 14)
SITE_OPEN: Final = date(2025, 2, 16)
BOARD_SUSPENDS: Final = date(2025, 3, 3)
SUSPENDED_FROM: Final = date(2025, 3, 4)
SUSPENDED_TO: Final = date(2025, 3, 14)


def stories(setup: Setup) -> Iterator[Story]:
    """Yield all of them."""
    last = list(setup.stage.definition.sites)[-1]
    yield _halted(setup)
    yield _shut(setup, last)
    yield _suspended(setup, last)


def _halted(setup: Setup) -> Story:
    """A pump's fault elsewhere halts the study over a weekend: the measure at once, the reasons after it."""
    desk = Desk(setup, HALTED)
    measure = UrgentSafetyMeasureTaken(
        sites=("*",),
        from_=desk.text,
        hazard="pump_overdelivery",
        measures=("infusions_not_started", "pumps_replaced"),
        authority="sponsor",
        note="the maker's letter came this afternoon",
        source=Source(kind="paper", reference="safety notice of the pump's maker"),
    )
    yield desk.note(MEDICAL_MONITOR, measure, "study")
    paused = EnrolmentPaused(
        sites=("*",), from_=desk.text, code="pump_overdelivery", authority="sponsor", source=ESOURCE
    )
    yield desk.note(ADMINISTRATOR, paused, "study")
    halted = StudyHalted(from_=desk.text, code="pump_overdelivery", authority="sponsor", source=ESOURCE)
    yield desk.note(ADMINISTRATOR, halted, "study")
    desk = Desk(setup, RESUMED)
    resumed = StudyResumed(from_=desk.after(4).text, code="pumps_replaced", authority="sponsor")
    yield desk.note(ADMINISTRATOR, resumed, "study", after=0)
    definition = setup.stage.definition
    opened = EnrolmentOpened(cap=definition.planned_enrolment, sites=tuple(definition.sites))
    yield desk.note(ADMINISTRATOR, opened, "study")


def _shut(setup: Setup, site: str) -> Story:
    """A burst pipe shuts a site for a weekend."""
    desk = Desk(setup, SITE_SHUT, 21 * 60, site=site)
    suspended = SiteSuspended(from_=desk.after(4).text, code="water_damage")
    yield desk.note(ADMINISTRATOR, suspended, f"site/{site}", after=0)
    desk = Desk(setup, SITE_OPEN, site=site)
    activated = SiteActivated(
        from_=desk.after(4).text, checklist=("approval", "investigator", "delegation", "rooms_inspected")
    )
    yield desk.note(ADMINISTRATOR, activated, f"site/{site}", after=0)


def _suspended(setup: Setup, site: str) -> Story:
    """The board suspends its approval over a late report, and lets those in treatment go on."""
    desk, stream = Desk(setup, BOARD_SUSPENDS, site=site), f"site/{site}"
    letter = Source(kind="paper", reference=f"letter of {BOARD}")
    suspended = IrbApprovalSuspended(
        reference="DEMO-IRB-2025-S1",
        from_=SUSPENDED_FROM.isoformat(),
        to=SUSPENDED_TO.isoformat(),
        code="report_overdue",
        source=letter,
    )
    yield desk.note(REVIEW_BOARD, suspended, stream)
    permitted = IrbContinuationPermitted(
        reference="DEMO-IRB-2025-S1",
        from_=SUSPENDED_FROM.isoformat(),
        to=SUSPENDED_TO.isoformat(),
        participants=_in_study(setup, site),
        activities=("treatment", "follow_up"),
        source=letter,
    )
    yield desk.note(REVIEW_BOARD, permitted, stream)


def _in_study(setup: Setup, site: str) -> int:
    participants = setup.stage.ledger.refresh().conduct.participants()
    return sum(each.site == site and not each.has_ended for each in participants)
