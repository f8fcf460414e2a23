"""Custodial signing: keys that the service holds, unlocked by the signer's own secret for one signature.

`POST /actions` prepares, unlocks, signs and records in one request. Two components are given at the first
signature of a session, the person's id and the signing secret; within it the secret alone; both again after
as long as would end an idle session, and in every new session (21 CFR 11.200(a)(1)). A wrong component is a
failed attempt, counted and locked with those of the login (11.300(d)).

An administrator has no way in: nobody sets a secret but who makes the key or knows the old one, a reset login
opens no key, and another key counts only after its `key.enrolled` (record-format.md §6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.answers import answer
from api.body import JSON, MAX_JSON_BYTES, check_content_type, read_body, require_members
from api.call import Call
from api.identity import came_from, denied
from api.operations import Operation, path
from api.problems import ProblemError
from api.routes.recording import may_prepare, recorded
from api.routes.signing_pages import accounts_of, desk_of, person_of, sigs_with, statement_of
from ledger.authority import Authority
from ledger.errors import FormatError
from ledger.identity.accounts import Accounts
from ledger.identity.denial import UNAUTHENTICATED, DeniedError
from ledger.identity.gate import Code
from ledger.identity.sessions import Session
from ledger.keyfile import Cost, KeyMaterial
from ledger.keys import Ed25519SigningKey, KeyId, load_public_key
from ledger.lines import parse_base64
from ledger.prepare import Signer
from ledger.signing import custody
from ledger.signing.desk import DeskKey, key_members
from ledger.submission import Submission, parse_body, parse_submission

SIGNER_ONLY: Final = ("actor", "key", "log", "v", "with")
"""Members of an action that follow from who signs."""


async def action(call: Call) -> Response:
    """Sign an action with the key in custody of who asks, and record it."""
    body = await _body(call, {"action", "secret"}, {"open", "id"})
    given, opened = body["action"], body.get("open", {})
    if not isinstance(given, dict):
        raise FormatError("BODY", "expected an object", field="/action")
    if not isinstance(opened, dict):
        raise FormatError("BODY", "expected an object of values by path", field="/open")
    named = next((name for name in SIGNER_ONLY if name in given), None)
    if named is not None:
        raise FormatError("ACTION", "this member follows from who signs", field=f"/{named}")
    submission = await run_in_threadpool(_signed_action, call, given, opened, body)
    return await recorded(call, submission)


async def sign_waiting(call: Call) -> Response:
    """Give a waiting statement the signature of a key in custody, and record it."""
    body = await _body(call, {"secret"}, {"id"})
    submission = await run_in_threadpool(_signed_waiting, call, body)
    return await recorded(call, submission)


async def custodial_key(call: Call) -> Response:
    """Make a key in custody under a secret of who asks; it waits to be enrolled."""
    body = await _body(call, {"secret"}, set())
    return await run_in_threadpool(_make, call, body)


async def custodial_secret(call: Call) -> Response:
    """Put a new secret in the place of the old one, which has to be known."""
    body = await _body(call, {"key", "old", "new"}, set())
    return await run_in_threadpool(_rewrap, call, body)


def is_continuous(session: Session, now_us: int, idle_us: int) -> bool:
    """Tell whether a session signs on with one component: signed in before, and without a break since."""
    return session.signed_us is not None and now_us - session.signed_us < idle_us


def _signed_action(
    call: Call, given: Mapping[str, Any], opened: Mapping[str, Any], body: Mapping[str, Any]
) -> Submission:
    session, person = _session(call), person_of(call)
    ledger = call.study.ledger
    authority = ledger.refresh().authority
    key = _live_key(call, authority)
    if not may_prepare(call.reader, given, ledger):
        raise ProblemError("FORBIDDEN", 403, field="/action/stream")
    signer = Signer(_Named(key), person.id, person.name, person.organisation)
    prepared = call.study.unblindings.prepare(signer.complete(ledger, given), opened)
    material = _unlock(call, session, key, body)
    made = custody.sign(material, prepared.statement.body)
    return Submission(statement=prepared.statement, sigs=(made,), disclosures=prepared.disclosures)


def _signed_waiting(call: Call, body: Mapping[str, Any]) -> Submission:
    session, person = _session(call), person_of(call)
    event, desk = call.path("event"), desk_of(call)
    now_us = call.study.ledger.sources.now_us()
    waiting = next((each for each in desk.waiting_for(person.id, now_us) if each.event == event), None)
    key = desk.key(waiting.key) if waiting is not None else None
    if waiting is None or key is None or key.wrapped is None or key.person != person.id:
        raise ProblemError("NOT_FOUND", 404)
    value = orjson.loads(waiting.body)
    statement = statement_of(value)
    by_key = {each["keyid"]: each for each in value["signatures"]}
    empty = {"keyid": key.id, "sig": "AA=="}
    refs = (statement.key, *statement.with_)
    filled = {**value, "signatures": [by_key.get(ref.id, empty) for ref in refs]}
    submission = parse_submission(orjson.dumps(filled))
    made = custody.sign(_unlock(call, session, key, body), statement.body)
    return Submission(statement=statement, sigs=sigs_with(submission, made), disclosures={})


def _make(call: Call, body: Mapping[str, Any]) -> Response:
    _session(call)
    person, accounts = person_of(call), accounts_of(call)
    ledger, secret = call.study.ledger, body["secret"]
    _check_secret(call, secret)
    made = custody.make_key(person.id, secret, ledger.sources.random_bytes, cost=_cost(accounts))
    desk_of(call).add(made.key, ledger.sources.now_us(), wrapped=made.wrapped)
    return answer(call, {"key": key_members(made.key)}, ledger.store.head(), status=201)


def _rewrap(call: Call, body: Mapping[str, Any]) -> Response:
    session, desk = _session(call), desk_of(call)
    key = desk.key(body["key"])
    if key is None or key.wrapped is None or key.person != session.person:
        raise ProblemError("NOT_FOUND", 404)
    _check_secret(call, body["new"])
    material = _admitted(call, session, key, lambda: custody.unlock(key.wrapped or "", body["old"]))
    custody.wipe(material.secret)
    wrapped = custody.rewrap(
        key.wrapped,
        body["old"],
        body["new"],
        call.study.ledger.sources.random_bytes,
        cost=_cost(accounts_of(call)),
    )
    if wrapped is None or not desk.rewrap(key, wrapped):
        raise ProblemError("DUPLICATE", 409)
    return answer(call, {"key": dict(key.key)}, call.study.ledger.store.head())


def _unlock(call: Call, session: Session, key: DeskKey, body: Mapping[str, Any]) -> KeyMaterial:
    """Check the components that are due, and unlock the key.

    Raises:
        ProblemError: `SIGNING_COMPONENTS` where one is missing, `SIGNING_SECRET` for a wrong one, `LOCKED`.
    """
    accounts = accounts_of(call)
    now_us = call.study.ledger.sources.now_us()
    given = body.get("id")
    if given is None and not is_continuous(session, now_us, accounts.sessions.idle_us):
        raise ProblemError("SIGNING_COMPONENTS", 403, field="/id")

    def check() -> KeyMaterial | None:
        material = custody.unlock(key.wrapped or "", body["secret"])
        return material if given is None or given == session.person else None

    material = _admitted(call, session, key, check)
    accounts.sessions.signed(session, now_us)
    return material


def _admitted(
    call: Call, session: Session, key: DeskKey, check: Callable[[], KeyMaterial | None]
) -> KeyMaterial:
    """Have the gate of logins count a wrong component; return the unlocked key.

    Raises:
        ProblemError: `SIGNING_SECRET`, `LOCKED`, `TOO_MANY_ATTEMPTS`.
    """
    accounts, found = accounts_of(call), []

    def gated() -> Code | None:
        material = check()
        if material is None:
            return "wrong_component"
        found.append(material)
        return None

    try:
        accounts.gate.admit(session.person, came_from(call.request), gated)
    except DeniedError as error:
        for material in found:
            custody.wipe(material.secret)
        if error.code == UNAUTHENTICATED:
            raise ProblemError("SIGNING_SECRET", 403) from error
        accounts.end_all(session.person, "revoked")
        raise denied(error) from error
    return found[0]


def _cost(accounts: Accounts) -> Cost:
    settings = accounts.settings
    return Cost(
        iterations=settings.argon2_iterations,
        lanes=settings.argon2_lanes,
        memory_kib=settings.argon2_memory_kib,
    )


def _check_secret(call: Call, secret: str) -> None:
    """Require a secret that is long, no name of the person, and not what they log in with.

    Raises:
        FormatError: `PASSWORD_LENGTH`, `PASSWORD_GUESSABLE`.
        ProblemError: `SIGNING_SECRET_REUSED`.
    """
    person, accounts = person_of(call), accounts_of(call)
    accounts.passwords.check_form(secret, unlike=(person.id, person.name, call.study.config.study))
    if accounts.passwords.check(person.id, secret):
        raise ProblemError("SIGNING_SECRET_REUSED", 422, field="/secret")


def _live_key(call: Call, authority: Authority) -> DeskKey:
    """Return the newest key in custody of who asks that signs now.

    Raises:
        ProblemError: `SIGNING_KEY_MISSING`.
    """
    for key in reversed(desk_of(call).keys_of(_session(call).person)):
        enrolled = authority.keys.get(KeyId(key.id))
        if key.wrapped is not None and enrolled is not None and enrolled.until is None:
            return key
    raise ProblemError("SIGNING_KEY_MISSING", 422)


def _session(call: Call) -> Session:
    """Return the session that the request came in: a token has none, and signs nothing here.

    Raises:
        ProblemError: `SESSION_NEEDED`.
    """
    if call.session is None:
        raise ProblemError("SESSION_NEEDED", 403)
    return call.session


async def _body(call: Call, required: set[str], optional: set[str]) -> dict[str, Any]:
    check_content_type(call.request, JSON)
    value = parse_body(await read_body(call.request, MAX_JSON_BYTES))
    require_members(value, required, optional)
    for name in ("secret", "id", "old", "new", "key"):
        if name in value and not isinstance(value[name], str):
            raise FormatError("BODY", "expected a text", field=f"/{name}")
    return value


class _Named(Ed25519SigningKey):
    """The public side of a key in custody, by which a statement is prepared; it signs nothing."""

    __slots__ = ()

    def __init__(self, key: DeskKey) -> None:
        spki = parse_base64(key.key["spki"], what="the key", code="KEY_FILE")
        self.public = load_public_key(key.key["alg"], spki)  # type: ignore[misc]  # final in the parent


_SECRET: Final = {"type": "string", "description": "the signing secret", "format": "password"}
_ID: Final = {"type": "string", "description": "the person's id, at the first signature and after a break"}


def _schema(required: dict[str, Any], optional: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": sorted(required),
        "properties": {**required, **optional},
        "additionalProperties": False,
    }


_SIGNED: Final = {
    200: "recorded before; the same index and event, and a receipt",
    201: "recorded, with receipt; `breaches` and `added` where the commit holds more",
    202: "an emergency unblinding that waits to be recorded",
    403: "no session, or the signing components are missing or wrong",
    409: "the stream has grown: ask again",
    422: "refused, by the code; or no key in custody that may sign",
    429: "locked after too many wrong components",
}

OPERATIONS: Final = (
    Operation(
        name="action",
        method="POST",
        path="/actions",
        summary="Sign an action with one's key in custody, and record it",
        text=(
            "In a session. At its first signature, and after a break, both components: `id` and `secret`; "
            "within it the secret alone. The key is unlocked for this one signature. The action is as for "
            "prepare, with `role` in the place of `actor` and without `key`."
        ),
        handler=action,
        body=(
            JSON,
            _schema(
                {"action": {"type": "object"}, "secret": _SECRET}, {"open": {"type": "object"}, "id": _ID}
            ),
        ),
        answers=_SIGNED,
    ),
    Operation(
        name="sign-waiting",
        method="POST",
        path="/signatures/{event}",
        summary="Sign a waiting statement with one's key in custody, and record it",
        handler=sign_waiting,
        parameters=(path("event", "event hash of the statement"),),
        body=(JSON, _schema({"secret": _SECRET}, {"id": _ID})),
        answers={**_SIGNED, 404: "nothing of that hash waits for a key in custody"},
    ),
    Operation(
        name="custodial-key",
        method="POST",
        path="/custodial-keys",
        summary="Make a key in custody under a secret of one's own; it waits to be enrolled",
        handler=custodial_key,
        body=(JSON, _schema({"secret": _SECRET}, {})),
        answers={
            201: "the key as it is enrolled",
            403: "no session",
            422: "the secret is too short, guessable, or the password of the login",
        },
    ),
    Operation(
        name="custodial-secret",
        method="POST",
        path="/custodial-keys:secret",
        summary="Put a new signing secret in the place of the old one",
        handler=custodial_secret,
        body=(JSON, _schema({"key": {"type": "string"}, "old": _SECRET, "new": _SECRET}, {})),
        answers={
            200: "the key, under the new secret",
            403: "no session, or the old secret is wrong",
            404: "no such key of one's own",
            409: "the secret was changed meanwhile",
            429: "locked after too many wrong components",
        },
    ),
)
