"""Queries, source verification, trail review, deviations and signatures over a scope (H; R8, R10)."""

from __future__ import annotations

from ledger.rules import refold
from ledger.rules.stream import view_of
from tests.given_quality import (
    AT_SITE,
    CHART,
    PULSE,
    ask,
    assured,
    correct,
    cosign,
    given_vitals,
    lock,
    query,
    review,
    sign,
    signing,
    told_of,
    verify,
    void,
)
from tests.scenario import (
    PARTICIPANT,
    SOURCE,
    VITALS,
    Story,
    Told,
    adverse_event,
    breaks,
    given_consented,
    given_registered,
    keeps,
)

# Queries


@keeps("query.opened", "query.answered", "query.reopened", "query.closed")
def test_a_query_from_opening_to_closing() -> None:
    """Opened by data management, answered by the site, opened again, answered and closed."""
    story, vitals = given_vitals()
    opened = ask(story, vitals)
    story.given("query.answered", {"statement": opened.event})
    story.given("query.reopened", {"statement": opened.event, "due": "2025-02-01"}, by="coder")
    fixed = correct(story, vitals, PULSE, "72", "73")
    story.given("query.answered", {"statement": opened.event, "correction": fixed.event}, by="sub")
    assert [q.state for q in assured(story).open_queries] == ["answered"]
    closed = story.given("query.closed", {"statement": opened.event, "code": "corrected"}, by="coder")
    found = assured(story).query(opened.event)
    assert found is not None
    assert (found.state, found.due, found.changed) == ("closed", "2025-02-01", closed.index)
    assert assured(story).open_queries == ()


@keeps("query.cancelled")
def test_a_query_is_cancelled() -> None:
    """What should not have been asked is no open query."""
    story, vitals = given_vitals()
    opened = ask(story, vitals)
    story.given("query.cancelled", {"statement": opened.event, "code": "duplicate"}, by="coder")
    assert assured(story).open_queries == ()


@breaks("query.opened", "REFERENCE")
@breaks("query.answered", "REFERENCE")
@breaks("query.reopened", "REFERENCE")
@breaks("query.closed", "REFERENCE")
@breaks("query.cancelled", "REFERENCE")
def test_a_query_is_about_a_record_of_its_stream() -> None:
    """A statement of another stream is not asked about here, and what is no query is not answered."""
    story, vitals = given_vitals()
    other = told_of(story, "site.activated")
    assert story.when("query.opened", query(other), by="coder").refused == "REFERENCE"
    assert story.when("query.answered", {"statement": vitals.event}).refused == "REFERENCE"
    assert story.when("query.reopened", {"statement": vitals.event}, by="coder").refused == "REFERENCE"
    for type_, code in (("query.closed", "answered"), ("query.cancelled", "duplicate")):
        told = story.when(type_, {"statement": vitals.event, "code": code}, by="coder")
        assert told.refused == "REFERENCE"


@breaks("query.opened", "FIELD_UNKNOWN")
def test_a_query_asks_about_values_that_are_there() -> None:
    """A path that leads nowhere is refused, a sealed one is not."""
    story, vitals = given_vitals()
    told = story.when("query.opened", query(vitals, "/data/measurements/9/quantity/value"), by="coder")
    assert told.refused == "FIELD_UNKNOWN"
    assert story.when("query.opened", query(vitals, PULSE), by="coder").codes == ()


@breaks("query.answered", "QUERY_ROLE")
@breaks("query.reopened", "QUERY_ROLE")
@breaks("query.closed", "QUERY_ROLE")
@breaks("query.cancelled", "QUERY_ROLE")
def test_the_site_answers_and_the_openers_role_closes() -> None:
    """A monitor neither answers nor closes what data management has opened."""
    story, vitals = given_vitals()
    named = {"statement": ask(story, vitals).event}
    assert story.when("query.answered", named, by="monitor").refused == "QUERY_ROLE"
    for type_, data in (
        ("query.cancelled", {**named, "code": "duplicate"}),
        ("query.closed", {**named, "code": "answered"}),
    ):
        assert story.when(type_, data, by="monitor").refused == "QUERY_ROLE"
    story.given("query.answered", named)
    assert story.when("query.reopened", named, by="monitor").refused == "QUERY_ROLE"


