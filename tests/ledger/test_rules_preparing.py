"""Doses in the pharmacy: prepared, checked, dispensed, returned, wasted, in a fixed sequence (R8, R9)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from ledger.canonical import encode
from ledger.conduct import Conduct
from tests import scenario
from tests.given_pharmacy import (
    FIRST,
    KIT,
    NOTHING,
    PRODUCTS,
    contents,
    cosign,
    dispensing,
    dose,
    given,
    given_checked,
    given_dispensed,
    given_ordered,
    given_stock,
    kit,
    lines,
    mg,
    open_arm,
    preparation,
    prepare,
    shipment,
    when,
)
from tests.scenario import Story, Told, breaks, checked, keeps, received, start

WASTE = {"code": "none"}


@keeps("dose.prepared", "dose.dispensed", "dose.wasted", "dose.received", "infusion.started")
def test_a_dose_goes_its_way() -> None:
    """Prepared, checked, witnessed, dispensed, its waste witnessed, received and started under one label."""
    story = given_dispensed()
    story.given("dose.received", received(story), by="nurse")
    story.given("preinfusion_check.passed", checked(), by="nurse")
    story.given("infusion.started", start(), by="nurse")


@keeps("dose.returned")
def test_a_dose_comes_back() -> None:
    """What was not given comes back to the pharmacy, and is no more than it held."""
    story = given_dispensed()
    back = {**dose(), "volume": {"value": "100", "unit": "mL"}, "code": "stopped"}
    given(story, "dose.returned", back, opened=contents(lines("16")))


@breaks("dose.prepared", "DOSE_FOR_NOBODY")
@breaks("dose.dispensed", "DOSE_FOR_NOBODY")
def test_a_dose_is_made_for_a_participant() -> None:
    """A dose for an id that nobody has is flagged, and does not leave."""
    story = given_ordered()
    told = prepare(story, participant="SA-01-999")
    assert told.codes == ("DOSE_FOR_NOBODY",)
    given_two_signatures(story, told)
    data = {**dispensing(told), "participant": "SA-01-999"}
    assert when(story, "dose.dispensed", data).refused == "DOSE_FOR_NOBODY"


def given_two_signatures(story: Story, told: Told) -> None:
    """Let checker and witness sign a preparation."""
    cosign(story, told.event, "checker", "checker")
    cosign(story, told.event, "witness", "witness")


@breaks("dose.prepared", "INFUSION_UNKNOWN")
@breaks("dose.dispensed", "INFUSION_UNKNOWN")
def test_a_dose_is_for_an_infusion_of_the_protocol() -> None:
    """There is no fifteenth infusion to make a dose for."""
    story = given_ordered()
    told = prepare(story, 15)
    assert told.codes == ("INFUSION_UNKNOWN",)
    given_two_signatures(story, told)
    assert "INFUSION_UNKNOWN" in when(story, "dose.dispensed", dispensing(told, 15)).codes


@breaks("dose.prepared", "LABEL_REPEATED")
def test_a_label_is_given_to_one_dose() -> None:
    """A label that a dose has already is flagged."""
    story, _ = given_checked()
    assert prepare(story, 2, label="L1").codes == ("LABEL_REPEATED",)


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ({"label": "L9"}, "DOSE_NOT_PREPARED"),
        ({"infusion": 2}, "ORDER_MISSING"),
    ],
    ids=["another label", "another infusion"],
)
def test_what_is_dispensed_was_prepared(said: dict[str, Any], refused: str) -> None:
    """Under this label, for this participant and infusion, and ordered."""
    story, prepared = given_checked()
    told = when(story, "dose.dispensed", {**dispensing(prepared), **said})
    assert told.refused == refused
    assert "DOSE_NOT_PREPARED" in told.codes


@breaks("dose.dispensed", "DOSE_NOT_PREPARED", "ORDER_MISSING")
def test_a_dose_that_was_not_prepared_does_not_leave() -> None:
    """A dose of another infusion than the one prepared and ordered stays."""
    story, prepared = given_checked()
    codes = when(story, "dose.dispensed", {**dispensing(prepared), "infusion": 2}).codes
    assert codes == ("ORDER_MISSING", "DOSE_NOT_PREPARED")


@breaks("dose.dispensed", "PREPARATION_UNCHECKED")
@pytest.mark.parametrize("signed", [(), ("checker",), ("witness",)], ids=["nobody", "checker", "witness"])
def test_two_others_sign_before_a_dose_leaves(signed: tuple[str, ...]) -> None:
    """Without a checker and a witness the dose waits (R9)."""
    story = given_ordered()
    told = prepare(story)
    for as_ in signed:
        cosign(story, told.event, as_, as_)
    assert when(story, "dose.dispensed", dispensing(told)).refused == "PREPARATION_UNCHECKED"


def test_the_checker_is_not_the_preparer() -> None:
    """Who prepared it, named as performer by another who signs, does not count as its checker."""
    story = given_ordered()
    told = prepare(story, performer="checker")
    story.when(
        "record.cosigned", {"as": "checker", "statement": told.event}, by="checker", stream="pharmacy/SA-01"
    )
    cosign(story, told.event, "witness", "witness")
    assert when(story, "dose.dispensed", dispensing(told)).refused == "PREPARATION_UNCHECKED"


@breaks("dose.dispensed", "DISPENSED_TWICE")
def test_a_dose_leaves_once() -> None:
    """The second time it is refused."""
    story, prepared = given_checked()
    given(story, "dose.dispensed", dispensing(prepared))
    assert when(story, "dose.dispensed", dispensing(prepared)).refused == "DISPENSED_TWICE"


@breaks("dose.dispensed", "DOSE_EXPIRED")
def test_a_dose_leaves_in_time() -> None:
    """After its beyond-use time it is not dispensed."""
    story, prepared = given_checked()
    story.wait(hours=7)
    assert when(story, "dose.dispensed", dispensing(prepared)).refused == "DOSE_EXPIRED"


@breaks("dose.dispensed", "KIT_NOT_DISPENSABLE")
@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("kit.quarantined", {"kits": ["K-2"], "code": "temperature"}),
        ("kit.expired", {"kits": ["K-2"]}),
        ("temperature.excursion", {"storage": "R", "lowest": mg("-1", "Cel"), "highest": mg("9", "Cel"),
                                   "from": "2025-02-03", "kits": ["K-2"]}),
    ],
)  # fmt: skip
def test_a_kit_that_waits_is_not_dispensed(type_: str, data: dict[str, Any]) -> None:
    """A numbered kit in quarantine, out of range or expired is held back, and free again when released."""
    story = given_ordered()
    given(story, "kit.registered", kit("K-2"))
    given(story, type_, data)
    handed = {**dose(), "kits": ["K-2"]}
    assert when(story, "dose.dispensed", handed).refused == "KIT_NOT_DISPENSABLE"
    if type_ != "kit.expired":
        given(story, "kit.released", {"kits": ["K-2"], "code": "stable", "decided_by": "Quality Unit"})
        given(story, "dose.dispensed", handed)
        again = when(story, "dose.dispensed", {**handed, "label": "L9"})
        assert again.refused == "KIT_NOT_DISPENSABLE"


@breaks("dose.dispensed", "LABEL_REPEATED")
def test_a_kit_dispensed_as_it_is_has_its_label_too() -> None:
    """It comes back without a preparation, asks for no sequence, and its label is not given again."""
    story = given_ordered()
    for number in ("K-2", "K-3"):
        given(story, "kit.registered", kit(number))
    given(story, "dose.dispensed", {**dose(), "kits": ["K-2"]})
    story.given("dose.received", received(story), by="nurse")
    back = {**dose(), "volume": {"value": "0", "unit": "mL"}, "code": "unused"}
    given(story, "dose.returned", back, opened=contents())
    assert when(story, "dose.dispensed", {**dose(), "kits": ["K-3"]}).refused == "LABEL_REPEATED"
    story.wait(hours=25)
    assert when(story, "shipment.received", shipment()).caused == ()


def test_a_kit_past_its_expiry_is_not_dispensed() -> None:
    """Its own date is enough: nobody needs to have set it apart."""
    story = given_ordered()
    given(story, "kit.registered", kit("K-2", expiry="2025-01"))
    assert when(story, "dose.dispensed", {**dose(), "kits": ["K-2"]}).refused == "KIT_NOT_DISPENSABLE"


@breaks("dose.dispensed", "ON_HOLD")
def test_what_holds_the_participant_holds_the_dose() -> None:
    """A prohibited medication makes dispensing wait as it does the start."""
    story, prepared = given_checked()
    story.when("medication.started", {"medication": "M1", "class": "vasopressin", "start": "2025-02"})
    assert when(story, "dose.dispensed", dispensing(prepared)).refused == "ON_HOLD"


@breaks("dose.dispensed", "DOSING_DISCONTINUED", "DOSE_OMITTED")
def test_a_dose_that_is_not_to_be_given_does_not_leave() -> None:
    """After dosing is discontinued, or this dose omitted, nothing is dispensed."""
    story, prepared = given_checked()
    story.given("dose.omitted", {"infusion": 1, "code": "pressure", "decided_by": "sub"}, by="nurse")
    story.given(
        "dosing.discontinued", {"effective": story.now, "code": "pressure", "decided_by": "sub"}, by="nurse"
    )
    codes = when(story, "dose.dispensed", dispensing(prepared)).codes
    assert codes == ("DOSING_DISCONTINUED", "DOSE_OMITTED")


@breaks("dose.dispensed", "CONSENT_WITHDRAWN")
def test_a_dose_needs_consent_to_treatment() -> None:
    """Who took back consent to the study treatment gets no dose."""
    story, prepared = given_checked()
    story.given("consent.withdrawn", {"scopes": ["study_treatment"], "effective": story.now})
    story.wait(minutes=5)
    assert when(story, "dose.dispensed", dispensing(prepared)).refused == "CONSENT_WITHDRAWN"


def test_a_dose_that_left_during_an_outage_is_recorded() -> None:
    """Dispensed on paper without its two signatures: recorded, with the breach (R6)."""
    story = given_ordered()
    told = prepare(story)
    outside = {"why": "outage", "source": {"kind": "paper"}}
    late = when(story, "dose.dispensed", dispensing(told, performed_outside=outside))
    assert late.refused is None
    assert late.codes == ("PREPARATION_UNCHECKED",)


@breaks("dose.returned", "DOSE_NOT_PREPARED")
@breaks("dose.wasted", "DOSE_NOT_PREPARED")
def test_what_comes_back_or_is_wasted_was_prepared() -> None:
    """Under a label that no dose has it is recorded and flagged."""
    story = given_dispensed()
    back = {**dose(label="L9"), "volume": {"value": "100", "unit": "mL"}, "code": "stopped"}
    assert when(story, "dose.returned", back, opened=contents()).codes == ("DOSE_NOT_PREPARED",)
    wasted = {**dose(label="L9"), **WASTE}
    assert when(story, "dose.wasted", wasted, opened=contents(NOTHING)).codes == ("DOSE_NOT_PREPARED",)


# The fixed sequence (R8)


@breaks("dose.prepared", "SEQUENCE_INCOMPLETE")
def test_the_sequence_is_whole_after_a_day() -> None:
    """A dose without its waste, zero or not, is flagged by the first record after 24 hours."""
    story, prepared = given_checked()
    given(story, "dose.dispensed", dispensing(prepared))
    story.wait(hours=25)
    assert when(story, "shipment.received", shipment()).caused == (("SEQUENCE_INCOMPLETE", prepared.event),)


def test_the_sequence_is_whole_by_the_next_dose() -> None:
    """The next dose of the participant brings it out, however soon."""
    story, prepared = given_checked()
    given(story, "dose.dispensed", dispensing(prepared))
    assert prepare(story, 2).caused == (("SEQUENCE_INCOMPLETE", prepared.event),)


def test_a_whole_sequence_breaks_nothing() -> None:
    """With its waste witnessed, neither the day nor the next dose brings anything out."""
    story = given_dispensed()
    assert prepare(story, 2).caused == ()


# Rules over sealed values (R8)


@breaks("dose.prepared", "SEALED_RULE")
@pytest.mark.parametrize(
    "rows",
    [
        lines()[:1],
        [*lines(), {"product": "unheard_of", "quantity": mg("0")}],
        lines("1001"),
        lines(kit="K-9"),
        lines(kit="K-WAITS"),
        lines(lot="LOT-9"),
        [{"product": FIRST, "quantity": mg("40")}, *lines()[1:]],
    ],
    ids=["a product lacks its line", "a product too many", "more than there is", "an unknown kit",
         "a kit in quarantine", "a kit of another lot", "out of nowhere"],
)  # fmt: skip
def test_the_lines_of_a_dose_are_right(rows: list[dict[str, Any]]) -> None:
    """Whatever is wrong inside, the code is the same and tells nothing."""
    story = given_ordered()
    given(story, "kit.registered", kit("K-WAITS"))
    given(story, "kit.quarantined", {"kits": ["K-WAITS"], "code": "temperature"})
    assert prepare(story, rows=rows).codes == ("SEALED_RULE",)


@pytest.mark.parametrize("arm", ["magnesium", "ketamine+magnesium"])
def test_a_dose_holds_the_products_of_its_arm(arm: str) -> None:
    """Made for the wrong arm, with a product too many or too few: flagged under the one code."""
    story = given_ordered()
    open_arm(story, arm)
    assert prepare(story).codes == ("SEALED_RULE",)


def test_a_dose_for_an_arm_that_is_closed_is_not_judged_by_it() -> None:
    """Where the arm does not open, what it should hold is not judged, and that is counted."""
    story = given_ordered()
    open_arm(story, "magnesium")
    conduct = Conduct(ArmClosed(story))
    prepare(story)
    for entry in story.log:
        conduct.evolve(entry, story.authority)
    assert conduct.closed == 1
    assert [b.rule for b in conduct.breaches()] == ["SEALED_RULE"]


@breaks("dose.dispensed", "SEALED_RULE")
def test_a_dose_from_a_kit_that_waits_does_not_leave() -> None:
    """The kit went into quarantine after the dose was made from it: dispensing is held."""
    story, prepared = given_checked()
    given(story, "kit.quarantined", {"kits": [KIT], "code": "recall"})
    assert when(story, "dose.dispensed", dispensing(prepared)).refused == "SEALED_RULE"


@breaks("dose.returned", "SEALED_RULE")
@breaks("dose.wasted", "SEALED_RULE")
def test_no_more_is_left_than_was_made() -> None:
    """More returned or wasted than the dose held, or a product without its line, is flagged."""
    story = given_dispensed()
    back = {**dose(), "volume": {"value": "100", "unit": "mL"}, "code": "stopped"}
    assert when(story, "dose.returned", back, opened=contents(lines("41"))).codes == ("SEALED_RULE",)
    wasted = {**dose(), **WASTE}
    assert when(story, "dose.wasted", wasted, opened=contents(NOTHING[:1])).codes == ("SEALED_RULE",)


def test_what_is_closed_is_not_judged_and_its_breach_believed() -> None:
    """Who cannot open the lines does not judge them, believes the breach that is recorded, and owes none."""
    story = given_ordered()
    told = prepare(story, rows=lines("1001"))
    assert told.codes == ("SEALED_RULE",)
    closed = Closed(story)
    conduct = Conduct(closed)
    for entry in story.log:
        assert not [v for v in conduct.judge(entry, story.authority) if v.rule == "BREACH_UNFOUNDED"]
        conduct.evolve(entry, story.authority)
    assert conduct.closed == 1
    assert conduct.unrecorded() == ()
    assert [b.event for b in conduct.breaches() if b.rule == "SEALED_RULE"] == [told.event]


def test_a_breach_that_opens_and_is_none_is_unfounded() -> None:
    """Where the lines open, a recorded breach that they do not show is refused (R6)."""
    story = given_ordered()
    told = prepare(story)
    detected = story.when(
        "breach.detected", {"rule": "SEALED_RULE", "statement": told.event}, by="service",
        stream="pharmacy/SA-01",
    )  # fmt: skip
    assert detected.refused == "BREACH_UNFOUNDED"


class Closed:
    """A reader of a story that opens nothing."""

    def __init__(self, story: Story) -> None:
        self.entries_of = story.entries_of
        self.index_of = story.index_of
        self.entry_at = story.entry_at
        self.attachment = story.attachment

    def opened(self, event: str) -> Mapping[str, Any] | None:
        """Open nothing."""
        return None


class ArmClosed(Closed):
    """A reader of a story that opens doses and no arm."""

    def __init__(self, story: Story) -> None:
        super().__init__(story)
        self._story = story

    def opened(self, event: str) -> Mapping[str, Any] | None:
        """Open what is no allocation."""
        values = self._story.opened(event)
        return None if values is not None and "/data/arm" in values else values


def test_every_dose_is_sealed_in_one_size() -> None:
    """Whatever products it has, what is sealed has the same length: 2,048 bytes."""
    one = contents(lines("0"))["/data/contents"]
    two = contents([*lines("12345.678"), *({"product": p, "quantity": mg("7")} for p in PRODUCTS)])
    assert len(encode(one)) == len(encode(two["/data/contents"])) == 2048


# Whose label it is


@breaks("dose.received", "LABEL_OF_ANOTHER")
@breaks("infusion.started", "LABEL_OF_ANOTHER")
def test_a_label_is_of_the_participants_own_dose() -> None:
    """The bag made for the second infusion is received for the first: flagged, and it does not start."""
    story = given_ordered()
    told = prepare(story, 2)
    given_two_signatures(story, told)
    got = story.when("dose.received", received(story, 1, label="L2"), by="nurse")
    assert got.codes == ("LABEL_OF_ANOTHER",)
    story.given("preinfusion_check.passed", checked(), by="nurse")
    assert story.when("infusion.started", start(1, label="L2"), by="nurse").refused == "LABEL_OF_ANOTHER"


@breaks("dose.received", "DOSE_NOT_DISPENSED")
def test_a_dose_at_the_bedside_has_left_the_pharmacy() -> None:
    """Prepared and checked, received, and nobody dispensed it: recorded and flagged."""
    story, _ = given_checked()
    assert story.when("dose.received", received(story), by="nurse").codes == ("DOSE_NOT_DISPENSED",)


def test_who_is_not_shown_the_pharmacy_believes_the_breach() -> None:
    """Without the pharmacy's statements the mix-up cannot be judged; that it is recorded is not unfounded."""
    story = given_ordered()
    prepare(story, 2)
    story.when("dose.received", received(story, 1, label="L2"), by="nurse")
    conduct = Conduct(Closed(story))
    for entry in story.log:
        assert entry.statement is not None
        hidden = entry.statement.stream.startswith("pharmacy/")
        shown = replace(entry, statement=None) if hidden else entry
        assert not [v for v in conduct.judge(shown, story.authority) if v.rule == "BREACH_UNFOUNDED"]
        conduct.evolve(shown, story.authority)
    assert conduct.unrecorded() == ()
    assert [b.recorded is not None for b in conduct.breaches() if b.rule == "LABEL_OF_ANOTHER"] == [True]


