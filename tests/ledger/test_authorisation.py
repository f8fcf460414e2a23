"""Who may sign what at an index (record-format.md §6): each fixed line, and the code of each refusal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from ledger.actions.registry import all_specs
from ledger.authorisation import check_signatures, judge
from ledger.errors import FormatError, SignatureError
from ledger.keys import SigningKey
from ledger.lines import encode_base64
from ledger.prepare import Signer
from tests.ledger.small_ledger import SITE, SmallLedger
from tests.ledger.write_path import (
    STREAM,
    account,
    acknowledge,
    altered,
    by_root,
    candidate,
    check_whole,
    described,
    enrol,
    enrolment,
    grant,
    hire,
    identity,
    key_of,
    letter,
    problems,
    refused,
    register,
    signed,
    vitals,
    vitals_action,
)

ROOT_TYPES = ("policy.", "account.", "identity.", "training.", "role.", "key.", "configuration.", "system.")
SERVICE_TYPES = {
    "participant.randomized", "breach.detected", "command.refused", "edit_check.fired", "session.ended",
    "login.succeeded", "login.failed", "login.locked", "record.viewed", "trail.viewed", "export.generated",
    "certified_copy.issued", "clock.drifted", "backup.taken", "restore.tested", "personal_data.erased",
}  # fmt: skip


def action(
    role: str, meaning: str, type_: str, stream: str, data: Mapping[str, Any], **members: Any
) -> dict[str, Any]:
    """Return an action in a role."""
    return {"role": role, "meaning": meaning, "type": type_, "stream": stream, "data": data, **members}


def by(
    small: SmallLedger, who: str, role: str, type_: str, stream: str, data: Mapping[str, Any], **rest: Any
) -> set[str]:
    """Return the problems of an approval by a person in a role; `further` keys sign too."""
    further: tuple[SigningKey, ...] = rest.pop("further", ())
    meaning = rest.pop("meaning", "approval")
    return problems(
        small, signed(small, who, action(role, meaning, type_, stream, data, **rest), further=further)
    )


# The authority table's fixed lines.


def test_root_signs_what_the_page_lists_and_nothing_else() -> None:
    """No type outside of §6's list has a line for root."""
    for spec in all_specs():
        if "root" in spec.roles and spec.type not in ("ledger.opened", "study.registered"):
            assert spec.type.startswith(ROOT_TYPES), spec.type


def test_attestation_is_the_services_and_the_service_attests_alone() -> None:
    """The service has the listed types, with attestation and no other meaning; nobody else attests."""
    for spec in all_specs():
        for role, meanings in spec.roles.items():
            assert (role == "service") == ("attestation" in meanings), spec.type
        if "service" in spec.roles:
            assert spec.type in SERVICE_TYPES
            assert spec.roles["service"] == {"attestation"}


@pytest.mark.parametrize(
    ("prefix", "roles"),
    [
        ("account.", {"root", "sponsor_administrator"}),
        ("identity.", {"root", "sponsor_administrator"}),
        ("role.", {"root", "sponsor_administrator"}),
        ("key.enrolled", {"root", "sponsor_administrator"}),
        ("ledger.opened", {"root"}),
        ("policy.changed", {"root"}),
    ],
)
def test_the_fixed_lines_stand_in_the_table(prefix: str, roles: set[str]) -> None:
    """The roles that §6 fixes for these types are exactly those of the table."""
    found = [set(spec.roles) for spec in all_specs() if spec.type.startswith(prefix)]
    assert found
    assert all(each == roles for each in found)


# Role, site, meaning.


@pytest.mark.parametrize(
    ("who", "role", "changes", "code"),
    [
        ("bchan", "investigator", {}, "ROLE_NOT_HELD"),
        ("bchan", "physician", {}, "ROLE_UNKNOWN"),
        ("bchan", "service", {}, "ROLE_NOT_HELD"),
        ("bchan", "root", {}, "ACTOR"),
        ("root", "root", {}, "ROLE_NOT_ALLOWED"),
        ("admin", "sponsor_administrator", {}, "ROLE_NOT_ALLOWED"),
        ("bchan", "coordinator", {"meaning": "approval"}, "MEANING_NOT_ALLOWED"),
        ("bchan", "coordinator", {"meaning": "attestation"}, "ATTESTATION"),
        ("bchan", "coordinator", {"stream": "participant/SD-02-001", "site": "SD-02"}, "SITE_NOT_HELD"),
    ],
)
def test_a_role_is_held_allowed_and_on_the_site(
    small: SmallLedger, who: str, role: str, changes: dict[str, Any], code: str
) -> None:
    """Vital signs of a site's participant, signed by who may not."""
    submission = signed(small, who, vitals_action(**{"role": role, "meaning": "authorship", **changes}))
    assert code in problems(small, submission)
    with refused(next(iter(judge(small.ledger.fold.authority, candidate(small, submission)))).code):
        small.ledger.record(submission)
    check_whole(small)


