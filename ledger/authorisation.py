"""Judge one statement at its index: authentic and authorised, or the codes that say why not (§6).

`judge` is pure and the same for the committer (under the write lock) and the offline verifier. Signatures are
checked apart by `check_signatures`, because they cost the most and can run side by side; which keys have to
sign is decided here, by `signers`. What single control types demand besides stands in `control`.

Left out on purpose: sequence, `seen` and time stamps (`chain`), the catalogue's rules (`conduct`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ledger.actions.registry import ActionSpec, spec
from ledger.authority import DEFAULT_GRADES, SERVICE, Authority, Person, load_key
from ledger.control import (
    FIXED_LINES,
    PARTICIPANT,
    SERVICE_EXEMPT,
    is_own,
    is_pseudonymous,
    judge_opening,
    subject_of,
)
from ledger.entry import Entry
from ledger.envelope import PAYLOAD_TYPE, pae
from ledger.errors import FormatError, SignatureError
from ledger.keys import PublicKey, check_signature
from ledger.leaf import Leaf
from ledger.problem import Problem, Problems, problem
from ledger.roles import ADMINISTRATORS, ROLES
from ledger.statement import Statement

HOLDER_ONLY: Final = frozenset({"key.rotated", "key.holder_confirmed", "esignature_policy.acknowledged"})
BEFORE_ACKNOWLEDGEMENT: Final = frozenset({"esignature_policy.acknowledged", "key.revoked"})
"""What a person signs of their own before acknowledging the policy (§6)."""
_OF_DATA: Final = HOLDER_ONLY | BEFORE_ACKNOWLEDGEMENT
"""Types of which data says whether the signer may: whose key or account it is."""
MOST_IN_ORDER: Final = 1_024
"""Signers that one value of the authority remembers, each with a kind of statement."""
NEVER_CUSTODIAL: Final = ("key.", "role.", "policy.", "erasure.", "personal_data.")


def signers(authority: Authority, statement: Statement) -> tuple[PublicKey, ...]:
    """Return the public keys that must sign, in the order of `key` then `with`.

    A key that this very statement brings in (`ledger.opened`, `policy.changed`, `key.enrolled`,
    `key.rotated`) is taken from its data: that is the proof of possession.

    Raises:
        SignatureError: `KEY_UNKNOWN`, `KEY_ALG`, or what `load_public_key` raises for a brought key.
    """
    brought = _brought(statement)
    found = []
    for n, ref in enumerate((statement.key, *statement.with_)):
        where = "/key" if n == 0 else f"/with/{n - 1}"
        enrolled = authority.keys.get(ref.id)
        if enrolled is not None:
            public = enrolled.public
        elif ref.id in brought:
            public = load_key(brought[ref.id])
        else:
            raise SignatureError("KEY_UNKNOWN", "the log does not know this key", field=where)
        if public.alg != ref.alg:
            raise SignatureError("KEY_ALG", "the key is enrolled for another algorithm", field=where)
        found.append(public)
    return tuple(found)


def check_signature_set(statement: Statement, leaf: Leaf) -> None:
    """Require exactly one entry for `key` and one for each of `with`, in that order (§3).

    Raises:
        SignatureError: `SIGNATURE_SET`.
    """
    wanted = [(ref.alg, ref.id) for ref in (statement.key, *statement.with_)]
    if [(sig.alg, sig.key) for sig in leaf.sigs] != wanted:
        raise SignatureError(
            "SIGNATURE_SET", f"expected {len(wanted)} signatures, in the order of the statement"
        )


def check_signatures(authority: Authority, statement: Statement, leaf: Leaf) -> None:
    """Check the whole signature set over the statement's exact bytes.

    Raises:
        SignatureError: `SIGNATURE_SET`, `SIGNATURE`, `KEY_UNKNOWN`, `KEY_ALG`, `WEAK_KEY`, `KEY_ENCODING`.
    """
    check_signature_set(statement, leaf)
    body = pae(statement.body)
    for key, sig in zip(signers(authority, statement), leaf.sigs, strict=True):
        check_signature(key, body, statement.event, sig)


def judge(authority: Authority, entry: Entry) -> Problems:
    """Return every reason why an entry's statement does not count at its index; empty if there is none."""
    statement, leaf = entry.statement, entry.leaf
    if statement is None:
        return ()
    try:
        known = spec(statement.type, statement.schema)
    except FormatError as error:
        return (problem(error.code, error.message, error.field),)
    problems = [*_genesis(authority, entry, statement), *_labels(known, statement, leaf)]
    if entry.index == 0:
        return (*problems, *judge_opening(statement))
    special = FIXED_LINES.get(statement.type)
    if special is None and not statement.with_ and _is_known(authority, entry.index, statement):
        return tuple(problems)
    wrong = [
        *_keys(authority, entry, statement),
        *_actor(authority, statement),
        *_role(authority, known, statement),
    ]
    if special is not None:
        wrong += special(authority, entry, statement)
    elif not wrong:
        _keep(authority, statement)
    return (*problems, *wrong)


