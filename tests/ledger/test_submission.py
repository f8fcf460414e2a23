"""Bad input at the ledger's door: each kind with its code, no value repeated, the ledger usable after."""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from ledger.envelope import PAYLOAD_TYPE
from ledger.errors import FormatError, LedgerError
from ledger.keys import KeyId, KeySignature, key_id
from ledger.lines import encode_base64
from ledger.service import sign_body
from ledger.statement import Statement, parse_statement
from ledger.submission import (
    MAX_SUBMISSION_BYTES,
    Submission,
    format_submission,
    parse_submission,
)
from ledger.times import format_instant
from tests.ledger.small_ledger import SmallLedger
from tests.ledger.write_path import (
    STREAM,
    altered,
    by_root,
    check_recorded,
    check_whole,
    enrol,
    enrolment,
    key_of,
    register,
    signed,
    types_from,
    vitals,
    vitals_action,
)

SECRET = "Jane Doe 1970"
BCHAN = key_of("bchan")

Case = Callable[[SmallLedger], bytes]


def good(small: SmallLedger) -> dict[str, Any]:
    """Return the members of a good submission's body."""
    value: dict[str, Any] = json.loads(format_submission(vitals(small)))
    return value


def body(small: SmallLedger, **changes: Any) -> bytes:
    """Return a good submission's body with members changed."""
    return json.dumps({**good(small), **changes}).encode()


def text(replace_: Callable[[bytes], bytes]) -> Case:
    """Return a case that changes the body's text."""
    return lambda small: replace_(format_submission(vitals(small)))


def member(**changes: Any) -> Case:
    """Return a case that changes members of the body."""
    return lambda small: body(small, **changes)


def payload(change: Callable[[bytes], bytes]) -> Case:
    """Return a case that changes the statement's bytes and leaves the signature as it was."""

    def make(small: SmallLedger) -> bytes:
        value = good(small)
        value["payload"] = encode_base64(change(base64.b64decode(value["payload"])))
        return json.dumps(value).encode()

    return make


def swap(old: bytes, new: bytes, count: int = -1) -> Case:
    """Return a case in which a part of the statement's bytes is another."""
    return payload(lambda statement: statement.replace(old, new, count))


def resigned(**changes: Any) -> Case:
    """Return a case whose statement is changed and signed again by the same person."""
    return lambda small: format_submission(altered(vitals(small), BCHAN, **changes))


def action(who: str = "bchan", **changes: Any) -> Case:
    """Return a case that is prepared from another action."""
    return lambda small: format_submission(signed(small, who, {**vitals_action(), **changes}))


def signatures(change: Callable[[list[dict[str, Any]]], Any]) -> Case:
    """Return a case that changes the list of signatures of a statement that two people sign."""

    def make(small: SmallLedger) -> bytes:
        submission = signed(small, "bchan", vitals_action(), further=[key_of("aruiz")])
        value = json.loads(format_submission(submission))
        value["signatures"] = change(value["signatures"])
        return json.dumps(value).encode()

    return make


def revoked_key(small: SmallLedger) -> bytes:
    """Return a statement under a key that was revoked before it came."""
    enrolled = key_of("spare")
    data = {"key": enrolled.id, "person": "bchan"}
    enrol(small, "bchan", enrolled)
    by_root(small, "key.revoked", "person/bchan", data)
    submission = altered(vitals(small), enrolled, key={"alg": "ed25519", "id": enrolled.id})
    return format_submission(submission)


def weak_key(small: SmallLedger) -> bytes:
    """Return an enrolment of a key of small order."""
    key = key_of("new")
    data = enrolment(key, "bchan")
    value = {
        "type": "key.enrolled",
        "stream": "person/bchan",
        "role": "root",
        "meaning": "approval",
        "data": data,
    }
    submission = signed(small, "root", value, further=[key])
    weak = key.spki[:-32] + (1).to_bytes(32, "little")
    name = f"sha256:{hashlib.sha256(weak).hexdigest()}"
    data["key"] = {**data["key"], "id": name, "spki": encode_base64(weak)}
    changed = altered(submission, key_of("root"), key, data=data, with_=[{"alg": "ed25519", "id": name}])
    return format_submission(
        replace(changed, sigs=(changed.sigs[0], replace(changed.sigs[1], key=KeyId(name))))
    )


def stale(small: SmallLedger) -> bytes:
    """Return a statement that was overtaken by another in its stream."""
    submission = vitals(small)
    small.ledger.record(vitals(small))
    return format_submission(submission)


def under(named: str, signing: str) -> Case:
    """Return a case that names one key and is signed by another, or the same."""

    def make(small: SmallLedger) -> bytes:
        ref = key_of(named).id
        changed = altered(vitals(small), key_of(signing), key={"alg": "ed25519", "id": ref})
        return format_submission(replace(changed, sigs=(replace(changed.sigs[0], key=ref),)))

    return make


