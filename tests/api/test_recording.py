"""Statements in: what is recorded, what is answered, and what bad input leaves behind (nothing)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest

from ledger import canonical
from ledger.envelope import event_hash
from ledger.keys import Ed25519SigningKey
from ledger.leaf import parse_leaf
from ledger.lines import encode_base64
from ledger.merkle import check_consistency
from ledger.proof import check_receipt
from ledger.store.startup import Startup
from tests.api.client import BASE, PARTICIPANT, STREAM, VITALS, Site, bearer
from tests.behind import full, impatient, locked
from tests.ledger.small_ledger import seed

Change = Callable[[dict[str, Any]], Any]


def test_a_recorded_statement_comes_with_a_receipt_that_holds(site: Site) -> None:
    """201 gives the index, the event, the leaf and a receipt that proves them under the log's keys."""
    submission = site.vitals()
    answer = site.hand_in(submission)
    assert answer.status_code == 201
    value = answer.json()
    leaf, head = check_receipt(value["receipt"].encode(), site.made.ledger.signers.verifier_keys)
    assert leaf == parse_leaf(base64.b64decode(value["leaf"]))
    assert leaf.index == value["index"]
    assert leaf.statement == value["event"] == event_hash(base64.b64decode(submission["payload"]))
    assert answer.headers["Ledger-Head"].split()[0] == str(head.size)


def test_what_the_commit_holds_besides_is_named(site: Site) -> None:
    """A fact that breaks a rule is recorded, and its breach in the same commit (catalogue R6)."""
    value = site.hand_in(site.vitals()).json()
    assert "CONSENT_MISSING" in value["breaches"]
    added = [site.get(f"/events/{index}").json()["statement"]["type"] for index in value["added"]]
    assert set(added) == {"breach.detected"}


def test_a_statement_handed_in_again_keeps_its_place(site: Site) -> None:
    """A known event is answered with 200 and the first index and event (R5)."""
    submission = site.vitals()
    first, again = site.hand_in(submission), site.hand_in(submission)
    assert (first.status_code, again.status_code) == (201, 200)
    for member in ("index", "event", "leaf"):
        assert again.json()[member] == first.json()[member]


def test_a_wrong_signature_learns_nothing_of_a_known_event(site: Site) -> None:
    """The signature is checked before the log is asked whether it knows the event."""
    submission = site.vitals()
    site.hand_in(submission)
    submission["signatures"][0]["sig"] = encode_base64(bytes(64))
    answer = site.hand_in(submission)
    assert (answer.status_code, answer.json()["code"]) == (401, "SIGNATURE")
    assert "index" not in answer.json()


def test_a_stale_statement_gets_the_head_to_sign_against(site: Site) -> None:
    """409 carries seq, prev and seen of the stream's head; signed anew with them, it is recorded."""
    older, newer = site.vitals(), site.vitals()
    assert site.hand_in(newer).status_code == 201
    answer = site.hand_in(older)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "STALE")
    statement = canonical.decode(base64.b64decode(older["payload"]))
    assert isinstance(statement, dict)
    members = {name: problem[name] for name in ("seq", "prev", "seen")}
    body = canonical.encode({**statement, **members})
    again = site.sign({"statement": encode_base64(body), "disclosures": {}})
    assert site.hand_in(again).status_code == 201


def test_a_gate_out_of_order_is_refused_and_the_refusal_recorded(site: Site) -> None:
    """422 names the rule; the next index is a command.refused with the same code."""
    before = site.made.ledger.store.head().size
    request = {"list": "main", "stage": 1, "stratum": "SA-01"}
    answer = site.hand_in(site.sign(site.prepare("randomization.requested", STREAM, request)))
    assert answer.status_code == 422
    entry = site.made.ledger.store.entry(before)
    assert entry is not None
    assert entry.type == "command.refused"
    assert orjson.loads(entry.statement)["data"]["rule"] == answer.json()["code"]


def test_many_statements_at_once_are_all_recorded(site: Site) -> None:
    """Statements of different streams that arrive together are each answered with their own index."""
    streams = [f"participant/SA-01-1{n:02}" for n in range(8)]
    submissions = [
        site.sign(
            site.prepare(
                "participant.registered",
                stream,
                {"participant": stream.partition("/")[2]},
                open={"/data/identity": "somebody"},
            )
        )
        for stream in streams
    ]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(site.hand_in, submissions))
    assert {answer.status_code for answer in answers} == {201}
    indexes = sorted(answer.json()["index"] for answer in answers)
    assert indexes == list(range(indexes[0], indexes[0] + 8))


