"""What is shown, withheld and opened, against scope and role (§9): each finding by code and index."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ledger import canonical
from ledger.leaf import ZERO_SALT, parse_leaf, stream_tag
from ledger.sealing import digest, make_disclosure
from ledger.statement import class_of, parse_statement
from ledger.verify.completeness import CompletenessJudge, scopes_of
from ledger.verify.findings import Finding
from ledger.verify.form import ParsedEntry
from ledger.verify.options import Scope
from tests.shared import VECTORS

EVENTS = json.loads((VECTORS / "record-format.json").read_bytes())["events"]
LEAF = parse_leaf(EVENTS[0]["leaf"].encode())
STATEMENT = replace(parse_statement(EVENTS[0]["statement"].encode()), sealed={})
SALT = bytes(range(32))
ONE, TWO = "participant/SA-01-001", "participant/SA-02-001"
TAGS = {stream_tag(stream, SALT): stream for stream in (ONE, TWO)}
STUDY, SITE = Scope(kind="study"), Scope(kind="site", id="SA-01")
PARTICIPANT = Scope(kind="participant", id="SA-01-001")
TYPES = {"pharmacy": "dose.prepared", "study": "policy.changed", "site": "site.opened"}


class Lines:
    """A bundle of the two files that are read line by line."""

    def __init__(self, withheld: Sequence[Mapping[str, Any]], opened: Sequence[Mapping[str, Any]]) -> None:
        self._files = {
            "withheld.jsonl": [canonical.encode(dict(each)) for each in withheld],
            "disclosures.jsonl": [
                canonical.encode(dict(each), keys=canonical.Keys.DISCLOSURES) for each in opened
            ],
        }

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield a file's lines."""
        return iter(self._files[name])

    def names(self) -> list[str]:
        """List the two."""
        return sorted(self._files)

    def size(self, name: str) -> int:
        """Nothing asks."""
        raise AssertionError("nothing asks for it")

    def read(self, name: str, *, max_bytes: int) -> bytes:
        """Nothing asks."""
        raise AssertionError("nothing asks for it")

    def close(self) -> None:
        """Nothing is open."""


def entry(index: int, stream: str = ONE, site: str = "SA-01", **members: Any) -> ParsedEntry:
    """Make an entry of a stream that is shown."""
    kind = stream.partition("/")[0]
    salted = kind in ("participant", "pharmacy", "safety", "access")
    type_ = members.pop("type", TYPES.get(kind, STATEMENT.type))
    cls = class_of(type_, stream)
    tag = members.pop("tag", stream_tag(stream, SALT if salted else ZERO_SALT))
    body = f"{index}".encode()
    statement = replace(
        STATEMENT, stream=stream, site=site or None, type=type_, cls=cls, tag=tag, body=body, **members
    )
    leaf = replace(LEAF, index=index, site=site, cls=cls, stream=tag, statement=f"{index:064x}")
    return ParsedEntry(index=index, leaf=leaf, statement=statement, error=None, shown=True)


def hidden(of: ParsedEntry) -> ParsedEntry:
    """Withhold an entry's statement."""
    return replace(of, statement=None, shown=False)


def why(index: int, reason: str, **changes: Any) -> dict[str, Any]:
    """Write the line of a withheld statement."""
    return {"index": index, "statement": f"{index:064x}", "why": reason, **changes}


class Run:
    """Judge entries in their order; `told` are the findings, `values` what each entry opened."""

    def __init__(
        self,
        *entries: ParsedEntry,
        scope: Scope = STUDY,
        role: str = "auditor",
        tags: Mapping[str, str] = TAGS,
        withheld: Sequence[Mapping[str, Any]] = (),
        opened: Sequence[Mapping[str, Any]] = (),
        scopes: Mapping[str, str] | None = None,
        erased: frozenset[str] = frozenset(),
    ) -> None:
        found: list[Finding] = []
        # Every salt that is given has its leaf, but where that is what a test is about.
        used = {
            tag: stream for tag, stream in tags.items() if any(each.leaf.stream == tag for each in entries)
        }
        judge = CompletenessJudge(
            Lines(withheld, opened), scope, role, used if tags is TAGS else tags, found.append
        )
        self.values = [judge.judge(each, scopes or {}) for each in entries]
        judge.finish(len(entries), erased)
        self.counts = (judge.shown, judge.withheld, judge.sealed, judge.opened)
        self.told = [(each.code, each.index) for each in found]
        self.files = {each.file for each in found}


