"""The fold of authority (record-format.md §6): what each control statement changes, by index alone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from ledger.authorisation import check_signatures, judge
from ledger.authority import INITIAL, Authority, evolve
from ledger.chain import Chain
from ledger.entry import Entry, Index
from ledger.envelope import EventHash, event_hash
from ledger.fold import load_entry
from ledger.leaf import parse_leaf
from ledger.merkle import leaf_hash, tree_root
from ledger.prepare import Signer
from ledger.statement import parse_statement
from ledger.tiles import decode_entries, entries_path, payload_path
from tests.ledger.small_ledger import SITE, SmallLedger
from tests.ledger.write_path import (
    account,
    by_root,
    candidate,
    check_whole,
    described,
    enrol,
    enrolment,
    hire,
    key_of,
    problems,
    refused,
    register,
    verify_identity,
    vitals,
)
from tests.shared import VECTORS

BUNDLE = VECTORS / "bundle-minimal"


def published_entries() -> list[Entry]:
    """Return the entries of the public minimal bundle."""
    size = json.loads((BUNDLE / "scope.json").read_bytes())["size"]
    leaves = decode_entries((BUNDLE / entries_path(0, size)).read_bytes(), size)
    lines = (BUNDLE / payload_path(0, size)).read_bytes().split(b"\n")[:-1]
    entries = []
    for index, (leaf, line) in enumerate(zip(leaves, lines, strict=True)):
        event = EventHash(event_hash(line))
        entries.append(
            Entry(index=Index(index), leaf=parse_leaf(leaf), event=event, statement=parse_statement(line))
        )
    return entries


def test_the_public_bundle_is_authentic_authorised_and_in_order() -> None:
    """Every statement of the minimal bundle passes authority, signatures and chain at its own index."""
    entries = published_entries()
    size = len(entries)
    hashes = [leaf_hash(leaf) for leaf in decode_entries((BUNDLE / entries_path(0, size)).read_bytes(), size)]
    authority, chain = INITIAL, Chain()
    for entry in entries:
        assert judge(authority, entry) == ()
        assert chain.check(entry, lambda n: tree_root(hashes[:n])) == ()
        assert entry.statement is not None
        check_signatures(authority, entry.statement, entry.leaf)
        chain.advance(entry)
        authority = evolve(authority, entry)
    assert size == 11
    assert authority.holds("service", "service", None)


def test_the_fold_is_that_of_the_indexes_below(small: SmallLedger) -> None:
    """Folding entry by entry gives the committer's authority, and judges each entry clean on the way."""
    authority = INITIAL
    for stored in small.ledger.store.entries(0, small.ledger.store.head().size):
        entry = load_entry(stored)
        assert judge(authority, entry) == ()
        authority = evolve(authority, entry)
    assert authority == small.ledger.refresh().authority


def test_a_withheld_statement_changes_nothing(small: SmallLedger) -> None:
    """An entry without its statement has no problem and no effect here."""
    entry = replace(candidate(small, vitals(small)), statement=None)
    authority = small.ledger.fold.authority
    assert judge(authority, entry) == ()
    assert evolve(authority, entry) is authority


def test_clinical_statements_change_nothing(small: SmallLedger) -> None:
    """Types that authority does not depend on return the very value."""
    before = small.ledger.refresh().authority
    register(small)
    assert small.ledger.refresh().authority is before


def authority_of(small: SmallLedger) -> Authority:
    """Return the present authority."""
    return small.ledger.refresh().authority


# Revocation takes along what the key brought in.


def by_admin(small: SmallLedger, person: str, key: Any) -> int:
    """Let the administrator enrol a key; return the index."""
    small.sources.advance(1_000_000)
    recorded = small.say(
        f"key {person}", "admin", "sponsor_administrator", "approval", "key.enrolled", f"person/{person}",
        enrolment(key, person), further=[key],
    )  # fmt: skip
    return recorded.index


def test_a_compromise_takes_along_every_key_that_came_under_the_key(small: SmallLedger) -> None:
    """Keys enrolled or rotated under it since then end with it, and keys under those; no others."""
    early, late, rotated, last = (key_of(label) for label in ("early", "late", "rotated", "last"))
    by_admin(small, "aruiz", early)
    since = by_admin(small, "bchan", late)
    small.people["late"] = Signer(late, "bchan", "B. Chan", f"Site {SITE}")
    data = {"key": described(rotated, "bchan"), "replaces": late.id}
    small.say(
        "rotated", "late", "coordinator", "approval", "key.rotated", "person/bchan", data,
        further=[rotated, key_of("root")],
    )  # fmt: skip
    enrol(small, "bchan", last)  # under root's key: not taken along
    revoked = {"compromised_from": since, "key": key_of("admin").id, "person": "admin"}
    index = by_root(small, "key.revoked", "person/admin", revoked).index
    authority = authority_of(small)
    keys = (early, late, rotated, last, key_of("bchan"))
    assert [authority.live(key.id, index + 1) for key in keys] == [True, False, False, True, True]
    assert authority.live(key_of("admin").id, index)
    assert not authority.live(key_of("admin").id, index + 1)
    assert authority.keys[rotated.id].suspect_from == since
    assert authority.keys[early.id].suspect_from is None
    check_whole(small)