@breaks("query.answered", "QUERY_STATE")
@breaks("query.reopened", "QUERY_STATE")
@breaks("query.closed", "QUERY_STATE")
@breaks("query.cancelled", "QUERY_STATE")
def test_a_query_goes_step_by_step() -> None:
    """An open one is not opened again, an answered one not answered, a closed one not closed."""
    story, vitals = given_vitals()
    named = {"statement": ask(story, vitals).event}
    assert story.when("query.reopened", named, by="coder").refused == "QUERY_STATE"
    story.given("query.answered", named)
    assert story.when("query.answered", named).refused == "QUERY_STATE"
    story.given("query.closed", {**named, "code": "answered"}, by="coder")
    for type_, code in (("query.closed", "answered"), ("query.cancelled", "duplicate")):
        assert story.when(type_, {**named, "code": code}, by="coder").refused == "QUERY_STATE"


@breaks("query.answered", "REFERENCE")
def test_an_answer_names_a_correction_of_the_stream() -> None:
    """The correction that an answer rests on stands beside it."""
    story, vitals = given_vitals()
    named = {"statement": ask(story, vitals).event, "correction": told_of(story, "site.activated").event}
    assert story.when("query.answered", named).refused == "REFERENCE"


@breaks("query.opened", "AUTHOR_UNBLINDED")
@breaks("query.answered", "AUTHOR_UNBLINDED")
@breaks("query.reopened", "AUTHOR_UNBLINDED")
@breaks("query.closed", "AUTHOR_UNBLINDED")
@breaks("query.cancelled", "AUTHOR_UNBLINDED")
@breaks("source.verified", "AUTHOR_UNBLINDED")
@breaks("source.discrepancy_found", "AUTHOR_UNBLINDED")
@breaks("source_document.certified", "AUTHOR_UNBLINDED")
@breaks("deviation.reported", "AUTHOR_UNBLINDED")
@breaks("deviation.classified", "AUTHOR_UNBLINDED")
@breaks("trail.reviewed", "AUTHOR_UNBLINDED")
@breaks("record.signed", "AUTHOR_UNBLINDED")
@breaks("correction.made", "AUTHOR_UNBLINDED")
@breaks("correction.proposed", "AUTHOR_UNBLINDED")
@breaks("record.voided", "AUTHOR_UNBLINDED")
@breaks("record.cosigned", "AUTHOR_UNBLINDED")
def test_who_knows_the_treatment_does_not_write_where_blinded_roles_read() -> None:
    """An unblinded monitor or pharmacist about a record of a participant would tell something (R8)."""
    story, vitals = given_vitals()
    named = {"statement": vitals.event}
    told = [
        story.when("query.opened", query(vitals), by="unmon"),
        *(story.when(f"query.{verb}", named, by="unmon") for verb in ("answered", "reopened")),
        story.when("query.closed", {**named, "code": "answered"}, by="unmon"),
        story.when("query.cancelled", {**named, "code": "duplicate"}, by="unmon"),
        story.when("source.verified", {"items": [{**named, "paths": []}], "remote": True}, by="unmon"),
        story.when("source.discrepancy_found", {**named, "paths": [], "code": "differs"}, by="unmon"),
        story.when(
            "source_document.certified",
            {"kind": "scan", "sha256": "a" * 64, "pages": 1, "statements": []},
            by="keeper",
        ),
        story.when("deviation.reported", deviation(vitals), by="keeper"),
        story.when("deviation.classified", classified(vitals), by="safety"),
        story.when("trail.reviewed", reviewing(0, 1), by="unmon"),
        story.when("record.signed", signing(story, "participant"), by="keeper"),
        correct(story, vitals, PULSE, "72", "73", by="keeper"),
        story.when(
            "correction.proposed", {**named, "path": PULSE, "old": "72", "new": "73"}, by="unmon", reason="x"
        ),
        void(story, vitals, by="keeper"),
        cosign(story, vitals, by="keeper"),
    ]
    assert all("AUTHOR_UNBLINDED" in each.codes and each.refused for each in told)