def test_what_is_shown_with_its_salts_is_whole() -> None:
    """Two participants, all shown, both salts given."""
    run = Run(entry(0), entry(1, TWO, "SA-02"), entry(2))
    assert run.told == []
    assert run.counts == (3, 0, 0, 0)


def test_a_shown_stream_has_its_salt() -> None:
    """Without it, the first statement of the stream is told; a stream without a secret has none."""
    run = Run(entry(0, "study", ""), entry(1), entry(2), tags={})
    assert run.told == [("SALT_MISSING", 1)]
    assert Run(entry(0), tags={}, role="list_holder").told == []


def test_a_salt_gives_the_tag_of_what_is_shown() -> None:
    """A statement of the stream under another tag, and salts that no leaf has, in order of their streams."""
    assert Run(entry(0), entry(1, tag="ab" * 32)).told == [("TAG", 1)]
    run = Run(entry(0, "study", ""), tags=dict(reversed(TAGS.items())))
    assert run.told == [("SALT", None), ("SALT", None)]
    assert run.files == {"streams.json"}


def test_a_participants_bundle_has_the_salt() -> None:
    """Else nobody can tell what is missing in it."""
    run = Run(entry(0), scope=PARTICIPANT, tags={})
    assert run.told == [("SALT_MISSING", None), ("SALT_MISSING", 0)]
    assert "streams.json" in run.files


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        (STUDY, []),
        (SITE, []),
        (Scope(kind="site", id="SA-02"), [("SHOWN_SCOPE", 0), ("SCOPE_EMPTY", None)]),
        (PARTICIPANT, []),
        (Scope(kind="participant", id="SA-01-002"), [("SHOWN_SCOPE", 0), ("SCOPE_EMPTY", None)]),
    ],
)
def test_what_is_shown_is_of_the_scope(scope: Scope, told: list[tuple[str, int | None]]) -> None:
    """A record of elsewhere is told, and a scope without any record is empty."""
    assert Run(entry(0), scope=scope).told == told


def test_control_statements_are_in_every_bundle() -> None:
    """Shown in a narrower scope they are no finding; they don't fill a scope."""
    assert Run(entry(0, "study", ""), scope=SITE).told == [("SCOPE_EMPTY", None)]
    assert Run(entry(0, "study", ""), entry(1), scope=SITE).told == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (why(1, "scope"), []),
        (None, [("WITHHELD_FORM", 1)]),
        (why(1, "scope", statement="ab" * 32), [("WITHHELD_FORM", 1)]),
    ],
)
def test_what_is_withheld_is_listed(line: dict[str, Any] | None, told: list[tuple[str, int | None]]) -> None:
    """By its index and event hash."""
    run = Run(entry(0), hidden(entry(1, TWO, "SA-02")), scope=SITE, withheld=[line] if line else [], tags={})
    assert [each for each in run.told if each[0] != "SALT_MISSING"] == told
    assert run.counts == (1, 1, 0, 0)


def test_a_control_statement_is_never_withheld() -> None:
    """Whatever the list says of it, that is the one finding."""
    run = Run(entry(0), hidden(entry(1, "study", "")), withheld=[why(1, "blinded")])
    assert run.told == [("CONTROL_WITHHELD", 1)]


def test_nothing_is_withheld_in_a_stream_whose_salt_is_given() -> None:
    """The salt says that the stream is shown whole."""
    run = Run(entry(0), hidden(entry(1, TWO, "SA-02")), scope=SITE, withheld=[why(1, "scope")])
    assert run.told == [("WITHHELD_IN_STREAM", 1)]


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        (SITE, [("WITHHELD_SCOPE", 1)]),
        (Scope(kind="site", id="SA-02"), []),
        (STUDY, [("WITHHELD_SCOPE", 1)]),
    ],
)
def test_what_is_withheld_as_elsewhere_is_elsewhere(scope: Scope, told: list[tuple[str, int | None]]) -> None:
    """By the labels of its leaf."""
    first = entry(0, TWO, "SA-02") if scope.id == "SA-02" else entry(0)
    tags = {first.leaf.stream: TAGS[first.leaf.stream]}
    other = hidden(entry(1, "participant/SA-01-009"))
    assert Run(first, other, scope=scope, withheld=[why(1, "scope")], tags=tags).told == told


def test_a_part_of_a_stream_has_no_salt() -> None:
    """Of a participant who was transferred a site's bundle holds a part; that no salt is given is right."""
    here, there = entry(0), hidden(entry(1, ONE, "SA-02"))
    assert Run(here, there, scope=SITE, tags={}, withheld=[why(1, "scope")]).told == []
    assert Run(here, there, scope=SITE, tags={}, withheld=[why(1, "blinded")]).told == [
        ("WITHHELD_BLINDED", 1),
        ("SALT_MISSING", 0),
    ]


