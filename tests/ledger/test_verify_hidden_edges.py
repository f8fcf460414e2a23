"""What a withheld leaf tells of its author and its stream, before anybody sees the statement (§6, §9)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ledger.authority import INITIAL, Authority, EnrolledKey, Person
from ledger.entry import Entry, Index
from ledger.envelope import EventHash
from ledger.keys import KeyId, KeySignature, load_public_key, signing_key
from ledger.leaf import Leaf, parse_leaf
from ledger.statement import parse_statement
from ledger.verify.findings import Finding
from ledger.verify.form import Examined, ParsedEntry
from ledger.verify.hidden import is_by_stranger, signing_roles
from ledger.verify.integrity import IntegrityJudge
from ledger.verify.tree import Roots
from tests.shared import VECTORS

EVENTS = json.loads((VECTORS / "record-format.json").read_bytes())["events"]
LEAF = parse_leaf(EVENTS[0]["leaf"].encode())
STATEMENT = parse_statement(EVENTS[0]["statement"].encode())
KEY = signing_key("ed25519", bytes(32))


def authority(role: str = "", *, person: str = "p", until: int | None = None) -> Authority:
    """Return an authority that knows one key of one person, who holds one role, or none."""
    known = Person(id=person, name="P", organisation="O")
    if role:
        known = replace(known, roles={role: frozenset({"*"})})  # type: ignore[arg-type]
    key = EnrolledKey(
        public=load_public_key("ed25519", KEY.spki),
        person=person,
        grade="client",
        since=0,
        until=until,
        enrolled_by=None,
    )
    return replace(INITIAL, persons={person: known}, keys={KEY.id: key})


def leaf(cls: str = "open", site: str = "SA-01", *, index: int = 1, **sig: Any) -> Leaf:
    """Make a leaf that the key signed, with other members of its signature."""
    signature = replace(KeySignature(alg="ed25519", key=KeyId(KEY.id), sig=b"s"), **sig)
    return replace(LEAF, cls=cls, site=site, index=index, sigs=(signature,))


@pytest.mark.parametrize(
    ("role", "cls", "site", "stranger"),
    [
        ("coordinator", "open", "SA-01", False),
        ("unblinded_pharmacist", "restricted", "SA-01", False),
        ("coordinator", "restricted", "SA-01", True),
        ("unblinded_safety_physician", "restricted", "", False),
        ("unblinded_safety_physician", "restricted", "SA-01", True),
        ("", "open", "SA-01", True),
        ("", "restricted", "", True),
    ],
)
def test_who_signs_nothing_of_a_class_did_not_sign_this(
    role: str, cls: str, site: str, stranger: bool
) -> None:
    """A restricted leaf with a site is pharmacy work, one without is of safety or access."""
    assert is_by_stranger(authority(role), leaf(cls, site)) is stranger


def test_the_service_and_unknown_keys_are_judged_elsewhere() -> None:
    """The service attests in every class; a key that the log does not know is found by itself."""
    assert not is_by_stranger(authority(person="service"), leaf("restricted"))
    assert not is_by_stranger(authority(), leaf(key="sha256:" + "0" * 64))


def test_the_roles_of_a_class_are_those_of_the_catalogue() -> None:
    """Each place has roles of its own; nobody signs everywhere."""
    pharmacy = signing_roles("restricted", has_site=True)
    safety = signing_roles("restricted", has_site=False)
    everywhere = signing_roles("open", has_site=True)
    assert "unblinded_pharmacist" in pharmacy
    assert "coordinator" in everywhere - pharmacy
    assert "unblinded_safety_physician" in safety - pharmacy
    assert signing_roles("open", has_site=False) == everywhere


class Judge:
    """The judge of integrity over withheld leaves, one after the other."""

    def __init__(self, known: Authority) -> None:
        self.found: list[Finding] = []
        roots = Roots()
        for number in range(9):
            roots.append(bytes([number]) * 32)
        self.judge = IntegrityJudge("ledger.example/one", roots, self.found.append)
        self.judge.authority = known
        self.judge.skip(0)

    def withheld(self, given: Leaf) -> list[str]:
        """Judge a withheld leaf and fold it in; return the codes, all of which are at its index."""
        self.found.clear()
        parsed = ParsedEntry(index=given.index, leaf=given, statement=None, error=None, shown=False)
        judged = self.judge.judge(
            Examined(parsed=parsed, misformed=None, names=(), checked=False, unsigned=None)
        )
        assert {each.index for each in self.found} <= {given.index}
        assert (judged.counts, judged.formed) == (False, False)
        self.judge.advance(judged, folds=False)
        return [each.code for each in self.found]

    def follows(self, stream: str, site: str | None, tag: str) -> None:
        """Fold in a shown statement of a stream."""
        index = self.judge.chain.size
        shown = replace(STATEMENT, stream=stream, site=site, tag=tag)
        given = replace(leaf(site=site or "", index=index), stream=tag)
        self.judge.chain.advance(
            Entry(index=Index(index), leaf=given, event=EventHash("ab" * 32), statement=shown)
        )


@pytest.mark.parametrize(
    ("known", "given", "codes"),
    [
        (authority("coordinator"), leaf(), []),
        (authority("coordinator"), leaf("restricted"), ["ROLE_NOT_ALLOWED"]),
        (authority("coordinator"), leaf(key="sha256:" + "0" * 64), ["KEY_UNKNOWN"]),
        (authority("coordinator", until=1), leaf(), ["KEY_REVOKED"]),
        (authority("coordinator", until=2), leaf(), []),
        (authority("coordinator"), leaf(alg="es256"), ["KEY_ALG"]),
        (authority("coordinator"), leaf(site=""), ["LABELS"]),
    ],
)
def test_a_withheld_leaf_is_signed_by_somebody_who_may(
    known: Authority, given: Leaf, codes: list[str]
) -> None:
    """By a key that the log knows, that counts here, of its algorithm, of a person who signs such things."""
    assert Judge(known).withheld(given) == codes


@pytest.mark.parametrize(
    ("stream", "site", "cls", "leaf_site", "codes"),
    [
        ("participant/1", "SA-01", "open", "SA-01", []),
        ("participant/1", "SA-01", "restricted", "SA-01", ["LABELS"]),
        ("participant/1", "SA-01", "open", "SA-02", ["LABELS"]),
        ("pharmacy/SA-01", "SA-01", "restricted", "SA-01", []),
        ("pharmacy/SA-01", "SA-01", "open", "SA-01", ["LABELS"]),
        ("safety", None, "restricted", "", []),
        ("study", None, "open", "", []),
        ("study", None, "restricted", "", ["LABELS"]),
    ],
)
def test_a_withheld_leaf_bears_the_labels_of_its_stream(
    stream: str, site: str | None, cls: str, leaf_site: str, codes: list[str]
) -> None:
    """Where another statement shows which stream it is: its class and its site."""
    judge = Judge(authority(person="service"))
    judge.follows(stream, site, "cd" * 32)
    given = replace(leaf(cls, leaf_site, index=2), stream="cd" * 32)
    assert judge.withheld(given) == codes
