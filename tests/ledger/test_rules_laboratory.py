"""Weights, samples, results, electrocardiograms, forms; what tells the treatment is sealed (F, R8)."""

from __future__ import annotations

from typing import Any

from tests.given_safety import result, sample
from tests.given_sites import AMENDED, AT_SITE, amendment, approve, prepare
from tests.scenario import SOURCE, STUDY, VITALS, Told, breaks, consent, given_consented, keeps

ECG: dict[str, Any] = {"measurements": [], "interpretation": "normal"}
FORM = {"form": "FALLS", "version": "1", "fields": [{"field": "fell", "value": "no"}]}
TELLING = STUDY.unblinding_analytes[0]
AMOUNT = {"value": "0.9", "unit": "mmol/L"}


@keeps("weight.recorded", "ecg.recorded", "form.recorded", "vital_signs.recorded")
def test_what_is_measured_breaks_nothing() -> None:
    """A weight, an electrocardiogram and a form, at a visit or not."""
    story = given_consented()
    story.given("visit.started", {"visit": "screening", "mode": "in_person"})
    story.given("vital_signs.recorded", VITALS)
    story.given("weight.recorded", {"weight": {"value": "80.0", "unit": "kg"}, "visit": "screening"})
    story.given("ecg.recorded", ECG)
    story.given("form.recorded", FORM)


@keeps("lab_sample.collected", "lab_result.received", "result.reviewed")
def test_a_sample_comes_back_and_is_reviewed() -> None:
    """Collected, analysed, judged by a physician."""
    story = given_consented()
    story.given("lab_sample.collected", sample())
    told = story.given("lab_result.received", result("sodium"))
    review = {"statement": told.event, "significance": "not_significant", "code": "none"}
    story.given("result.reviewed", review, by="sub")


@breaks("vital_signs.recorded", "UNBLINDING_ANALYTE_PLAIN")
@breaks("ecg.recorded", "UNBLINDING_ANALYTE_PLAIN")
@breaks("lab_result.received", "UNBLINDING_ANALYTE_PLAIN")
@breaks("form.recorded", "UNBLINDING_ANALYTE_PLAIN")
def test_what_tells_the_treatment_is_refused_in_plain() -> None:
    """Accepted, it would be in the log for every blinded reader: it is refused, fact or not."""
    story = given_consented()
    story.given("lab_sample.collected", sample())
    measured = {"measurements": [{"name": TELLING, "quantity": AMOUNT}]}
    for type_, data in (
        ("vital_signs.recorded", measured),
        ("ecg.recorded", {**ECG, **measured}),
        ("lab_result.received", result("sodium", TELLING)),
        ("form.recorded", {**FORM, "fields": [{"field": TELLING, "value": "0.9"}]}),
    ):
        assert story.when(type_, data).refused == "UNBLINDING_ANALYTE_PLAIN", type_


@breaks("correction.made", "UNBLINDING_ANALYTE_PLAIN")
@breaks("correction.proposed", "UNBLINDING_ANALYTE_PLAIN")
def test_a_correction_does_not_tell_the_treatment_either() -> None:
    """A plain value is not given the name of one that tells the treatment: it would be read as that."""
    story = given_consented()
    story.given("lab_sample.collected", sample())
    told = story.given("lab_result.received", result("sodium"))
    path = "/data/analytes/0/analyte"
    right = {"statement": told.event, "path": path, "old": "sodium", "new": TELLING}
    assert story.when("correction.made", right, reason="entry_error").refused == "UNBLINDING_ANALYTE_PLAIN"
    proposed = story.when("correction.proposed", {**right, "source": SOURCE}, by="coder", reason="query")
    assert proposed.refused == "UNBLINDING_ANALYTE_PLAIN"
    story.given("correction.made", {**right, "new": "potassium"}, reason="entry_error")


