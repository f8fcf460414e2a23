"""The fixed lines of authority: what control types demand beyond key, actor and role (record-format.md §6).

One function per type, in the order of the page's vocabulary; `FIXED_LINES` names them. `authorisation` asks
them after it has judged what every statement must fulfil.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ledger.authority import DEFAULT_GRADES, SERVICE, Authority, load_key
from ledger.entry import Entry
from ledger.errors import LedgerError
from ledger.problem import Problem, problem
from ledger.roles import INCOMPATIBLE, ROLES
from ledger.statement import Statement

PARTICIPANT: Final = "participant"
SERVICE_EXEMPT: Final = frozenset({"root", SERVICE})
"""Roles that are exempt from account, identity, acknowledgement and grant."""


def judge_opening(statement: Statement) -> list[Problem]:
    """Check that `threshold` root keys of different persons sign index 0."""
    data = statement.data
    roots = {root["key"]["id"]: root for root in data["root_keys"]}
    persons = [root["key"]["person"] for root in data["root_keys"]]
    problems = _root_keys(data["root_keys"])
    if statement.meaning != "approval":
        problems.append(problem("MEANING_NOT_ALLOWED", "a ledger is opened by approval", "/meaning"))
    if not 1 <= data["threshold"] <= len(set(persons)):
        problems.append(problem("THRESHOLD", "expected 1 to the number of root persons", "/data/threshold"))
    signed = {ref.id for ref in (statement.key, *statement.with_)}
    if len(signed) != 1 + len(statement.with_):
        problems.append(problem("SIGNATURE_SET", "a key signs once", "/with"))
    if not signed <= roots.keys():
        problems.append(problem("KEY_UNKNOWN", "index 0 is signed by its root keys alone", "/key"))
    if len({roots[key]["key"]["person"] for key in signed & roots.keys()}) < data["threshold"]:
        problems.append(problem("THRESHOLD", "too few root persons signed", "/with"))
    root = roots.get(statement.key.id)
    actor = statement.actor
    if root is not None and (actor.id, actor.name, actor.organisation, actor.role) != (
        root["key"]["person"],
        root["name"],
        root["organisation"],
        "root",
    ):
        problems.append(problem("ACTOR", "name, organisation and role are those of root_keys", "/actor"))
    for key in data["root_keys"]:
        problems += _loadable(key["key"], "/data/root_keys")
    return problems


def _root_keys(root_keys: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """Check that root keys are of different persons, each once, and of a grade that root signs with."""
    where = "/data/root_keys"
    keys = [root["key"] for root in root_keys]
    problems = []
    if not len({key["id"] for key in keys}) == len({key["person"] for key in keys}) == len(keys):
        problems.append(problem("ROOT_KEYS", "root keys are of different persons, each once", where))
    if any(key["person"] == SERVICE for key in keys):
        problems.append(problem("ROOT_KEYS", "the service is no root person", where))
    if any(key["grade"] not in DEFAULT_GRADES for key in keys):
        problems.append(problem("GRADE", "a root key is a passkey or a client's", where))
    if any((key["grade"] == "passkey") != (key["alg"] == "webauthn-es256") for key in keys):
        problems.append(problem("GRADE", "a passkey is a WebAuthn key, and no other is", where))
    return problems


def _loadable(key: Mapping[str, Any], where: str) -> list[Problem]:
    try:
        load_key(key)
    except LedgerError as error:
        return [problem(error.code, error.message, where)]
    return []


def subject_of(statement: Statement) -> str | None:
    """Return the person whom a statement in a `person/` stream is about."""
    data = statement.data
    person = data.get("person")
    if person is None and isinstance(data.get("key"), dict):
        person = data["key"].get("person")
    return person if isinstance(person, str) else None


def is_own(statement: Statement) -> bool:
    return subject_of(statement) == statement.actor.id


def is_pseudonymous(person_id: str, name: str, organisation: str) -> bool:
    """Tell whether an account prints nothing about a participant but the id (§4)."""
    return name == person_id and organisation == PARTICIPANT


def _known_person(authority: Authority, person_id: str, where: str) -> list[Problem]:
    person = authority.persons.get(person_id)
    if person is None:
        return [problem("PERSON_UNKNOWN", "the log has no account of this person", where)]
    if not person.active:
        return [problem("ACCOUNT_INACTIVE", "the account is disabled", where)]
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
    if data["organisation"] == PARTICIPANT and not is_pseudonymous(data["person"], data["name"], PARTICIPANT):
        return [problem("ACTOR", "a participant's printed name is the id", "/data/name")]
    if authority.used(data["person"]):
        return [problem("PERSON_ID_REUSED", "an id is never used again", "/data/person")]
    return []


def _on_identity(authority: Authority, entry: Entry, statement: Statement) -> list[Problem]:
    problems = _on_person(authority, entry, statement)
    if authority.person(statement.data["by"]) is None:
        problems.append(problem("PERSON_UNKNOWN", "the log has no account of the verifier", "/data/by"))
    if statement.data["by"] == statement.data["person"]:
        problems.append(problem("SAME_PERSON", "nobody verifies their own identity", "/data/by"))
    return problems


def _on_granted(authority: Authority, entry: Entry, statement: Statement) -> list[Problem]:
    data = statement.data
    problems = _on_person(authority, entry, statement)
    if data["person"] == statement.actor.id:
        problems.append(problem("SELF_GRANT", "nobody grants a role to themselves", "/data/person"))
    if data["role"] not in ROLES or data["role"] in SERVICE_EXEMPT:
        problems.append(problem("ROLE_UNKNOWN", "this role cannot be granted", "/data/role"))
    person = authority.persons.get(data["person"])
    if person is not None and roles_conflict(person.ever | {data["role"]}):
        problems.append(
            problem("ROLE_CONFLICT", "the person holds or held a role that excludes it", "/data/role")
        )
    if data["person"] in authority.roots or data["person"] == SERVICE:
        problems.append(problem("ROLE_CONFLICT", "root and service hold no clinical role", "/data/person"))
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
        return [problem("ROLE_NOT_HELD", "the person does not hold this role", "/data/role")]
    return []


def _new_key(authority: Authority, key: Mapping[str, Any]) -> list[Problem]:
    problems = _loadable(key, "/data/key")
    if not problems and load_key(key).point in authority.points:
        problems.append(problem("KEY_ALREADY_ENROLLED", "a key is enrolled once, for ever", "/data/key"))
    if (key["grade"] == SERVICE) != (key["person"] == SERVICE):
        problems.append(problem("GRADE", "grade service is the service's alone", "/data/key/grade"))
    if (key["grade"] == "passkey") != (key["alg"] == "webauthn-es256"):
        problems.append(problem("GRADE", "a passkey is a WebAuthn key, and no other is", "/data/key/grade"))
    return problems


def _on_enrolled(authority: Authority, _: Entry, statement: Statement) -> list[Problem]:
    key = statement.data["key"]
    problems = _new_key(authority, key)
    if [ref.id for ref in statement.with_] != [key["id"]]:
        problems.append(problem("PROOF_OF_POSSESSION", "the new key signs its own enrolment", "/with"))
    if key["person"] in authority.roots and key["person"] not in authority.persons:
        return [*problems, problem("PERSON_UNKNOWN", "root keys change by policy", "/data/key/person")]
    problems += _known_person(authority, key["person"], "/data/key/person")
    person = authority.persons.get(key["person"])
    if person is not None and person.identity_at is None and person.id != SERVICE:
        problems.append(
            problem("IDENTITY_UNVERIFIED", "identity is verified before the first key", "/data/key/person")
        )
    return problems


def _on_rotated(authority: Authority, entry: Entry, statement: Statement) -> list[Problem]:
    """Check author old key, `with` exactly [new key, third key], the third live and entitled (§6)."""
    data = statement.data
    key = data["key"]
    problems = _new_key(authority, key)
    if data["replaces"] != statement.key.id:
        problems.append(problem("ROTATION_SIGNERS", "the old key signs its rotation", "/data/replaces"))
    ids = [ref.id for ref in statement.with_]
    if len(ids) != 2 or ids[0] != key["id"] or ids[1] in (key["id"], statement.key.id):
        return [*problems, problem("ROTATION_SIGNERS", "expected the new key and one further key", "/with")]
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
        problems.append(problem("ROTATION_SIGNERS", "the further key may not confirm a rotation", "/with/1"))
    return problems


def _on_confirmed(authority: Authority, _: Entry, statement: Statement) -> list[Problem]:
    data = statement.data
    key, earlier = authority.keys.get(data["key"]), authority.keys.get(statement.key.id)
    if key is None or key.person != data["person"]:
        return [problem("KEY_UNKNOWN", "the person has no such key", "/data/key")]
    if earlier is None or earlier.since >= key.since:
        return [problem("KEY_ORDER", "an earlier key of the holder confirms a further one", "/key")]
    return []


def _on_key_revoked(authority: Authority, entry: Entry, statement: Statement) -> list[Problem]:
    data = statement.data
    key = authority.keys.get(data["key"])
    if key is None or key.person != data["person"]:
        return [problem("KEY_UNKNOWN", "the person has no such key", "/data/key")]
    if data.get("compromised_from", 0) > entry.index:
        return [problem("INDEX", "a compromise does not begin in the future", "/data/compromised_from")]
    return []


def _on_someone(authority: Authority, _: Entry, statement: Statement) -> list[Problem]:
    """Require a refusal, login or view to be of someone whom the log knows; an inspector's is sealed."""
    who = statement.data.get("who")
    if who is not None and not authority.used(who):
        return [problem("PERSON_UNKNOWN", "the log knows nobody of this id", "/data/who")]
    return []


