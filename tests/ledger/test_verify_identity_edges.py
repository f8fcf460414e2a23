"""The identity report row by row: every member that a person and a key have, and none that they lack (§6)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ledger.authority import INITIAL, Authority, EnrolledKey, Person
from ledger.keys import load_public_key, signing_key
from ledger.verify.identity import identity_report, one_sided_persons

KEYS = {name: signing_key("ed25519", name.encode().ljust(32, b".")) for name in ("a", "b", "c", "r", "s")}


def person(name: str, **members: Any) -> Person:
    """Return a person."""
    return Person(id=name, name=name.upper(), organisation=f"{name} & co", **members)


def key(name: str, of: str, **members: Any) -> EnrolledKey:
    """Return a key of a person."""
    known: dict[str, Any] = {"grade": "client", "since": 0, "enrolled_by": None, **members}
    return EnrolledKey(public=load_public_key("ed25519", KEYS[name].spki), person=of, **known)


def authority(*keys: tuple[str, EnrolledKey], **persons: Person) -> Authority:
    """Return an authority that knows a root person, and these persons and keys."""
    return replace(
        INITIAL,
        roots={"root": person("root")},
        persons=persons,
        keys={KEYS[name].id: each for name, each in keys},
    )


def test_every_member_of_a_row() -> None:
    """Of a person with two keys: what is known of each, and nothing of what is not."""
    known = authority(
        ("a", key("a", "p", since=5, enrolled_by=KEYS["r"].id, endorsed_by="CRO", evidence="ab", until=9)),
        ("b", key("b", "p", since=3, confirmed_at=7, suspect_from=8, grade="device")),
        ("r", key("r", "root")),
        p=person("p", identity_at=2),
    )
    root, row = identity_report(known)
    assert row == {
        "person": "p",
        "name": "P",
        "organisation": "p & co",
        "kind": "person",
        "active": True,
        "one_sided": True,
        "identity_verified_at": 2,
        "keys": [
            {
                "key": KEYS["b"].id,
                "alg": "ed25519",
                "grade": "device",
                "since": 3,
                "confirmed_at": 7,
                "suspect_from": 8,
            },
            {
                "key": KEYS["a"].id,
                "alg": "ed25519",
                "grade": "client",
                "since": 5,
                "until": 9,
                "enrolled_by": "root",
                "endorsed_by": "CRO",
                "evidence": "ab",
            },
        ],
    }
    assert root == {
        "person": "root",
        "name": "ROOT",
        "organisation": "root & co",
        "kind": "root",
        "active": True,
        "one_sided": False,
        "keys": [{"key": KEYS["r"].id, "alg": "ed25519", "grade": "client", "since": 0}],
    }


def test_root_persons_come_first_and_then_everybody_by_id() -> None:
    """The service is of a kind of its own; somebody without a key has a row too."""
    known = authority(
        ("s", key("s", "service")), service=person("service"), b=person("b", active=False), a=person("a")
    )
    rows = identity_report(known)
    assert [(row["person"], row["kind"], row["active"]) for row in rows] == [
        ("root", "root", True),
        ("a", "person", True),
        ("b", "person", False),
        ("service", "service", True),
    ]
    assert [len(row["keys"]) for row in rows] == [0, 0, 0, 1]
    assert "identity_verified_at" not in rows[1]


@pytest.mark.parametrize(
    ("keys", "one_sided"),
    [
        ([key("a", "p", endorsed_by="CRO")], True),
        ([key("a", "p", endorsed_by="CRO"), key("b", "p", endorsed_by="CRO")], True),
        ([key("a", "p", endorsed_by="CRO"), key("b", "p", endorsed_by="Site")], False),
        ([key("a", "p", endorsed_by="CRO"), key("b", "p", endorsed_by="CRO", confirmed_at=4)], False),
        ([key("a", "p", endorsed_by="CRO", confirmed_at=0)], False),
        ([key("a", "p")], False),
        ([key("a", "service", endorsed_by="CRO")], False),
        ([key("a", "root", endorsed_by="CRO")], False),
    ],
)
def test_who_rests_on_one_organisation_alone(keys: list[EnrolledKey], one_sided: bool) -> None:
    """All keys endorsed by one, and none confirmed by an earlier one; of root and the service none is."""
    known = authority(*zip("ab", keys, strict=False), p=person("p"), service=person("service"), q=person("q"))
    assert one_sided_persons(known) == ({"p"} if one_sided else set())
