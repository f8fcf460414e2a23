"""The principal investigator of the last site hands over; the successor takes over every delegation."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

from ledger.actions.accounts import AccountDisabled, RoleRevoked
from ledger.actions.sites import DelegationReaffirmed, InvestigatorHandedOver
from ledger.demo.amending import VERSION
from ledger.demo.cast import ADMINISTRATOR, people, person_at, successor
from ledger.demo.office import Desk
from ledger.demo.setup import Setup
from ledger.demo.stage import Story
from ledger.participant import Participant

JOINS: Final = date(2024, 10, 21)
TAKES_OVER: Final = date(2024, 10, 28)
LEAVES: Final = date(2024, 11, 8)

_SETTLED: Final = frozenset({"recovered", "recovered_with_sequelae", "fatal"})


def stories(setup: Setup) -> Iterator[Story]:
    """Yield the hand-over."""
    yield _handed_over(setup, list(setup.stage.definition.sites)[-1])


def _handed_over(setup: Setup, site: str) -> Story:
    stage, stream = setup.stage, f"site/{site}"
    before, after = person_at(site, "investigator"), successor(site)
    desk = Desk(setup, JOINS, site=site)
    yield desk.wait()
    setup.admit(next(person for person in people(stage.definition) if person.id == after))
    for version in (stage.definition.version, VERSION):
        setup.train(after, JOINS, version=version)
    desk = Desk(setup, TAKES_OVER, site=site)
    yield desk.wait()
    staying = [p for p in stage.ledger.refresh().conduct.participants() if _stays(p, site)]
    handed_over = InvestigatorHandedOver(
        site=site,
        person=after,
        from_=desk.after(4).text,
        open_items=tuple(
            ae.event for p in staying for ae in p.adverse_events.values() if ae.outcome not in _SETTLED
        ),
        unsigned=tuple(p.consents[-1].event for p in staying if p.consents),
    )
    recorded = yield desk.note(before, handed_over, stream, after=0)
    yield desk.second(after, recorded, "approver", stream)
    stage.successors[before] = after
    for delegation in stage.ledger.refresh().conduct.study.site(site).delegations:
        if delegation.ended is None:
            yield desk.note(after, DelegationReaffirmed(delegation=delegation.event), stream)
    desk = Desk(setup, LEAVES)
    yield desk.note(ADMINISTRATOR, RoleRevoked(person=before, role="investigator"), f"person/{before}")
    yield desk.note(ADMINISTRATOR, AccountDisabled(person=before), f"person/{before}")


def _stays(participant: Participant, site: str) -> bool:
    return participant.site == site and not participant.has_ended