# Source verification


@keeps("source.verified")
def test_a_verification_is_outdated_by_a_change_of_what_was_verified() -> None:
    """A correction of another value leaves it, one of this value outdates it, and so does a voiding."""
    story, vitals = given_vitals()
    verify(story, vitals, PULSE)
    correct(story, vitals, "/data/position", None, "supine")
    assert assured(story).to_verify_again == ()
    changed = correct(story, vitals, PULSE, "72", "73")
    assert [v.outdated for v in assured(story).to_verify_again] == [changed.index]
    verify(story, vitals, PULSE)
    assert assured(story).to_verify_again == ()
    voided = void(story, vitals)
    assert [v.outdated for v in assured(story).to_verify_again] == [voided.index]


def test_a_correction_that_is_voided_outdates_too() -> None:
    """The value verified is the corrected one; without the correction it is another."""
    story, vitals = given_vitals()
    changed = correct(story, vitals, PULSE, "72", "73")
    verify(story, vitals)
    back = void(story, changed)
    assert [v.outdated for v in assured(story).to_verify_again] == [back.index]


@breaks("source.verified", "REFERENCE", "FIELD_UNKNOWN")
def test_a_verification_names_records_and_values_of_its_stream() -> None:
    """Another stream's statement, and a value that is not there."""
    story, vitals = given_vitals()
    other = told_of(story, "site.activated")
    for named, paths, code in ((other, [], "REFERENCE"), (vitals, ["/data/no/where"], "FIELD_UNKNOWN")):
        items = [{"statement": named.event, "paths": paths}]
        told = story.when("source.verified", {"items": items, "remote": False}, by="monitor")
        assert told.refused == code


@keeps("source.discrepancy_found")
@breaks("source.discrepancy_found", "REFERENCE", "FIELD_UNKNOWN")
def test_a_discrepancy_stands_until_it_is_verified_again() -> None:
    """It outdates the verification of its value, and the next verification settles it."""
    story, vitals = given_vitals()
    verify(story, vitals)
    found = {"statement": vitals.event, "paths": [PULSE], "code": "differs"}
    told = story.given("source.discrepancy_found", found, by="monitor")
    assert [v.outdated for v in assured(story).to_verify_again] == [told.index]
    correct(story, vitals, PULSE, "72", "73")
    settled = verify(story, vitals, PULSE)
    assert [d.settled for d in assured(story).discrepancies] == [settled.index]
    wrong = {**found, "paths": ["/data/no/where"]}
    assert story.when("source.discrepancy_found", wrong, by="monitor").refused == "FIELD_UNKNOWN"
    wrong = {**found, "statement": told.event}
    assert story.when("source.discrepancy_found", wrong, by="monitor").refused == "REFERENCE"


@keeps("source_document.certified")
@breaks("source_document.certified", "REFERENCE")
def test_a_certified_document_belongs_to_records_of_its_stream() -> None:
    """A scan of the consent is certified beside it."""
    story, vitals = given_vitals()
    data = {"kind": "scan", "sha256": "a" * 64, "pages": 3, "statements": [vitals.event]}
    story.given("source_document.certified", data)
    other = {**data, "statements": [told_of(story, "site.activated").event]}
    assert story.when("source_document.certified", other).refused == "REFERENCE"


# Trail review


def reviewing(first: int, last: int) -> dict[str, object]:
    """Return the data of a review."""
    return {"first": first, "last": last, "criteria": ["late_entries"], "findings": 0, "source": SOURCE}


@keeps("trail.reviewed")
@breaks("trail.reviewed", "REVIEW_RANGE")
def test_a_review_is_of_what_is_there() -> None:
    """Entries that are still to come are not reviewed."""
    story = given_registered()
    review(story)
    told = story.when("trail.reviewed", reviewing(0, len(story.log)), by="coder", stream="study")
    assert told.refused == "REVIEW_RANGE"


