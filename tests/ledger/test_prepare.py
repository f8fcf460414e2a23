"""Preparing a statement: what is filled in, what is refused, and what the signer can check."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from ledger.canonical import encode
from ledger.checkpoint import check_head
from ledger.errors import FormatError, LedgerError, ProofError, RefusedError
from ledger.merkle import check_consistency
from ledger.prepare import FILLED_IN, Signer, prepare
from ledger.sealing import check_disclosure
from ledger.statement import ZERO_HASH, Seen
from tests.ledger.small_ledger import SITE, SmallLedger
from tests.ledger.write_path import (
    STREAM,
    check_whole,
    key_of,
    refused,
    register,
    signed,
    vitals,
    vitals_action,
)


def asked(small: SmallLedger, **changes: Any) -> dict[str, Any]:
    """Return every member that a client gives."""
    return {**small.people["bchan"].complete(small.ledger, vitals_action()), **changes}


def test_what_the_log_knows_is_filled_in_and_nothing_else_changed(small: SmallLedger) -> None:
    """seq, prev, tag and seen are those of the newest head; every other member is as it was asked."""
    register(small)
    action = asked(small)
    prepared = prepare(small.ledger, action, {})
    value = orjson.loads(prepared.statement.body)
    assert {name: value[name] for name in value.keys() - FILLED_IN} == action
    last = small.ledger.fold.chain.head_of(STREAM)
    assert (value["seq"], value["prev"], value["tag"]) == (
        last.seq + 1,
        last.event,
        small.ledger.stream(STREAM).tag,
    )
    head = check_head(prepared.head, small.ledger.signers.verifier_keys)
    assert (prepared.statement.seen.size, prepared.statement.seen.root) == (head.size, head.root)


def test_the_first_statement_of_a_stream_is_prepared_with_the_salt_that_stays(small: SmallLedger) -> None:
    """A salted stream's tag is given out once, before its first event, and is the same each time."""
    one, two = (prepare(small.ledger, asked(small), {}).statement for _ in range(2))
    assert (one.seq, one.prev) == (1, ZERO_HASH)
    assert one.tag == two.tag
    register(small)
    assert prepare(small.ledger, asked(small), {}).statement.tag == one.tag
    other = prepare(small.ledger, asked(small, stream=f"participant/{SITE}-002"), {}).statement
    assert other.tag != one.tag


def test_values_are_sealed_under_fresh_salts(small: SmallLedger) -> None:
    """Each value gets a disclosure of its own, which opens to it and to nothing else."""
    register(small)
    action = asked(small, type="demographics.recorded", data={"source": {"kind": "esource"}})
    opened = {"/data/age_years": 44, "/data/sex": "female", "/data/service_status": None}
    first, second = (prepare(small.ledger, action, opened) for _ in range(2))
    for path, value in opened.items():
        digest = first.statement.sealed[path]
        disclosure = first.disclosures[path]
        found = check_disclosure(disclosure, statement_id=first.statement.id, path=path, expected=digest)
        assert found == value
        assert second.disclosures[path] != disclosure
    assert b"female" not in first.statement.body


def test_consistency_with_what_the_client_has_is_proven(small: SmallLedger) -> None:
    """From any size that the client had verified to the head that `seen` names."""
    had = small.ledger.store.head()
    register(small)
    small.ledger.record(vitals(small))
    prepared = prepare(small.ledger, asked(small), {}, Seen(root=had.root, size=had.size))
    head = check_head(prepared.head, small.ledger.signers.verifier_keys)
    check_consistency(had.size, had.root, head.size, head.root, prepared.consistency)
    with pytest.raises(ProofError):
        check_consistency(had.size, bytes(32), head.size, head.root, prepared.consistency)
    with pytest.raises(ProofError):
        prepare(small.ledger, asked(small), {}, Seen(root=had.root, size=head.size + 1))


def test_a_reason_is_prepared_with_its_text_or_null(small: SmallLedger) -> None:
    """Who leaves it out is told where it belongs; a text of no reason is refused as well."""
    action = asked(small, reason={"code": "entry_error"})
    with refused("SEALED_PATHS", FormatError, field="/open/reason/text"):
        prepare(small.ledger, action, {})
    for text in (None, "a slip"):
        assert [*prepare(small.ledger, action, {"/reason/text": text}).statement.sealed] == ["/reason/text"]
    with refused("STATEMENT", FormatError, field="/sealed/reason/text"):
        prepare(small.ledger, asked(small), {"/reason/text": None})