def test_what_is_right_has_no_problem(small: SmallLedger) -> None:
    """The coordinator's vital signs are authentic and authorised, so the refusals above say something."""
    register(small)
    assert problems(small, vitals(small)) == set()


def test_a_role_ends_with_its_revocation(small: SmallLedger) -> None:
    """What was allowed before `role.revoked` is not after it."""
    register(small)
    by_root(small, "role.revoked", "person/bchan", {"person": "bchan", "role": "coordinator"})
    assert problems(small, vitals(small)) == {"ROLE_NOT_HELD"}


def test_a_later_grant_replaces_the_earlier(small: SmallLedger) -> None:
    """The sites of a role are those of its newest grant."""
    by_root(small, "role.granted", "person/bchan", grant("bchan", "coordinator", ["SD-02"]))
    assert problems(small, vitals(small)) == {"SITE_NOT_HELD"}


# Actor: name, organisation and id as in the fold.


@pytest.mark.parametrize("member", ["name", "organisation", "id"])
def test_the_printed_actor_is_the_accounts(small: SmallLedger, member: str) -> None:
    """Another printed name, organisation or id than the fold's is refused."""
    actor = {**small.people["bchan"].actor("coordinator"), member: "aruiz"}
    submission = signed(small, "bchan", {**vitals_action(), "actor": actor, "meaning": "authorship"})
    assert "ACTOR" in problems(small, submission)
    with refused("ACTOR", field=f"/actor/{member}"):
        small.ledger.record(submission)


def test_after_a_renaming_the_new_name_is_printed(small: SmallLedger) -> None:
    """A renamed account signs under its new name and no longer under its old one."""
    register(small)
    by_root(small, "account.renamed", "person/bchan", account("bchan", "B. Chan-Ruíz"))
    assert problems(small, vitals(small)) == {"ACTOR"}
    small.people["bchan"] = Signer(key_of("bchan"), "bchan", "B. Chan-Ruíz", f"Site {SITE}")
    assert problems(small, vitals(small)) == set()


def test_a_participants_account_prints_the_id_alone(small: SmallLedger) -> None:
    """Nobody's name comes into the log beside the organisation `participant`."""
    data = account("p7k2", "Jane Doe", "participant")
    assert by(small, "root", "root", "account.created", "person/p7k2", data) == {"ACTOR"}
    assert (
        by(small, "root", "root", "account.created", "person/p7k2", account("p7k2", "p7k2", "participant"))
        == set()
    )


def test_a_participant_signs_under_an_id(small: SmallLedger) -> None:
    """Someone with a printed name does not sign in the role participant."""
    hire(small, "jane", "participant", ["*"], acknowledged=False)
    type_, stream = "esignature_policy.acknowledged", "person/jane"
    assert by(small, "jane", "participant", type_, stream, letter("jane"), meaning="responsibility") == {
        "ACTOR"
    }


# Account, identity, acknowledgement.


def test_a_disabled_account_signs_nothing(small: SmallLedger) -> None:
    """From `account.disabled` on the person's live key does not count."""
    by_root(small, "account.disabled", "person/bchan", {"person": "bchan"})
    assert problems(small, vitals(small)) == {"ACCOUNT_INACTIVE"}


def test_identity_comes_before_the_first_key(small: SmallLedger) -> None:
    """A key cannot be enrolled for an account whose identity nobody verified."""
    by_root(small, "account.created", "person/zed", account("zed"))
    key = key_of("zed")
    data = enrolment(key, "zed")
    codes = by(small, "root", "root", "key.enrolled", "person/zed", data, further=(key,))
    assert codes == {"IDENTITY_UNVERIFIED"}


def test_nobody_verifies_their_own_identity(small: SmallLedger) -> None:
    """The person who verified is another one, and known."""
    stream = "person/bchan"
    for who, code in (("bchan", "SAME_PERSON"), ("nobody", "PERSON_UNKNOWN")):
        data = {**identity("bchan"), "by": who}
        assert by(small, "root", "root", "identity.verified", stream, data, meaning="verification") == {code}