def future(small: SmallLedger) -> bytes:
    """Return a fact that is said to have occurred an hour from now."""
    return format_submission(
        signed(
            small, "bchan", vitals_action(occurred_at=format_instant(small.sources.now_us() + 3_600_000_000))
        )
    )


def gate_out_of_order(small: SmallLedger) -> bytes:
    """Return a request for randomization of someone who is registered and no more."""
    data = {"list": "main", "stage": 1, "stratum": "SA-01"}
    return format_submission(signed(small, "bchan", vitals_action(type="randomization.requested", data=data)))


def own_data(**data: Any) -> Case:
    """Return a case whose `data` is of another form than vital signs have."""
    return action(data=data)


SOURCE = {"kind": "esource"}
BAD: list[tuple[str, Case, str]] = [
    ("empty", lambda _: b"", "JSON"),
    ("malformed JSON", text(lambda b: b[:-1]), "JSON"),
    ("not UTF-8", text(lambda b: b.replace(b'"payload"', b'"payload\xff"')), "JSON"),
    ("no object", lambda _: b"[]", "BODY"),
    ("nested too deep", lambda _: b"[" * 90_000, "JSON"),
    ("duplicate key", text(lambda b: b.replace(b"{", b'{"payload":"",', 1)), "JSON"),
    ("float", text(lambda b: b.replace(b'"disclosures":{}', b'"disclosures":1.5')), "JSON"),
    ("exponent", text(lambda b: b.replace(b'"disclosures":{}', b'"disclosures":1e400')), "JSON"),
    ("NaN", text(lambda b: b.replace(b'"disclosures":{}', b'"disclosures":NaN')), "JSON"),
    ("huge number", text(lambda b: b.replace(b'"disclosures":{}', b'"disclosures":' + b"9" * 5000)), "JSON"),
    ("lone surrogate", text(lambda b: b.replace(b'"disclosures":{}', b'"disclosures":"\\ud800"')), "JSON"),
    ("unknown field", member(comment=SECRET), "BODY"),
    ("missing field", text(lambda b: b.replace(b'"payloadType"', b'"payload_type"')), "BODY"),
    ("payload type", member(payloadType="application/json"), "BODY"),
    ("payload no text", member(payload=5), "BODY"),
    ("payload no base64", member(payload=SECRET), "BODY"),
    ("payload base64url", member(payload="_-8="), "BODY"),
    ("signatures no list", member(signatures={"keyid": SECRET}), "BODY"),
    ("no signature", member(signatures=[]), "BODY"),
    ("ten signatures", member(signatures=[{}] * 10), "BODY"),
    ("disclosures no object", member(disclosures=[SECRET]), "BODY"),
    ("disclosures no texts", member(disclosures={"/data/x": 1}), "BODY"),
    ("disclosure of nothing sealed", member(disclosures={"/data/x": SECRET}), "DISCLOSURES"),
    ("over 96 KiB", member(disclosures={"/data/x": "x" * MAX_SUBMISSION_BYTES}), "SIZE"),
    ("statement over 32 KiB", swap(b'"data":{', b'"data":{"a":"' + b"x" * 32_768 + b'",'), "SIZE"),
    ("statement no JSON", payload(lambda b: b[1:]), "CANONICAL"),
    ("statement with a space", swap(b":", b": ", 1), "CANONICAL"),
    ("statement twice a key", swap(b'"seq"', b'"schema":1,"seq"'), "CANONICAL"),
    ("statement with a float", swap(b'"schema":1', b'"schema":1.0'), "CANONICAL"),
    ("statement with a huge number", swap(b'"schema":1', b'"schema":9007199254740992'), "CANONICAL"),
    ("statement with a surrogate", swap(b'"72"', b'"\\ud800"'), "CANONICAL"),
    ("statement with an unknown field", swap(b'"v":1', b'"u":"Jane Doe 1970","v":1'), "STATEMENT"),
    ("statement with a wrong type", swap(b'"v":1', b'"v":true'), "STATEMENT"),
    ("unknown type", action(type="vital_sighs.recorded"), "UNKNOWN_TYPE"),
    ("unknown schema", action(schema=9), "UNKNOWN_TYPE"),
    ("unknown member of data", own_data(measurements=[], source=SOURCE, note=SECRET), "DATA"),
    ("wrong type in data", own_data(measurements=SECRET, source=SOURCE),
     "DATA"),
    ("number for a decimal",
     own_data(measurements=[{"name": "pulse", "quantity": {"value": 72, "unit": SECRET}}], source=SOURCE),
     "DATA"),
    ("fact without source", own_data(measurements=[]), "DATA"),
    ("another study's log", resigned(log="ledger.example/other"), "LOG"),
    ("unknown participant", action(stream="participant/SA-01-999"), "PARTICIPANT_UNKNOWN"),
    ("stale seq", stale, "STALE"),
    ("wrong prev", resigned(prev="ab" * 32), "STALE"),
    ("wrong tag", resigned(tag="ab" * 32), "TWO_TAGS"),
    ("wrong class", swap(b'"class":"open"', b'"class":"control"'), "CLASS"),
    ("wrong site", swap(b'"site":"SA-01"', b'"site":"SA 01"'), "STATEMENT"),
    ("wrong seen", resigned(seen={"root": encode_base64(bytes(32)), "size": 5}), "SEEN_ROOT"),
    ("seen of the future", resigned(seen={"root": encode_base64(bytes(32)), "size": 500}), "SEEN_SIZE"),
    ("wrong key", under("stranger", "stranger"), "KEY_UNKNOWN"),
    ("another person's key", under("aruiz", "bchan"), "SIGNATURE"),
    ("revoked key", revoked_key, "KEY_REVOKED"),
    ("weak key", weak_key, "WEAK_KEY"),
    ("signature set too small", signatures(lambda sigs: sigs[:1]), "SIGNATURE_SET"),
    ("signature set too large", signatures(lambda sigs: [*sigs, sigs[0]]), "SIGNATURE_SET"),
    ("signature set in another order", signatures(lambda sigs: sigs[::-1]), "SIGNATURE_SET"),
    ("signature of no bytes", signatures(lambda sigs: [{**sigs[0], "sig": ""}, sigs[1]]), "SIGNATURE"),
    ("signature with a member more", signatures(lambda sigs: [{**sigs[0], "ad": "AA=="}, sigs[1]]), "BODY"),
    ("signature over other bytes", swap(b'"72"', b'"73"'), "SIGNATURE"),
    ("name that the log does not know",
     resigned(actor={"id": "bchan", "name": SECRET, "organisation": "Site SA-01", "role": "coordinator"}),
     "ACTOR"),
    ("role that the log does not know", action(role="astronaut"), "ROLE_UNKNOWN"),
    ("gate out of order", gate_out_of_order, "CONSENT_MISSING"),
    ("time in the future", future, "TIME_IN_FUTURE"),
    ("time that the calendar lacks", swap(b'"occurred_at":"2024-', b'"occurred_at":"2024-13-'), "STATEMENT"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "code"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_input_is_refused_and_leaves_the_ledger_as_it_was(
    small: SmallLedger, make: Case, code: str
) -> None:
    """A clear code, no value of the input in the message, a recorded refusal at most; good input goes on."""
    register(small)
    data = make(small)
    before = small.ledger.store.head().size
    with pytest.raises(LedgerError) as caught:
        small.ledger.record(parse_submission(data))
    assert caught.value.code == code, str(caught.value)
    for secret in (SECRET, "Jane", "stranger", "astronaut", "SA-01-999"):
        assert secret not in str(caught.value)
    assert types_from(small, before) in ([], ["command.refused"])
    check_whole(small)
    check_recorded(small, small.ledger.record(vitals(small)))


def test_what_is_formatted_is_parsed(small: SmallLedger) -> None:
    """A submission with disclosures and two signatures comes back as it was."""
    register(small)
    action_ = vitals_action(type="demographics.recorded", data={"source": SOURCE})
    opened = {"/data/age_years": 44, "/data/sex": "female", "/data/service_status": None}
    submission = signed(small, "bchan", action_, opened, further=[key_of("aruiz")])
    assert parse_submission(format_submission(submission)) == submission
    assert small.ledger.record(parse_submission(format_submission(submission))).event


def test_an_assertion_comes_back_with_its_data(small: SmallLedger) -> None:
    """A passkey's signature has authenticator and client data, which no other may have."""
    submission = vitals(small)
    ref = {"alg": "webauthn-es256", "id": "sha256:" + "ab" * 32}
    changed = altered(submission, BCHAN, key=ref)
    sig = KeySignature(alg=ref["alg"], key=KeyId(ref["id"]), sig=b"s", ad=b"a", cd=b"c")
    passkey = replace(changed, sigs=(sig,))
    assert parse_submission(format_submission(passkey)) == passkey
    value = json.loads(format_submission(passkey))
    del value["signatures"][0]["cd"]
    with pytest.raises(FormatError) as caught:
        parse_submission(json.dumps(value).encode())
    assert (caught.value.code, caught.value.field) == ("BODY", "/signatures/0")


@pytest.mark.parametrize("number", [2**53 - 1, -(2**53) + 1])
def test_numbers_up_to_the_limit_are_no_matter_of_json(small: SmallLedger, number: int) -> None:
    """2^53 - 1 is the largest integer; where it stands it is of the wrong type, but it is read."""
    with pytest.raises(FormatError) as caught:
        parse_submission(body(small, disclosures=number))
    assert caught.value.code == "BODY"
    with pytest.raises(FormatError) as caught:
        parse_submission(body(small, disclosures=number * 2))
    assert caught.value.code == "JSON"


@pytest.fixture(scope="module")
def statement(template: tuple[SmallLedger, Any]) -> Statement:
    """Return some statement of the template's log, to be wrapped in anything."""
    connection = sqlite3.connect(template[1] / "ledger.db")
    row = connection.execute("SELECT state FROM events ORDER BY 1 LIMIT 1").fetchone()
    connection.close()
    return parse_statement(row[0])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(
    name=st.sampled_from(["payload", "payloadType", "signatures", "disclosures", "keyid", "sig"]),
    value=json_values,
)
def test_any_json_anywhere_in_a_body_is_an_error_of_ours(name: str, value: Any) -> None:
    """Whatever stands at a member of the envelope, nothing but a FormatError comes of it."""
    signature = {"keyid": "sha256:" + "00" * 32, "sig": "AA=="}
    envelope: dict[str, Any] = {"payload": "e30=", "payloadType": PAYLOAD_TYPE, "signatures": [signature]}
    if name in signature:
        signature[name] = value
    else:
        envelope[name] = value
    with pytest.raises(FormatError):
        parse_submission(json.dumps(envelope).encode())


@given(data=st.binary(max_size=200))
def test_any_bytes_are_an_error_of_ours(data: bytes) -> None:
    """Bytes that are no submission raise a FormatError and nothing else."""
    with pytest.raises(FormatError):
        parse_submission(data)


def test_a_leaf_never_outgrows_its_limit(small: SmallLedger) -> None:
    """A submission within 96 KiB whose leaf would be over 65,535 bytes is refused before it is written."""
    register(small)
    passkey = Passkey("bchan's passkey")
    data = enrolment(passkey, "bchan", "passkey", origins=["https://ledger.example"], rp_id="ledger.example")
    data["key"]["alg"] = "webauthn-es256"
    enrolled = {
        "type": "key.enrolled", "stream": "person/bchan", "role": "root", "meaning": "approval", "data": data,
        "with": [{"alg": "webauthn-es256", "id": passkey.id}],
    }  # fmt: skip
    submission = signed(small, "root", enrolled)
    submission = replace(submission, sigs=(submission.sigs[0], passkey.assertion(submission.statement)))
    small.ledger.record(submission)
    changed = altered(vitals(small), BCHAN, key={"alg": "webauthn-es256", "id": passkey.id})
    before = small.ledger.store.head().size
    big = replace(changed, sigs=(passkey.assertion(changed.statement, padding=50_000),))
    assert len(format_submission(big)) <= MAX_SUBMISSION_BYTES
    with pytest.raises(FormatError) as caught:
        small.ledger.record(parse_submission(format_submission(big)))
    assert (caught.value.code, small.ledger.store.head().size) == ("SIZE", before)
    fits = replace(changed, sigs=(passkey.assertion(changed.statement),))
    check_recorded(small, small.ledger.record(fits))
    check_whole(small)


class Passkey:
    """An authenticator in software, with a browser that adds what it likes to the client data."""

    alg = "webauthn-es256"

    def __init__(self, label: str) -> None:
        secret = int.from_bytes(hashlib.sha256(label.encode()).digest(), "big") >> 1
        self._key = ec.derive_private_key(secret, ec.SECP256R1())
        public = self._key.public_key()
        self.spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.id = key_id(self.spki)

    def sign(self, pae: bytes) -> bytes:
        """A passkey signs assertions, not statements."""
        raise AssertionError("a passkey signs assertions")

    def assertion(self, statement: Statement, *, padding: int = 0) -> KeySignature:
        """Return the signature of an assertion whose challenge is the event hash."""
        challenge = base64.urlsafe_b64encode(bytes.fromhex(statement.event)).rstrip(b"=").decode()
        client = orjson.dumps(
            {
                "type": "webauthn.get",
                "challenge": challenge,
                "origin": "https://ledger.example",
                "crossOrigin": False,
                **({"padding": "x" * padding} if padding else {}),
            }
        )
        data = hashlib.sha256(b"ledger.example").digest() + b"\x05" + bytes(4)
        signature = self._key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return KeySignature(alg=self.alg, key=self.id, sig=signature, ad=data, cd=client)


def test_signatures_over_another_statement_do_not_count(small: SmallLedger) -> None:
    """A signature is over one statement's exact bytes, even by the right person over a like one."""
    register(small)
    one, other = vitals(small), vitals(small)
    swapped = Submission(statement=one.statement, sigs=sign_body(other.statement.body, BCHAN), disclosures={})
    with pytest.raises(LedgerError) as caught:
        small.ledger.record(swapped)
    assert caught.value.code == "SIGNATURE"
    assert one.statement.stream == STREAM