def _is_known(authority: Authority, index: int, statement: Statement) -> bool:
    """Tell whether this signer, key and role were found in order for such a statement at any index."""
    return _who(statement) in authority.in_order and authority.live(statement.key.id, index)


def _keep(authority: Authority, statement: Statement) -> None:
    """Remember who was in order, where data and second signers have no part in it."""
    if statement.with_ or statement.type in _OF_DATA or len(authority.in_order) >= MOST_IN_ORDER:
        return
    authority.in_order.add(_who(statement))


def _who(statement: Statement) -> tuple[Any, ...]:
    """Return all that `_keys`, `_actor` and `_role` ask of a statement whose type has no line of its own."""
    key = statement.key
    kind = statement.stream.partition("/")[0]
    place = (kind, statement.site) if kind != "pharmacy" else (statement.stream, statement.site)
    return statement.type, statement.schema, place, statement.meaning, key.alg, key.id, statement.actor


def _brought(statement: Statement) -> Mapping[str, Mapping[str, Any]]:
    data = statement.data
    try:
        if statement.type in ("ledger.opened", "policy.changed"):
            return {root["key"]["id"]: root["key"] for root in data.get("root_keys", ())}
        if statement.type in ("key.enrolled", "key.rotated"):
            return {data["key"]["id"]: data["key"]}
    except (KeyError, TypeError, AttributeError):
        # Whoever checks signatures before the form of data finds no key here; the form is judged apart.
        return {}
    return {}


def _genesis(authority: Authority, entry: Entry, statement: Statement) -> list[Problem]:
    if (statement.type == "ledger.opened") != (entry.index == 0):
        return [problem("GENESIS", "ledger.opened stands at index 0 and nowhere else", "/type")]
    if entry.index == 0:
        if statement.data["origin"] != statement.log:
            return [problem("LOG", "the opening names another origin than its statement", "/data/origin")]
        return []
    if statement.log != authority.origin:
        return [problem("LOG", "the statement belongs to another log", "/log")]
    if entry.index == 1 and (statement.type, statement.data.get("person")) != ("account.created", SERVICE):
        return [problem("GENESIS", "index 1 creates the account of the service", "/type")]
    if entry.index == 2 and (statement.type != "key.enrolled" or statement.data["key"]["person"] != SERVICE):
        return [problem("GENESIS", "index 2 enrols the key of the service", "/type")]
    return []


def _labels(known: ActionSpec, statement: Statement, leaf: Leaf) -> list[Problem]:
    problems = []
    if (leaf.cls, leaf.site, leaf.stream) != (statement.cls, statement.site or "", statement.tag):
        problems.append(problem("LABELS", "the leaf's labels are not the statement's"))
    if leaf.payload_type != PAYLOAD_TYPE:
        problems.append(problem("LABELS", "the leaf names another payload type"))
    if leaf.statement != statement.event:
        problems.append(problem("STATEMENT_HASH", "the leaf commits to another statement"))
    kind, _, subject = statement.stream.partition("/")
    if not known.stands_in(statement.stream):
        problems.append(problem("STREAM", "expected a stream that this type stands in", "/stream"))
    if kind == "person" and subject_of(statement) not in (None, subject):
        problems.append(problem("STREAM", "the stream is another person's", "/stream"))
    if known.streams == ("access",) and subject != leaf.at[:7]:
        problems.append(problem("STREAM", "the stream is of another month", "/stream"))
    if known.streams == ("randomization",) and subject != statement.data["list"]:
        problems.append(problem("STREAM", "the stream is another list's", "/stream"))
    return problems