def test_a_correction_is_judged_by_the_version_of_the_participant() -> None:
    """Who waits for re-consent: what only the amendment calls telling may be named, as in a first entry."""
    story = given_consented()
    approve(story, reconsent=True, telling="potassium")
    prepare(story)
    story.given("amendment.activated", amendment(story), by="sponsor", stream=AT_SITE)
    story.given("lab_sample.collected", sample())
    told = story.given("lab_result.received", result("sodium"))
    right = {"statement": told.event, "path": "/data/analytes/0/analyte", "old": "sodium", "new": "potassium"}
    assert story.when("correction.made", right, reason="entry_error").codes == ()
    story.given("consent.obtained", consent(story, form_version=AMENDED))
    later = story.given("lab_result.received", result("sodium"))
    right["statement"] = later.event
    assert story.when("correction.made", right, reason="entry_error").refused == "UNBLINDING_ANALYTE_PLAIN"


@keeps("lab_result.received")
def test_the_sealed_list_takes_what_tells_the_treatment() -> None:
    """Nothing in plain, whatever stands in the sealed list: the statement is the same in every arm."""
    story = given_consented()
    story.given("lab_sample.collected", sample())
    told = story.given("lab_result.received", result())
    kept = next(entry.statement for entry in story.log if entry.event == told.event)
    assert kept is not None
    assert list(kept.sealed) == ["/data/unblinding_results"]


@breaks("lab_sample.collected", "SAMPLE_REPEATED")
def test_a_label_of_a_sample_is_used_once() -> None:
    """Two samples under one label are flagged."""
    story = given_consented()
    story.given("lab_sample.collected", sample())
    assert story.when("lab_sample.collected", sample()).codes == ("SAMPLE_REPEATED",)


@breaks("lab_result.received", "SAMPLE_UNKNOWN")
def test_a_result_is_of_a_sample() -> None:
    """A result of a sample that nobody took is flagged and kept."""
    story = given_consented()
    told = story.when("lab_result.received", result("sodium", label="LS-9"))
    assert (told.refused, told.codes) == (None, ("SAMPLE_UNKNOWN",))


@breaks("result.reviewed", "RESULT_UNKNOWN")
def test_a_review_is_of_a_result() -> None:
    """A visit is no result."""
    story = given_consented()
    visit = story.given("visit.started", {"visit": "screening", "mode": "in_person"})
    review = {"statement": visit.event, "significance": "significant", "code": "none"}
    assert story.when("result.reviewed", review, by="sub").codes == ("RESULT_UNKNOWN",)


def reviewed(told: Told) -> dict[str, Any]:
    """Say that a physician judged what was told."""
    return {"statement": told.event, "significance": "not_significant", "code": "none"}


def test_a_review_stands_when_its_participant_is_folded_again() -> None:
    """A correction reads the stream anew; its reviews still name results, of several the right one."""
    story = given_consented()
    vitals = [story.given("vital_signs.recorded", VITALS) for _ in range(3)]
    for each in reversed(vitals):
        story.given("result.reviewed", reviewed(each), by="sub")
    path = "/data/measurements/0/quantity/value"
    change = {"statement": vitals[1].event, "path": path, "old": "72", "new": "27"}
    story.given("correction.made", change, reason="entry_error")
    assert not [breach for breach in story.conduct.breaches() if breach.rule == "RESULT_UNKNOWN"]


def test_a_result_that_is_voided_is_no_result_any_more() -> None:
    """Who reviews it afterwards is flagged."""
    story = given_consented()
    vitals, kept = story.given("vital_signs.recorded", VITALS), story.given("vital_signs.recorded", VITALS)
    void = {"statement": vitals.event, "code": "duplicate"}
    voided = story.given("record.voided", void, reason="entry_error")
    story.given("record.cosigned", {"as": "supervisor", "statement": voided.event}, by="ines")
    assert story.when("result.reviewed", reviewed(vitals), by="sub").codes == ("RESULT_UNKNOWN",)
    story.given("result.reviewed", reviewed(kept), by="sub")


def test_a_result_of_another_participant_is_none_of_this_one() -> None:
    """Though it stands in the log before."""
    story = given_consented(participant="SA-01-002")
    stream = "participant/SA-01-002"
    told = story.given("vital_signs.recorded", VITALS, stream=stream)
    given_consented(story)
    story.given("vital_signs.recorded", VITALS)
    assert story.when("result.reviewed", reviewed(told), by="sub").codes == ("RESULT_UNKNOWN",)
    assert story.when("result.reviewed", reviewed(told), by="sub", stream=stream).codes == ()