def test_a_plain_revocation_takes_nothing_along(small: SmallLedger) -> None:
    """Without a compromise the keys that an administrator enrolled stay."""
    key = key_of("late")
    by_admin(small, "bchan", key)
    by_root(small, "key.revoked", "person/admin", {"key": key_of("admin").id, "person": "admin"})
    authority = authority_of(small)
    assert authority.live(key.id, small.ledger.fold.size)
    assert authority.keys[key_of("admin").id].suspect_from is None


def test_a_key_taken_along_signs_nothing_more(small: SmallLedger) -> None:
    """A statement under a key that a stolen one enrolled is refused from the next index on."""
    register(small)
    key = key_of("late")
    since = by_admin(small, "bchan", key)
    small.people["bchan"] = Signer(key, "bchan", "B. Chan", f"Site {SITE}")
    assert problems(small, vitals(small)) == set()
    revoked = {"compromised_from": since, "key": key_of("admin").id, "person": "admin"}
    by_root(small, "key.revoked", "person/admin", revoked)
    with refused("KEY_REVOKED"):
        small.ledger.record(vitals(small))


def test_a_root_key_that_a_stolen_one_brought_in_goes_with_it(small: SmallLedger) -> None:
    """A thief's own root key ends with the root key that signed the policy."""
    thief = key_of("thief")
    roots = [
        {"key": described(key, person), "name": name, "organisation": "Sponsor"}
        for key, person, name in ((key_of("root"), "root1", "Root Holder"), (thief, "root2", "Thief"))
    ]
    since = by_root(small, "policy.changed", "study", {"root_keys": roots}, further=[thief]).index
    revoked = {"compromised_from": since, "key": key_of("root").id, "person": "root1"}
    small.say("revoked", "admin", "sponsor_administrator", "approval", "key.revoked", "person/root1", revoked)
    assert not authority_of(small).live(thief.id, small.ledger.fold.size)


def test_a_later_revocation_never_clears_suspicion(small: SmallLedger) -> None:
    """Revoked again with a later compromise, a key stays suspect from the earlier one."""
    key = key_of("bchan")
    for since in (5, 9):
        data = {"compromised_from": since, "key": key.id, "person": "bchan"}
        by_root(small, "key.revoked", "person/bchan", data)
    assert authority_of(small).keys[key.id].suspect_from == 5


# Rotation, roots, policy.


def test_a_root_rotates_its_key_and_stays_root(small: SmallLedger) -> None:
    """The new key takes the old one's place among the root keys."""
    new = key_of("root new")
    data = {"key": described(new, "root1"), "replaces": key_of("root").id}
    by_root(small, "key.rotated", "person/root1", data, further=[new, key_of("admin")])
    assert authority_of(small).root_key_ids == {new.id}
    small.people["root"] = Signer(new, "root1", "Root Holder", "Sponsor")
    by_root(small, "policy.changed", "study", {"late_entry_hours": 48})
    assert authority_of(small).late_entry_hours == 48


def test_a_given_member_of_the_policy_replaces_the_whole(small: SmallLedger) -> None:
    """A second list of grades is all there is; what is not given stays."""
    by_root(
        small, "policy.changed", "study", {"grades": [["role.granted", ["passkey"]]], "late_entry_hours": 24}
    )
    by_root(small, "policy.changed", "study", {"grades": [["account.created", ["client"]]]})
    authority = authority_of(small)
    assert dict(authority.grades) == {"account.created": {"client"}}
    assert authority.late_entry_hours == 24


def test_a_confirmed_key_is_marked(small: SmallLedger) -> None:
    """`key.holder_confirmed` leaves its index on the key, so that one-sided identities show."""
    second = key_of("second of bchan")
    enrol(small, "bchan", second)
    assert authority_of(small).keys[second.id].endorsed_by == "Sponsor"
    data = {"key": second.id, "person": "bchan"}
    recorded = small.say(
        "confirmed", "bchan", "coordinator", "verification", "key.holder_confirmed", "person/bchan", data
    )
    assert authority_of(small).keys[second.id].confirmed_at == recorded.index


def test_a_person_is_what_the_log_said_so_far(small: SmallLedger) -> None:
    """Account, identity, role, acknowledgement and their indexes follow from the statements."""
    start = small.ledger.refresh().size
    hire(small, "zed", "auditor", ["*"])
    person = authority_of(small).persons["zed"]
    assert (person.active, person.identity_at, person.acknowledged_at) == (True, start + 1, start + 4)
    assert person.roles["auditor"].since == start + 3
    by_root(small, "account.renamed", "person/zed", account("zed", "Z. New"))
    by_root(small, "account.disabled", "person/zed", {"person": "zed"})
    person = authority_of(small).persons["zed"]
    assert (person.name, person.active) == ("Z. New", False)
    assert authority_of(small).person_of(key_of("zed").id) == "zed"


def test_identity_may_be_verified_again(small: SmallLedger) -> None:
    """A later verification is the one that counts."""
    recorded = verify_identity(small, "bchan")
    assert authority_of(small).persons["bchan"].identity_at == recorded.index
