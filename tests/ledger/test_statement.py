"""The statement's form (record-format.md §2): what is parsed, what is refused, and no value repeated."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import canonical, plain
from ledger.envelope import event_hash
from ledger.errors import FormatError
from ledger.statement import (
    MAX_STATEMENT_BYTES,
    ZERO_HASH,
    build_statement,
    class_of,
    load_statement,
    parse_statement,
    read_plain,
)
from tests.shared import VECTORS

DIGEST = "A" * 43


def statement(**changes: Any) -> dict[str, Any]:
    """Return the members of a good statement, changed; None takes one away, `with_` names `with`."""
    value: dict[str, Any] = {
        "v": 1,
        "log": "ledger.example/nct06414356",
        "id": "01940000-0000-7000-8000-000000000001",
        "type": "vital_signs.recorded",
        "schema": 1,
        "class": "open",
        "stream": "participant/SA-01-001",
        "tag": "ab" * 32,
        "seq": 2,
        "prev": "cd" * 32,
        "site": "SA-01",
        "occurred_at": "2026-01-05",
        "signed_at": "2026-01-05T14:00:00.000000Z",
        "actor": {"id": "bchan", "name": "B. Chan", "organisation": "Site SA-01", "role": "coordinator"},
        "key": {"alg": "ed25519", "id": "sha256:" + "ef" * 32},
        "meaning": "authorship",
        "seen": {"root": "A" * 43 + "=", "size": 7},
        "data": {},
    }
    for name, change in changes.items():
        name = name.removesuffix("_")
        if change is None:
            del value[name]
        else:
            value[name] = change
    return value


def refusal(value: dict[str, Any]) -> tuple[str, str | None]:
    """Return code and field of the error that a statement gets."""
    with pytest.raises(FormatError) as caught:
        parse_statement(canonical.encode(value))
    return caught.value.code, caught.value.field


def published() -> list[dict[str, Any]]:
    """Return the statements of the public vectors."""
    vectors = json.loads((VECTORS / "record-format.json").read_bytes())
    events: list[dict[str, Any]] = vectors["events"]
    return events


@pytest.mark.parametrize("number", range(len(published())))
def test_published_statements_parse_to_their_event_hash(number: int) -> None:
    """The statements of the public vectors are of the form, and have the hash that the vectors name."""
    event = published()[number]
    body = event["statement"].encode()
    parsed = parse_statement(body)
    assert parsed.event == event["event"]
    assert parsed.body == body
    assert parsed.type == json.loads(body)["type"]


def test_what_is_built_is_what_is_parsed() -> None:
    """Every member comes back, in its own type."""
    value = statement(
        protocol="2.0",
        originator={"id": "pump-7", "kind": "device", "source": "rs232"},
        with_=[{"alg": "es256", "id": "sha256:" + "01" * 32}],
        reason={"code": "transcription"},
        sealed={"/reason/text": DIGEST, "/data/arm": DIGEST},
    )
    body = build_statement(value)
    parsed = parse_statement(body)
    assert orjson.loads(body) == value
    assert (parsed.site, parsed.protocol, parsed.reason_code) == ("SA-01", "2.0", "transcription")
    assert parsed.originator is not None
    assert (parsed.originator.kind, parsed.originator.source) == ("device", "rs232")
    assert [ref.alg for ref in parsed.with_] == ["es256"]
    assert (parsed.seen.size, parsed.seen.root) == (7, bytes(32))
    assert parsed.sealed == {"/reason/text": DIGEST, "/data/arm": DIGEST}
    assert parsed.event == event_hash(body)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"originator": {"id": "pump-7", "kind": "device", "source": "rs232"}, "protocol": "2.0"},
        {
            "originator": {"id": "p", "kind": "person"},
            "with_": [{"alg": "es256", "id": "sha256:" + "01" * 32}],
        },
        {"reason": {"code": "transcription"}, "sealed": {"/reason/text": DIGEST}},
    ],
)
def test_what_was_checked_is_read_again_without_checking(changes: dict[str, Any]) -> None:
    """Bytes that were parsed once give the same statement where their form is taken as known."""
    body = build_statement(statement(**changes))
    assert load_statement(body, event_hash(body)) == parse_statement(body)


@pytest.mark.parametrize(
    "changes",
    [
        {"protocol": "2.0 f\u00fcr Basel"},
        {"originator": {"id": "Pumpe \u00fc", "kind": "device", "source": "rs232"}},
        {"originator": {"id": "\u00fc", "kind": "person"}, "signed_at": "2026-02-01T09:30:00.000001Z"},
        {"protocol": "\u00fc", "sealed": {"/reason/text": DIGEST}, "reason": {"code": "late"}},
        {"protocol": "\u00fc", "with_": [{"alg": "es256", "id": "sha256:" + "01" * 32}]},
    ],
)
def test_what_went_the_long_way_is_read_again_that_way(changes: dict[str, Any]) -> None:
    """Of another form than nearly all have, with the same members."""
    value = statement(**changes)
    body = build_statement(value)
    assert plain.load(body) is None
    again, parsed = load_statement(body, event_hash(body)), parse_statement(body)
    assert again == parsed
    assert again.originator == parsed.originator
    assert (again.body, again.event, again.signed_at) == (body, event_hash(body), value["signed_at"])


def test_published_statements_are_read_again() -> None:
    """The same holds for the statements of the public vectors."""
    for event in published():
        body = event["statement"].encode()
        assert load_statement(body, event["event"]) == parse_statement(body)


@pytest.mark.parametrize(
    ("type_", "stream", "expected"),
    [
        ("ledger.opened", "study", "control"),
        ("key.enrolled", "person/x", "control"),
        ("record.reaffirmed", "site/SA-01", "control"),
        ("record.cosigned", "site/SA-01", "open"),
        ("randomization.list_committed", "randomization/main", "control"),
        ("randomization.requested", "participant/x", "open"),
        ("randomization.error_recorded", "safety", "restricted"),
        ("command.refused", "access/2026-01", "restricted"),
        ("command_approval.recorded", "site/SA-01", "control"),
        ("dose.prepared", "pharmacy/SA-01", "restricted"),
        ("breach.detected", "pharmacy/SA-01", "restricted"),
        ("breach.detected", "study", "open"),
        ("participant.randomized", "participant/x", "open"),
        ("personal_data.erased", "study", "control"),
        ("inspection.opened", "study", "control"),
        ("site_visit.made", "site/SA-01", "open"),
    ],
)
def test_class_follows_from_type_and_stream(type_: str, stream: str, expected: str) -> None:
    """The class is that of the page's table, whatever the signer would like."""
    assert class_of(type_, stream) == expected


