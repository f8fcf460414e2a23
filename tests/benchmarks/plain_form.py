"""The form of statements and of their data, as the plain verifier judges it, by the published catalogue.

The catalogue is the document of `GET /catalogue`: for each type the JSON Schema of its data, the streams that
it stands in and what of it is sealed. No reader of JSON Schema is used, as each would take many times as long
as this walk over the few words that these schemas have.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final
from unicodedata import category, is_normalized

REQUIRED: Final = {
    "v", "log", "id", "type", "schema", "class", "stream", "tag", "seq", "prev", "occurred_at", "signed_at",
    "actor", "key", "meaning", "seen", "data",
}  # fmt: skip
OPTIONAL: Final = {"site", "protocol", "originator", "with", "reason", "sealed"}
MEANINGS: Final = {"authorship", "review", "approval", "responsibility", "verification", "attestation"}
ALGORITHMS: Final = {"ed25519", "es256", "webauthn-es256", "ml-dsa-65"}
HEX: Final = re.compile("[0-9a-f]{64}")
UUID7: Final = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
CLINICAL: Final = re.compile(
    r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d))?)?)?", re.ASCII
)
ORIGIN: Final = re.compile("[a-z0-9][a-z0-9.:/_-]{2,199}")
KEY_ID: Final = re.compile("sha256:[0-9a-f]{64}")
CODE: Final = re.compile("[a-z][a-z0-9_]{0,63}")
NAME: Final = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
STREAM: Final = re.compile(
    "study|safety|(?:site|pharmacy|participant|person|randomization|access)/[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
)
KEY: Final = re.compile("[a-z][a-z0-9_]{0,63}")
POINTER: Final = re.compile(
    r"/(data|reason)(/([a-z][a-z0-9_]{0,63}|0|[1-9][0-9]{0,4}))*/[a-z][a-z0-9_]{0,63}"
)
POINTERS: Final = ("sealed", "open")
UNSEEN: Final = {"Cc", "Cf", "Cn", "Cs", "Zl", "Zp"}
SEEN: Final = "\n\t\u200c\u200d"
MOST_DEEP: Final = 16
DIGEST: Final = re.compile("[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
WHOLE_DAY: Final = len("YYYY-MM-DD")

Types = Mapping[tuple[str, int], Mapping[str, Any]]


class WrongError(Exception):
    """The bundle is not what it should be."""


def expect(holds: object, what: str) -> None:
    """Refuse a bundle of which something does not hold."""
    if not holds:
        raise WrongError(what)


def check_restrictions(value: Any, depth: int = 1, keys: re.Pattern[str] = KEY) -> None:
    """Refuse JSON that the format has no bytes for (record-format.md §1)."""
    if isinstance(value, str):
        if not value.isascii():
            expect(is_normalized("NFC", value), "NFC")
            expect(all(category(each) not in UNSEEN or each in SEEN for each in value), "characters")
        elif not value.isprintable():
            expect(all(each.isprintable() or each in SEEN for each in value), "characters")
    elif isinstance(value, dict):
        expect(depth <= MOST_DEEP, "depth")
        for name, inner in value.items():
            expect(keys.fullmatch(name), "key")
            check_restrictions(inner, depth + 1, POINTER if depth == 1 and name in POINTERS else KEY)
    elif isinstance(value, list):
        expect(depth <= MOST_DEEP, "depth")
        for inner in value:
            check_restrictions(inner, depth + 1)
    elif isinstance(value, int):
        expect(-(2**53) < value < 2**53, "integer")
    else:
        expect(value is None, "float")


def check_statement(statement: Any, types: Types) -> None:
    """Refuse a statement that is not one of its type (record-format.md §2; the catalogue)."""
    expect(isinstance(statement, dict), "object")
    expect(set(statement) >= REQUIRED and set(statement) <= REQUIRED | OPTIONAL, "members")
    expect(type(statement["v"]) is int and statement["v"] == 1, "version")
    expect(text(statement["log"], ORIGIN), "log")
    expect(text(statement["id"], UUID7) and text(statement["tag"], HEX), "id or tag")
    expect(text(statement["prev"], HEX) and text(statement["stream"], STREAM), "prev or stream")
    for number in (statement["seq"], statement["schema"]):
        expect(type(number) is int and number >= 1, "number")
    expect((statement["seq"] == 1) == (statement["prev"] == "0" * 64), "first")
    expect(statement["meaning"] in MEANINGS, "meaning")
    _check_times(statement)
    _check_who(statement)
    _check_place(statement)
    seen = statement["seen"]
    expect(set(seen) == {"root", "size"} and type(seen["size"]) is int, "seen")
    expect(len(base64.b64decode(seen["root"], validate=True)) == 32, "seen")
    if "protocol" in statement:
        expect(0 < len(statement["protocol"]) <= 500, "protocol")
    if "reason" in statement:
        expect(set(statement["reason"]) == {"code"} and text(statement["reason"]["code"], CODE), "reason")
    _check_data(statement, types)


def references(schema: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the events that data name."""
    for name, value in data.items():
        inner = schema["properties"][name]
        if inner.get("x-event"):
            yield value
        elif inner.get("type") == "array" and _item(inner).get("x-event"):
            yield from value