# Deviations


def deviation(*named: Told, rules: tuple[str, ...] = ()) -> dict[str, object]:
    """Return the data of a deviation."""
    return {"code": "procedure_early", "statements": [each.event for each in named], "rules": list(rules),
            "known": "2025-01", "action": "retrained"}  # fmt: skip


def classified(named: Told, as_: str = "important") -> dict[str, object]:
    """Return the data of a classification."""
    return {"statement": named.event, "classification": as_, "impacts": ["data"], "irb": False}


def given_breach() -> tuple[Story, Told]:
    """Return vital signs taken before consent."""
    story = given_registered()
    told = story.when("vital_signs.recorded", VITALS)
    assert "CONSENT_MISSING" in told.codes
    return story, told


@keeps("deviation.reported", "deviation.classified")
def test_a_deviation_accounts_for_a_breach() -> None:
    """The breach is accounted for by the report's index; classified as none, it is open again."""
    story, vitals = given_breach()
    told = story.given("deviation.reported", deviation(vitals, rules=("CONSENT_MISSING",)))
    breach = story.breach(vitals, "CONSENT_MISSING")
    assert (breach.deviation, breach.is_open, breach.is_unaccounted) == (told.index, True, False)
    story.given("deviation.classified", classified(told, "not_a_deviation"), by="medmon")
    assert story.breach(vitals, "CONSENT_MISSING").is_unaccounted


def test_a_deviation_of_another_rule_does_not_account_for_it() -> None:
    """A deviation that names rules accounts for breaches of these alone; a voided one for none."""
    story, vitals = given_breach()
    story.given("deviation.reported", deviation(vitals, rules=("NOT_TRAINED",)))
    assert story.breach(vitals, "CONSENT_MISSING").is_unaccounted
    told = story.given("deviation.reported", deviation(vitals))
    assert not story.breach(vitals, "CONSENT_MISSING").is_unaccounted
    void(story, told)
    assert story.breach(vitals, "CONSENT_MISSING").is_unaccounted


@breaks("deviation.reported", "REFERENCE")
@breaks("deviation.classified", "REFERENCE")
def test_a_deviation_names_statements_of_its_stream() -> None:
    """And a classification a deviation."""
    story, vitals = given_breach()
    other = told_of(story, "site.activated")
    assert story.when("deviation.reported", deviation(other)).refused == "REFERENCE"
    assert story.when("deviation.classified", classified(vitals), by="medmon").refused == "REFERENCE"


@breaks("deviation.classified", "SAME_PERSON")
def test_a_deviation_is_not_classified_by_its_author() -> None:
    """Somebody else says how much it matters."""
    story, vitals = given_breach()
    told = story.given("deviation.reported", deviation(vitals), by="ines")
    assert story.when("deviation.classified", classified(told), by="ines").refused == "SAME_PERSON"


# Signatures over a scope


@keeps("record.signed")
def test_a_signature_is_outdated_by_a_later_record_in_its_scope() -> None:
    """A form by its correction, a participant by any record; queries and verifications leave both."""
    story, vitals = given_vitals()
    sign(story, "form", statement=vitals.event)
    sign(story, "participant", by="sub")
    ask(story, vitals)
    verify(story, vitals)
    assert assured(story).to_sign_again == ()
    later = story.given("vital_signs.recorded", VITALS)
    assert [(s.scope, s.outdated) for s in assured(story).to_sign_again] == [("participant", later.index)]
    changed = correct(story, vitals, PULSE, "72", "73")
    outdated = {s.scope: s.outdated for s in assured(story).to_sign_again}
    assert outdated == {"participant": later.index, "form": changed.index}
    sign(story, "form", statement=vitals.event)
    assert [s.scope for s in assured(story).to_sign_again] == ["participant"]