REQUIRED = """
v log id type schema class stream tag seq prev occurred_at signed_at actor key meaning seen data
"""


@pytest.mark.parametrize("name", REQUIRED.split())
def test_a_required_member_is_required(name: str) -> None:
    """Each member that the page requires is missed by name."""
    value = statement()
    del value[name]
    assert refusal(value) == ("STATEMENT", f"/{name}")


@pytest.mark.parametrize(
    "inner", ["actor", "key", "seen", "originator", "reason", "with/0"], ids=lambda name: name
)
def test_inner_objects_are_closed(inner: str) -> None:
    """An unknown member of an inner object is refused at that object."""
    value = statement(
        originator={"id": "p", "kind": "person"},
        reason={"code": "typo"},
        sealed={"/reason/text": DIGEST},
        with_=[{"alg": "es256", "id": "sha256:" + "01" * 32}],
    )
    parse_statement(canonical.encode(value))
    place: Any = value
    for step in inner.split("/"):
        place = place[int(step) if step.isdigit() else step]
    place["more"] = 1
    assert refusal(value) == ("STATEMENT", f"/{inner}")


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"key": {"id": "x"}}, "alg, id"),
        ({"originator": {"id": "x"}}, "id, kind (and source)"),
    ],
)
def test_a_refusal_says_which_members_an_object_has(changes: dict[str, Any], names: str) -> None:
    """Those that it must have, and after them those that it may have."""
    with pytest.raises(FormatError) as refused:
        parse_statement(canonical.encode(statement(**changes)))
    assert refused.value.message == f"expected exactly the members {names}"


