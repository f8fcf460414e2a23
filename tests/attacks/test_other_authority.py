"""What else authority refuses: roles that exclude each other, other people's business, transfers (§6)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ledger.policy import TrustPolicy
from ledger.verify.findings import Verdict
from tests.attacks.assertions import assert_only
from tests.attacks.mutators_log import Check, copied, training, truncate, vitals
from tests.attacks.mutators_people import control, described, enrolment
from tests.attacks.mutators_signatures import p256, ref
from tests.ledger.forgery import Forgery, key_of
from tests.ledger.small_ledger import SmallLedger
from tests.ledger.verifying import found, judge, problems

BCHAN = "person/bchan"


@pytest.mark.parametrize("role", ["unblinded_pharmacist", "list_holder"])
def test_role_that_excludes_one_held_before(
    forged: Forgery, made: SmallLedger, check: Check, role: str
) -> None:
    """Who rates blinded is never unblinded later, and a list's holder has no other role."""
    first = {"blinded": True, "person": "bchan", "role": "blinded_rater", "sites": ["SA-01"]}
    control(forged, made, "role.granted", BCHAN, first)
    control(forged, made, "role.revoked", BCHAN, {"person": "bchan", "role": "blinded_rater"})
    second = {"blinded": False, "person": "bchan", "role": role, "sites": ["SA-01"]}
    at = control(forged, made, "role.granted", BCHAN, second)
    assert_only(check(forged), "ROLE_CONFLICT", at)


def test_policy_acknowledged_for_somebody_else(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Only the holder acknowledges."""
    letter = {"letter": "LNR-2024-01", "person": "bchan", "version": "2"}
    at = control(
        forged, made, "esignature_policy.acknowledged", BCHAN, letter, by="aruiz", meaning="responsibility"
    )
    assert_only(check(forged), "HOLDER_ONLY", at)


def test_key_confirmed_by_a_later_one(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A key that was brought in falsely does not confirm the one before it."""
    later = p256("later")
    control(forged, made, "key.enrolled", BCHAN, enrolment(described(later, "bchan")), further=[later])
    data = {"key": key_of("bchan").id, "person": "bchan"}
    at = control(
        forged, made, "key.holder_confirmed", BCHAN, data, by="bchan", key=later, meaning="responsibility"
    )
    report = check(forged)
    assert "KEY_ORDER" in problems(report)
    assert report.first_index == at


def test_sealed_path_left_out(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """What a type seals is sealed always: a plain or missing arm would tell by its form."""
    like = made.at["demographics SA-01-002"]
    statement = forged.draft(like)
    statement["sealed"] = dict(list(statement["sealed"].items())[1:])
    at = forged.append(statement, [key_of("bchan")])
    report = check(forged)
    assert problems(report) & {"SEALED_PATHS", "DATA"}
    assert report.first_index == at


def test_sealed_path_added(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Nor does a type seal more than it does."""
    at = forged.append(vitals(forged, made, sealed={"/data/arm": "D" * 42 + "A"}), [key_of("bchan")])
    report = check(forged)
    assert problems(report) & {"SEALED_PATHS", "DATA"}
    assert report.first_index == at


def test_bundle_of_a_log_under_other_keys(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Leaf 0 names the keys of the log; a policy with fewer does not pass for it."""
    policy = replace(made.policy, log_keys=made.policy.log_keys[:1])
    report = check(forged, policy=policy, classical=True)
    assert problems(report) == {"LOG_KEYS"}
    assert found(report, "CLASSICAL") == [None]


def test_ledger_that_nobody_named(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Without a ledger id the best that can be said is unpinned, with an exit code of its own."""
    unnamed: TrustPolicy = replace(made.policy, ledger_id=None)
    report = check(forged, policy=unnamed)
    assert problems(report) == {"UNPINNED"}
    assert report.exit_code == 3
    assert report.verdict(Verdict.INTEGRITY) == "holds"


def test_what_is_said_of_trust_without_being_found(forged: Forgery, check: Check) -> None:
    """No witness, and identities that one organisation alone vouches for, are named in every report."""
    report = check(forged)
    assert {each.code for each in report.notes} >= {"NO_QUORUM", "ONE_SIDED_IDENTITY"}


@pytest.mark.parametrize("change", ["bytes", "size", "name"])
def test_attachment_exchanged(forged: Forgery, made: SmallLedger, check: Check, change: str) -> None:
    """A consent form or a protocol is the bytes that its statement names."""
    digest = forged.statement(made.at["form"])["data"]["document"]["sha256"]
    name = f"attachments/{digest}"
    match change:
        case "bytes":
            forged.files[name] = forged.files[name][:-1] + b"X"
        case "size":
            forged.files[name] += b"X"
        case "name":
            forged.files["attachments/" + "ab" * 32] = forged.files.pop(name)
    report = check(forged)
    expected = {"ATTACHMENT_MISSING", "FILE_EXTRA"} if change == "name" else {"ATTACHMENT"}
    assert problems(report) == expected
    assert report.exit_code == 1


def test_outbox_of_another_form(forged: Forgery, check: Check, tmp_path: Path) -> None:
    """What an auditor holds and the verifier can't read is said, not passed over."""
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "mine.json").write_bytes(forged.payloads[5][:-1])
    (tmp_path / "outbox" / "mine.tlog-proof").write_bytes(b"junk")
    assert found(check(forged, outbox=tmp_path / "outbox"), "OUTBOX_FORM") == [None, None]


def test_what_an_operator_may_do_before_anybody_looks(
    real: Forgery, made: SmallLedger, check: Check, tmp_path: Path
) -> None:
    """A log cut short that no auditor, client or witness has seen past is sound: witnesses are for this."""
    cut = copied(real)
    truncate(cut, made.at["correction SA-01-002"])
    assert problems(check(cut)) == set()
    first = (cut.write(tmp_path / "cut") / "checkpoint").read_bytes()
    cut.append(training(cut, made), [key_of("root")])
    assert problems(judge(cut.write(tmp_path / "on"), made.policy, previous=first)) == set()


def test_signed_by_a_person_who_is_not_the_author(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A root key under a coordinator's name."""
    at = forged.append(vitals(forged, made, key=ref(key_of("root"))), [key_of("root")])
    report = check(forged)
    assert "ACTOR" in problems(report)
    assert report.first_index == at
