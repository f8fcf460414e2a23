"""Judge one statement at its index: authentic and authorised, or the codes that say why not (§6).

`judge` is pure and the same for the committer (under the write lock) and the offline verifier. Signatures are
checked apart by `check_signatures`, because they cost the most and can run side by side; which keys have to
sign is decided here, by `signers`.

Left out on purpose: sequence, `seen` and time stamps (`chain`), the catalogue's rules (`conduct`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ledger.actions.registry import ActionSpec, spec
from ledger.authority import DEFAULT_GRADES, SERVICE, Authority, Person, load_key
from ledger.entry import Entry
from ledger.envelope import PAYLOAD_TYPE, pae
from ledger.errors import FormatError, LedgerError, SignatureError
from ledger.keys import PublicKey, check_signature
from ledger.leaf import Leaf
from ledger.roles import ADMINISTRATORS, INCOMPATIBLE, ROLES
from ledger.statement import Statement

HOLDER_ONLY: Final = frozenset({"key.rotated", "key.holder_confirmed", "esignature_policy.acknowledged"})
BEFORE_ACKNOWLEDGEMENT: Final = frozenset({"esignature_policy.acknowledged", "key.revoked"})
"""What a person signs of their own before acknowledging the policy (§6)."""
NEVER_CUSTODIAL: Final = ("key.", "role.", "policy.", "erasure.", "personal_data.")
PARTICIPANT: Final = "participant"
SERVICE_EXEMPT: Final = frozenset({"root", SERVICE})
"""Roles that are exempt from account, identity, acknowledgement and grant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a statement is not authentic or not authorised."""

    code: str
    message: str
    field: str | None = None


Problems = tuple[Problem, ...]


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
        return (_problem(error.code, error.message, error.field),)
    problems = [*_genesis(authority, entry, statement), *_labels(known, statement, leaf)]
    if entry.index == 0:
        return (*problems, *_opening(statement))
    problems += _keys(authority, entry, statement)
    problems += _actor(authority, statement)
    problems += _role(authority, known, statement)
    special = _SPECIAL.get(statement.type)
    if special is not None:
        problems += special(authority, entry, statement)
    return tuple(problems)


def _problem(code: str, message: str, where: str | None = None) -> Problem:
    return Problem(code=code, message=message, field=where)


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
        return [_problem("GENESIS", "ledger.opened stands at index 0 and nowhere else", "/type")]
    if entry.index == 0:
        if statement.data["origin"] != statement.log:
            return [_problem("LOG", "the opening names another origin than its statement", "/data/origin")]
        return []
    if statement.log != authority.origin:
        return [_problem("LOG", "the statement belongs to another log", "/log")]
    if entry.index == 1 and (statement.type, statement.data.get("person")) != ("account.created", SERVICE):
        return [_problem("GENESIS", "index 1 creates the account of the service", "/type")]
    if entry.index == 2 and (statement.type != "key.enrolled" or statement.data["key"]["person"] != SERVICE):
        return [_problem("GENESIS", "index 2 enrols the key of the service", "/type")]
    return []


def _labels(known: ActionSpec, statement: Statement, leaf: Leaf) -> list[Problem]:
    problems = []
    if (leaf.cls, leaf.site, leaf.stream) != (statement.cls, statement.site or "", statement.tag):
        problems.append(_problem("LABELS", "the leaf's labels are not the statement's"))
    if leaf.payload_type != PAYLOAD_TYPE:
        problems.append(_problem("LABELS", "the leaf names another payload type"))
    if leaf.statement != statement.event:
        problems.append(_problem("STATEMENT_HASH", "the leaf commits to another statement"))
    kind, _, subject = statement.stream.partition("/")
    if not known.stands_in(statement.stream):
        problems.append(_problem("STREAM", "expected a stream that this type stands in", "/stream"))
    if kind == "person" and _subject(statement) not in (None, subject):
        problems.append(_problem("STREAM", "the stream is another person's", "/stream"))
    if known.streams == ("access",) and subject != leaf.at[:7]:
        problems.append(_problem("STREAM", "the stream is of another month", "/stream"))
    if known.streams == ("randomization",) and subject != statement.data["list"]:
        problems.append(_problem("STREAM", "the stream is another list's", "/stream"))
    return problems


def _subject(statement: Statement) -> str | None:
    data = statement.data
    person = data.get("person")
    if person is None and isinstance(data.get("key"), dict):
        person = data["key"].get("person")
    return person if isinstance(person, str) else None


def _opening(statement: Statement) -> list[Problem]:
    """Check that `threshold` root keys of different persons sign index 0."""
    data = statement.data
    roots = {root["key"]["id"]: root for root in data["root_keys"]}
    persons = [root["key"]["person"] for root in data["root_keys"]]
    problems = _root_keys(data["root_keys"])
    if statement.meaning != "approval":
        problems.append(_problem("MEANING_NOT_ALLOWED", "a ledger is opened by approval", "/meaning"))
    if not 1 <= data["threshold"] <= len(set(persons)):
        problems.append(_problem("THRESHOLD", "expected 1 to the number of root persons", "/data/threshold"))
    signed = {ref.id for ref in (statement.key, *statement.with_)}
    if len(signed) != 1 + len(statement.with_):
        problems.append(_problem("SIGNATURE_SET", "a key signs once", "/with"))
    if not signed <= roots.keys():
        problems.append(_problem("KEY_UNKNOWN", "index 0 is signed by its root keys alone", "/key"))
    if len({roots[key]["key"]["person"] for key in signed & roots.keys()}) < data["threshold"]:
        problems.append(_problem("THRESHOLD", "too few root persons signed", "/with"))
    root = roots.get(statement.key.id)
    actor = statement.actor
    if root is not None and (actor.id, actor.name, actor.organisation, actor.role) != (
        root["key"]["person"],
        root["name"],
        root["organisation"],
        "root",
    ):
        problems.append(_problem("ACTOR", "name, organisation and role are those of root_keys", "/actor"))
    for key in data["root_keys"]:
        problems += _loadable(key["key"], "/data/root_keys")
    return problems


def _root_keys(root_keys: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """Check that root keys are of different persons, each once, and of a grade that root signs with."""
    where = "/data/root_keys"
    keys = [root["key"] for root in root_keys]
    problems = []
    if not len({key["id"] for key in keys}) == len({key["person"] for key in keys}) == len(keys):
        problems.append(_problem("ROOT_KEYS", "root keys are of different persons, each once", where))
    if any(key["person"] == SERVICE for key in keys):
        problems.append(_problem("ROOT_KEYS", "the service is no root person", where))
    if any(key["grade"] not in DEFAULT_GRADES for key in keys):
        problems.append(_problem("GRADE", "a root key is a passkey or a client's", where))
    if any((key["grade"] == "passkey") != (key["alg"] == "webauthn-es256") for key in keys):
        problems.append(_problem("GRADE", "a passkey is a WebAuthn key, and no other is", where))
    return problems


def _loadable(key: Mapping[str, Any], where: str) -> list[Problem]:
    try:
        load_key(key)
    except LedgerError as error:
        return [_problem(error.code, error.message, where)]
    return []


def _keys(authority: Authority, entry: Entry, statement: Statement) -> list[Problem]:
    """Require every signing key to be live, of an active person, and of a grade that the policy allows."""
    problems = []
    brought = _brought(statement)
    seen: set[str] = set()
    for n, ref in enumerate((statement.key, *statement.with_)):
        where = "/key" if n == 0 else f"/with/{n - 1}"
        if ref.id in seen:
            problems.append(_problem("SIGNATURE_SET", "a key signs once", where))
        seen.add(ref.id)
        key = authority.keys.get(ref.id)
        if key is None:
            if n == 0 or ref.id not in brought:
                problems.append(_problem("KEY_UNKNOWN", "the log does not know this key", where))
            elif brought[ref.id]["alg"] != ref.alg:
                problems.append(_problem("KEY_ALG", "the key is brought in for another algorithm", where))
            continue
        if not authority.live(ref.id, entry.index):
            problems.append(_problem("KEY_REVOKED", "the key does not count at this index any more", where))
        if key.public.alg != ref.alg:
            problems.append(_problem("KEY_ALG", "the key is enrolled for another algorithm", where))
        if not _grade_allowed(authority, statement, key.grade):
            problems.append(
                _problem("GRADE", "the policy does not allow this grade of key for the type", where)
            )
        person = authority.person(key.person)
        if person is None or not person.active:
            problems.append(_problem("ACCOUNT_INACTIVE", "the key's person has no active account", where))
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
        return [_problem("ACTOR", "the actor is not the person of the key", "/actor/id")]
    if actor.name != person.name:
        return [_problem("ACTOR", "the printed name is not the account's", "/actor/name")]
    if actor.organisation != person.organisation:
        return [_problem("ACTOR", "the organisation is not the account's", "/actor/organisation")]
    if actor.role in SERVICE_EXEMPT:
        return []
    if actor.role == PARTICIPANT and not _pseudonymous(actor.id, actor.name, actor.organisation):
        return [_problem("ACTOR", "a participant signs under an id, of organisation participant", "/actor")]
    return _standing(person, statement)


def _pseudonymous(person_id: str, name: str, organisation: str) -> bool:
    """Tell whether an account prints nothing about a participant but the id (§4)."""
    return name == person_id and organisation == PARTICIPANT


def _standing(person: Person, statement: Statement) -> list[Problem]:
    if person.identity_at is None:
        return [_problem("IDENTITY_UNVERIFIED", "the person's identity is not verified", "/actor/id")]
    exempt = statement.type in BEFORE_ACKNOWLEDGEMENT and _own(statement)
    if person.acknowledged_at is None and not exempt:
        return [_problem("POLICY_UNACKNOWLEDGED", "the signature policy is not acknowledged", "/actor/id")]
    return []


def _role(authority: Authority, known: ActionSpec, statement: Statement) -> list[Problem]:
    actor = statement.actor
    if actor.role not in ROLES:
        return [_problem("ROLE_UNKNOWN", "the catalogue does not have this role", "/actor/role")]
    problems = []
    if not authority.holds(actor.id, actor.role, statement.site):
        elsewhere = authority.holds(actor.id, actor.role, None)
        code, message = (
            ("SITE_NOT_HELD", "the role is not held on this site")
            if elsewhere
            else ("ROLE_NOT_HELD", "the person does not hold this role here")
        )
        problems.append(_problem(code, message, "/actor/role"))
    if not _own(statement) and (
        statement.type in HOLDER_ONLY
        or (statement.type == "key.revoked" and actor.role not in ADMINISTRATORS)
    ):
        problems.append(_problem("HOLDER_ONLY", "only the holder signs this type", "/actor/id"))
    allowed = known.roles.get(actor.role)
    if allowed is None:
        problems.append(_problem("ROLE_NOT_ALLOWED", "the role may not sign this type", "/actor/role"))
    elif statement.meaning not in allowed:
        problems.append(_problem("MEANING_NOT_ALLOWED", "the role may not sign this type so", "/meaning"))
    if (statement.meaning == "attestation") != (actor.role == SERVICE):
        problems.append(_problem("ATTESTATION", "attestation is the service's alone", "/meaning"))
    return problems


def _own(statement: Statement) -> bool:
    return _subject(statement) == statement.actor.id


def _known_person(authority: Authority, person_id: str, where: str) -> list[Problem]:
    person = authority.persons.get(person_id)
    if person is None:
        return [_problem("PERSON_UNKNOWN", "the log has no account of this person", where)]
    if not person.active:
        return [_problem("ACCOUNT_INACTIVE", "the account is disabled", where)]
    return []


def _on_person(authority: Authority, _: Entry, statement: Statement) -> list[Problem]:
    return _known_person(authority, statement.data["person"], "/data/person")


def _on_training(authority: Authority, entry: Entry, statement: Statement) -> list[Problem]:
    """Require a person; root persons, who have no account, may be trained too."""
    if statement.data["person"] in authority.roots:
        return []
    return _on_person(authority, entry, statement)


def _on_created(authority: Authority, _: Entry, statement: Statement) -> list[Problem]:
    data = statement.data
    if data["organisation"] == PARTICIPANT and not _pseudonymous(data["person"], data["name"], PARTICIPANT):
        return [_problem("ACTOR", "a participant's printed name is the id", "/data/name")]
    if authority.used(data["person"]):
        return [_problem("PERSON_ID_REUSED", "an id is never used again", "/data/person")]
    return []


def _on_identity(authority: Authority, entry: Entry, statement: Statement) -> list[Problem]:
    problems = _on_person(authority, entry, statement)
    if authority.person(statement.data["by"]) is None:
        problems.append(_problem("PERSON_UNKNOWN", "the log has no account of the verifier", "/data/by"))
    if statement.data["by"] == statement.data["person"]:
        problems.append(_problem("SAME_PERSON", "nobody verifies their own identity", "/data/by"))
    return problems


def _on_granted(authority: Authority, entry: Entry, statement: Statement) -> list[Problem]:
    data = statement.data
    problems = _on_person(authority, entry, statement)
    if data["person"] == statement.actor.id:
        problems.append(_problem("SELF_GRANT", "nobody grants a role to themselves", "/data/person"))
    if data["role"] not in ROLES or data["role"] in SERVICE_EXEMPT:
        problems.append(_problem("ROLE_UNKNOWN", "this role cannot be granted", "/data/role"))
    person = authority.persons.get(data["person"])
    if person is not None and roles_conflict(person.ever | {data["role"]}):
        problems.append(
            _problem("ROLE_CONFLICT", "the person holds or held a role that excludes it", "/data/role")
        )
    if data["person"] in authority.roots or data["person"] == SERVICE:
        problems.append(_problem("ROLE_CONFLICT", "root and service hold no clinical role", "/data/person"))
    return problems


def roles_conflict(roles: frozenset[str]) -> bool:
    """Tell whether one person may never hold these roles together, now or earlier (catalogue A, §8.3)."""
    if any(role in roles and roles & others for role, others in INCOMPATIBLE.items()):
        return True
    return "list_holder" in roles and len(roles) > 1


def _on_role_revoked(authority: Authority, entry: Entry, statement: Statement) -> list[Problem]:
    data = statement.data
    person = authority.persons.get(data["person"])
    if person is None or data["role"] not in person.roles:
        return [_problem("ROLE_NOT_HELD", "the person does not hold this role", "/data/role")]
    return []


def _new_key(authority: Authority, key: Mapping[str, Any]) -> list[Problem]:
    problems = _loadable(key, "/data/key")
    if not problems and load_key(key).point in authority.points:
        problems.append(_problem("KEY_ALREADY_ENROLLED", "a key is enrolled once, for ever", "/data/key"))
    if (key["grade"] == SERVICE) != (key["person"] == SERVICE):
        problems.append(_problem("GRADE", "grade service is the service's alone", "/data/key/grade"))
    if (key["grade"] == "passkey") != (key["alg"] == "webauthn-es256"):
        problems.append(_problem("GRADE", "a passkey is a WebAuthn key, and no other is", "/data/key/grade"))
    return problems


def _on_enrolled(authority: Authority, _: Entry, statement: Statement) -> list[Problem]:
    key = statement.data["key"]
    problems = _new_key(authority, key)
    if [ref.id for ref in statement.with_] != [key["id"]]:
        problems.append(_problem("PROOF_OF_POSSESSION", "the new key signs its own enrolment", "/with"))
    if key["person"] in authority.roots and key["person"] not in authority.persons:
        return [*problems, _problem("PERSON_UNKNOWN", "root keys change by policy", "/data/key/person")]
    problems += _known_person(authority, key["person"], "/data/key/person")
    person = authority.persons.get(key["person"])
    if person is not None and person.identity_at is None and person.id != SERVICE:
        problems.append(
            _problem("IDENTITY_UNVERIFIED", "identity is verified before the first key", "/data/key/person")
        )
    return problems


def _on_rotated(authority: Authority, entry: Entry, statement: Statement) -> list[Problem]:
    """Check author old key, `with` exactly [new key, third key], the third live and entitled (§6)."""
    data = statement.data
    key = data["key"]
    problems = _new_key(authority, key)
    if data["replaces"] != statement.key.id:
        problems.append(_problem("ROTATION_SIGNERS", "the old key signs its rotation", "/data/replaces"))
    ids = [ref.id for ref in statement.with_]
    if len(ids) != 2 or ids[0] != key["id"] or ids[1] in (key["id"], statement.key.id):
        return [*problems, _problem("ROTATION_SIGNERS", "expected the new key and one further key", "/with")]
    third = authority.keys.get(ids[1])
    entitled = (
        third is not None
        and authority.live(ids[1], entry.index)
        and (
            third.person == key["person"]
            or ids[1] in authority.root_key_ids
            or authority.holds(third.person, "sponsor_administrator", None)
        )
    )
    if not entitled:
        problems.append(_problem("ROTATION_SIGNERS", "the further key may not confirm a rotation", "/with/1"))
    return problems


def _on_confirmed(authority: Authority, _: Entry, statement: Statement) -> list[Problem]:
    data = statement.data
    key, earlier = authority.keys.get(data["key"]), authority.keys.get(statement.key.id)
    if key is None or key.person != data["person"]:
        return [_problem("KEY_UNKNOWN", "the person has no such key", "/data/key")]
    if earlier is None or earlier.since >= key.since:
        return [_problem("KEY_ORDER", "an earlier key of the holder confirms a further one", "/key")]
    return []


def _on_key_revoked(authority: Authority, entry: Entry, statement: Statement) -> list[Problem]:
    data = statement.data
    key = authority.keys.get(data["key"])
    if key is None or key.person != data["person"]:
        return [_problem("KEY_UNKNOWN", "the person has no such key", "/data/key")]
    if data.get("compromised_from", 0) > entry.index:
        return [_problem("INDEX", "a compromise does not begin in the future", "/data/compromised_from")]
    return []


def _on_refused(authority: Authority, _: Entry, statement: Statement) -> list[Problem]:
    """Require a refusal to be of someone whom the log knows: no other is recorded (interfaces.md)."""
    if not authority.used(statement.data["who"]):
        return [_problem("PERSON_UNKNOWN", "the log knows nobody of this id", "/data/who")]
    return []


def _on_export(authority: Authority, entry: Entry, statement: Statement) -> list[Problem]:
    """Require an export to be of a tree that there was, asked for by someone whom the log knows."""
    data = statement.data
    problems = []
    if data["size"] > entry.index:
        problems.append(_problem("INDEX", "an export is recorded after it was made", "/data/size"))
    if "requested_by" in data and not authority.used(data["requested_by"]):
        problems.append(_problem("PERSON_UNKNOWN", "the log knows nobody of this id", "/data/requested_by"))
    return problems


def _on_policy(authority: Authority, entry: Entry, statement: Statement) -> list[Problem]:
    """Require the threshold in force before it, and each new root key's own signature (§11)."""
    data = statement.data
    signed = [ref.id for ref in (statement.key, *statement.with_)]
    persons = {
        authority.keys[key].person
        for key in signed
        if key in authority.root_key_ids and authority.live(key, entry.index)
    }
    problems = []
    if len(persons) < authority.threshold:
        problems.append(_problem("THRESHOLD", "too few root persons signed", "/with"))
    roots: Sequence[Mapping[str, Any]] = data.get("root_keys", ())
    problems += _root_keys(roots)
    for root in roots:
        key = root["key"]
        if key["id"] in authority.root_key_ids:
            problems += _kept_root(authority, entry, key)
            continue
        problems += _new_key(authority, key)
        if key["id"] not in signed:
            problems.append(_problem("PROOF_OF_POSSESSION", "a new root key signs too", "/with"))
        if key["person"] in authority.persons:
            problems.append(_problem("ROOT_KEYS", "a root person has no account", "/data/root_keys"))
    count = len({root["key"]["person"] for root in roots}) if roots else len(authority.roots)
    if not 1 <= data.get("threshold", authority.threshold) <= count:
        problems.append(_problem("THRESHOLD", "expected 1 to the number of root persons", "/data/threshold"))
    return problems