@pytest.mark.parametrize(
    ("role", "stream", "site", "right"),
    [
        ("auditor", "pharmacy/SA-01", "SA-01", True),
        ("unblinded_pharmacist", "pharmacy/SA-01", "SA-01", False),
        ("inspector", "pharmacy/SA-01", "SA-01", False),
        ("auditor", "safety", "", True),
        ("inspector", "safety", "", False),
        ("safety_committee", "safety", "", True),
        ("auditor", "participant/SA-01-009", "SA-01", False),
    ],
)
def test_what_a_role_may_not_see_is_blinded(role: str, stream: str, site: str, right: bool) -> None:
    """A restricted leaf with a site is pharmacy work; one without is of safety or access."""
    run = Run(entry(0), hidden(entry(1, stream, site)), role=role, withheld=[why(1, "blinded")])
    told = [each for each in run.told if each[0] == "WITHHELD_BLINDED"]
    assert told == ([] if right else [("WITHHELD_BLINDED", 1)])


@pytest.mark.parametrize(
    ("role", "streams", "told"),
    [
        ("auditor", [("safety", ""), ("safety", "")], []),
        ("auditor", [("safety", ""), ("access/2026-01", "")], [("WITHHELD_BLINDED", 2)]),
        ("coordinator", [("safety", ""), ("access/2026-01", "")], []),
        ("auditor", [("pharmacy/SA-01", "SA-01"), ("pharmacy/SA-02", "SA-02")], []),
        ("auditor", [("pharmacy/SA-01", "SA-01"), ("pharmacy/SA-02", "SA-01")], [("WITHHELD_BLINDED", 2)]),
        (
            "coordinator",
            [("pharmacy/SA-01", "SA-01"), ("pharmacy/SA-02", "SA-01")],
            [("WITHHELD_BLINDED", 2)],
        ),
    ],
)
def test_a_role_misses_one_stream_of_a_kind(
    role: str, streams: list[tuple[str, str]], told: list[tuple[str, int | None]]
) -> None:
    """A site has one pharmacy stream, the study one of safety; only of `access/` are there several."""
    entries = [hidden(entry(at, *each)) for at, each in enumerate(streams, start=1)]
    lines = [why(at, "blinded") for at in range(1, len(entries) + 1)]
    assert Run(entry(0), *entries, role=role, withheld=lines).told == told


@pytest.mark.parametrize(
    ("role", "stream", "right"),
    [
        ("auditor", "pharmacy/SA-01", False),
        ("unblinded_pharmacist", "pharmacy/SA-01", True),
        ("auditor", "safety", False),
        ("inspector", "safety", True),
        ("auditor", "access/2026-01", True),
        ("coordinator", "access/2026-01", True),
        ("data_manager", "access/2026-01", False),
    ],
)
def test_a_role_is_shown_what_it_may_see(role: str, stream: str, right: bool) -> None:
    """Of `access/` some roles see their own, which a leaf does not tell apart."""
    site = "SA-01" if stream.startswith("pharmacy") else ""
    run = Run(entry(0), entry(1, stream, site), role=role)
    assert [each for each in run.told if each[0] == "SHOWN_BLINDED"] == (
        [] if right else [("SHOWN_BLINDED", 1)]
    )


def sealed(index: int, **paths: str) -> ParsedEntry:
    """Make an entry that seals values, by the name of each member of its data."""
    return entry(index, sealed={f"/data/{name}": digest(text) for name, text in paths.items()})


def disclosure(name: str, value: object, salt: int = 1) -> str:
    """Seal a value of the statement."""
    return make_disclosure(bytes([salt]) * 32, STATEMENT.id, f"/data/{name}", value)


ARM, NAME = disclosure("arm", "A"), disclosure("name", "x")


def test_an_opening_gives_its_value() -> None:
    """What is opened is counted, and handed to those who judge the value."""
    run = Run(sealed(0, arm=ARM, name=NAME), opened=[{"index": 0, "open": {"/data/arm": ARM}}])
    assert (run.told, run.values) == ([], [{"/data/arm": "A"}])
    assert run.counts == (1, 0, 2, 1)


@pytest.mark.parametrize("text", [NAME, disclosure("arm", "A", 2), disclosure("name", "A"), "x", ""])
def test_another_opening_is_refused(text: str) -> None:
    """Of another member, salt or form; the others of the statement are opened all the same."""
    opened = [{"index": 0, "open": {"/data/arm": text, "/data/name": NAME}}]
    run = Run(sealed(0, arm=ARM, name=NAME), opened=opened)
    assert (run.told, run.values) == ([("DISCLOSURE", 0)], [{"/data/name": "x"}])
    assert run.counts == (1, 0, 2, 1)


