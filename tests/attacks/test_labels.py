"""Labels bent so that a thing is not found where it belongs: class, site, stream, tag, number (§2, §4)."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from ledger import canonical
from ledger.leaf import stream_tag
from ledger.verify.findings import Verdict
from ledger.verify.options import Scope
from tests.attacks.assertions import assert_only
from tests.attacks.mutators_log import (
    Check,
    disclosures,
    edit,
    set_disclosures,
    set_streams,
    sign_again,
    streams,
    training,
    vitals,
)
from tests.attacks.mutators_people import control
from tests.attacks.mutators_scope import narrow, set_withheld, withhold
from tests.ledger.forgery import Forgery, key_of
from tests.ledger.small_ledger import SmallLedger
from tests.ledger.verifying import found, problems

FIRST, SECOND = "participant/SA-01-001", "participant/SA-01-002"
ONE = Scope(kind="participant", id="SA-01-001")


# Leaf and statement apart


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("site", "SD-02", "LABELS"),
        ("site", "", "LABELS"),
        ("class", "restricted", "LABELS"),
        ("class", "control", "LABELS"),
        ("stream", "0" * 64, "LABELS"),
        ("payload_type", "application/json", "LABELS"),
        ("statement", "0" * 64, "STATEMENT_HASH"),
        ("index", 7, "INDEX"),
        ("class", "secret", "LEAF"),
        ("v", 2, "LEAF"),
        ("v", True, "LEAF"),
    ],
)
def test_labels_of_leaf_and_statement_apart(
    forged: Forgery, made: SmallLedger, check: Check, member: str, value: Any, code: str
) -> None:
    """A leaf repeats what was signed: whoever is not shown the statement goes by it."""
    at = forged.append(vitals(forged, made), [key_of("bchan")])
    forged.set_leaf(at, **{member: value})
    assert_only(check(forged), code, at)


def test_leaf_with_a_member_more(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A leaf has exactly its nine members."""
    at = forged.append(training(forged, made), [key_of("root")])
    forged.set_leaf(at, note="x")
    assert_only(check(forged), "LEAF", at)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"class": "open"}, "CLASS"),
        ({"class": "restricted"}, "CLASS"),
        ({"stream": "safety", "class": "control", "tag": "ab" * 32}, "CLASS_STREAM"),
        ({"stream": "participant/SA-01-001", "class": "control"}, "CLASS_STREAM"),
        ({"site": "SA-01"}, "SITE"),
    ],
    ids=["open", "restricted", "in safety", "with a participant", "site of a person"],
)
def test_control_statement_put_where_it_can_be_withheld(
    forged: Forgery, made: SmallLedger, check: Check, changes: dict[str, str], code: str
) -> None:
    """What the fold of authority needs stands in unsalted streams, as `control`."""
    at = forged.append(training(forged, made, **changes), [key_of("root")])
    report = check(forged)
    assert code in problems(report)
    assert report.first_index == at