def test_a_visit_is_signed_with_what_names_it() -> None:
    """A late entry for the visit outdates the signature, one for another does not."""
    story = given_consented()
    story.given("visit.started", {"visit": "screening", "mode": "in_person"})
    story.given("vital_signs.recorded", {**VITALS, "visit": "screening"})
    sign(story, "visit", visit="screening")
    unscheduled = story.given("vital_signs.recorded", {**VITALS, "visit": "unscheduled"})
    assert assured(story).to_sign_again == ()
    moved = correct(story, unscheduled, "/data/visit", "unscheduled", "screening")
    assert [s.outdated for s in assured(story).to_sign_again] == [moved.index]


def test_what_entered_since_the_index_signed_outdates_it_at_once() -> None:
    """The digest is of what the signer saw; what came in between is not covered by it."""
    story = given_consented()
    upto = len(story.log)
    later = story.given("vital_signs.recorded", VITALS)
    story.given("record.signed", signing(story, "participant", upto=upto), by="sub")
    assert [s.outdated for s in assured(story).to_sign_again] == [later.index]


@breaks("record.signed", "SIGNED_DIGEST", "REFERENCE")
def test_a_signature_is_over_what_the_scope_holds() -> None:
    """Another digest, an index to come, a form of another stream."""
    story, vitals = given_vitals()
    data = signing(story, "participant")
    assert story.when("record.signed", {**data, "sha256": "b" * 64}, by="sub").refused == "SIGNED_DIGEST"
    beyond = {**data, "upto": len(story.log) + 5}
    assert story.when("record.signed", beyond, by="sub").refused == "SIGNED_DIGEST"
    empty = signing(story, "visit", visit="W99")
    assert story.when("record.signed", empty, by="sub").refused == "SIGNED_DIGEST"
    other = signing(story, "form", statement=told_of(story, "site.activated").event)
    assert story.when("record.signed", other, by="sub").refused == "REFERENCE"
    assert story.when("record.signed", signing(story, "form", statement=vitals.event), by="sub").codes == ()


@breaks("record.signed", "QUERIES_OPEN", "ENDORSER")
def test_open_queries_block_the_final_endorsement_alone() -> None:
    """A visit is signed beside an open query; the final endorsement waits, and is the investigator's."""
    story, vitals = given_vitals()
    opened = ask(story, vitals)
    sign(story, "participant", by="sub")
    assert story.when("record.signed", signing(story), by="ines").refused == "QUERIES_OPEN"
    story.given("query.cancelled", {"statement": opened.event, "code": "duplicate"}, by="coder")
    assert story.when("record.signed", signing(story), by="sub").refused == "ENDORSER"
    sign(story)


def test_a_site_is_signed_at_a_milestone() -> None:
    """Any later record of the site outdates the signature over it."""
    story = given_registered()
    sign(story, by="ines", stream=AT_SITE, milestone="handover")
    assert assured(story, AT_SITE).to_sign_again == ()
    data = {"date": "2025-01-06", "checklist": ["drug"]}
    told = story.when("site.initiated", data, by="sponsor", stream=AT_SITE)
    assert [s.outdated for s in assured(story, AT_SITE).to_sign_again] == [told.index]


# Proposals


def proposal(target: Told, old: str = "72", new: str = "73") -> dict[str, object]:
    """Return the data of a proposed correction of the pulse."""
    return {"statement": target.event, "path": PULSE, "old": old, "new": new}


@keeps("correction.proposed", "correction.made")
def test_a_proposal_takes_effect_by_the_sites_correction() -> None:
    """It changes nothing itself; the correction that cites it does."""
    story, vitals = given_vitals()
    told = story.given("correction.proposed", proposal(vitals), by="coder", reason="entry_error")
    assert correct(story, vitals, PULSE, "73", "74").refused == "CORRECTION_OLD_MISMATCH"
    cited = {"id": "coder", "kind": "person", "source": told.event}
    made = correct(story, vitals, PULSE, "72", "73", originator=cited)
    assert (made.codes, [p.taken for p in assured(story).proposals]) == ((), [made.index])