def test_only_what_is_sealed_is_opened() -> None:
    """An opening of another path, and one for a statement that isn't shown."""
    opened = [{"index": at, "open": {"/data/other": ARM, "/data/name": NAME}} for at in (0, 1)]
    other = hidden(entry(1, "pharmacy/SA-01"))
    run = Run(sealed(0, name=NAME), other, opened=opened, withheld=[why(1, "blinded")])
    assert (run.told, run.values) == ([("DISCLOSURE", 0), ("DISCLOSURE", 1)], [{"/data/name": "x"}, {}])


def test_a_digest_occurs_once() -> None:
    """In one statement or in two."""
    assert Run(sealed(0, arm=ARM), sealed(1, arm=ARM)).told == [("DIGEST_REUSED", 1)]
    assert Run(sealed(0, arm=ARM, name=ARM)).told == [("DIGEST_REUSED", 0)]


@pytest.mark.parametrize(
    ("role", "scope", "right"),
    [
        ("auditor", "treatment", False),
        ("on_call_unblinding", "treatment", True),
        ("on_call_unblinding", "identity", False),
        ("unblinded_statistician", "treatment", True),
        ("auditor", "freetext", True),
        ("auditor", "identity", False),
        ("auditor", "", True),
    ],
)
def test_a_role_is_opened_what_it_may_see(role: str, scope: str, right: bool) -> None:
    """An unblinding shows one participant's treatment; a value without a scope is judged by its target."""
    scopes = {"/data/arm": scope} if scope else {}
    run = Run(sealed(0, arm=ARM), role=role, scopes=scopes, opened=[{"index": 0, "open": {"/data/arm": ARM}}])
    assert run.told == ([] if right else [("SHOWN_BLINDED", 0)])
    assert run.values == [{"/data/arm": "A"}]


def test_what_a_role_sees_and_is_not_opened_is_noted() -> None:
    """Once, with the first index; what was erased on approval is not missed."""
    scopes = {"/data/name": "freetext", "/data/arm": "treatment"}
    first, second = sealed(0, arm=ARM), sealed(1, name=NAME)
    third = sealed(2, name=disclosure("name", "y"))
    assert Run(first, second, third, scopes=scopes).told == [("OPENING_MISSING", 1)]
    assert Run(first, second, third, scopes=scopes, erased=frozenset({digest(NAME)})).told == [
        ("OPENING_MISSING", 2)
    ]
    assert Run(first, second, third).told == []


def test_what_was_erased_is_not_opened() -> None:
    """Whoever kept a value that was to be destroyed is told of."""
    opened = [{"index": 1, "open": {"/data/name": NAME}}]
    run = Run(entry(0), sealed(1, name=NAME), opened=opened, erased=frozenset({digest(NAME), digest(ARM)}))
    assert run.told == [("ERASED_SHOWN", 1)]


def test_what_opens_nothing_hides_no_erased_value() -> None:
    """Beside an opening that is no base64url, and one of a path that is not sealed, the value is found."""
    opened = [
        {"index": 0, "open": {"/data/name": "*"}},
        {"index": 1, "open": {"/data/arm": NAME, "/data/name": NAME}},
        {"index": 2, "open": {"/data/arm": ARM}},
    ]
    entries = (sealed(0, name=ARM), sealed(1, name=NAME), sealed(2, arm=disclosure("arm", "B")))
    run = Run(*entries, opened=opened, erased=frozenset({digest(NAME)}))
    erased = [("ERASED_SHOWN", 1), ("ERASED_SHOWN", 1)]
    assert run.told == [("DISCLOSURE", 0), ("DISCLOSURE", 1), ("DISCLOSURE", 2), *erased]


def test_the_scopes_of_a_type() -> None:
    """Each sealed path has the scope of its type; an unknown type has none, and a target's is left open."""
    paths = {"/data/amounts": "x", "/reason/text": "x", "/data/other": "x"}
    assert scopes_of(replace(STATEMENT, type="dose.administered", schema=1, sealed=paths)) == {
        "/data/amounts": "treatment",
        "/reason/text": "freetext",
    }
    assert scopes_of(replace(STATEMENT, type="x.y", sealed=paths)) == {}
    changes = {"/data/old": "x", "/data/new": "x", "/reason/text": "x"}
    assert scopes_of(replace(STATEMENT, type="correction.made", schema=2, sealed=changes)) == {
        "/reason/text": "freetext"
    }
