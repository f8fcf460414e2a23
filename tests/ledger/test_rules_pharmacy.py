"""Stock: shipments, kits, counts and movements of a pharmacy, and what is due of them (catalogue E)."""

from __future__ import annotations

from typing import Any

from tests.given_pharmacy import (
    FIRST,
    KIT,
    LOT,
    count,
    given,
    given_checked,
    given_stock,
    kit,
    mg,
    moved,
    shipment,
    when,
)
from tests.scenario import Story, Told, breaks, keeps

QUARANTINE = {"kits": [KIT], "code": "temperature"}
RELEASE = {"kits": [KIT], "code": "stable", "decided_by": "Quality Unit"}
DESTROYED = {"kits": [{"kit": KIT, "quantity": mg("500")}], "method": "incineration", "dea_forms": []}
EXCURSION = {
    "storage": "Refrigerator", "lowest": mg("-1", "Cel"), "highest": mg("12", "Cel"),
    "from": "2025-02-03", "kits": [KIT],
}  # fmt: skip
LOSS = {"code": "unexplained", "discovered": "2025-02-03"}
TRANSFER = {"direction": "out", "other": "Pharmacy B"}
RETURN = {"how": "returned", "method": "reverse_distributor"}
OUT: dict[str, dict[str, Any]] = {
    "substance.loss_reported": LOSS,
    "substance.transferred": TRANSFER,
    "substance.destroyed_or_returned": RETURN,
}


@keeps("shipment.received", "kit.registered", "kit.quarantined", "kit.released", "temperature.excursion")
def test_a_kit_goes_through_quarantine() -> None:
    """Received, registered, out of range, set aside, released: nothing is broken."""
    story = given_stock()
    given(story, "temperature.excursion", EXCURSION)
    given(story, "kit.released", RELEASE)
    given(story, "kit.quarantined", QUARANTINE)


@keeps("kit.expired", "kit.destroyed")
def test_a_kit_ends() -> None:
    """An expired kit is set apart and destroyed with what was in it."""
    story = given_stock()
    given(story, "kit.expired", {"kits": [KIT]})
    given(story, "kit.destroyed", DESTROYED)


@breaks("kit.registered", "KIT_REPEATED")
def test_a_kit_number_is_used_once() -> None:
    """The same number again is flagged."""
    assert when(given_stock(), "kit.registered", kit()).codes == ("KIT_REPEATED",)


@breaks("kit.quarantined", "KIT_UNKNOWN")
@breaks("kit.released", "KIT_UNKNOWN")
@breaks("kit.expired", "KIT_UNKNOWN")
@breaks("kit.destroyed", "KIT_UNKNOWN")
@breaks("temperature.excursion", "KIT_UNKNOWN")
@breaks("substance.loss_reported", "KIT_UNKNOWN")
def test_a_kit_that_is_named_is_registered() -> None:
    """What is said of a kit that nobody registered is flagged."""
    story = given_stock()
    other = ["K-9"]
    for type_, data in (
        ("kit.quarantined", {**QUARANTINE, "kits": other}),
        ("kit.released", {**RELEASE, "kits": other}),
        ("kit.expired", {"kits": other}),
        ("kit.destroyed", {**DESTROYED, "kits": [{"kit": "K-9", "quantity": mg("1")}]}),
        ("temperature.excursion", {**EXCURSION, "kits": other}),
        ("substance.loss_reported", {**moved("1"), **LOSS, "kits": other}),
    ):
        assert when(story, type_, data).codes == ("KIT_UNKNOWN",)


@breaks("kit.released", "KIT_STATE")
def test_only_a_kit_in_quarantine_is_released() -> None:
    """A release of what nobody set aside is flagged."""
    assert when(given_stock(), "kit.released", RELEASE).codes == ("KIT_STATE",)


@breaks("kit.quarantined", "KIT_STATE")
@breaks("kit.expired", "KIT_STATE")
@breaks("kit.destroyed", "KIT_STATE")
@breaks("temperature.excursion", "KIT_STATE")
def test_nothing_is_done_with_a_kit_that_is_gone() -> None:
    """After its destruction a kit is not set aside, expired or destroyed again."""
    story = given_stock()
    given(story, "shipment.received", shipment())
    given(story, "kit.destroyed", DESTROYED)
    for type_, data in (
        ("kit.quarantined", QUARANTINE),
        ("kit.expired", {"kits": [KIT]}),
        ("kit.destroyed", DESTROYED),
        ("temperature.excursion", EXCURSION),
    ):
        assert when(story, type_, data).codes == ("KIT_STATE",)