def _kept_root(authority: Authority, entry: Entry, key: Mapping[str, Any]) -> list[Problem]:
    """Require a root key that stays to be live, and described as it was enrolled."""
    where = "/data/root_keys"
    enrolled = authority.keys[key["id"]]
    if not authority.live(key["id"], entry.index):
        return [_problem("KEY_REVOKED", "a root key that stays still counts", where)]
    if (enrolled.person, enrolled.grade, enrolled.public.alg) != (key["person"], key["grade"], key["alg"]):
        return [_problem("ROOT_KEYS", "a root key that stays is described as it was enrolled", where)]
    return _loadable(key, where)


_SPECIAL: Final[Mapping[str, Callable[[Authority, Entry, Statement], list[Problem]]]] = {
    "policy.changed": _on_policy,
    "account.created": _on_created,
    "account.renamed": _on_person,
    "account.disabled": _on_person,
    "identity.verified": _on_identity,
    "training.recorded": _on_training,
    "role.granted": _on_granted,
    "role.revoked": _on_role_revoked,
    "key.enrolled": _on_enrolled,
    "key.rotated": _on_rotated,
    "key.holder_confirmed": _on_confirmed,
    "key.revoked": _on_key_revoked,
    "command.refused": _on_refused,
    "export.generated": _on_export,
}