def _on_view(authority: Authority, entry: Entry, statement: Statement) -> list[Problem]:
    """Require a view to be of a tree that there was, besides."""
    problems = _on_someone(authority, entry, statement)
    view = statement.data.get("view")
    if view is not None and view["size"] > entry.index:
        problems.append(problem("INDEX", "a view is recorded after it was given", "/data/view/size"))
    return problems


def _on_measured(_: Authority, entry: Entry, statement: Statement) -> list[Problem]:
    """Require a backup, restore or certified copy to be of a tree that there was."""
    if statement.data["size"] > entry.index:
        return [problem("INDEX", "it is recorded after it was made", "/data/size")]
    return []


def _on_copy(authority: Authority, entry: Entry, statement: Statement) -> list[Problem]:
    return [*_on_someone(authority, entry, statement), *_on_measured(authority, entry, statement)]


def _on_export(authority: Authority, entry: Entry, statement: Statement) -> list[Problem]:
    """Require an export to be of a tree that there was, asked for by someone whom the log knows."""
    data = statement.data
    problems = []
    if data["size"] > entry.index:
        problems.append(problem("INDEX", "an export is recorded after it was made", "/data/size"))
    if "requested_by" in data and not authority.used(data["requested_by"]):
        problems.append(problem("PERSON_UNKNOWN", "the log knows nobody of this id", "/data/requested_by"))
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
        problems.append(problem("THRESHOLD", "too few root persons signed", "/with"))
    roots: Sequence[Mapping[str, Any]] = data.get("root_keys", ())
    problems += _root_keys(roots)
    for root in roots:
        key = root["key"]
        if key["id"] in authority.root_key_ids:
            problems += _kept_root(authority, entry, key)
            continue
        problems += _new_key(authority, key)
        if key["id"] not in signed:
            problems.append(problem("PROOF_OF_POSSESSION", "a new root key signs too", "/with"))
        if key["person"] in authority.persons:
            problems.append(problem("ROOT_KEYS", "a root person has no account", "/data/root_keys"))
    count = len({root["key"]["person"] for root in roots}) if roots else len(authority.roots)
    if not 1 <= data.get("threshold", authority.threshold) <= count:
        problems.append(problem("THRESHOLD", "expected 1 to the number of root persons", "/data/threshold"))
    return problems