@keeps("substance.loss_reported", "substance.transferred", "substance.destroyed_or_returned")
def test_what_leaves_was_there() -> None:
    """A thousand milligrams leave in three ways, and no more."""
    story = given_stock()
    given(story, "substance.transferred", {**moved("500"), **TRANSFER})
    given(story, "substance.loss_reported", {**moved("200"), **LOSS})
    given(story, "substance.destroyed_or_returned", {**moved("300"), **RETURN})
    assert when(story, "substance.transferred", {**moved("1"), **TRANSFER}).codes == ("BALANCE_NEGATIVE",)


@breaks("substance.loss_reported", "BALANCE_NEGATIVE", "DISCREPANCY_DUE")
@breaks("substance.transferred", "BALANCE_NEGATIVE", "DISCREPANCY_DUE")
@breaks("substance.destroyed_or_returned", "BALANCE_NEGATIVE", "DISCREPANCY_DUE")
def test_a_negative_balance_is_flagged_and_its_discrepancy_due() -> None:
    """More than came in leaves the books: flagged at once, and once more after 24 hours without a report."""
    for type_, data in OUT.items():
        story = given_stock()
        told = when(story, type_, {**moved("1001"), **data})
        assert told.codes == ("BALANCE_NEGATIVE",)
        story.wait(hours=25)
        assert ("DISCREPANCY_DUE", told.event) in when(story, "shipment.received", shipment()).caused
        assert when(story, "shipment.received", shipment()).caused == ()


@breaks("kit.destroyed", "BALANCE_NEGATIVE", "DISCREPANCY_DUE")
def test_no_more_is_destroyed_than_was_there() -> None:
    """A kit that is destroyed takes its remainder out of the books."""
    story = given_stock()
    given(story, "substance.transferred", {**moved("900"), **TRANSFER})
    told = when(story, "kit.destroyed", DESTROYED)
    assert told.codes == ("BALANCE_NEGATIVE",)
    story.wait(hours=25)
    assert ("DISCREPANCY_DUE", told.event) in when(story, "shipment.received", shipment()).caused


def test_another_unit_is_another_account() -> None:
    """A gram is not taken for a thousand milligrams: nothing is converted silently."""
    told = when(given_stock(), "substance.transferred", {**moved("1", "g"), **TRANSFER})
    assert told.codes == ("BALANCE_NEGATIVE",)


@keeps("inventory.taken", "substance.counted")
def test_counts_that_come_out() -> None:
    """What is there is what the books expect, after what came in and went out."""
    story = given_stock()
    given(story, "substance.counted", count("1000", "1000.0"))
    given(story, "substance.transferred", {**moved("100"), **TRANSFER})
    line = {"product": FIRST, "lot": LOT, "expected": mg("900"), "counted": mg("900")}
    given(story, "inventory.taken", {"lines": [line]})


INVENTORY = {"lines": [{"product": FIRST, "lot": LOT, "expected": mg("1000"), "counted": mg("500")}]}


@breaks("substance.counted", "COUNT_DIFFERS", "DISCREPANCY_DUE")
@breaks("inventory.taken", "COUNT_DIFFERS", "DISCREPANCY_DUE")
@keeps("substance.discrepancy_reported")
def test_a_count_that_differs_is_reported() -> None:
    """A vial is missing: flagged with the count, due after 24 hours, and settled by the report."""
    story = given_stock()
    counted = when(story, "substance.counted", count("1000", "500"))
    taken = when(story, "inventory.taken", INVENTORY)
    assert counted.codes == taken.codes == ("COUNT_DIFFERS",)
    story.wait(hours=25)
    caused = when(story, "shipment.received", shipment()).caused
    assert {("DISCREPANCY_DUE", counted.event), ("DISCREPANCY_DUE", taken.event)} <= set(caused)
    report = {"product": FIRST, "lot": LOT, "expected": mg("1000"), "counted": mg("500"),
              "code": "vial_missing", "dea_forms": []}  # fmt: skip
    given(story, "substance.discrepancy_reported", {**report, "statement": counted.event})


def test_a_report_in_time_leaves_nothing_due() -> None:
    """Reported within the day, the count's discrepancy is not overdue."""
    story = given_stock()
    counted = when(story, "substance.counted", count("1000", "500"))
    report = {"product": FIRST, "lot": LOT, "expected": mg("1000"), "counted": mg("500"),
              "code": "vial_missing", "dea_forms": []}  # fmt: skip
    given(story, "substance.discrepancy_reported", {**report, "statement": counted.event})
    story.wait(hours=25)
    assert not [c for c in when(story, "shipment.received", shipment()).caused if c[0] == "DISCREPANCY_DUE"]