BAD_MEMBERS: list[tuple[dict[str, Any], str, str]] = [
    ({"v": 2}, "STATEMENT", "/v"),
    ({"actor": "bchan"}, "STATEMENT", "/actor"),
    ({"key": ["ed25519"]}, "STATEMENT", "/key"),
    ({"seen": 7}, "STATEMENT", "/seen"),
    ({"originator": "person"}, "STATEMENT", "/originator"),
    ({"with": ["ed25519"]}, "STATEMENT", "/with/0"),
    ({"v": True}, "STATEMENT", "/v"),
    ({"v": "1"}, "STATEMENT", "/v"),
    ({"extra": 1}, "STATEMENT", "/extra"),
    ({"log": "X"}, "STATEMENT", "/log"),
    ({"id": "01940000-0000-4000-8000-000000000001"}, "STATEMENT", "/id"),
    ({"id": "01940000-0000-7000-8000-00000000000A"}, "STATEMENT", "/id"),
    ({"type": "recorded"}, "STATEMENT", "/type"),
    ({"type": "vital_signs.Recorded"}, "STATEMENT", "/type"),
    ({"schema": 0}, "STATEMENT", "/schema"),
    ({"schema": True}, "STATEMENT", "/schema"),
    ({"class": "control"}, "CLASS", "/class"),
    ({"class": "restricted"}, "CLASS", "/class"),
    ({"class": ["open"]}, "CLASS", "/class"),
    ({"stream": "participant/"}, "STATEMENT", "/stream"),
    ({"stream": "participant/SA 01"}, "STATEMENT", "/stream"),
    ({"stream": "study/x"}, "STATEMENT", "/stream"),
    ({"stream": "person/" + "x" * 64}, "STATEMENT", "/stream"),
    ({"tag": "AB" * 32}, "STATEMENT", "/tag"),
    ({"tag": "ab" * 31}, "STATEMENT", "/tag"),
    ({"seq": 0}, "STATEMENT", "/seq"),
    ({"seq": "2"}, "STATEMENT", "/seq"),
    ({"prev": ZERO_HASH}, "STATEMENT", "/prev"),
    ({"seq": 1}, "STATEMENT", "/prev"),
    ({"site": None}, "SITE", "/site"),
    ({"site": "SA 01\n"}, "STATEMENT", "/site"),
    ({"site": "*"}, "STATEMENT", "/site"),
    ({"stream": "site/SA-02"}, "SITE", "/site"),
    ({"stream": "study"}, "SITE", "/site"),
    ({"protocol": ""}, "STATEMENT", "/protocol"),
    ({"occurred_at": "2026-02-30"}, "STATEMENT", "/occurred_at"),
    ({"occurred_at": "05/01/2026"}, "STATEMENT", "/occurred_at"),
    ({"occurred_at": 5}, "STATEMENT", "/occurred_at"),
    ({"signed_at": "2026-01-05T14:00:00Z"}, "STATEMENT", "/signed_at"),
    ({"signed_at": "2026-01-05"}, "STATEMENT", "/signed_at"),
    ({"actor": {"id": "x", "name": "", "organisation": "o", "role": "r"}}, "STATEMENT", "/actor/name"),
    ({"actor": {"id": "x", "name": "n", "organisation": "o", "role": "R"}}, "STATEMENT", "/actor/role"),
    ({"actor": {"id": "x", "name": "n", "organisation": "o"}}, "STATEMENT", "/actor"),
    ({"originator": {"id": "x", "kind": "robot"}}, "STATEMENT", "/originator/kind"),
    ({"originator": {"id": "x", "kind": ["person"]}}, "STATEMENT", "/originator/kind"),
    ({"originator": {"id": 1, "kind": "person"}}, "STATEMENT", "/originator/id"),
    ({"key": {"alg": "rsa", "id": "sha256:" + "ef" * 32}}, "STATEMENT", "/key/alg"),
    ({"key": {"alg": {}, "id": "sha256:" + "ef" * 32}}, "STATEMENT", "/key/alg"),
    ({"key": {"alg": "es256", "id": "ef" * 32}}, "STATEMENT", "/key/id"),
    ({"with": []}, "STATEMENT", "/with"),
    ({"with": [{"alg": "es256", "id": "sha256:" + "01" * 32}] * 9}, "STATEMENT", "/with"),
    ({"with": {"alg": "es256"}}, "STATEMENT", "/with"),
    ({"meaning": "consent"}, "STATEMENT", "/meaning"),
    ({"meaning": []}, "STATEMENT", "/meaning"),
    ({"reason": {"code": "typo"}}, "STATEMENT", "/sealed"),
    ({"sealed": {"/reason/text": DIGEST}}, "STATEMENT", "/sealed/reason/text"),
    ({"reason": {"code": "A typo"}, "sealed": {"/reason/text": DIGEST}}, "STATEMENT", "/reason/code"),
    ({"seen": {"root": "A" * 43 + "=", "size": -1}}, "STATEMENT", "/seen/size"),
    ({"seen": {"root": "A" * 43 + "=", "size": True}}, "STATEMENT", "/seen/size"),
    ({"seen": {"root": "A" * 42 + "B=", "size": 1}}, "STATEMENT", "/seen/root"),
    ({"seen": {"root": "A" * 44, "size": 1}}, "STATEMENT", "/seen/root"),
    ({"seen": {"root": "*" * 43 + "=", "size": 1}}, "STATEMENT", "/seen/root"),
    ({"data": []}, "STATEMENT", "/data"),
    ({"sealed": {}}, "STATEMENT", "/sealed"),
    ({"sealed": []}, "STATEMENT", "/sealed"),
    ({"sealed": {"/data/arm": "A" * 42 + "B"}}, "STATEMENT", "/sealed/data/arm"),
    ({"sealed": {"/data/arm": "A" * 44}}, "STATEMENT", "/sealed/data/arm"),
    ({"sealed": {"/data/arm": DIGEST}, "data": {"arm": "x"}}, "STATEMENT", "/data/arm"),
    ({"sealed": {"/data/a/b": DIGEST}}, "STATEMENT", "/sealed/data/a/b"),
    ({"sealed": {"/data/a/1/b": DIGEST}, "data": {"a": [{}]}}, "STATEMENT", "/sealed/data/a/1/b"),
]


