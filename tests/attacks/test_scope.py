"""What is left out, given too much, or opened falsely by who hands a bundle out (§7, §9, §10)."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.sealing import make_disclosure
from ledger.verify.findings import Verdict
from ledger.verify.options import Scope
from tests.attacks.mutators_log import (
    NOW,
    Check,
    disclosures,
    set_disclosures,
    set_streams,
    streams,
)
from tests.attacks.mutators_people import control
from tests.attacks.mutators_scope import narrow, set_withheld, state, withheld, withhold
from tests.ledger.forgery import Forgery
from tests.ledger.small_ledger import SmallLedger, seed
from tests.ledger.verifying import found, problems

ONE = Scope(kind="participant", id="SA-01-001")
OTHER = Scope(kind="participant", id="SA-01-002")
NOBODY = Scope(kind="participant", id="SD-02-001")
SITE = Scope(kind="site", id="SA-01")
STUDY = Scope(kind="study")


# Withheld


@pytest.mark.parametrize("why", ["blinded", "scope"])
@pytest.mark.parametrize(
    "label", ["account bchan", "key bchan", "role bchan", "protocol", "enrolment", "delegation"]
)
def test_control_payload_withheld(
    forged: Forgery, made: SmallLedger, check: Check, label: str, why: str
) -> None:
    """What the fold of authority needs is in every bundle: else anybody could have signed what follows."""
    at = made.at[label]
    withhold(forged, at, why)
    report = check(forged)
    assert found(report, "CONTROL_WITHHELD") == [at]
    assert report.verdict(Verdict.INTEGRITY) == "fails"


@pytest.mark.parametrize("label", ["vitals SA-01-001", "correction SA-01-002", "registered SA-01-001"])
def test_record_withheld_as_blinded(forged: Forgery, made: SmallLedger, check: Check, label: str) -> None:
    """What the role sees is not blinded, and nothing is withheld in a stream whose salt is given."""
    at = made.at[label]
    withhold(forged, at, "blinded")
    report = check(forged)
    assert found(report, "WITHHELD_BLINDED") == found(report, "WITHHELD_IN_STREAM") == [at]
    assert report.verdict(Verdict.COMPLETENESS) == "fails"


def test_record_withheld_as_out_of_scope(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """In the whole study's bundle nothing is out of scope."""
    at = made.at["vitals SA-01-001"]
    withhold(forged, at, "scope")
    assert found(check(forged), "WITHHELD_SCOPE") == [at]