def test_a_proposal_is_taken_by_the_same_change() -> None:
    """A correction that names its own source does what was proposed; another one leaves it open."""
    story, vitals = given_vitals()
    story.given("correction.proposed", proposal(vitals), by="coder", reason="entry_error")
    correct(story, vitals, "/data/position", None, "supine")
    assert [p.taken for p in assured(story).proposals] == [None]
    made = correct(story, vitals, PULSE, "72", "73", originator=CHART)
    assert [p.taken for p in assured(story).proposals] == [made.index]


@breaks("correction.made", "PROPOSAL_DIFFERS")
def test_a_correction_that_cites_a_proposal_makes_that_change() -> None:
    """Another value is not what was proposed."""
    story, vitals = given_vitals()
    told = story.given("correction.proposed", proposal(vitals), by="coder", reason="entry_error")
    cited = {"id": "coder", "kind": "person", "source": told.event}
    assert correct(story, vitals, PULSE, "72", "74", originator=cited).refused == "PROPOSAL_DIFFERS"


@breaks(
    "correction.proposed",
    "REFERENCE",
    "CORRECTION_OLD_MISMATCH",
    "CORRECTION_MALFORMED",
    "CORRECTION_PATH",
    "CORRECTION_TARGET",
    "CORRECTION_SEALED",
)
def test_what_cannot_be_corrected_is_not_proposed() -> None:
    """Every rule of a correction's form holds for its proposal."""
    story, vitals = given_vitals()

    def proposed(**change: str) -> str | None:
        data = {**proposal(vitals), **change}
        return story.when("correction.proposed", data, by="coder", reason="x").refused

    assert proposed(statement="0" * 64) == "REFERENCE"
    assert proposed(old="70") == "CORRECTION_OLD_MISMATCH"
    assert proposed(new="x") == "CORRECTION_MALFORMED"
    assert proposed(path="/data/nothing/here") == "CORRECTION_PATH"
    sealed = {"statement": vitals.event, "path": PULSE}
    told = story.when("correction.proposed", sealed, by="coder", reason="x", schema=2)
    assert told.refused == "CORRECTION_SEALED"
    void(story, vitals)
    assert proposed() == "CORRECTION_TARGET"


def test_a_proposal_is_no_source() -> None:
    """A correction that rests on a proposal alone does not make a breach vanish."""
    story = given_consented()
    true, written = story.now, story.ago(minutes=4)
    vitals = story.when("vital_signs.recorded", VITALS, occurred=written)
    assert vitals.codes == ("PROCEDURE_BEFORE_CONSENT",)
    data = {"statement": vitals.event, "path": "/occurred_at", "old": written, "new": true}
    told = story.given("correction.proposed", data, by="coder", reason="x")
    cited = {"id": "coder", "kind": "person", "source": told.event}
    made = correct(story, vitals, "/occurred_at", written, true, originator=cited)
    cosign(story, made)
    assert story.breach(vitals, "PROCEDURE_BEFORE_CONSENT").is_open


def test_what_is_assured_folds_again_to_what_it_was() -> None:
    """A second fold of the whole log, and one from the beginning at every index, come to the same state."""
    story, vitals = given_breach()
    reported = story.given("deviation.reported", deviation(vitals))
    story.given("deviation.classified", classified(reported), by="medmon")
    opened = ask(story, vitals)
    verify(story, vitals, PULSE)
    sign(story, "form", statement=vitals.event)
    correct(story, vitals, PULSE, "72", "73")
    story.given("query.answered", {"statement": opened.event})
    story.given("query.closed", {"statement": opened.event, "code": "corrected"}, by="coder")
    lock(story)
    story.when("adverse_event.reported", adverse_event())
    again = Story()
    again.attachments = story.attachments
    for entry in story.log:
        again.log.append(entry)
        again.conduct.evolve(entry, story.authority)
        grown = again.conduct.state(PARTICIPANT)
        view = view_of(again.entries_of(f"participant/{PARTICIPANT}"), entry.index + 1)
        replayed = refold.replay(view, again.conduct.study, entry.index)
        assert (replayed is None) == (grown is None)
        if grown is not None and replayed is not None:
            assert replayed.assurance == grown.assurance
    assert again.conduct.state(PARTICIPANT) == story.participant
    assert again.conduct.study == story.conduct.study
