"""What the signing pages ask for: a person's keys, passkeys to be made, statements that wait for a signature.

Nothing here signs and nothing is recorded: a passkey counts once its `key.enrolled` is in the log, and a
statement once it was handed in with every signature (`POST /statements`).
"""

from __future__ import annotations

from typing import Any, Final

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.answers import answer
from api.body import JSON, MAX_JSON_BYTES, check_content_type, read_body, require_members
from api.call import Call
from api.columns import SIGNING_KEYS
from api.operations import Operation
from api.problems import ProblemError
from api.study import ServedStudy
from api.tables import csv_text
from ledger.actions.registry import parse_action
from ledger.authorisation import signers
from ledger.authority import Authority, Person
from ledger.envelope import pae
from ledger.errors import FormatError
from ledger.identity.accounts import Accounts
from ledger.keys import KeyId, KeySignature, check_signature
from ledger.lines import parse_base64
from ledger.signing import passkeys
from ledger.signing.desk import Desk, DeskKey, Waiting, key_members
from ledger.signing.settings import SigningSettings
from ledger.statement import KeyRef, Statement, parse_statement
from ledger.submission import Submission, parse_body, parse_submission


def signing(call: Call) -> Response:
    """Answer the desk of who asks: themselves, their keys, what waits for them."""
    desk, person = desk_of(call), person_of(call)
    study = call.study
    authority, now_us = study.ledger.refresh().authority, study.ledger.sources.now_us()
    settings = study.config.signing
    value = {
        "person": person.id,
        "name": person.name,
        "organisation": person.organisation,
        "log": study.ledger.origin,
        "study": study.config.study,
        "rp_id": settings.rp_id if settings is not None else None,
        "origins": list(settings.origins) if settings is not None else [],
        "keys": [_shown(authority, key, study) for key in desk.keys_of(person.id)],
        "waiting": [_waiting(each) for each in _still_waiting(study, desk, person.id, now_us)],
    }
    return answer(call, value, study.ledger.store.head())


async def passkey_begin(call: Call) -> Response:
    """Answer what a browser is asked to make: a passkey for this study's signing pages."""
    await _object(call, frozenset())
    return await run_in_threadpool(_begin, call)


async def passkey(call: Call) -> Response:
    """Take the passkey that a browser made; it waits to be enrolled."""
    value = await _object(call, frozenset({"id", "rawId", "type", "response"}))
    return await run_in_threadpool(_register, call, value)


def signing_keys(call: Call) -> Response:
    """Answer every key on the desk that is not enrolled, for whoever enrols keys."""
    study = call.study
    authority = study.ledger.refresh().authority
    rows = [_shown(authority, key, study) for key in desk_of(call).all() if key.id not in authority.keys]
    return answer(call, {"keys": rows}, study.ledger.store.head(), csv=csv_text(SIGNING_KEYS, rows))


async def leave_signature(call: Call) -> Response:
    """Take a statement that everybody has signed but one, and let it wait for that one."""
    check_content_type(call.request, JSON)
    body = await read_body(call.request, MAX_JSON_BYTES)
    return await run_in_threadpool(_leave, call, body)


def desk_of(call: Call) -> Desk:
    """Return the study's desk.

    Raises:
        ProblemError: `NO_ACCOUNTS` where the service has no file of accounts.
    """
    return Desk(accounts_of(call).database)


def accounts_of(call: Call) -> Accounts:
    """Return the study's accounts.

    Raises:
        ProblemError: `NO_ACCOUNTS`.
    """
    accounts = call.study.people.accounts
    if accounts is None:
        raise ProblemError("NO_ACCOUNTS", 503)
    return accounts


def person_of(call: Call) -> Person:
    """Return who asks, as the log knows them.

    Raises:
        ProblemError: `FORBIDDEN` for a token of nobody whom the log knows.
    """
    name = call.session.person if call.session is not None else call.reader.person
    authority = call.study.ledger.refresh().authority
    person = authority.persons.get(name) if name is not None else None
    if person is None or not person.active:
        raise ProblemError("FORBIDDEN", 403)
    return person


def _settings(call: Call) -> SigningSettings:
    settings = call.study.config.signing
    if settings is None:
        raise ProblemError("SIGNING_PAGES_MISSING", 404)
    return settings


def _begin(call: Call) -> Response:
    settings, person = _settings(call), person_of(call)
    ledger = call.study.ledger
    challenge = passkeys.make_challenge(
        ledger.service.secret, person.id, ledger.sources.now_us(), ledger.sources.random_bytes
    )
    known = [key.credential for key in desk_of(call).keys_of(person.id) if key.credential is not None]
    account = passkeys.Account(person=person.id, name=person.name)
    options = passkeys.creation_options(settings, account, challenge, known)
    return answer(call, options, ledger.store.head())


def _register(call: Call, value: dict[str, Any]) -> Response:
    settings, person = _settings(call), person_of(call)
    ledger, desk = call.study.ledger, desk_of(call)
    now_us, challenge = ledger.sources.now_us(), passkeys.challenge_of(value)
    passkeys.check_challenge(ledger.service.secret, person.id, now_us, challenge)
    registered = passkeys.read_registration(value, settings, person.id, challenge)
    desk.add(registered.key, now_us, credential=registered.credential)
    made = {"key": key_members(registered.key), "credential": registered.credential}
    return answer(call, made, ledger.store.head(), status=201)