def _payload(change: Change) -> Change:
    """Change members of the statement, canonical again, signed again by the right key."""

    def apply(submission: dict[str, Any]) -> Any:
        statement = orjson.loads(base64.b64decode(submission["payload"]))
        change(statement)
        body = orjson.dumps(statement, option=orjson.OPT_SORT_KEYS)
        return {"statement": encode_base64(body), "disclosures": submission["disclosures"]}

    return apply


def _raw(old: bytes, new: bytes) -> Change:
    """Change bytes of the statement, signed again by the right key."""

    def apply(submission: dict[str, Any]) -> Any:
        body = base64.b64decode(submission["payload"])
        assert old in body
        return {"statement": encode_base64(body.replace(old, new, 1)), "disclosures": {}}

    return apply


def _envelope(change: Change) -> Change:
    """Change members of what is handed in."""

    def apply(submission: dict[str, Any]) -> Any:
        change(submission)
        return submission

    return apply


def _set(*path: str | int, to: Any) -> Change:
    def change(value: Any) -> None:
        for step in path[:-1]:
            value = value[step]
        value[path[-1]] = to

    return change


def _drop(name: str) -> Change:
    return lambda value: value.pop(name)


BAD_STATEMENTS: dict[str, tuple[Change, int, str]] = {
    "duplicate key": (_raw(b'"v":1', b'"v":1,"v":1'), 422, "CANONICAL"),
    "float": (_raw(b'"schema":1', b'"schema":1.0'), 422, "CANONICAL"),
    "exponent": (_raw(b'"schema":1', b'"schema":1e0'), 422, "CANONICAL"),
    "huge number": (_raw(b'"schema":1', b'"schema":' + b"9" * 400), 422, "CANONICAL"),
    "lone surrogate": (_raw(b'"/min"', b'"\\ud800"'), 422, "CANONICAL"),
    "not a number": (_raw(b'"schema":1', b'"schema":NaN'), 422, "CANONICAL"),
    "space": (_raw(b'"v":1', b'"v": 1'), 422, "CANONICAL"),
    "not json": (_raw(b"{", b"["), 422, "CANONICAL"),
    "unknown member": (_payload(_set("note", to="x")), 422, "STATEMENT"),
    "unknown member of data": (_payload(_set("data", "note", to="x")), 422, "DATA"),
    "wrong type": (_payload(_set("seq", to="9")), 422, "STATEMENT"),
    "boolean for a number": (_payload(_set("schema", to=True)), 422, "STATEMENT"),
    "missing member": (_payload(_drop("meaning")), 422, "STATEMENT"),
    "unknown action": (_payload(_set("type", to="vital_signs.guessed")), 422, "UNKNOWN_TYPE"),
    "over 32 KiB": (_payload(_set("data", "note", to="x" * 33_000)), 413, "SIZE"),
    "deeply nested": (_raw(b'"data":{', b'"data":{"a":' + b"[" * 500 + b"]" * 500 + b","), 422, "CANONICAL"),
    "stale seq": (_payload(_set("seq", to=2)), 409, "STALE"),
    "seq ahead": (_payload(_set("seq", to=99)), 409, "STALE"),
    "wrong prev": (_payload(_set("prev", to="f" * 64)), 409, "STALE"),
    "first without zeros": (_payload(_set("seq", to=1)), 422, "STATEMENT"),
    "wrong tag": (_payload(_set("tag", to="ab" * 32)), 422, "TWO_TAGS"),
    "wrong class": (_payload(_set("class", to="control")), 422, "CLASS"),
    "seen of another tree": (_payload(_set("seen", "root", to=encode_base64(bytes(32)))), 422, "SEEN_ROOT"),
    "seen beyond the log": (_payload(_set("seen", "size", to=10**6)), 422, "SEEN_SIZE"),
    "seen of an older tree": (_payload(_set("seen", "size", to=1)), 422, "SEEN_ROOT"),
    "another log": (_payload(_set("log", to="ledger.example/other")), 422, "LOG"),
    "a name that the log doesn't know": (_payload(_set("actor", "name", to="B. Other")), 422, "ACTOR"),
    "a role that nobody has": (_payload(_set("actor", "role", to="wizard")), 422, "ROLE_UNKNOWN"),
    "a role not held": (_payload(_set("actor", "role", to="investigator")), 422, "ROLE_NOT_HELD"),
    "a meaning not allowed": (_payload(_set("meaning", to="attestation")), 422, "MEANING_NOT_ALLOWED"),
    "another site": (_payload(_set("site", to="SD-02")), 422, "SITE_NOT_HELD"),
    "in the future": (_payload(_set("occurred_at", to="2031-01-01")), 422, "TIME_IN_FUTURE"),
    "no such date": (_payload(_set("occurred_at", to="2024-02-30")), 422, "STATEMENT"),
    "signature over other bytes": (
        _envelope(_set("signatures", 0, "sig", to=encode_base64(bytes(64)))),
        401,
        "SIGNATURE",
    ),
    "signature too short": (_envelope(_set("signatures", 0, "sig", to="AAAA")), 401, "SIGNATURE"),
    "no signature": (_envelope(_set("signatures", to=[])), 400, "BODY"),
    "another key named": (
        _envelope(_set("signatures", 0, "keyid", to="sha256:" + "0" * 64)),
        422,
        "SIGNATURE_SET",
    ),
    "a signature too many": (
        _envelope(lambda value: value["signatures"].append(value["signatures"][0])),
        422,
        "SIGNATURE_SET",
    ),
    "disclosure too many": (_envelope(_set("disclosures", "/data/x", to="AAAA")), 422, "DISCLOSURES"),
    "another payload type": (_envelope(_set("payloadType", to="text/plain")), 400, "BODY"),
    "base64 without padding": (_envelope(_set("payload", to="e30")), 400, "BODY"),
    "unknown member beside": (_envelope(_set("note", to="x")), 400, "BODY"),
    "disclosures of numbers": (_envelope(_set("disclosures", "/data/x", to=1)), 400, "BODY"),
}