def _kept_root(authority: Authority, entry: Entry, key: Mapping[str, Any]) -> list[Problem]:
    """Require a root key that stays to be live, and described as it was enrolled."""
    where = "/data/root_keys"
    enrolled = authority.keys[key["id"]]
    if not authority.live(key["id"], entry.index):
        return [problem("KEY_REVOKED", "a root key that stays still counts", where)]
    if (enrolled.person, enrolled.grade, enrolled.public.alg) != (key["person"], key["grade"], key["alg"]):
        return [problem("ROOT_KEYS", "a root key that stays is described as it was enrolled", where)]
    return _loadable(key, where)


def _on_transferred(authority: Authority, entry: Entry, statement: Statement) -> list[Problem]:
    """Require the investigator of the site that takes over beside the one who lets go (catalogue C)."""
    ids = [ref.id for ref in statement.with_]
    key = authority.keys.get(ids[0]) if len(ids) == 1 else None
    entitled = (
        key is not None
        and authority.live(ids[0], entry.index)
        and key.person != statement.actor.id
        and authority.holds(key.person, "investigator", statement.data["to"])
    )
    if entitled:
        return []
    return [problem("TRANSFER_SIGNERS", "the investigator who takes over signs too, nobody else", "/with")]


FIXED_LINES: Final[Mapping[str, Callable[[Authority, Entry, Statement], list[Problem]]]] = {
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
    "command.refused": _on_someone,
    "login.succeeded": _on_someone,
    "login.failed": _on_someone,
    "login.locked": _on_someone,
    "session.ended": _on_someone,
    "edit_check.fired": _on_someone,
    "record.viewed": _on_view,
    "trail.viewed": _on_view,
    "certified_copy.issued": _on_copy,
    "backup.taken": _on_measured,
    "restore.tested": _on_measured,
    "export.generated": _on_export,
    "participant.transferred": _on_transferred,
}