def test_nothing_is_signed_before_the_acknowledgement(small: SmallLedger) -> None:
    """Acknowledging and revoking an own key are the only things a new person signs."""
    hire(small, "zed", "coordinator", acknowledged=False)
    small.people["bchan"] = small.people["zed"]
    assert problems(small, vitals(small)) == {"POLICY_UNACKNOWLEDGED"}
    own = {"key": key_of("zed").id, "person": "zed"}
    revoke = ("key.revoked", "person/zed", own)
    assert by(small, "zed", "coordinator", *revoke, meaning="responsibility") == set()
    acknowledge(small, "zed", "coordinator")
    assert problems(small, vitals(small)) == set()


def test_before_the_acknowledgement_nobody_revokes_anothers_key(small: SmallLedger) -> None:
    """An administrator who has not acknowledged may end an own key, not that of someone else."""
    hire(small, "boss", "sponsor_administrator", ["*"], acknowledged=False)
    other = {"key": key_of("bchan").id, "person": "bchan"}
    codes = by(small, "boss", "sponsor_administrator", "key.revoked", "person/bchan", other)
    assert codes == {"POLICY_UNACKNOWLEDGED"}


@pytest.mark.parametrize(
    ("who", "role", "codes"),
    [("aruiz", "investigator", {"HOLDER_ONLY"}), ("bchan", "auditor", {"ROLE_NOT_HELD"})],
)
def test_the_policy_is_acknowledged_by_the_holder_in_a_granted_role(
    small: SmallLedger, who: str, role: str, codes: set[str]
) -> None:
    """Nobody acknowledges for another, or in a role that was not granted."""
    type_, data = "esignature_policy.acknowledged", letter("bchan")
    assert by(small, who, role, type_, "person/bchan", data, meaning="responsibility") == codes


def test_an_id_is_never_used_again(small: SmallLedger) -> None:
    """Neither an account's id, a disabled one's, nor a root's."""
    by_root(small, "account.disabled", "person/bchan", {"person": "bchan"})
    for person in ("bchan", "admin", "root1", "service"):
        codes = by(small, "root", "root", "account.created", f"person/{person}", account(person))
        assert codes == {"PERSON_ID_REUSED"}


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("account.renamed", account("nobody")),
        ("account.disabled", {"person": "nobody"}),
        ("role.granted", grant("nobody", "auditor")),
    ],
)
def test_only_accounts_of_the_log_are_changed(small: SmallLedger, type_: str, data: dict[str, Any]) -> None:
    """A change of an account that the log does not have is refused, and so is one of a root person's."""
    assert by(small, "root", "root", type_, "person/nobody", data) == {"PERSON_UNKNOWN"}
    of_root = {**data, "person": "root1"}
    assert "PERSON_UNKNOWN" in by(small, "root", "root", type_, "person/root1", of_root)


def test_the_stream_of_a_person_is_that_persons(small: SmallLedger) -> None:
    """What is of one person does not stand in another's stream."""
    codes = by(small, "root", "root", "role.granted", "person/aruiz", grant("bchan", "auditor"))
    assert codes == {"STREAM"}


# Grants.


def test_nobody_grants_a_role_to_oneself(small: SmallLedger) -> None:
    """An administrator does not grant to himself, and root under threshold 1 does not either."""
    stream = "person/admin"
    codes = by(
        small, "admin", "sponsor_administrator", "role.granted", stream, grant("admin", "auditor", ["*"])
    )
    assert codes == {"SELF_GRANT"}
    assert "SELF_GRANT" in by(
        small, "root", "root", "role.granted", "person/root1", grant("root1", "auditor")
    )


