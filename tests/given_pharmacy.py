"""Givens of the pharmacy: stock, a dose prepared and signed by two others, dispensed, and its waste."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ledger.actions.preparation import padded
from tests.scenario import DAY1, ML, SITE, STUDY, Story, Told, delegation, given_randomized, order, train

AT = f"pharmacy/{SITE}"
PRODUCTS = tuple(STUDY.products)
FIRST = PRODUCTS[0]
LOT = "LOT-1"
KIT = "KIT-1"
TEAM = ("pharma", "checker", "witness")


def mg(value: str, unit: str = "mg") -> dict[str, str]:
    """Return a quantity."""
    return {"value": value, "unit": unit}


def when(story: Story, type_: str, data: Mapping[str, Any], *, by: str = "pharma", **said: Any) -> Told:
    """Submit a statement of the pharmacy."""
    return story.when(type_, data, by=by, stream=AT, site=SITE, **said)


def given(story: Story, type_: str, data: Mapping[str, Any], *, by: str = "pharma", **said: Any) -> Told:
    """Record a statement of the pharmacy that breaks nothing."""
    return story.given(type_, data, by=by, stream=AT, site=SITE, **said)


def shipment(quantity: str = "1000", lot: str = LOT, product: str = FIRST) -> dict[str, Any]:
    """Return the data of a shipment of one lot."""
    consignment = {"product": product, "lot": lot, "expiry": "2026-06", "quantity": mg(quantity)}
    return {"shipment": "S-1", "sender": "Depot", "condition": "intact", "consignments": [consignment],
            "dea_forms": []}  # fmt: skip


def kit(number: str = KIT, **more: Any) -> dict[str, Any]:
    """Return the data of a kit."""
    return {"kit": number, "product": FIRST, "lot": LOT, "expiry": "2026-06", "quantity": mg("500"),
            "condition": "good", **more}  # fmt: skip


def moved(quantity: str, unit: str = "mg", **more: Any) -> dict[str, Any]:
    """Return what every movement of a substance names."""
    return {"product": FIRST, "lot": LOT, "quantity": mg(quantity, unit), "dea_forms": [], **more}


def count(expected: str, counted: str, unit: str = "mg") -> dict[str, Any]:
    """Return the data of a count."""
    return {"occasion": "periodic", "product": FIRST, "lot": LOT, "expected": mg(expected),
            "counted": mg(counted, unit)}  # fmt: skip


def lines(first: str = "40", **more: Any) -> list[dict[str, Any]]:
    """Return the lines of a dose that holds the first product alone."""
    used = {"product": FIRST, "quantity": mg(first), "lot": LOT, "kit": KIT, **more}
    return [used, *({"product": product, "quantity": mg("0", "g")} for product in PRODUCTS[1:])]


def contents(rows: Sequence[Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """Return what is sealed of a dose, opened."""
    return {"/data/contents": padded([dict(row) for row in (lines() if rows is None else rows)])}


NOTHING = [{"product": product, "quantity": mg("0")} for product in PRODUCTS]


def dose(infusion: int = 1, label: str | None = None, participant: str = "SA-01-001") -> dict[str, Any]:
    """Return what every record of a dose names."""
    return {"label": label or f"L{infusion}", "participant": participant, "infusion": infusion}


def preparation(story: Story, infusion: int = 1, **more: Any) -> dict[str, Any]:
    """Return the data of a preparation, good for six hours."""
    return {
        **dose(infusion),
        "volume": {"value": "250", "unit": ML},
        "beyond_use": story.ago(hours=-6),
        **more,
    }


def given_team(story: Story) -> Story:
    """Three pharmacists, trained and delegated."""
    for person in TEAM:
        train(story, person)
        granted = story.given(
            "delegation.granted", delegation(person, story.ago(minutes=-1)), by="ines", stream=f"site/{SITE}"
        )
        accepted = {"delegation": granted.event}
        story.given("delegation.accepted", accepted, by=person, stream=f"site/{SITE}")
    return story


def open_arm(story: Story, arm: str) -> None:
    """Let the story's ledger open the arm that its participant was allocated to."""
    allocated = next(r.answered for r in story.participant.randomizations if r.answered is not None)
    story.openings[story.log[allocated].event] = {"/data/arm": arm}


def given_stock(story: Story | None = None) -> Story:
    """A randomized participant on day 1, a pharmacy with staff, one lot, and one kit of it."""
    if story is None:
        story = given_team(given_randomized())
        story.goto(DAY1)
        open_arm(story, "ketamine")
    given(story, "shipment.received", shipment())
    given(story, "kit.registered", kit())
    return story


def given_ordered(story: Story | None = None, infusion: int = 1) -> Story:
    """An infusion that is ordered, and stock to make it from."""
    story = story or given_stock()
    story.given("infusion.ordered", order(story, infusion), by="sub")
    return story


def prepare(story: Story, infusion: int = 1, rows: Any = None, **more: Any) -> Told:
    """Prepare a dose."""
    return when(story, "dose.prepared", preparation(story, infusion, **more), opened=contents(rows))


def cosign(story: Story, event: str, as_: str, by: str) -> Told:
    """Cosign a statement of the pharmacy."""
    return given(story, "record.cosigned", {"as": as_, "statement": event}, by=by)


def given_checked(story: Story | None = None, infusion: int = 1) -> tuple[Story, Told]:
    """A dose that is prepared, checked and witnessed."""
    story = given_ordered(story, infusion)
    told = prepare(story, infusion)
    assert told.codes == (), told.codes
    cosign(story, told.event, "checker", "checker")
    cosign(story, told.event, "witness", "witness")
    return story, told


def dispensing(prepared: Told, infusion: int = 1, **more: Any) -> dict[str, Any]:
    """Return the data of dispensing what was prepared."""
    return {**dose(infusion), "statement": prepared.event, **more}


def given_dispensed(story: Story | None = None, infusion: int = 1) -> Story:
    """A dose that has left the pharmacy, with the waste of its preparation witnessed: the whole sequence."""
    story, prepared = given_checked(story, infusion)
    given(story, "dose.dispensed", dispensing(prepared, infusion))
    wasted = given(story, "dose.wasted", {**dose(infusion), "code": "none"}, opened=contents(NOTHING))
    cosign(story, wasted.event, "witness", "witness")
    return story