def test_type_in_another_stream(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A training recorded in another person's stream."""
    at = forged.append(training(forged, made, stream="person/aruiz"), [key_of("root")])
    assert_only(check(forged), "STREAM", at)


# Tags


def test_two_tags_for_one_stream(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A second tag would be a second story of one participant."""
    tag = stream_tag(SECOND, bytes.fromhex("11" * 32))
    statement = vitals(forged, made, tag=tag, seq=1, prev="0" * 64)
    at = forged.append(statement, [key_of("bchan")])
    report = check(forged)
    assert {"TWO_TAGS"} <= problems(report) <= {"TWO_TAGS", "TAG"}
    assert report.first_index == at


def test_tags_of_two_participants_swapped(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """One participant's statement under the other's tag, in statement and leaf."""
    like = made.at["vitals SA-01-001"]
    last = made.at["correction SA-01-001"]
    head = forged.statement(last)
    statement = vitals(
        forged, made, tag=forged.statement(like)["tag"], seq=head["seq"] + 1,
        prev=forged.leaf(last)["statement"],
    )  # fmt: skip
    at = forged.append(statement, [key_of("bchan")])
    report = check(forged)
    assert {"TAG", "TWO_TAGS"} <= problems(report)
    assert report.first_index == at


def test_salts_of_two_participants_swapped(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Each salt belongs to the stream that it is given for."""
    salts = streams(forged)
    salts[FIRST], salts[SECOND] = salts[SECOND], salts[FIRST]
    set_streams(forged, salts)
    report = check(forged)
    assert {"SALT", "TAG"} <= problems(report)
    assert report.first_index == made.at["registered SA-01-001"]


def test_stream_salt_altered(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Another salt finds no leaf of the stream: said of the salt and of each statement."""
    salts = streams(forged)
    salts[SECOND] = hashlib.sha256(b"altered").hexdigest()
    set_streams(forged, salts)
    report = check(forged)
    assert {"SALT", "TAG"} <= problems(report)
    assert report.first_index == made.at["registered SA-01-002"]


def test_salt_of_an_unsalted_stream(forged: Forgery, check: Check) -> None:
    """Streams without a secret have no salt to give."""
    forged.files["streams.json"] = canonical.encode({"study_": "00" * 32})
    assert "FILE_FORM" in problems(check(forged))


def test_unsalted_stream_under_another_tag(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """The tag of a person's stream follows from its name."""
    statement = training(forged, made, tag="ab" * 32, seq=1, prev="0" * 64)
    at = forged.append(statement, [key_of("root")])
    report = check(forged)
    assert {"TAG", "TWO_TAGS"} == problems(report)
    assert report.first_index == at


def test_tail_of_a_participant_mis_tagged_and_shown(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """The leaf of the newest event bears another tag than the person signed: found where it is shown."""
    at = forged.append(vitals(forged, made), [key_of("bchan")])
    forged.set_leaf(at, stream="ef" * 32)
    assert_only(check(forged), "LABELS", at)


@pytest.mark.parametrize("label", ["stream", "site"])
def test_tail_of_a_participant_mis_tagged_and_out_of_scope(
    forged: Forgery, made: SmallLedger, check: Check, tmp_path: Path, label: str
) -> None:
    """In a participant's own bundle it is withheld as another's; who signed it holds what its labels were."""
    like = vitals(forged, made, **_next(forged, made))
    at = forged.append(like, [key_of("bchan")])
    body = forged.payloads[at]
    forged.set_leaf(at, **{"stream": "ef" * 32, **({"site": "SD-02"} if label == "site" else {})})
    narrow(forged, made, ONE)
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "mine.json").write_bytes(body)
    report = check(forged, scope=ONE, outbox=tmp_path / "outbox")
    assert found(report, "LABELS") == [at]
    assert problems(report) == {"LABELS"}


def test_second_stream_of_a_participant_out_of_scope(
    forged: Forgery, made: SmallLedger, check: Check, tmp_path: Path
) -> None:
    """A client was made to sign under a second tag, which the participant's bundle then leaves out."""
    at = forged.append(
        vitals(forged, made, stream=FIRST, tag="ef" * 32, seq=1, prev="0" * 64), [key_of("bchan")]
    )
    body = forged.payloads[at]
    narrow(forged, made, ONE)
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "mine.json").write_bytes(body)
    report = check(forged, scope=ONE, outbox=tmp_path / "outbox")
    assert found(report, "TWO_TAGS") == [at]
    assert problems(report) == {"TWO_TAGS"}


def _next(forged: Forgery, made: SmallLedger) -> dict[str, Any]:
    """Return the members of the next statement of the first participant."""
    last = made.at["correction SA-01-001"]
    head = forged.statement(last)
    return {
        "stream": FIRST,
        "tag": head["tag"],
        "seq": head["seq"] + 1,
        "prev": forged.leaf(last)["statement"],
    }


# Sequence


@pytest.mark.parametrize("seq", [1, 8, 10, 2**53 - 1])
def test_sequence_number_out_of_turn(forged: Forgery, made: SmallLedger, check: Check, seq: int) -> None:
    """A number again, a number left out."""
    members: dict[str, Any] = {"seq": seq, **({"prev": "0" * 64} if seq == 1 else {})}
    at = forged.append(vitals(forged, made, **members), [key_of("bchan")])
    report = check(forged)
    assert {"SEQ"} <= problems(report) <= {"SEQ", "PREV"}
    assert report.first_index == at


def test_predecessor_that_is_not_the_newest(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Signed against an older head of its stream."""
    earlier = forged.leaf(made.at["vitals SA-01-002"])["statement"]
    at = forged.append(vitals(forged, made, prev=earlier), [key_of("bchan")])
    assert_only(check(forged), "PREV", at)


def test_predecessor_of_another_stream(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Chained to another participant's newest event."""
    other = forged.leaf(made.at["correction SA-01-001"])["statement"]
    at = forged.append(vitals(forged, made, prev=other), [key_of("bchan")])
    assert_only(check(forged), "PREV", at)


# References


@pytest.mark.parametrize("target", ["nothing", "itself"])
def test_reference_to_what_is_not_earlier(
    forged: Forgery, made: SmallLedger, check: Check, target: str
) -> None:
    """A correction of an event that there is not."""
    like = made.at["correction SA-01-002"]
    data = {**forged.statement(like)["data"], "statement": "ab" * 32}
    statement = forged.draft(like, data=data, sealed={"/reason/text": "C" * 42 + "A"})
    at = forged.append(statement, [key_of("bchan")])
    if target == "itself":
        edit(forged, at, data={**data, "statement": forged.leaf(at)["statement"]})
        sign_again(forged, at, [key_of("bchan")])
    report = check(forged)
    assert "REFERENCE" in problems(report)
    assert report.first_index == at


def test_digest_from_another_statement(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Two statements can't share one sealed value."""
    like = made.at["correction SA-01-002"]
    at = forged.append(forged.draft(like), [key_of("bchan")])
    report = check(forged)
    assert "DIGEST_REUSED" in problems(report)
    assert report.first_index == at


def test_lines_for_what_is_not_in_the_log(forged: Forgery, check: Check) -> None:
    """An opening past the end of the log."""
    set_disclosures(forged, [*disclosures(forged), {"index": 999, "open": {"/data/arm": "AAAA"}}])
    assert "FILE_FORM" in problems(check(forged))


def test_withheld_leaf_whose_statement_is_another_participants(
    forged: Forgery, made: SmallLedger, check: Check
) -> None:
    """A gap can't be filled by naming another hash than the leaf's."""
    at = made.at["demographics SA-01-002"]
    withhold(forged, at, "blinded", statement="ab" * 32)
    assert "WITHHELD_FORM" in problems(check(forged))


# Control statements under another class


def _hide_revocation(forged: Forgery, made: SmallLedger, by: str, label: str) -> tuple[int, bytes]:
    """Revoke the coordinator's key, and withhold that from the auditor as if it were of safety."""
    data = {"key": key_of("bchan").id, "person": "bchan"}
    at = control(forged, made, "key.revoked", "person/bchan", data, by=by)
    body = forged.payloads[at]
    forged.set_leaf(at, **{"class": label, "stream": "ef" * 32})
    forged.append(vitals(forged, made), [key_of("bchan")])
    withhold(forged, at, "blinded")
    return at, body


def test_revocation_by_root_hidden_as_blinded(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A root person signs control statements alone: a withheld leaf by root is none of its class."""
    at, _ = _hide_revocation(forged, made, "root", "restricted")
    report = check(forged)
    assert found(report, "ROLE_NOT_ALLOWED") == [at]
    assert report.verdict(Verdict.INTEGRITY) == "fails"


def test_revocation_by_an_administrator_hidden_as_blinded(
    forged: Forgery, made: SmallLedger, check: Check, tmp_path: Path
) -> None:
    """Who signs in that class too is found by the own copy, and by every reader who sees it."""
    at, body = _hide_revocation(forged, made, "admin", "restricted")
    assert found(check(forged), "ROLE_NOT_ALLOWED") == []
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "mine.json").write_bytes(body)
    assert found(check(forged, outbox=tmp_path / "outbox"), "LABELS") == [at]
    forged.payloads[at] = body
    set_withheld(forged, [])
    assert at in found(check(forged), "LABELS")
