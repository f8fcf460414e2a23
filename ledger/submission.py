"""What is handed in for recording: exact statement bytes, signatures, and the openings of sealed members.

    {"payload":"<b64>","payloadType":"…","signatures":[{"keyid","sig"[,"ad","cd"]},… key then with],
     "disclosures":{"/data/x":"<D>",…}}                          interfaces.md, POST /statements

The form is a DSSE envelope with disclosures beside it; the algorithms are the statement's own.
"""

from __future__ import annotations

import json  # its hooks see duplicate members and number forms, which orjson does not show
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from ledger.envelope import PAYLOAD_TYPE
from ledger.errors import FormatError
from ledger.keys import KeyId, KeySignature
from ledger.lines import encode_base64, parse_base64
from ledger.statement import MAX_WITH_KEYS, Statement, parse_statement

MAX_SUBMISSION_BYTES: Final = 96 * 1024

_MEMBERS: Final = frozenset({"payload", "payloadType", "signatures"})
_OPTIONAL: Final = frozenset({"disclosures"})
_SIGNATURE: Final = frozenset({"keyid", "sig"})
_ASSERTION: Final = frozenset({"ad", "cd"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A statement with its signatures (of `key`, then each of `with`) and its disclosures D by path."""

    statement: Statement
    sigs: tuple[KeySignature, ...]
    disclosures: Mapping[str, str] = field(repr=False)


def parse_submission(body: bytes) -> Submission:
    """Parse the JSON body of a submission strictly.

    Raises:
        FormatError: `BODY` with the member, `SIZE`, or what `parse_statement` raises.
    """
    if len(body) > MAX_SUBMISSION_BYTES:
        raise FormatError("SIZE", f"a submission has at most {MAX_SUBMISSION_BYTES} bytes")
    value = parse_body(body)
    if not (value.keys() >= _MEMBERS and value.keys() <= _MEMBERS | _OPTIONAL):
        missing = next((f"/{name}" for name in sorted(_MEMBERS) if name not in value), None)
        expected = "expected exactly payload, payloadType, signatures and disclosures"
        raise FormatError("BODY", expected, field=missing)
    if value["payloadType"] != PAYLOAD_TYPE:
        raise FormatError("BODY", f"expected {PAYLOAD_TYPE}", field="/payloadType")
    statement = parse_statement(_bytes(value, "payload", ""))
    return Submission(
        statement=statement,
        sigs=_signatures(value["signatures"], statement),
        disclosures=_disclosures(value.get("disclosures", {})),
    )


def format_submission(submission: Submission) -> bytes:
    """Format a submission as its JSON body; the inverse of `parse_submission`."""
    signatures = []
    for sig in submission.sigs:
        entry = {"keyid": sig.key, "sig": encode_base64(sig.sig)}
        if sig.ad is not None and sig.cd is not None:
            entry |= {"ad": encode_base64(sig.ad), "cd": encode_base64(sig.cd)}
        signatures.append(entry)
    return orjson.dumps(
        {
            "payload": encode_base64(submission.statement.body),
            "payloadType": PAYLOAD_TYPE,
            "signatures": signatures,
            "disclosures": dict(submission.disclosures),
        }
    )


def parse_body(body: bytes) -> dict[str, Any]:
    """Parse a JSON object without duplicate keys, floats, huge integers or lone surrogates.

    Raises:
        FormatError: `JSON` for what is not such JSON, `BODY` when it is not an object.
    """
    try:
        value = strict_json(body)
    except RecursionError as error:
        raise FormatError("JSON", "nested too deep") from error
    if not isinstance(value, dict):
        raise FormatError("BODY", "expected an object")
    return value


def strict_json(body: bytes) -> Any:
    """Parse JSON, refusing what parsers are known to disagree on.

    Raises:
        FormatError: `JSON`.
    """
    try:
        text = body.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_no_duplicates,
            parse_float=_no_float,
            parse_constant=_no_float,
            parse_int=_small_int,
        )
        orjson.dumps(value)  # refuses lone surrogates
    except (UnicodeDecodeError, ValueError, TypeError) as error:
        raise FormatError("JSON", "not well-formed JSON") from error
    return value


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise FormatError("JSON", "a member stands twice in one object")
    return value


def _no_float(_: str) -> Any:
    raise FormatError("JSON", "numbers are integers; quantities are decimal strings")


def _small_int(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > 2**53 - 1 or text == "-0":
        raise FormatError("JSON", "integers lie within 2^53 - 1")
    return int(text)


def _bytes(value: Mapping[str, Any], name: str, at: str) -> bytes:
    text = value[name]
    if not isinstance(text, str):
        raise FormatError("BODY", "expected base64", field=f"{at}/{name}")
    try:
        return parse_base64(text, what="the member", code="BODY")
    except FormatError as error:
        raise FormatError("BODY", error.message, field=f"{at}/{name}") from error


def _signatures(value: Any, statement: Statement) -> tuple[KeySignature, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= 1 + MAX_WITH_KEYS:
        raise FormatError("BODY", f"expected 1 to {1 + MAX_WITH_KEYS} signatures", field="/signatures")
    refs = (statement.key, *statement.with_)
    if len(refs) != len(value):
        raise FormatError(
            "SIGNATURE_SET", f"expected {len(refs)} signatures, got {len(value)}", field="/signatures"
        )
    return tuple(
        _signature(entry, ref.alg, ref.id, f"/signatures/{n}")
        for n, (entry, ref) in enumerate(zip(value, refs, strict=True))
    )


def _signature(value: Any, alg: str, key_id: str, at: str) -> KeySignature:
    wanted = _SIGNATURE | _ASSERTION if alg == "webauthn-es256" else _SIGNATURE
    if not isinstance(value, dict) or value.keys() != wanted:
        raise FormatError("BODY", f"expected exactly {', '.join(sorted(wanted))}", field=at)
    if value["keyid"] != key_id:
        raise FormatError(
            "SIGNATURE_SET", "signatures stand in the order of key and with", field=f"{at}/keyid"
        )
    return KeySignature(
        alg=alg,
        key=KeyId(key_id),
        sig=_bytes(value, "sig", at),
        ad=_bytes(value, "ad", at) if "ad" in value else None,
        cd=_bytes(value, "cd", at) if "cd" in value else None,
    )


def _disclosures(value: Any) -> Mapping[str, str]:
    if not isinstance(value, dict) or not all(isinstance(d, str) for d in value.values()):
        raise FormatError("BODY", "expected an object of texts", field="/disclosures")
    return value