def _item(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    first: Mapping[str, Any] = (
        schema["prefixItems"][0] if "prefixItems" in schema else schema.get("items", {})
    )
    return first


def text(value: Any, pattern: re.Pattern[str]) -> bool:
    """Tell whether a value is a text that matches a whole pattern."""
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _check_times(statement: Any) -> None:
    occurred, signed = statement["occurred_at"], statement["signed_at"]
    expect(text(occurred, CLINICAL) and text(signed, INSTANT), "time")
    datetime.fromisoformat(signed)
    if len(occurred) >= WHOLE_DAY:
        datetime.fromisoformat(occurred)


def _check_who(statement: Any) -> None:
    actor = statement["actor"]
    expect(set(actor) == {"id", "name", "organisation", "role"}, "actor")
    expect(all(isinstance(each, str) and 0 < len(each) <= 500 for each in actor.values()), "actor")
    expect(text(actor["role"], CODE), "role")
    for key in (statement["key"], *statement.get("with", [])):
        expect(set(key) == {"alg", "id"} and key["alg"] in ALGORITHMS and text(key["id"], KEY_ID), "key")
    originator = statement.get("originator")
    if originator is not None:
        expect({"id", "kind"} <= set(originator) <= {"id", "kind", "source"}, "originator")
        expect(originator["kind"] in {"person", "participant", "system", "device"}, "originator")


def _check_place(statement: Any) -> None:
    kind, _, name = statement["stream"].partition("/")
    site = statement.get("site")
    if kind in ("site", "pharmacy"):
        expect(site == name, "site")
    elif kind == "participant":
        expect(text(site, NAME), "site")
    else:
        expect(site is None, "site")


def _check_data(statement: Any, types: Types) -> None:
    known = types.get((statement["type"], statement["schema"]))
    expect(known is not None, "type")
    assert known is not None
    expect(statement["stream"].partition("/")[0] in known["streams"], "stream")
    if known["class"] == "control":
        expect(statement["class"] == "control", "class")
    else:
        restricted = statement["stream"] == "safety" or statement["stream"].startswith(
            ("pharmacy/", "access/")
        )
        expect(statement["class"] == ("restricted" if restricted else "open"), "class")
    sealed, reason = statement.get("sealed", {}), "reason" in statement
    expect(reason or not known["reason_required"], "reason")
    expect(set(sealed) == set(known["sealed"]) | ({"/reason/text"} if reason else set()), "sealed")
    for path, digest in sealed.items():
        expect(text(digest, DIGEST), "digest")
        expect(path == "/reason/text" or path[len("/data/") :] not in statement["data"], "sealed")
    check(known["data"], statement["data"])


def check(schema: Mapping[str, Any], value: Any) -> None:
    """Refuse a value that a schema does not describe."""
    if "enum" in schema:
        expect(not isinstance(value, bool) and value in schema["enum"], "one of a few")
        return
    kind = schema.get("type")
    if kind == "object":
        _check_object(schema, value)
    elif kind == "array":
        _check_array(schema, value)
    elif kind == "string":
        expect(isinstance(value, str), "text")
        if "pattern" in schema:
            expect(_compiled(schema["pattern"]).search(value), "pattern")
        expect(schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)), "length")
    elif kind == "integer":
        expect(type(value) is int, "integer")
        expect(schema.get("minimum", value) <= value <= schema.get("maximum", value), "range")
    elif kind == "boolean":
        expect(isinstance(value, bool), "boolean")


def _check_object(schema: Mapping[str, Any], value: Any) -> None:
    expect(isinstance(value, dict), "object")
    properties = schema["properties"]
    expect(all(name in value for name in schema.get("required", ())), "required")
    for name, inner in value.items():
        expect(name in properties, "unknown member")
        check(properties[name], inner)


def _check_array(schema: Mapping[str, Any], value: Any) -> None:
    expect(isinstance(value, list), "array")
    expect(schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)), "items")
    given = schema.get("prefixItems", [])
    for n, inner in enumerate(value):
        check(given[n] if n < len(given) else schema.get("items", {}), inner)
    if schema.get("uniqueItems"):
        expect(len({repr(each) for each in value}) == len(value), "items twice")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)
