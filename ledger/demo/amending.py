"""A second protocol version: approved, with its forms and trainings, in force at each site on its own day.

Version 1.1 widens the window of week 10. Who consented before stays on 1.0 until they consent again.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, Final, cast

import orjson

from ledger.actions.conditions import AmendmentActivated
from ledger.actions.fields import Source
from ledger.actions.sites import IrbApprovalRecorded
from ledger.actions.study import ConsentFormRetired, ProtocolApproved
from ledger.demo.cast import ADMINISTRATOR, BOARD, REVIEW_BOARD
from ledger.demo.office import Desk
from ledger.demo.setup import APPROVED_UNTIL, FIRST_FORM, LANGUAGES, SECOND_FORM, SECOND_FORMS, Setup
from ledger.demo.stage import Story
from ledger.study.definition import published

VERSION: Final = "1.1"
REFERENCE: Final = "DEMO-IRB-2024-002"
APPROVED: Final = SECOND_FORMS - timedelta(days=7)
TRAINED: Final = SECOND_FORMS - timedelta(days=4)
SECOND_SITE_DAYS: Final = 21  # how much later each further site goes over to it

_WIDENED: Final = 13  # the infusion of week 10
_WINDOW_DAYS: Final = 5
_OFF_SITE: Final = ("root", "list_holder")
_DAWN: Final = 5 * 60


def activation_of(setup: Setup, site: str) -> date:
    """Return the day from which the second version is in force at a site."""
    number = list(setup.stage.definition.sites).index(site)
    return SECOND_FORMS + timedelta(days=SECOND_SITE_DAYS * number)


def stories(setup: Setup) -> Iterator[Story]:
    """Yield the approval, the training, and the activation at each site."""
    yield _approved(setup)
    yield _trained(setup)
    for site in setup.stage.definition.sites:
        yield _activated(setup, site)


def amended(definition_file: bytes) -> bytes:
    """Return the definition of the second version: the first, with one window wider."""
    value = cast(dict[str, Any], orjson.loads(definition_file))
    value["version"]["value"] = VERSION
    for visit in value["visits"]:
        if visit.get("infusion", {}).get("value") == _WIDENED:
            for side in ("before_days", "after_days"):
                visit[side] = {"value": _WINDOW_DAYS, "source": "X"}
    return orjson.dumps(value)


def _approved(setup: Setup) -> Story:
    desk = Desk(setup, APPROVED, 18 * 60)
    document = setup.attach("application/json", published(amended(setup.definition_file)))
    protocol = ProtocolApproved(version=VERSION, definition=document, irb_reference=REFERENCE, reconsent=True)
    yield desk.note(ADMINISTRATOR, protocol, "study")
    for site in setup.stage.definition.sites:
        approval = IrbApprovalRecorded(
            reference=REFERENCE,
            from_=APPROVED.isoformat(),
            to=APPROVED_UNTIL.isoformat(),
            participants=setup.stage.definition.planned_enrolment,
            activities=("enrolment", "treatment", "follow_up"),
            source=Source(kind="paper", reference=f"letter of {BOARD}"),
        )
        yield desk.note(REVIEW_BOARD, approval, f"site/{site}")
    yield desk.wait(4)
    setup.approve_forms(SECOND_FORM, SECOND_FORMS)


def _trained(setup: Setup) -> Story:
    """Train everybody who is there on the second version; those who come later are trained on both."""
    desk = Desk(setup, TRAINED)
    yield desk.wait()
    for person in list(setup.stage.people.values()):
        if person.role not in _OFF_SITE and person.id != ADMINISTRATOR:
            setup.train(person.id, TRAINED, version=VERSION)


def _activated(setup: Setup, site: str) -> Story:
    begins = activation_of(setup, site)
    desk = Desk(setup, begins, _DAWN, site=site)
    activated = AmendmentActivated(site=site, version=VERSION, from_=begins.isoformat())
    yield desk.note(ADMINISTRATOR, activated, f"site/{site}")
    last = (SECOND_FORMS - timedelta(days=1)).isoformat()
    for language in LANGUAGES:
        retired = ConsentFormRetired(version=f"{site}-{FIRST_FORM}", language=language, to=last)
        yield desk.note(ADMINISTRATOR, retired, "study")