def _leave(call: Call, body: bytes) -> Response:
    value = parse_body(body)
    authority = call.study.ledger.refresh().authority
    submission, missing = _lacking(value)
    statement = submission.statement
    if statement.sealed:
        raise FormatError("WAITING", "expected a statement without sealed values", field="/payload")
    parse_action(statement)
    message = pae(statement.body)
    for key, sig in zip(signers(authority, statement), submission.sigs, strict=True):
        if sig.key != missing.id:
            check_signature(key, message, statement.event, sig)
    person = _holder(authority, statement, missing)
    now_us = call.study.ledger.sources.now_us()
    desk_of(call).leave(submission, body, missing, person, now_us)
    waiting = {"event": statement.event, "person": person, "key": missing.id}
    return answer(call, waiting, call.study.ledger.store.head(), status=202)


def _lacking(value: dict[str, Any]) -> tuple[Submission, KeyRef]:
    """Read an envelope that lacks one signature; return it with that one empty, and whose it is."""
    given = value.get("signatures")
    if not isinstance(given, list) or not all(
        isinstance(each, dict) and isinstance(each.get("keyid"), str) for each in given
    ):
        raise FormatError("BODY", "expected signatures", field="/signatures")
    by_key = {str(each.get("keyid")): each for each in given}
    statement = statement_of(value)
    refs = (statement.key, *statement.with_)
    missing = [ref for ref in refs if ref.id not in by_key]
    if len(missing) != 1 or len(given) != len(refs) - 1:
        raise FormatError("WAITING", "expected every signature but one", field="/signatures")
    filled = [by_key.get(ref.id) or _empty(ref) for ref in refs]
    return parse_submission(orjson.dumps({**value, "signatures": filled})), missing[0]


def statement_of(value: dict[str, Any]) -> Statement:
    """Return the statement of an envelope, whatever its signatures.

    Raises:
        FormatError: as `parse_statement`, `BODY`.
    """
    payload = value.get("payload")
    if not isinstance(payload, str):
        raise FormatError("BODY", "expected base64", field="/payload")
    return parse_statement(parse_base64(payload, what="the payload", code="BODY"))


def _empty(ref: KeyRef) -> dict[str, str]:
    entry = {"keyid": ref.id, "sig": "AA=="}
    return {**entry, "ad": "AA==", "cd": "AA=="} if ref.alg == "webauthn-es256" else entry


def _holder(authority: Authority, statement: Statement, missing: KeyRef) -> str:
    """Return whose key it is that has not signed: of the log, or brought by this very statement."""
    person = authority.person_of(missing.id)
    if person is not None:
        return person
    return str(statement.data["key"]["person"])  # `signers` found it there


def _still_waiting(study: ServedStudy, desk: Desk, person: str, now_us: int) -> list[Waiting]:
    """Return what waits for a person, and take away what was recorded meanwhile."""
    waiting = []
    for each in desk.waiting_for(person, now_us):
        if study.ledger.store.index_of_event(each.event) is None:
            waiting.append(each)
        else:
            desk.done(each.event)
    return waiting


def _waiting(waiting: Waiting) -> dict[str, Any]:
    return {"event": waiting.event, "key": waiting.key, "submission": orjson.loads(waiting.body)}


def _shown(authority: Authority, key: DeskKey, study: ServedStudy) -> dict[str, Any]:
    enrolled = authority.keys.get(KeyId(key.id))
    return {
        "key": dict(key.key),
        "credential": key.credential,
        "enrolled": enrolled is not None,
        "live": enrolled is not None and enrolled.until is None,
    }


async def _object(call: Call, required: frozenset[str]) -> dict[str, Any]:
    check_content_type(call.request, JSON)
    value = parse_body(await read_body(call.request, MAX_JSON_BYTES))
    require_members(value, required, value if required else ())
    return value


def sigs_with(submission: Submission, made: KeySignature) -> tuple[KeySignature, ...]:
    """Return the signatures of a submission with one in its place."""
    return tuple(made if sig.key == made.key else sig for sig in submission.sigs)


_EMPTY: Final = {"type": "object", "properties": {}, "additionalProperties": False}
_CREDENTIAL: Final = {
    "type": "object",
    "required": ["id", "rawId", "type", "response"],
    "properties": {name: {"type": "string"} for name in ("id", "rawId", "type")}
    | {"response": {"type": "object"}},
}
_NO_DESK: Final = "no such study, or it has no accounts or signing pages"

OPERATIONS: Final = (
    Operation(
        name="signing",
        method="GET",
        path="/signing",
        summary="Who signs: the person asking, their keys, and what waits for their signature",
        handler=signing,
        twins=("json",),
        answers={200: "person, keys and waiting statements", 404: _NO_DESK},
    ),
    Operation(
        name="passkey-begin",
        method="POST",
        path="/passkeys:begin",
        summary="What a browser is asked to make: a passkey for signing",
        handler=passkey_begin,
        body=(JSON, _EMPTY),
        answers={200: "PublicKeyCredentialCreationOptionsJSON", 404: _NO_DESK},
    ),
    Operation(
        name="passkey",
        method="POST",
        path="/passkeys",
        summary="Hand in a passkey that was made; it waits to be enrolled",
        handler=passkey,
        body=(JSON, _CREDENTIAL),
        answers={
            201: "the key as it is enrolled",
            404: _NO_DESK,
            409: "the key is there already",
            422: "no verified registration of a passkey at the signing pages",
        },
    ),
    Operation(
        name="signing-keys",
        method="GET",
        path="/signing-keys",
        summary="Keys that wait to be enrolled",
        handler=signing_keys,
        twins=("json", "csv"),
        answers={200: "the keys", 404: _NO_DESK},
    ),
    Operation(
        name="leave-signature",
        method="POST",
        path="/signatures",
        summary="Leave a statement that everybody has signed but one",
        handler=leave_signature,
        body=(JSON, {"$ref": "#/components/schemas/Submission"}),
        answers={
            202: "it waits, at most a day",
            401: "a signature does not hold",
            404: _NO_DESK,
            422: "not a statement that lacks one signature, or one with sealed values",
        },
    ),
)