@pytest.mark.parametrize("role", ["root", "service"])
def test_root_and_service_are_no_roles_to_grant(small: SmallLedger, role: str) -> None:
    """Root follows from the root keys alone, and there is one service."""
    assert by(small, "root", "root", "role.granted", "person/bchan", grant("bchan", role)) == {"ROLE_UNKNOWN"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("unblinded_pharmacist", "blinded_rater"),
        ("unblinded_pharmacist", "blinded_monitor"),
        ("unblinded_pharmacist", "unblinded_monitor"),
        ("unblinded_pharmacist", "data_manager"),
        ("list_holder", "auditor"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_roles_that_exclude_each_other_are_never_one_persons(
    small: SmallLedger, first: str, second: str, turned: bool
) -> None:
    """Not together, and not one after the other was revoked, whichever came first."""
    if turned:
        first, second = second, first
    hire(small, "zed", first, ["*"])
    granted = ("root", "root", "role.granted", "person/zed", grant("zed", second, ["*"]))
    assert by(small, *granted) == {"ROLE_CONFLICT"}
    by_root(small, "role.revoked", "person/zed", {"person": "zed", "role": first})
    assert by(small, *granted) == {"ROLE_CONFLICT"}


def test_roles_that_go_together_are_granted(small: SmallLedger) -> None:
    """A person may hold two roles that do not exclude each other."""
    assert by(small, "root", "root", "role.granted", "person/bchan", grant("bchan", "blinded_rater")) == set()


def test_the_service_holds_no_other_role(small: SmallLedger) -> None:
    """A clinical role for the service is refused."""
    codes = by(small, "root", "root", "role.granted", "person/service", grant("service", "auditor"))
    assert codes == {"ROLE_CONFLICT"}


def test_a_role_that_is_not_held_is_not_revoked(small: SmallLedger) -> None:
    """There is nothing to revoke."""
    data = {"person": "bchan", "role": "auditor"}
    assert by(small, "root", "root", "role.revoked", "person/bchan", data) == {"ROLE_NOT_HELD"}


# The service.


@pytest.mark.parametrize(
    ("type_", "stream", "data"),
    [
        ("vital_signs.recorded", STREAM, vitals_action()["data"]),
        ("account.disabled", "person/bchan", {"person": "bchan"}),
    ],
)
def test_the_services_key_signs_only_the_services_types(
    small: SmallLedger, type_: str, stream: str, data: dict[str, Any]
) -> None:
    """What the page does not list for the service is refused under its key."""
    small.people["service"] = Signer(key_of("service"), "service", "Ledger service", "Operator")
    members = {"site": SITE} if stream.startswith("participant") else {}
    found = by(small, "service", "service", type_, stream, data, meaning="attestation", **members)
    assert found == {"ROLE_NOT_ALLOWED"}


# Keys.


@pytest.mark.parametrize("further", [(), ("other",), ("new", "other")])
def test_a_new_key_signs_its_own_enrolment(small: SmallLedger, further: tuple[str, ...]) -> None:
    """`with` is exactly the new key."""
    enrol(small, "aruiz", key_of("other"))
    keys = tuple(key_of(label) for label in further)
    data = enrolment(key_of("new"), "bchan")
    codes = by(small, "root", "root", "key.enrolled", "person/bchan", data, further=keys)
    assert codes == {"PROOF_OF_POSSESSION"}


def test_a_key_is_enrolled_once_for_one_person(small: SmallLedger) -> None:
    """Not again for the same person, not for another, and not after its revocation."""
    key = key_of("bchan")
    for person in ("bchan", "aruiz"):
        data = enrolment(key, person)
        codes = by(small, "root", "root", "key.enrolled", f"person/{person}", data, further=(key,))
        assert codes == {"KEY_ALREADY_ENROLLED"}
    by_root(small, "key.revoked", "person/bchan", {"key": key.id, "person": "bchan"})
    data = enrolment(key, "bchan")
    codes = by(small, "root", "root", "key.enrolled", "person/bchan", data, further=(key,))
    assert "KEY_ALREADY_ENROLLED" in codes


@pytest.mark.parametrize("grade", ["passkey", "service"])
def test_a_grade_is_what_the_key_is(small: SmallLedger, grade: str) -> None:
    """A key in software is no passkey, and no person's key is the service's."""
    key = key_of("new")
    data = enrolment(key, "bchan", grade)
    assert "GRADE" in by(small, "root", "root", "key.enrolled", "person/bchan", data, further=(key,))


def test_a_weak_key_is_not_enrolled(small: SmallLedger) -> None:
    """A key of small order, under which one signature fits every message, is refused by name."""
    key = key_of("new")
    enrolled = action("root", "approval", "key.enrolled", "person/bchan", enrolment(key, "bchan"))
    submission = signed(small, "root", enrolled, further=[key])
    weak = key.spki[:-32] + (1).to_bytes(32, "little")
    name = f"sha256:{sha256(weak).hexdigest()}"
    data = enrolment(key, "bchan")
    data["key"] = {**data["key"], "id": name, "spki": encode_base64(weak)}
    changed = altered(submission, key_of("root"), key, data=data, with_=[{"alg": "ed25519", "id": name}])
    changed = replace(changed, sigs=(changed.sigs[0], replace(changed.sigs[1], key=name)))
    before = small.ledger.store.head().size
    with refused("WEAK_KEY", SignatureError):
        small.ledger.record(changed)
    assert small.ledger.store.head().size == before


def test_a_custodial_key_never_signs_for_keys_roles_and_policy(small: SmallLedger) -> None:
    """Not even where the policy lists it; elsewhere the policy decides, by default passkey and client."""
    key = key_of("held for admin")
    enrol(small, "admin", key, grade="custodial")
    small.people["custodial"] = Signer(key, "admin", "Sponsor Administrator", "Sponsor")
    signer = ("custodial", "sponsor_administrator")
    renamed = (*signer, "account.renamed", "person/bchan", account("bchan"))
    granted = (*signer, "role.granted", "person/bchan", grant("bchan", "auditor"))
    assert by(small, *renamed) == {"GRADE"}
    grades = [["account.renamed", ["custodial"]], ["role.granted", ["custodial", "client"]]]
    by_root(small, "policy.changed", "study", {"grades": grades})
    assert by(small, *renamed) == set()
    assert by(small, *granted) == {"GRADE"}
    small.people["custodial"] = small.people["admin"]
    assert by(small, *renamed) == {"GRADE"}  # the policy's list replaces the default


def test_the_statement_names_the_enrolled_algorithm(small: SmallLedger) -> None:
    """A statement that names another algorithm for an enrolled key has no signature."""
    submission = vitals(small)
    key = {"alg": "es256", "id": key_of("bchan").id}
    changed = altered(submission, key_of("bchan"), key=key)
    changed = replace(changed, sigs=(replace(changed.sigs[0], alg="es256"),))
    assert "KEY_ALG" in problems(small, changed)
    with refused("KEY_ALG", SignatureError):
        small.ledger.record(changed)


def test_a_key_that_the_log_does_not_know_is_nobodys(small: SmallLedger) -> None:
    """An unknown key is refused before anything else is asked, and no refusal is recorded."""
    submission = altered(
        vitals(small), key_of("stranger"), key={"alg": "ed25519", "id": key_of("stranger").id}
    )
    before = small.ledger.store.head().size
    with refused("KEY_UNKNOWN", SignatureError, field="/key"):
        small.ledger.record(submission)
    assert small.ledger.store.head().size == before


def test_a_further_key_must_be_known_and_live_too(small: SmallLedger) -> None:
    """`with` adds people: each key of it is judged as `key` is."""
    by_root(small, "key.revoked", "person/aruiz", {"key": key_of("aruiz").id, "person": "aruiz"})
    submission = signed(small, "bchan", vitals_action(meaning="authorship"), further=[key_of("aruiz")])
    assert problems(small, submission) == {"KEY_REVOKED"}
    twice = signed(small, "bchan", vitals_action(meaning="authorship"), further=[key_of("bchan")])
    assert problems(small, twice) == {"SIGNATURE_SET"}


@pytest.mark.parametrize("label", ["class", "site", "tag", "payload", "statement"])
def test_the_leafs_labels_are_the_statements(small: SmallLedger, label: str) -> None:
    """A leaf that says something else than its statement is found, whichever label it is."""
    register(small)
    entry = candidate(small, vitals(small))
    leaf = {
        "class": replace(entry.leaf, cls="control"),
        "site": replace(entry.leaf, site="SD-02"),
        "tag": replace(entry.leaf, stream="00" * 32),
        "payload": replace(entry.leaf, payload_type="application/json"),
        "statement": replace(entry.leaf, statement=entry.event[::-1]),
    }[label]
    found = judge(small.ledger.fold.authority, replace(entry, leaf=leaf))
    code = "STATEMENT_HASH" if label == "statement" else "LABELS"
    assert [problem.code for problem in found] == [code]


@pytest.mark.parametrize("order", [[1, 0], [0], [0, 1, 1], []])
def test_the_leaf_has_exactly_the_signatures_in_order(small: SmallLedger, order: list[int]) -> None:
    """Too few, too many, or another order is no signature set."""
    submission = signed(small, "bchan", vitals_action(meaning="authorship"), further=[key_of("aruiz")])
    sigs = tuple(submission.sigs[n] for n in order)
    entry = candidate(small, replace(submission, sigs=sigs))
    authority = small.ledger.fold.authority
    with refused("SIGNATURE_SET", SignatureError):
        check_signatures(authority, submission.statement, entry.leaf)
    with refused("SIGNATURE_SET", SignatureError):
        small.ledger.record(replace(submission, sigs=sigs))


def test_every_signature_of_the_set_is_checked(small: SmallLedger) -> None:
    """A second signature over other bytes is found."""
    register(small)
    action_ = vitals_action(meaning="authorship")
    submission = signed(small, "bchan", action_, further=[key_of("aruiz")])
    other = signed(small, "bchan", action_, further=[key_of("aruiz")])
    mixed = replace(submission, sigs=(submission.sigs[0], other.sigs[1]))
    with refused("SIGNATURE", SignatureError):
        small.ledger.record(mixed)
    assert small.ledger.record(submission).breaches  # the rightly signed one enters


# Rotation.


def rotation(
    small: SmallLedger, *further: SigningKey, replaces: str | None = None, person: str = "bchan"
) -> set[str]:
    """Return the problems of the coordinator's rotation to the key `new`."""
    data = {"key": described(key_of("new"), person), "replaces": replaces or key_of("bchan").id}
    stream = f"person/{person}"
    return by(small, "bchan", "coordinator", "key.rotated", stream, data, further=further)


def test_a_rotation_is_confirmed_by_root_administrator_or_an_own_key(small: SmallLedger) -> None:
    """`with` is the new key and a third that is entitled."""
    own = key_of("second of bchan")
    enrol(small, "bchan", own)
    for third in (key_of("root"), key_of("admin"), own):
        assert rotation(small, key_of("new"), third) == set()


def test_a_rotation_has_exactly_its_three_keys(small: SmallLedger) -> None:
    """Not fewer, not more, not in another order, not by someone without a say, not for another key."""
    new, admin = key_of("new"), key_of("admin")
    for further in ((new,), (new, admin, key_of("root")), (admin, new), (new, key_of("aruiz"))):
        assert "ROTATION_SIGNERS" in rotation(small, *further)
    assert rotation(small, new, admin, replaces=key_of("aruiz").id) == {"ROTATION_SIGNERS"}


def test_nobody_rotates_into_anothers_name(small: SmallLedger) -> None:
    """The holder rotates an own key to an own key."""
    assert "HOLDER_ONLY" in rotation(small, key_of("new"), key_of("admin"), person="aruiz")


def test_a_revoked_key_does_not_confirm_a_rotation(small: SmallLedger) -> None:
    """A second key of the holder that was revoked is no third."""
    own = key_of("second of bchan")
    enrol(small, "bchan", own)
    by_root(small, "key.revoked", "person/bchan", {"key": own.id, "person": "bchan"})
    assert rotation(small, key_of("new"), own) == {"KEY_REVOKED", "ROTATION_SIGNERS"}


def test_a_rotated_key_is_retired_at_that_index(small: SmallLedger) -> None:
    """The old key signs its rotation and nothing after it; the new key signs on."""
    register(small)
    data = {"key": described(key_of("new"), "bchan"), "replaces": key_of("bchan").id}
    further = [key_of("new"), key_of("admin")]
    small.say("r", "bchan", "coordinator", "approval", "key.rotated", "person/bchan", data, further=further)
    with refused("KEY_REVOKED", field="/key"):
        small.ledger.record(vitals(small))
    small.people["bchan"] = Signer(key_of("new"), "bchan", "B. Chan", f"Site {SITE}")
    assert small.ledger.record(vitals(small)).event
    check_whole(small)


# Revocation and confirmation.


def test_a_revocation_takes_effect_from_the_next_index(small: SmallLedger) -> None:
    """A holder's own key signs its revocation, and nothing after."""
    own = {"key": key_of("bchan").id, "person": "bchan"}
    small.say("r", "bchan", "coordinator", "responsibility", "key.revoked", "person/bchan", own)
    with refused("KEY_REVOKED"):
        small.ledger.record(vitals(small))


def test_who_is_no_administrator_revokes_own_keys_alone(small: SmallLedger) -> None:
    """Another person's key is not a coordinator's to revoke; an unknown key is nobody's."""
    other = {"key": key_of("aruiz").id, "person": "aruiz"}
    assert by(small, "bchan", "coordinator", "key.revoked", "person/aruiz", other) == {"HOLDER_ONLY"}
    wrong = {"key": key_of("aruiz").id, "person": "bchan"}
    assert by(small, "root", "root", "key.revoked", "person/bchan", wrong) == {"KEY_UNKNOWN"}


def test_a_compromise_does_not_begin_in_the_future(small: SmallLedger) -> None:
    """`compromised_from` is at most the revocation's own index."""
    size = small.ledger.refresh().size
    data = {"compromised_from": size + 1, "key": key_of("bchan").id, "person": "bchan"}
    assert by(small, "root", "root", "key.revoked", "person/bchan", data) == {"INDEX"}
    assert (
        by(small, "root", "root", "key.revoked", "person/bchan", {**data, "compromised_from": size}) == set()
    )


def test_an_earlier_key_of_the_holder_confirms_a_further_one(small: SmallLedger) -> None:
    """Not a later one, not another person, and not for someone else's key."""
    second = key_of("second of bchan")
    enrol(small, "bchan", second)
    confirmed = {"key": second.id, "person": "bchan"}
    type_, stream = "key.holder_confirmed", "person/bchan"
    verify: dict[str, Any] = {"meaning": "verification"}
    assert by(small, "bchan", "coordinator", type_, stream, confirmed, **verify) == set()
    assert by(small, "aruiz", "investigator", type_, stream, confirmed, **verify) == {"HOLDER_ONLY"}
    small.people["later"] = Signer(second, "bchan", "B. Chan", f"Site {SITE}")
    first = {"key": key_of("bchan").id, "person": "bchan"}
    assert by(small, "later", "coordinator", type_, stream, first, **verify) == {"KEY_ORDER"}
    foreign = {"key": key_of("aruiz").id, "person": "bchan"}
    assert by(small, "bchan", "coordinator", type_, stream, foreign, **verify) == {"KEY_UNKNOWN"}


# The policy and its root keys.


def new_root(key: SigningKey, person: str, **changes: Any) -> dict[str, Any]:
    """Return an entry of `root_keys`."""
    return {"key": {**described(key, person), **changes}, "name": person.title(), "organisation": "Sponsor"}


def policy(small: SmallLedger, *further: SigningKey, who: str = "root", **data: Any) -> set[str]:
    """Return the problems of a change of policy that a root signs."""
    return by(small, who, "root", "policy.changed", "study", data, further=further)


ROOT1 = {**new_root(key_of("root"), "root1"), "name": "Root Holder"}


def test_a_new_root_key_signs_the_policy_that_brings_it(small: SmallLedger) -> None:
    """With its signature it is taken, without it is not."""
    added = [ROOT1, new_root(key_of("root two"), "root2")]
    assert policy(small, root_keys=added) == {"PROOF_OF_POSSESSION"}
    assert policy(small, key_of("root two"), root_keys=added, threshold=2) == set()


def test_a_threshold_is_met_by_the_root_persons_there_are(small: SmallLedger) -> None:
    """No threshold above the number of root persons, and none below one."""
    assert policy(small, threshold=2) == {"THRESHOLD"}
    assert policy(small, threshold=1) == set()


def test_a_threshold_counts_persons_by_the_fold(small: SmallLedger) -> None:
    """Once two must sign, one root does not change the policy, and a person who is no root does not count."""
    two = key_of("root two")
    added = [ROOT1, new_root(two, "root2")]
    by_root(small, "policy.changed", "study", {"root_keys": added, "threshold": 2}, further=[two])
    assert policy(small, late_entry_hours=48) == {"THRESHOLD"}
    assert policy(small, key_of("admin"), late_entry_hours=48) == {"THRESHOLD"}
    assert policy(small, two, late_entry_hours=48) == set()


def test_dropped_root_keys_retire(small: SmallLedger) -> None:
    """Who is not in the new list signs nothing after it, is no root, and the id stays used."""
    two = key_of("root two")
    by_root(small, "policy.changed", "study", {"root_keys": [new_root(two, "root2")]}, further=[two])
    assert {"KEY_REVOKED", "ACTOR"} <= policy(small, late_entry_hours=48)
    small.people["root"] = Signer(two, "root2", "Root2", "Sponsor")
    assert policy(small, late_entry_hours=48) == set()
    codes = by(small, "root", "root", "account.created", "person/root1", account("root1"))
    assert codes == {"PERSON_ID_REUSED"}


@pytest.mark.parametrize(
    ("root_keys", "code"),
    [
        ([new_root(key_of("root"), "root9")], "ROOT_KEYS"),
        ([ROOT1, new_root(key_of("root two"), "root1")], "ROOT_KEYS"),
        ([ROOT1, new_root(key_of("root two"), "aruiz")], "ROOT_KEYS"),
        ([ROOT1, new_root(key_of("root two"), "service")], "ROOT_KEYS"),
        ([ROOT1, new_root(key_of("root two"), "root2", grade="custodial")], "GRADE"),
        ([ROOT1, new_root(key_of("root two"), "root2", grade="passkey")], "GRADE"),
        ([ROOT1, new_root(key_of("bchan"), "root2")], "KEY_ALREADY_ENROLLED"),
    ],
)
def test_root_keys_are_of_different_persons_without_account(
    small: SmallLedger, root_keys: list[dict[str, Any]], code: str
) -> None:
    """A list that renames a holder, doubles one, or takes in someone with an account is refused."""
    further = (key_of("root two"),) if "bchan" not in str(root_keys) else (key_of("bchan"),)
    assert code in policy(small, *further, root_keys=root_keys)


def test_a_revoked_root_key_is_not_kept(small: SmallLedger) -> None:
    """A list of root keys cannot bring a revoked key back."""
    two = key_of("root two")
    added = [ROOT1, new_root(two, "root2")]
    by_root(small, "policy.changed", "study", {"root_keys": added}, further=[two])
    by_root(small, "key.revoked", "person/root2", {"key": two.id, "person": "root2"})
    assert policy(small, root_keys=added) == {"KEY_REVOKED"}


def test_account_and_root_key_of_one_person_do_not_mix(small: SmallLedger) -> None:
    """No key is enrolled for a root person: root keys change by policy."""
    key = key_of("new")
    codes = by(small, "root", "root", "key.enrolled", "person/root1", enrolment(key, "root1"), further=(key,))
    assert codes == {"PERSON_UNKNOWN"}


@pytest.mark.parametrize("data", [{}, {"key": 3}, {"key": {"id": {}}}, {"key": []}])
def test_a_malformed_key_in_data_is_a_matter_of_form(small: SmallLedger, data: dict[str, Any]) -> None:
    """Whatever stands where a new key should, nothing but an error of form comes of it."""
    submission = signed(small, "root", action("root", "approval", "key.enrolled", "person/bchan", data))
    before = small.ledger.store.head().size
    with refused("DATA", FormatError):
        small.ledger.record(submission)
    assert small.ledger.store.head().size == before
    leaf = candidate(small, submission).leaf
    check_signatures(
        small.ledger.fold.authority, submission.statement, leaf
    )  # brings in no key, so none fails


# What was in order is not asked anew under the same authority; everything else is.


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"actor": {"role": "investigator"}}, "ROLE_NOT_HELD"),
        ({"actor": {"name": "C. Bhan"}}, "ACTOR"),
        ({"actor": {"organisation": "Site SD-02"}}, "ACTOR"),
        ({"actor": {"id": "aruiz"}}, "ACTOR"),
        ({"meaning": "approval"}, "MEANING_NOT_ALLOWED"),
        ({"site": "SD-02"}, "SITE_NOT_HELD"),
        ({"type": "site.activated"}, "ROLE_NOT_ALLOWED"),
        ({"key": {"id": "aruiz"}}, "ACTOR"),
    ],
)
def test_who_was_in_order_once_is_refused_for_what_differs(
    small: SmallLedger, changes: dict[str, Any], code: str
) -> None:
    """The same signer in another role, name, meaning, site or type, or another's key, is judged anew."""
    register(small)
    in_order = vitals(small)
    assert problems(small, in_order) == problems(small, in_order) == set()
    statement = in_order.statement
    members: dict[str, Any] = {name: change for name, change in changes.items() if type(change) is str}
    if "actor" in changes:
        members["actor"] = replace(statement.actor, **changes["actor"])
    if "key" in changes:
        members["key"] = replace(statement.key, id=key_of(changes["key"]["id"]).id)
    other = replace(in_order, statement=replace(statement, **members))
    assert code in problems(small, other)


def test_a_key_that_was_in_order_is_refused_from_its_revocation_on(small: SmallLedger) -> None:
    """What was found under an older authority says nothing under the newer one."""
    register(small)
    assert problems(small, vitals(small)) == set()
    by_root(small, "key.revoked", "person/bchan", {"key": key_of("bchan").id, "person": "bchan"})
    assert problems(small, vitals(small)) == {"KEY_REVOKED"}