@pytest.mark.parametrize("name", BAD_STATEMENTS)
def test_a_bad_statement_has_its_code_and_changes_nothing(site: Site, name: str) -> None:
    """Each defect is answered with its own code, and the good statement is recorded after it."""
    change, status, code = BAD_STATEMENTS[name]
    good = site.vitals()
    changed = change(orjson.loads(orjson.dumps(good)))
    bad = site.sign(changed) if "statement" in changed else changed
    answer = site.hand_in(bad)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:trial-ledger:problem:{code.lower().replace('_', '-')}"
    assert site.hand_in(good).status_code == 201  # its seq, prev and seen are still the next ones


BAD_BODIES: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 400, "JSON"),
    "broken": (b'{"payload":', 400, "JSON"),
    "not utf-8": (b'{"payload":"\xff"}', 400, "JSON"),
    "a list": (b"[]", 400, "BODY"),
    "a number": (b"1e400", 400, "JSON"),
    "not a number": (b'{"payload":NaN}', 400, "JSON"),
    "infinite": (b'{"payload":Infinity}', 400, "JSON"),
    "duplicate member": (b'{"payload":"","payload":""}', 400, "JSON"),
    "lone surrogate": (b'{"payload":"\\ud800"}', 400, "JSON"),
    "surrogate in a name": (b'{"\\udfff":1}', 400, "JSON"),
    "float": (b'{"payload":0.5}', 400, "JSON"),
    "huge integer": (b'{"payload":' + b"9" * 5000 + b"}", 400, "JSON"),
    "nested without end": (b'{"payload":' + b"[" * 40_000, 400, "JSON"),
    "empty object": (b"{}", 400, "BODY"),
    "null": (b"null", 400, "BODY"),
    "over 96 KiB": (b'{"payload":"' + b"A" * 98_304 + b'"}', 413, "SIZE"),
}


@pytest.mark.parametrize("address", ["/statements", "/statements:prepare"])
@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_bad_body_has_its_code(site: Site, name: str, address: str) -> None:
    """No body, however broken, is answered with anything but a problem of the client's."""
    body, status, code = BAD_BODIES[name]
    headers = {**bearer("coordinator"), "content-type": "application/json"}
    answer = site.http.post(BASE + address, content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_body_in_chunks_is_bounded_too(site: Site) -> None:
    """A body that states no length is read no further than a body that does."""
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1_000):
            sent += 4_096
            yield b" " * 4_096

    answer = site.http.post(
        f"{BASE}/statements", content=chunks(), headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "SIZE")


