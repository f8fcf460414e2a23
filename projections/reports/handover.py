"""What an investigator hands over, and what stands on a participant's emergency card.

The pack names what `investigator.handed_over` asks for: open items, on which somebody still waits, and
records that no physician has endorsed; beside them delegations that the successor reaffirms, and who is in
care.
The card says the same in every arm (R8): what could be given, and how to find out what is.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from ledger.participant import Participant, Status
from ledger.times import Interval
from projections.desk import Desk, Line
from projections.report import Report, Row
from projections.reports.worklists import waiting_of

OPEN_ITEM: Final = "open item"
UNSIGNED: Final = "unsigned record"
IN_CARE: Final = "participant in care"
DELEGATION: Final = "delegation in force"
UNBLIND: Final = "by unblinding.performed, which any investigator or the on-call service signs"
_GIVEN: Final = ("infusion.started", "dose.administered")


def hand_over(desk: Desk) -> Iterator[Row]:
    """Yield what a successor takes over at each site, by site, kind of item and index."""
    for site in desk.sites():
        of_site = [each for each in desk.participants() if each.site == site]
        rows = [row for each in of_site for row in _of_participant(desk, each)]
        rows += _delegations(desk, site)
        order = (OPEN_ITEM, UNSIGNED, IN_CARE, DELEGATION)
        yield from sorted(rows, key=lambda row: (order.index(row["kind"]), row["index"], row["what"]))


def _of_participant(desk: Desk, participant: Participant) -> Iterator[Row]:
    waiting = waiting_of(desk, participant)
    lines, assurance = waiting.lines, participant.assurance
    items = [(f"query {query.state}", query.event) for query in assurance.open_queries]
    items += [("discrepancy with the source", d.event) for d in assurance.discrepancies if d.settled is None]
    items += [("breach without a deviation", b.event) for b in participant.breaches if b.is_unaccounted]
    for what, event in dict.fromkeys(items):
        if event in waiting.by_event:
            yield _item(OPEN_ITEM, what, waiting.by_event[event])
    for what, line in waiting.pending:
        yield _item(OPEN_ITEM, what, line)
    for line in waiting.unsigned:
        yield _item(UNSIGNED, line.type, line)
    if lines and not participant.has_ended and participant.status is not Status.SCREEN_FAILED:
        yield _item(IN_CARE, str(participant.status), lines[-1])


def _delegations(desk: Desk, site: str) -> Iterator[Row]:
    now = Interval(earliest_us=desk.now_us, latest_us=desk.now_us)
    known = {each.event: each for each in desk.conduct.study.site(site).delegations}
    for line in desk.records_of(f"site/{site}", "delegation.granted"):
        held = known.get(line.event)  # type: ignore[call-overload]  # an EventHash is a str
        if held is not None and held.holds(now, desk.zone(site), desk.size):
            what = f"{line.data['person']}: {', '.join(line.data['tasks'])}"
            yield _item(DELEGATION, what, line)


def _item(kind: str, what: str, line: Line) -> Row:
    return {
        "site": line.site,
        "participant": line.participant,
        "kind": kind,
        "what": what,
        "type": line.type,
        "person": line.person,
        "since": line.recorded_at,
        "event": line.event,
        "index": line.index,
    }


def emergency_cards(desk: Desk) -> Iterator[Row]:
    """Yield the card of each participant who has consented, by id."""
    now = Interval(earliest_us=desk.now_us, latest_us=desk.now_us)
    study = desk.conduct.study
    registered = next(desk.records("study.registered", kind="study"), None)
    versions = [each.definition for each in study.protocols if each.definition is not None]
    products = dict.fromkeys(product.name for each in versions for product in each.products.values())
    for participant in desk.participants():
        lines = list(desk.records_of(f"participant/{participant.id}"))
        if not lines or not participant.consents:
            continue
        definition = desk.definition_of(participant)
        is_open = definition is not None and not (definition.masking.blinded or definition.randomization)
        last = next((line for line in reversed(lines) if line.type in _GIVEN), None)
        lead = desk.authority.person(study.investigator(participant.site, now, desk.size) or "")
        yield {
            "site": participant.site,
            "participant": participant.id,
            "study": definition.title if definition is not None else None,
            "registry": registered.data["registry_id"] if registered is not None else None,
            "status": str(participant.status),
            "could_have_had": [*products],
            "blinded": definition.masking.blinded if definition is not None else None,
            "last_given_at": last.occurred_at if last is not None else None,
            "investigator": f"{lead.name}, {lead.organisation}" if lead is not None else None,
            "to_unblind": None if is_open else UNBLIND,
            "index": lines[-1].index,
        }


REPORTS: Final = (
    Report(
        name="hand-over",
        question="What does a successor take over at each site: open items, unsigned records, delegations?",
        columns=MappingProxyType(
            {
                "site": "the site",
                "participant": "coded id; empty for the site itself",
                "kind": "open item, unsigned record, participant in care, or delegation in force",
                "what": "what is open, what was recorded, the status, or who may do what",
                "type": "type of the record",
                "person": "who signed it",
                "since": "when the log took it in, UTC",
                "event": "its hash, as investigator.handed_over names it",
                "index": "index of the record",
            }
        ),
        rows=hand_over,
    ),
    Report(
        name="emergency-cards",
        question="What must a physician elsewhere know of a participant, and how is the blind opened?",
        columns=MappingProxyType(
            {
                "site": "the participant's site",
                "participant": "coded id",
                "study": "title of the study",
                "registry": "its id in the registry",
                "status": "where the participant is",
                "could_have_had": "every product of the study, whatever the arm and protocol version",
                "blinded": "whether who gives and who takes it are kept from knowing",
                "last_given_at": "when an infusion or dose was last given, as written",
                "investigator": "printed name and organisation of the site's principal investigator",
                "to_unblind": "how an investigator or the on-call service opens the blind, if there is one",
                "index": "index of the participant's newest record",
            }
        ),
        rows=emergency_cards,
    ),
)