def test_stream_withheld_whole_with_its_salt(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A participant is left out with the salt: the leaves' class says that it was no blinded stream."""
    tag = forged.statement(made.at["registered SA-01-002"])["tag"]
    gone = [index for index in range(forged.size) if forged.leaf(index)["stream"] == tag]
    for index in gone:
        withhold(forged, index, "blinded")
    salts = streams(forged)
    del salts["participant/SA-01-002"]
    set_streams(forged, salts)
    report = check(forged)
    assert found(report, "WITHHELD_BLINDED") == gone
    assert report.verdict(Verdict.COMPLETENESS) == "fails"


def test_withheld_and_not_listed(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Each empty line has its line in `withheld.jsonl`."""
    at = made.at["vitals SA-01-001"]
    withhold(forged, at, "blinded")
    set_withheld(forged, [])
    assert found(check(forged), "WITHHELD_FORM") == [at]


def test_listed_and_shown(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """And no other has one."""
    at = made.at["vitals SA-01-001"]
    set_withheld(forged, [{"index": at, "statement": forged.leaf(at)["statement"], "why": "blinded"}])
    assert problems(check(forged)) == {"WITHHELD_FORM"}


@pytest.mark.parametrize(
    "change",
    [{"why": "tired"}, {"index": -1}, {"index": "3"}, {"statement": "AB" * 32}, {"more": 1}],
    ids=str,
)
def test_withheld_line_of_another_form(
    forged: Forgery, made: SmallLedger, check: Check, change: dict[str, Any]
) -> None:
    """There are two reasons to withhold, and a line has three members."""
    at = made.at["vitals SA-01-001"]
    line = {"index": at, "statement": forged.leaf(at)["statement"], "why": "blinded", **change}
    set_withheld(forged, [line])
    report = check(forged)
    assert problems(report) & {"FILE_FORM", "WITHHELD_FORM"}
    assert report.exit_code == 1


# Scope and role


def test_one_participants_bundle_holds(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Narrowed as an export would: what fails below fails by its change."""
    narrow(forged, made, ONE)
    assert problems(check(forged, scope=ONE)) == set()


@pytest.mark.parametrize("scope", [SITE, STUDY, OTHER], ids=str)
def test_another_scope_than_stated(forged: Forgery, made: SmallLedger, check: Check, scope: Scope) -> None:
    """A bundle of one participant is no answer to another question, whatever it says of itself."""
    narrow(forged, made, ONE)
    report = check(forged, scope=scope)
    assert "SCOPE_MISMATCH" in problems(report)
    assert report.verdict(Verdict.COMPLETENESS) == "fails"
    state(forged, kind=scope.kind, id=scope.id)
    report = check(forged, scope=scope)
    assert "SCOPE_MISMATCH" not in problems(report)
    assert report.verdict(Verdict.COMPLETENESS) == "fails"


@pytest.mark.parametrize("scope", [Scope(kind="site", id="SD-02"), NOBODY], ids=str)
def test_empty_scope(forged: Forgery, check: Check, scope: Scope) -> None:
    """Nothing is there under these labels, which is no success."""
    state(forged, kind=scope.kind, id=scope.id)
    report = check(forged, scope=scope)
    assert "SCOPE_EMPTY" in problems(report)
    assert report.exit_code == 1


def test_bundle_of_another_role(forged: Forgery, check: Check) -> None:
    """An auditor's bundle is no inspector's, who sees more; relabelled, what it does not open is named."""
    assert problems(check(forged, role="inspector")) == {"SCOPE_MISMATCH"}
    state(forged, role="inspector")
    assert found(check(forged, role="inspector"), "OPENING_MISSING") != []


def test_salt_left_out_of_a_participants_bundle(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Without the salt nobody can tell what is missing."""
    narrow(forged, made, ONE)
    set_streams(forged, {})
    assert "SALT_MISSING" in problems(check(forged, scope=ONE))


def test_statement_of_another_participant_shown(
    forged: Forgery, real: Forgery, made: SmallLedger, check: Check
) -> None:
    """What lies outside of the scope is not handed out with it."""
    narrow(forged, made, ONE)
    at = made.at["vitals SA-01-002"]
    forged.payloads[at] = real.payloads[at]
    set_withheld(forged, [line for line in withheld(forged) if line["index"] != at])
    report = check(forged, scope=ONE)
    assert found(report, "SHOWN_SCOPE") == [at]


def test_record_of_the_participant_withheld_as_another_site(
    forged: Forgery, made: SmallLedger, check: Check
) -> None:
    """In a participant's own bundle everything under the tag is shown."""
    narrow(forged, made, ONE)
    at = made.at["vitals SA-01-001"]
    withhold(forged, at, "scope")
    report = check(forged, scope=ONE)
    assert found(report, "WITHHELD_IN_STREAM") == found(report, "WITHHELD_SCOPE") == [at]


# Openings


def _opening(forged: Forgery) -> tuple[list[dict[str, Any]], int]:
    lines = disclosures(forged)
    return lines, lines[0]["index"]


def test_disclosure_of_another_event(forged: Forgery, check: Check) -> None:
    """Two openings change places between two statements of one form."""
    lines, first = _opening(forged)
    lines[0]["open"], lines[1]["open"] = lines[1]["open"], lines[0]["open"]
    set_disclosures(forged, lines)
    report = check(forged)
    assert problems(report) == {"DISCLOSURE"}
    assert found(report, "DISCLOSURE") == [first, lines[1]["index"]]


def test_disclosure_for_another_path(forged: Forgery, check: Check) -> None:
    """An opening given under another path than it was sealed at."""
    lines, first = _opening(forged)
    lines[0]["open"] = {"/data/arm": next(iter(lines[0]["open"].values()))}
    set_disclosures(forged, lines)
    report = check(forged)
    assert found(report, "DISCLOSURE") == [first]


@pytest.mark.parametrize("member", ["salt", "id", "path", "value"])
def test_disclosure_made_anew(forged: Forgery, check: Check, member: str) -> None:
    """Another value, salt, statement or path under the digest that was signed."""
    lines, first = _opening(forged)
    own = {
        "salt": seed("another salt") if member == "salt" else seed("salt"),
        "id": forged.statement(first + 1 if member == "id" else first)["id"],
        "path": "/data/text" if member == "path" else "/reason/text",
        "value": "another" if member == "value" else "misread",
    }
    lines[0]["open"] = {"/reason/text": make_disclosure(own["salt"], own["id"], own["path"], own["value"])}
    set_disclosures(forged, lines)
    report = check(forged)
    assert found(report, "DISCLOSURE") == [first]
    assert report.verdict(Verdict.INTEGRITY) == "fails"


@pytest.mark.parametrize("text", ["", "=", "AAAA", "x" * 9_000, "W10"])
def test_disclosure_that_is_none(forged: Forgery, check: Check, text: str) -> None:
    """Whatever stands in the place of an opening."""
    lines, first = _opening(forged)
    lines[0]["open"] = {"/reason/text": text}
    set_disclosures(forged, lines)
    assert found(check(forged), "DISCLOSURE") == [first]


def test_disclosure_left_out(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Destroyed or held back without an erasure on two approvals: named, and no verdict rests on it.

    A bundle need not open what its reader may see (§9), so this is a note.
    """
    set_disclosures(forged, disclosures(forged)[1:])
    report = check(forged)
    assert problems(report) == set()
    assert found(report, "OPENING_MISSING") == [made.at["correction SA-01-001"]]


def test_unauthorised_erasure(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """The service erases without two approvals: refused, so that what is gone is missing all the same."""
    at = made.at["correction SA-01-001"]
    digest = forged.statement(at)["sealed"]["/reason/text"]
    erased = {
        "approvals": ["ab" * 32, "cd" * 32],
        "digests": [digest],
        "statement": forged.leaf(at)["statement"],
    }
    index = control(
        forged, made, "personal_data.erased", "study", erased, by="service", meaning="attestation",
        occurred_at=NOW,
    )  # fmt: skip
    set_disclosures(forged, disclosures(forged)[1:])
    report = check(forged)
    assert "REFERENCE" in problems(report)
    assert found(report, "OPENING_MISSING") == [at]
    assert found(report, "ERASED") == []
    assert index == forged.size - 1


def test_erasure_on_approvals_of_one_person(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Two approvals are of two people, one of them not of the sponsor."""
    at = made.at["correction SA-01-001"]
    target = forged.leaf(at)["statement"]
    digest = forged.statement(at)["sealed"]["/reason/text"]
    approval = {"digests": [digest], "legal_basis": "withdrawal", "statement": target}
    approvals = [
        forged.leaf(control(forged, made, "erasure.approved", "study", approval, by="admin"))["statement"]
        for _ in range(2)
    ]
    erased = {"approvals": approvals, "digests": [digest], "statement": target}
    index = control(
        forged, made, "personal_data.erased", "study", erased, by="service", meaning="attestation"
    )
    set_disclosures(forged, disclosures(forged)[1:])
    report = check(forged)
    assert found(report, "OPENING_MISSING") == [at]
    assert index in found(report, "REFUSABLE") + found(report, "SAME_PERSON")