def test_another_content_type_is_refused(site: Site) -> None:
    """Only JSON is taken for JSON, whatever the body looks like."""
    for headers in ({"content-type": "text/plain"}, {}):
        answer = site.http.post(f"{BASE}/statements", content=b"{}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (415, "CONTENT_TYPE")


def test_a_key_that_the_log_does_not_know_is_no_authentication(site: Site) -> None:
    """A statement by an unknown key is 401, and no refusal is recorded for a stranger."""
    stranger = Ed25519SigningKey.from_seed(seed("stranger"))
    key = {"alg": stranger.alg, "id": stranger.id}
    prepared = site.prepare("vital_signs.recorded", STREAM, VITALS, key=key)
    before = site.made.ledger.store.head().size
    answer = site.hand_in(site.sign(prepared, stranger))
    assert (answer.status_code, answer.json()["code"]) == (401, "KEY_UNKNOWN")
    assert "WWW-Authenticate" in answer.headers
    assert site.made.ledger.store.head().size == before


def test_a_revoked_key_is_refused(own_site: Site) -> None:
    """From the index after its revocation a key signs nothing more."""
    submission = own_site.vitals()
    key = own_site.made.people["bchan"].key
    data = {"key": key.id, "person": "bchan"}
    own_site.made.say("revoked", "root", "root", "approval", "key.revoked", "person/bchan", data)
    answer = own_site.hand_in(submission)
    assert (answer.status_code, answer.json()["code"]) == (422, "KEY_REVOKED")


def test_a_participant_that_nobody_registered_is_refused(site: Site) -> None:
    """Nothing is recorded of a participant before the registration."""
    stream = "participant/SA-01-999"
    answer = site.hand_in(site.sign(site.prepare("vital_signs.recorded", stream, VITALS)))
    assert (answer.status_code, answer.json()["code"]) == (422, "PARTICIPANT_UNKNOWN")
    assert site.made.ledger.store.stream(stream) is None


def test_a_correction_of_what_the_log_does_not_have_names_the_field(site: Site) -> None:
    """Of a sealed value, too: it is the client's mistake, and no damage to the store."""
    data = {"statement": "f" * 64, "path": "/data/note"}
    reason = {"reason": {"code": "entry_error"}, "open": {"/reason/text": None}}
    sealed = {"/data/old": "one", "/data/new": "two", "/reason/text": None}
    plain = site.prepare("correction.made", STREAM, {**data, "old": "one", "new": "two"}, **reason)
    of_sealed = site.prepare("correction.made", STREAM, data, schema=2, **{**reason, "open": sealed})
    for prepared in (plain, of_sealed):
        answer = site.hand_in(site.sign(prepared))
        assert (answer.status_code, answer.json()["code"]) == (422, "REFERENCE"), answer.text
    assert answer.json()["field"] == "/data/statement"


def test_a_sealed_text_that_has_no_bytes_is_named(site: Site) -> None:
    """By its own path, not by where it stands in what is sealed."""
    data = {"ae": "AE-77", "onset": "2025-06", "grade": 1}
    body = {
        "action": site.action("adverse_event.reported", STREAM, data),
        "open": {"/data/verbatim": "cafe\u0301", "/reason/text": None},
    }
    answer = site.http.post(f"{BASE}/statements:prepare", json=body, headers=bearer("coordinator"))
    assert (answer.status_code, answer.json()["code"]) == (422, "CANONICAL"), answer.text
    assert answer.json()["field"] == "/data/verbatim"


def test_an_id_is_used_once(site: Site) -> None:
    """Another statement with the id of a recorded one is refused."""
    first = site.vitals()
    site.hand_in(first)
    used = orjson.loads(base64.b64decode(first["payload"]))["id"]
    answer = site.hand_in(site.vitals(id=used))
    assert (answer.status_code, answer.json()["code"]) == (422, "ID_REUSED")


def test_no_problem_repeats_the_input(site: Site) -> None:
    """What a client sends, a blinded value for one, stands in no problem."""
    secret = "Ketaminosecret"
    site.made.sources.advance(1)
    for change in (
        _payload(_set("data", "arm", to=secret)),
        _payload(_set("type", to=secret)),
        _payload(_set("actor", "name", to=secret)),
        _payload(_set("occurred_at", to=secret)),
        _envelope(_set("disclosures", f"/data/{secret}", to=secret)),
        _envelope(_set("payloadType", to=secret)),
    ):
        changed = change(orjson.loads(orjson.dumps(site.vitals())))
        answer = site.hand_in(site.sign(changed) if "statement" in changed else changed)
        assert answer.status_code >= 400
        assert secret.lower() not in answer.text.lower()
    for path in (f"/participants/{secret}", f"/events/{secret}", f"/projections/{secret}", f"/{secret}"):
        assert secret.lower() not in site.get(path).text.lower()
    for query in (f"?known={secret}", f"?{secret}=1"):
        assert secret.lower() not in site.get(f"/participants{query}").text.lower()


def test_prepare_fills_in_what_the_log_knows(site: Site) -> None:
    """The statement is the next of its stream, and has seen the head that comes with it."""
    site.hand_in(site.vitals())
    have = site.made.ledger.store.head()
    site.hand_in(site.vitals())
    body = {
        "action": site.action("vital_signs.recorded", STREAM, VITALS, reason={"code": "late"}),
        "open": {"/reason/text": "the paper came in the evening"},
        "have": {"root": encode_base64(have.root), "size": have.size},
    }
    answer = site.http.post(f"{BASE}/statements:prepare", json=body, headers=bearer("coordinator"))
    prepared = answer.json()
    statement = orjson.loads(base64.b64decode(prepared["statement"]))
    head = site.made.ledger.store.head()
    stream_head = site.made.ledger.store.stream_head(STREAM)
    assert stream_head is not None
    assert (statement["seq"], statement["prev"]) == (stream_head[0] + 1, stream_head[1])
    assert statement["seen"] == {"root": encode_base64(head.root), "size": head.size}
    assert prepared["head"].encode() == head.note
    proof = [base64.b64decode(each) for each in prepared["consistency"]]
    check_consistency(have.size, have.root, head.size, head.root, proof)
    assert list(prepared["disclosures"]) == ["/reason/text"]
    assert site.hand_in(site.sign(prepared)).status_code == 201


BAD_PREPARATIONS: dict[str, tuple[dict[str, Any], int, str]] = {
    "filled in already": ({"action": {"stream": STREAM, "id": "x", "seq": 1}}, 400, "ACTION"),
    "no stream": ({"action": {}}, 400, "ACTION"),
    "a value to seal under no id": (
        {"action": {"stream": STREAM, "id": "x"}, "open": {"/data/x": 1}},
        400,
        "ACTION",
    ),
    "a stream of another kind": ({"action": {"stream": "kitchen/1", "id": "x"}}, 422, "STREAM"),
    "no action": ({"open": {}}, 400, "BODY"),
    "action is a text": ({"action": "x"}, 400, "BODY"),
    "open is a list": ({"action": {}, "open": []}, 400, "BODY"),
    "have without root": ({"action": {}, "have": {"size": 1}}, 400, "BODY"),
    "have with a boolean": ({"action": {}, "have": {"root": "", "size": True}}, 400, "BODY"),
    "unknown member": ({"action": {}, "note": 1}, 400, "BODY"),
}


@pytest.mark.parametrize("name", BAD_PREPARATIONS)
def test_a_bad_preparation_has_its_code(site: Site, name: str) -> None:
    """What can't be prepared is answered by its code."""
    body, status, code = BAD_PREPARATIONS[name]
    answer = site.http.post(f"{BASE}/statements:prepare", json=body, headers=bearer("coordinator"))
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_larger_tree_than_the_log_is_no_base(site: Site) -> None:
    """Who has seen more than there is gets no proof."""
    body = {
        "action": site.action("vital_signs.recorded", STREAM, VITALS),
        "have": {"root": encode_base64(bytes(32)), "size": 10**9},
    }
    answer = site.http.post(f"{BASE}/statements:prepare", json=body, headers=bearer("coordinator"))
    assert (answer.status_code, answer.json()["code"]) == (422, "TREE_RANGE")


@pytest.mark.parametrize(
    ("who", "stream", "status"),
    [
        ("elsewhere", STREAM, 403),
        ("rater", STREAM, 200),
        ("participant", STREAM, 200),
        ("participant", "participant/SA-01-002", 403),
        ("participant", "study", 403),
        ("rater", "pharmacy/SA-01", 403),
        ("inspector", "pharmacy/SA-01", 403),
        ("coordinator", "site/SD-02", 403),
        ("list-holder", STREAM, 403),
        ("device", STREAM, 403),
    ],
)
def test_a_stream_is_prepared_for_those_who_see_it(site: Site, who: str, stream: str, status: int) -> None:
    """Preparing tells a stream's tag and where it stands, so it takes a role and a site that see it."""
    action = site.action("vital_signs.recorded", STREAM, VITALS) | {"stream": stream}
    answer = site.http.post(f"{BASE}/statements:prepare", json={"action": action}, headers=bearer(who))
    assert answer.status_code == status


def test_an_attachment_is_kept_under_its_own_hash(site: Site) -> None:
    """Bytes are kept once, by who may sign, under the hash that they have and no other."""
    data = b"a scan"
    address = f"{BASE}/attachments/{hashlib.sha256(data).hexdigest()}"
    headers = {**bearer("coordinator"), "content-type": "image/png"}
    put = [site.http.put(address, content=data, headers=headers).status_code for _ in range(2)]
    assert put == [201, 200]
    other = site.http.put(address, content=b"another", headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "ATTACHMENT")
    as_text = site.http.put(address, content=data, headers={**headers, "content-type": "text/plain"})
    assert (as_text.status_code, as_text.json()["code"]) == (409, "ATTACHMENT")
    assert site.http.put(address, content=data, headers={"content-type": "image/png"}).status_code == 401
    unnamed = site.http.put(address, content=data, headers=bearer("coordinator"))
    assert (unnamed.status_code, unnamed.json()["code"]) == (415, "CONTENT_TYPE")


def test_an_attachment_is_at_most_eight_mebibytes(site: Site) -> None:
    """What is larger is refused by what it states, and by what it is."""
    address = f"{BASE}/attachments/{'0' * 64}"
    headers = {**bearer("coordinator"), "content-type": "image/png"}
    large = bytes(8 * 1024 * 1024 + 1)
    answer = site.http.put(address, content=large, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "SIZE")


def test_a_frozen_ledger_records_nothing_and_reads_on(own_site: Site) -> None:
    """503 with the reason for writing; reading goes on; readyz says why."""
    submission = own_site.vitals()
    ledger = own_site.made.ledger
    before = ledger.startup
    ledger.startup = Startup(frozen=True, code="LOG_BEHIND_CHECKPOINT", message="an older copy")
    answer = own_site.hand_in(submission)
    assert (answer.status_code, answer.json()["code"]) == (503, "LOG_BEHIND_CHECKPOINT")
    ready = own_site.http.get("/readyz")
    assert (ready.status_code, ready.json()["code"]) == (503, "LOG_BEHIND_CHECKPOINT")
    assert own_site.get(f"/participants/{PARTICIPANT}").status_code == 200
    headers = {**bearer("coordinator"), "content-type": "image/png"}
    put = own_site.http.put(f"{BASE}/attachments/{hashlib.sha256(b'').hexdigest()}", headers=headers)
    assert put.status_code == 503
    ledger.startup = before
    assert own_site.hand_in(submission).status_code == 201


def test_a_store_that_another_process_locks_asks_to_come_again(own_site: Site) -> None:
    """503 with Retry-After while the lock is held, and the same bytes are recorded after."""
    submission = own_site.vitals()
    store: Any = own_site.made.ledger.store
    impatient(store)
    with locked(store.path):
        answer = own_site.hand_in(submission)
        assert (answer.status_code, answer.json()["code"]) == (503, "STORE_BUSY")
        assert answer.headers["Retry-After"] == "1"
    assert own_site.hand_in(submission).status_code == 201


def test_a_full_disk_records_nothing_and_the_ledger_goes_on(own_site: Site) -> None:
    """507 while there is no room; nothing is half-written; the same bytes are recorded when there is."""
    submission = own_site.vitals()
    store: Any = own_site.made.ledger.store
    before = store.head().size
    with full(store):
        answers = [own_site.hand_in(submission)]
        while answers[-1].status_code == 201:  # until the free pages are used up
            submission = own_site.vitals()
            before = store.head().size
            answers.append(own_site.hand_in(submission))
    assert (answers[-1].status_code, answers[-1].json()["code"]) == (507, "STORE_FULL")
    assert store.head().size == before
    assert own_site.hand_in(submission).status_code == 201


def test_a_demonstration_says_so_in_every_answer(own_site: Site) -> None:
    """Nobody takes a demonstration's record for a real one."""
    for path in ("/participants", "/participants/zz", "/checkpoint", "/events/zz", "/tile/0/000.p/1"):
        assert own_site.get(path).headers["Ledger-Demonstration"] == "all keys are public"