@pytest.mark.parametrize(("changes", "code", "field"), BAD_MEMBERS)
def test_a_member_out_of_form_is_refused(changes: dict[str, Any], code: str, field: str) -> None:
    """Each member has one form; the error has its code and names the member."""
    value = statement()
    for name, change in changes.items():
        if change is None:
            del value[name]
        else:
            value[name] = change
    assert refusal(value) == (code, field)


@pytest.mark.parametrize("stream", ["participant/SA-01-001", "pharmacy/SA-01", "safety", "access/2026-01"])
def test_control_stands_in_unsalted_streams_alone(stream: str) -> None:
    """What the fold of authority needs is never behind a salt."""
    value = statement(type="role.granted", class_="control", stream=stream)
    assert refusal(value) == ("CLASS_STREAM", "/stream")


def test_control_in_a_salted_stream_is_not_taken_the_quick_way() -> None:
    """Where a type would be of the class, the stream decides all the same."""
    at = {"occurred_at": "2026-01-05T08:00:00Z", "type": "account.created", "class": "control"}
    plain = {"stream": "person/bchan", "site": None}
    body = canonical.encode(statement(**at, **plain))
    assert read_plain(body, event_hash(body)) is not None
    body = canonical.encode(statement(**at))
    assert read_plain(body, event_hash(body)) is None


def test_a_sealed_member_may_lie_within_a_list() -> None:
    """A pointer may go through a list to a member that is absent there."""
    parsed = parse_statement(
        build_statement(statement(data={"a": [{}, {"c": 1}]}, sealed={"/data/a/1/b": DIGEST}))
    )
    assert parsed.sealed == {"/data/a/1/b": DIGEST}


def test_a_statement_has_at_most_32768_bytes() -> None:
    """The limit is exact: one byte more is refused for its size."""
    short = len(canonical.encode(statement(data={"a": ""})))
    fits = statement(data={"a": "x" * (MAX_STATEMENT_BYTES - short)})
    assert len(build_statement(fits)) == MAX_STATEMENT_BYTES
    fits["data"]["a"] += "x"
    with pytest.raises(FormatError) as caught:
        parse_statement(orjson.dumps(fits, option=orjson.OPT_SORT_KEYS))
    assert caught.value.code in ("SIZE", "CANONICAL")
    assert "32768" in caught.value.message


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b"{", b'{"v":1,"v":1}', b'{"v":1.0}', b"\xff"])
def test_what_is_no_canonical_object_is_refused(body: bytes) -> None:
    """Bytes that are not canonical JSON, or no object, are no statement."""
    with pytest.raises(FormatError) as caught:
        parse_statement(body)
    assert caught.value.code in ("CANONICAL", "STATEMENT")


def test_bytes_that_are_not_canonical_are_refused() -> None:
    """The same members in another order or with a space are other bytes, and nobody signed these."""
    body = build_statement(statement())
    for changed in (
        body.replace(b",", b", ", 1),
        body + b"\n",
        orjson.dumps(dict(reversed(statement().items()))),
    ):
        with pytest.raises(FormatError) as caught:
            parse_statement(changed)
        assert caught.value.code == "CANONICAL"


SECRET = "s3cret"
NAMES = st.sampled_from(["id", "kind", "alg", "code", "root"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.just(SECRET) | st.text("ab/ .", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)


@given(
    name=st.sampled_from(sorted({*statement(), "with", "originator", "reason", "sealed", "protocol"})),
    inner=st.none() | st.sampled_from(["id", "alg", "kind", "name", "role", "root", "size", "code"]),
    value=json_values,
)
def test_any_value_anywhere_is_parsed_or_refused_without_repeating_it(
    name: str, inner: str | None, value: Any
) -> None:
    """Whatever JSON stands at a member, the parser raises nothing but its own errors, and quotes no value."""
    whole = statement(originator={"id": "p", "kind": "person"})
    if inner is not None and isinstance(whole.get(name), dict):
        whole[name] = {**whole[name], inner: value}
    else:
        whole[name] = value
    message = ""
    try:
        parse_statement(canonical.encode(whole))
    except FormatError as error:
        message = str(error)
    assert SECRET not in message
