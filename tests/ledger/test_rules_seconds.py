"""What needs a second person waits for another, allowed one, in every stream (catalogue R9)."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.actions.registry import all_specs
from ledger.rules.seconds import BY_STREAM, BY_TYPE, is_pending
from tests import given_pharmacy
from tests.given_quality import assured, correct, cosign, void
from tests.scenario import Story, Told, breaks, keeps

AT: dict[str, Any] = {"stream": given_pharmacy.AT}


def given_loss() -> tuple[Story, Told]:
    """Return a loss that waits for its witness."""
    story = given_pharmacy.given_stock()
    data = {"expected": given_pharmacy.mg("1000"), "counted": given_pharmacy.mg("1000")}
    told = given_pharmacy.given(story, "substance.counted", {**given_pharmacy.count("1000", "1000"), **data})
    return story, told


@keeps("record.cosigned")
def test_a_count_waits_for_the_second_counter() -> None:
    """It is pending in the pharmacy's stream until another pharmacist has signed as second counter."""
    story, told = given_loss()
    assert is_pending(assured(story, given_pharmacy.AT), told.event)
    assert cosign(story, told, by="checker", second="witness", **AT).codes == ()
    assert is_pending(assured(story, given_pharmacy.AT), told.event)
    signed = cosign(story, told, by="witness", second="second_counter", **AT)
    assert signed.codes == ()
    assert not is_pending(assured(story, given_pharmacy.AT), told.event)


@breaks("record.cosigned", "SAME_PERSON")
def test_nobody_is_the_second_person_twice() -> None:
    """Neither the author nor who has signed as another second person."""
    story, told = given_loss()
    assert cosign(story, told, by="pharma", second="second_counter", **AT).refused == "SAME_PERSON"
    cosign(story, told, by="checker", second="witness", **AT)
    assert cosign(story, told, by="checker", second="second_counter", **AT).refused == "SAME_PERSON"


@breaks("record.cosigned", "COSIGNER_NOT_ALLOWED")
def test_a_role_that_may_not_does_not_end_the_wait() -> None:
    """A blinded coordinator under a count is recorded and flagged."""
    story, told = given_loss()
    signed = cosign(story, told, by="cora", second="second_counter", **AT)
    assert (signed.refused, signed.codes) == (None, ("COSIGNER_NOT_ALLOWED",))
    assert is_pending(assured(story, given_pharmacy.AT), told.event)


@breaks("substance.counted", "COSIGNATURE_OVERDUE")
def test_what_is_overdue_in_a_pharmacy_is_flagged_once() -> None:
    """The first later record of the stream after 24 hours brings it out."""
    story, told = given_loss()
    story.wait(hours=25)
    caused = given_pharmacy.when(story, "shipment.received", given_pharmacy.shipment(lot="LOT-9")).caused
    assert ("COSIGNATURE_OVERDUE", told.event) in caused
    caused = given_pharmacy.when(story, "shipment.received", given_pharmacy.shipment(lot="LOT-8")).caused
    assert ("COSIGNATURE_OVERDUE", told.event) not in caused
    assert story.conduct.unrecorded() == ()


def test_a_correction_of_a_pharmacys_record_is_settled_by_another_pharmacist() -> None:
    """The investigator, who does not see that stream, has no part in it."""
    story, told = given_loss()
    made = correct(story, told, "/data/occasion", "periodic", "handover", by="pharma", **AT)
    assert made.refused is None
    assert cosign(story, made, by="ines", **AT).codes == ("COSIGNER_NOT_ALLOWED",)
    assert cosign(story, made, by="checker", **AT).codes == ()
    assert void(story, told, by="pharma", **AT).refused is None


@pytest.mark.parametrize("type_", sorted({s.type for s in all_specs() if s.seconds}))
def test_every_second_person_can_be_found(type_: str) -> None:
    """For each type that needs second persons some role may be each of them, and may sign that."""
    cosigned = next(s for s in all_specs() if s.type == "record.cosigned")
    for known in (s for s in all_specs() if s.type == type_):
        for kind in known.streams:
            for second in known.seconds:
                roles = BY_TYPE.get(type_) or BY_STREAM[kind][second]
                assert roles & cosigned.roles.keys()


@breaks("record.voided", "COSIGNATURE_OVERDUE")
def test_a_voiding_of_a_dose_waits_for_another_pharmacist() -> None:
    """It changes nothing until it is cosigned, and is overdue after 24 hours."""
    story, prepared = given_pharmacy.given_checked()
    voided = void(story, prepared, by="pharma", **AT)
    assert (voided.refused, is_pending(assured(story, given_pharmacy.AT), voided.event)) == (None, True)
    story.wait(hours=25)
    caused = given_pharmacy.when(story, "shipment.received", given_pharmacy.shipment(lot="LOT-9")).caused
    assert ("COSIGNATURE_OVERDUE", voided.event) in caused
    cosign(story, voided, by="checker", **AT)
    assert not is_pending(assured(story, given_pharmacy.AT), voided.event)