@breaks("substance.discrepancy_reported", "DISCREPANCY_UNFOUNDED")
def test_a_discrepancy_is_of_what_does_not_come_out() -> None:
    """A report about a count that came out is flagged."""
    story = given_stock()
    counted = given(story, "substance.counted", count("1000", "1000"))
    report = {"statement": counted.event, "product": FIRST, "lot": LOT, "expected": mg("1000"),
              "counted": mg("1000"), "code": "none", "dea_forms": []}  # fmt: skip
    assert when(story, "substance.discrepancy_reported", report).codes == ("DISCREPANCY_UNFOUNDED",)


@breaks("substance.counted", "SEALED_RULE")
@breaks("inventory.taken", "SEALED_RULE")
def test_what_doses_took_counts_where_it_opens() -> None:
    """After a dose of 40 mg the books hold 960: who still expects 1000 is told so under the sealed code."""
    story, _ = given_checked()
    given(story, "substance.counted", count("960", "960"))
    assert when(story, "substance.counted", count("1000", "1000")).codes == ("SEALED_RULE",)
    line = {"product": FIRST, "lot": LOT, "expected": mg("1000"), "counted": mg("1000")}
    assert when(story, "inventory.taken", {"lines": [line]}).codes == ("SEALED_RULE",)


@breaks("substance.loss_reported", "SEALED_RULE")
@breaks("substance.transferred", "SEALED_RULE")
@breaks("substance.destroyed_or_returned", "SEALED_RULE")
@breaks("kit.destroyed", "SEALED_RULE")
def test_what_doses_took_does_not_leave_again() -> None:
    """A dose has taken 40 mg: the whole thousand cannot leave any more, which only the opened books show."""
    for type_, data in OUT.items():
        story, _ = given_checked()
        assert when(story, type_, {**moved("1000"), **data}).codes == ("SEALED_RULE",)
    story, _ = given_checked()
    whole = {**DESTROYED, "kits": [{"kit": KIT, "quantity": mg("1000")}]}
    assert when(story, "kit.destroyed", whole).codes == ("SEALED_RULE",)


def test_a_voided_movement_is_not_in_the_books() -> None:
    """The shipment was entered twice: after its voiding the books hold it once (R10)."""
    story = given_stock()
    twice = given(story, "shipment.received", shipment())
    voiding = {"statement": twice.event, "code": "duplicate"}
    given(story, "record.voided", voiding, reason="duplicate")
    given(story, "substance.counted", count("1000", "1000"))


def _corrected(story: Story, told: Told, path: str, old: str, new: str) -> Told:
    """Correct a value of the pharmacy, with its source."""
    data = {"statement": told.event, "path": path, "old": old, "new": new}
    source = {"id": "pharma", "kind": "person", "source": "Dispensing log, page 3"}
    return given(story, "correction.made", data, reason="entry_error", originator=source)


def test_a_correction_brings_a_breach_out() -> None:
    """A shipment was entered with a zero too many: with its correction, what left was not there (R10)."""
    story = given_stock()
    more = given(story, "shipment.received", shipment("1000", lot="LOT-2"))
    data = {**moved("1000"), **TRANSFER, "lot": "LOT-2"}
    out = given(story, "substance.transferred", data)
    data = {
        "statement": more.event,
        "path": "/data/consignments/0/quantity/value",
        "old": "1000",
        "new": "100",
    }
    corrected = when(story, "correction.made", data, reason="entry_error")
    assert corrected.caused == (("BALANCE_NEGATIVE", out.event),)


def test_a_corrected_count_closes_its_breach_when_cosigned() -> None:
    """The count was misread: its breach waits for another pharmacist's approval, and that closes it (R10)."""
    story = given_stock()
    counted = when(story, "substance.counted", count("1000", "100"))
    assert counted.codes == ("COUNT_DIFFERS",)
    correction = _corrected(story, counted, "/data/counted/value", "100", "1000")
    assert story.breach(counted, "COUNT_DIFFERS").is_open
    assert story.breach(counted, "COUNT_DIFFERS").pending == correction.event
    cosigned = given(
        story, "record.cosigned", {"as": "approver", "statement": correction.event}, by="checker"
    )
    assert story.breach(counted, "COUNT_DIFFERS").closed == cosigned.index
    story.wait(hours=25)
    caused = when(story, "shipment.received", shipment()).caused
    assert "DISCREPANCY_DUE" not in {rule for rule, _ in caused}