@breaks("dose.dispensed", "NOT_RANDOMIZED", "CONSENT_MISSING")
def test_a_dose_needs_a_randomized_participant() -> None:
    """Nothing leaves for who was registered and no more."""
    codes = _dispensed_to_another(given_stock())
    assert {"NOT_RANDOMIZED", "CONSENT_MISSING"} <= codes


@breaks("dose.dispensed", "NOT_ELIGIBLE")
def test_a_dose_needs_an_eligible_participant_where_nobody_is_randomized(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A protocol without a list asks for confirmed eligibility in its place."""
    definition = json.loads(scenario.DEFINITION)
    del definition["randomization"]
    monkeypatch.setattr(scenario, "DEFINITION", json.dumps(definition).encode())
    codes = _dispensed_to_another(given_stock())
    assert "NOT_ELIGIBLE" in codes
    assert "NOT_RANDOMIZED" not in codes


def _dispensed_to_another(story: Story) -> set[str]:
    other = "SA-01-002"
    story.given("participant.registered", {"participant": other}, stream=f"participant/{other}")
    told = when(
        story, "dose.prepared", {**preparation(story), "participant": other, "label": "L7"}, opened=contents()
    )
    given_two_signatures(story, told)
    data = {**dispensing(told), "participant": other, "label": "L7"}
    return set(when(story, "dose.dispensed", data).codes)


@breaks("dose.dispensed", "ELIGIBILITY_REVOKED")
def test_no_dose_leaves_until_dosing_is_decided() -> None:
    """Eligibility that was taken back holds the dose as it holds the start that it is for."""
    story, told = given_checked()
    confirmed = story.participant.consenting.confirmations[-1]
    data = {"statement": confirmed, "code": "misjudged", "criteria": ["E03"]}
    story.when("eligibility.revoked", data, by="sub")
    assert when(story, "dose.dispensed", dispensing(told)).refused == "ELIGIBILITY_REVOKED"
    story.given("eligibility.revoked", {**data, "dosing": "continued", "decided_by": "ines"}, by="sub")
    given(story, "dose.dispensed", dispensing(told))


@breaks("dose.dispensed", "CONSENT_HELD")
def test_a_defect_of_consent_holds_the_dose() -> None:
    """While the consent is defective and neither renewed nor decided, no dose leaves."""
    story, prepared = given_checked()
    consent = story.participant.consents[-1].event
    story.when("consent.defect_found", {"statement": consent, "defect": "missing_page"})
    assert "CONSENT_HELD" in when(story, "dose.dispensed", dispensing(prepared)).codes


@breaks("dose.dispensed", "PARTICIPANT_ENDED")
def test_no_dose_leaves_for_who_has_left() -> None:
    """After withdrawal from the study nothing is dispensed."""
    story, prepared = given_checked()
    story.given(
        "participant.withdrawn", {"date": "2025-02-03", "last_visit": "screening", "code": "participant"}
    )
    assert when(story, "dose.dispensed", dispensing(prepared)).refused == "PARTICIPANT_ENDED"


@breaks("dose.dispensed", "TREATMENT_ENDED")
def test_no_dose_leaves_after_treatment() -> None:
    """Treatment was discontinued: what is prepared stays in the pharmacy."""
    story, prepared = given_checked()
    story.given("treatment.discontinued", {"date": "2025-02-03", "reason": "physician"}, by="sub")
    assert when(story, "dose.dispensed", dispensing(prepared)).refused == "TREATMENT_ENDED"