def _keys(authority: Authority, entry: Entry, statement: Statement) -> list[Problem]:
    """Require every signing key to be live, of an active person, and of a grade that the policy allows."""
    problems = []
    brought = _brought(statement)
    seen: set[str] = set()
    for n, ref in enumerate((statement.key, *statement.with_)):
        where = "/key" if n == 0 else f"/with/{n - 1}"
        if ref.id in seen:
            problems.append(problem("SIGNATURE_SET", "a key signs once", where))
        seen.add(ref.id)
        key = authority.keys.get(ref.id)
        if key is None:
            if n == 0 or ref.id not in brought:
                problems.append(problem("KEY_UNKNOWN", "the log does not know this key", where))
            elif brought[ref.id]["alg"] != ref.alg:
                problems.append(problem("KEY_ALG", "the key is brought in for another algorithm", where))
            continue
        if not authority.live(ref.id, entry.index):
            problems.append(problem("KEY_REVOKED", "the key does not count at this index any more", where))
        if key.public.alg != ref.alg:
            problems.append(problem("KEY_ALG", "the key is enrolled for another algorithm", where))
        if not _grade_allowed(authority, statement, key.grade):
            problems.append(
                problem("GRADE", "the policy does not allow this grade of key for the type", where)
            )
        person = authority.person(key.person)
        if person is None or not person.active:
            problems.append(problem("ACCOUNT_INACTIVE", "the key's person has no active account", where))
    return problems


def _grade_allowed(authority: Authority, statement: Statement, grade: str) -> bool:
    if grade == "custodial" and statement.type.startswith(NEVER_CUSTODIAL):
        return False
    if grade == SERVICE:
        return statement.actor.id == SERVICE
    if statement.actor.role == "device":
        return grade == "device"
    return grade in authority.grades.get(statement.type, DEFAULT_GRADES)


def _actor(authority: Authority, statement: Statement) -> list[Problem]:
    """Require `actor` to be the key's person, with name and organisation as in the fold."""
    key = authority.keys.get(statement.key.id)
    if key is None:
        return []
    actor = statement.actor
    person = authority.roots.get(key.person) if actor.role == "root" else authority.persons.get(key.person)
    if person is None or actor.id != person.id:
        return [problem("ACTOR", "the actor is not the person of the key", "/actor/id")]
    if actor.name != person.name:
        return [problem("ACTOR", "the printed name is not the account's", "/actor/name")]
    if actor.organisation != person.organisation:
        return [problem("ACTOR", "the organisation is not the account's", "/actor/organisation")]
    if actor.role in SERVICE_EXEMPT:
        return []
    if actor.role == PARTICIPANT and not is_pseudonymous(actor.id, actor.name, actor.organisation):
        return [problem("ACTOR", "a participant signs under an id, of organisation participant", "/actor")]
    return _standing(person, statement)


def _standing(person: Person, statement: Statement) -> list[Problem]:
    if person.identity_at is None:
        return [problem("IDENTITY_UNVERIFIED", "the person's identity is not verified", "/actor/id")]
    exempt = statement.type in BEFORE_ACKNOWLEDGEMENT and is_own(statement)
    if person.acknowledged_at is None and not exempt:
        return [problem("POLICY_UNACKNOWLEDGED", "the signature policy is not acknowledged", "/actor/id")]
    return []


def _role(authority: Authority, known: ActionSpec, statement: Statement) -> list[Problem]:
    actor = statement.actor
    if actor.role not in ROLES:
        return [problem("ROLE_UNKNOWN", "the catalogue does not have this role", "/actor/role")]
    problems = []
    if not authority.holds(actor.id, actor.role, statement.site):
        elsewhere = authority.holds(actor.id, actor.role, None)
        code, message = (
            ("SITE_NOT_HELD", "the role is not held on this site")
            if elsewhere
            else ("ROLE_NOT_HELD", "the person does not hold this role here")
        )
        problems.append(problem(code, message, "/actor/role"))
    if not is_own(statement) and (
        statement.type in HOLDER_ONLY
        or (statement.type == "key.revoked" and actor.role not in ADMINISTRATORS)
    ):
        problems.append(problem("HOLDER_ONLY", "only the holder signs this type", "/actor/id"))
    allowed = known.roles_in(statement.stream).get(actor.role)
    if allowed is None:
        problems.append(problem("ROLE_NOT_ALLOWED", "the role may not sign this type", "/actor/role"))
    elif statement.meaning not in allowed:
        problems.append(problem("MEANING_NOT_ALLOWED", "the role may not sign this type so", "/meaning"))
    if (statement.meaning == "attestation") != (actor.role == SERVICE):
        problems.append(problem("ATTESTATION", "attestation is the service's alone", "/meaning"))
    return problems