@pytest.mark.parametrize("name", sorted(FILLED_IN))
def test_members_that_are_filled_in_are_not_given(small: SmallLedger, name: str) -> None:
    """Whoever gives one is told its name."""
    with refused("ACTION", FormatError, field=f"/{name}"):
        prepare(small.ledger, asked(small, **{name: 1}), {})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"stream": None}, "/stream"),
        ({"stream": 5}, "/stream"),
        ({"id": 5}, "/id"),
        ({"id": "not-a-uuid"}, "/id"),
        ({"more": 1}, "/more"),
        ({"class": "control"}, "/class"),
        ({"reason": None}, "/reason"),
    ],
)
def test_what_is_no_statement_is_not_prepared(
    small: SmallLedger, changes: dict[str, Any], field: str
) -> None:
    """The same form is asked of an action as of a statement, and no salt is kept for what is refused."""
    with pytest.raises(FormatError) as caught:
        prepare(small.ledger, asked(small, **changes), {})
    assert caught.value.field == field


def test_a_stream_that_cannot_be_named_gets_no_salt(small: SmallLedger) -> None:
    """A name out of form is refused before anything is given out for it."""
    with refused("STREAM", FormatError):
        prepare(small.ledger, asked(small, stream="participant/a b"), {})


@pytest.mark.parametrize("value", [1.5, 2**60, "a\u200eb", "\u0065\u0301"])
def test_values_that_have_no_canonical_form_are_refused(small: SmallLedger, value: Any) -> None:
    """Neither in plain data nor to be sealed."""
    data = {**vitals_action()["data"], "position": value}
    with pytest.raises(LedgerError):
        prepare(small.ledger, asked(small, data=data), {})
    with pytest.raises(LedgerError):
        prepare(small.ledger, asked(small), {"/data/x": value})


def test_preparing_records_nothing(small: SmallLedger) -> None:
    """Only a signature makes an entry."""
    before = small.ledger.store.head()
    prepare(small.ledger, asked(small), {"/data/identity": "x"})
    assert small.ledger.store.head() == before
    check_whole(small)


def test_a_signer_is_who_the_log_says(small: SmallLedger) -> None:
    """Name and organisation come from the key's person; a key that the log does not know is nobody's."""
    signer = Signer.of_log(small.ledger, key_of("bchan"))
    assert (signer.person, signer.name, signer.organisation) == ("bchan", "B. Chan", f"Site {SITE}")
    root = Signer.of_log(small.ledger, key_of("root"))
    assert root.actor("root")["name"] == "Root Holder"
    with refused("KEY_UNKNOWN", RefusedError):
        Signer.of_log(small.ledger, key_of("stranger"))


def test_what_is_given_is_kept_when_an_action_is_completed(small: SmallLedger) -> None:
    """Clock, id, class and site are filled in only where they are missing."""
    signer = small.people["bchan"]
    given = {"occurred_at": "2024-06", "id": "01940000-0000-7000-8000-000000000001", "schema": 1}
    value = signer.complete(small.ledger, vitals_action(**given))
    assert {name: value[name] for name in given} == given
    site = signer.complete(small.ledger, {"type": "site.activated", "stream": f"site/{SITE}"})
    assert (site["site"], site["class"]) == (SITE, "control")


def test_an_id_is_a_uuid_of_the_time(small: SmallLedger) -> None:
    """New statements get a UUIDv7: they sort by the signer's clock, and no two are equal."""
    register(small)
    one, two = vitals(small).statement.id, vitals(small).statement.id
    assert one < two
    assert int(one.replace("-", "")[:12], 16) <= small.sources.now_us() // 1000
    assert one[14] == "7"


def test_a_prepared_statement_is_canonical(small: SmallLedger) -> None:
    """The bytes that are shown for signing are the ones that are hashed."""
    register(small)
    body = signed(small, "bchan", vitals_action()).statement.body
    assert encode(orjson.loads(body)) == body
