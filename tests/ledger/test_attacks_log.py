"""Attacks by who holds the keys of log and service and no person's key: each is found by its code."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger import canonical
from ledger.canonical import Keys
from ledger.keys import Ed25519SigningKey
from ledger.leaf import stream_tag
from ledger.recorded import receipt_of
from ledger.verify.options import Scope
from ledger.verify.report import Report
from tests.ledger.forgery import SERVICE_KEY, Forgery, key_of
from tests.ledger.small_ledger import SmallLedger, make, seed
from tests.ledger.verifying import found, judge, problems

NOW = "2024-06-03T10:00:52.000000Z"
SALT = seed("salt of an attack").hex()
Check = Callable[..., Report]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SmallLedger:
    """One small ledger for the whole file; forgeries copy what they change."""
    return make(tmp_path_factory.mktemp("ledger") / "d")


@pytest.fixture(scope="module")
def real(made: SmallLedger, tmp_path_factory: pytest.TempPathFactory) -> Forgery:
    """The real bundle in memory."""
    return Forgery(made, tmp_path_factory.mktemp("bundle") / "b")


@pytest.fixture
def forged(real: Forgery) -> Forgery:
    """A copy to change."""
    other = copy.copy(real)
    other.leaves, other.payloads, other.files = real.leaves.copy(), real.payloads.copy(), dict(real.files)
    return other


@pytest.fixture
def check(made: SmallLedger, tmp_path: Path) -> Check:
    """Write a forged bundle and verify it under the real policy."""

    def run(forged: Forgery, **options: object) -> Report:
        return judge(forged.write(tmp_path / "forged"), made.policy, **options)

    return run


def attest(forged: Forgery, type_: str, stream: str, data: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Draft a statement of the service of now, in a stream that may be new."""
    like = _like(forged, "command.refused")
    return forged.draft(like, type=type_, stream=stream, data=data, **changes)


def _like(forged: Forgery, type_: str) -> int:
    return next(at for at in reversed(range(forged.size)) if forged.statement(at)["type"] == type_)


def _hide(forged: Forgery, statement: dict[str, Any], key: Ed25519SigningKey = SERVICE_KEY) -> int:
    """Add a statement whose line is left empty as blinded."""
    at = forged.append(statement, [key])
    forged.payloads[at] = b""
    line = {"index": at, "statement": forged.leaf(at)["statement"], "why": "blinded"}
    forged.files["withheld.jsonl"] += canonical.encode(line) + b"\n"
    return at


def _pharmacy(forged: Forgery, tag: str = "ab" * 32) -> dict[str, Any]:
    data = {"rule": "LATE_ENTRY", "statement": "00" * 32}
    return attest(forged, "breach.detected", "pharmacy/SA-01", data, site="SA-01", tag=tag)


def test_unfounded_breach_behind_a_restricted_leaf(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A leaf that the auditor may not see excuses no breach that the rules don't find in an open stream."""
    named = forged.leaf(made.at["demographics SA-01-001"])["statement"]
    data = {"rule": "OUTSIDE_WINDOW", "statement": named}
    stream = "participant/SA-01-001"
    breach = attest(forged, "breach.detected", stream, data, site="SA-01")
    _hide(forged, _pharmacy(forged))
    at = forged.append(
        {**breach, "seen": {"root": forged.root(forged.size), "size": forged.size}}, [SERVICE_KEY]
    )
    assert found(check(forged), "BREACH_UNFOUNDED") == [at]


def test_withheld_leaf_signed_by_a_stranger(forged: Forgery, check: Check) -> None:
    """A leaf names its signers: one whom the log doesn't know is found although the statement is withheld."""
    at = _hide(forged, _pharmacy(forged), Ed25519SigningKey.from_seed(seed("stranger")))
    assert found(check(forged), "KEY_UNKNOWN") == [at]


def test_withheld_leaf_signed_by_a_revoked_key(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A key that was revoked signs nothing more, be it shown or withheld."""
    now = forged.leaf(forged.size - 1)["at"]
    data = {"key": key_of("bchan").id, "person": "bchan"}
    revoked = forged.draft(
        made.at["training bchan"], type="key.revoked", data=data, meaning="approval", signed_at=now
    )
    forged.append({**revoked, "occurred_at": now}, [key_of("root")])
    at = _hide(forged, _pharmacy(forged), Ed25519SigningKey.from_seed(seed("bchan")))
    assert found(check(forged), "KEY_REVOKED") == [at]


def test_access_stream_hidden_as_safety(forged: Forgery, check: Check) -> None:
    """An auditor sees `access/`: of leaves without a site only one stream, safety, can be blinded."""
    hidden = _like(forged, "command.refused")
    salts = canonical.decode(forged.files["streams.json"], keys=Keys.STREAMS)
    assert isinstance(salts, dict)
    del salts[forged.statement(hidden)["stream"]]
    forged.files["streams.json"] = canonical.encode(salts, keys=Keys.STREAMS)
    data = {"rule": "LATE_ENTRY", "statement": "00" * 32}
    safety = attest(forged, "breach.detected", "safety", data, tag="cd" * 32)
    line = {"index": hidden, "statement": forged.leaf(hidden)["statement"], "why": "blinded"}
    forged.files["withheld.jsonl"] = canonical.encode(line) + b"\n"
    at = _hide(forged, safety)
    forged.payloads[hidden] = b""
    assert at in found(check(forged), "WITHHELD_BLINDED")


def test_two_streams_hidden_as_one_pharmacy(forged: Forgery, check: Check) -> None:
    """A site has one pharmacy stream: leaves of two tags can't both be of it."""
    first, second = _pharmacy(forged), _pharmacy(forged, "cd" * 32)
    _hide(forged, first)
    at = _hide(forged, second)
    assert found(check(forged), "WITHHELD_BLINDED") == [at]


def test_access_stream_of_another_month(forged: Forgery, check: Check) -> None:
    """What happened in a month stands in that month's stream, where people look for it."""
    stream = "access/1999-01"
    refused = forged.statement(_like(forged, "command.refused"))["data"]
    salts = canonical.decode(forged.files["streams.json"], keys=Keys.STREAMS)
    assert isinstance(salts, dict)
    forged.files["streams.json"] = canonical.encode({**salts, stream: SALT}, keys=Keys.STREAMS)
    tag = stream_tag(stream, bytes.fromhex(SALT))
    at = forged.append(attest(forged, "command.refused", stream, refused, tag=tag), [SERVICE_KEY])
    assert found(check(forged), "STREAM") == [at]


def test_refusal_of_nobody(forged: Forgery, check: Check) -> None:
    """Only what an enrolled person signed is refused on the record."""
    like = forged.statement(_like(forged, "command.refused"))
    data = {**like["data"], "who": "nobody"}
    at = forged.append(attest(forged, "command.refused", like["stream"], data), [SERVICE_KEY])
    assert found(check(forged), "PERSON_UNKNOWN") == [at]


@pytest.mark.parametrize(
    ("changes", "code"), [({"size": 1_000_000}, "INDEX"), ({"requested_by": "nobody"}, "PERSON_UNKNOWN")]
)
def test_export_that_was_never_made(
    forged: Forgery, check: Check, changes: dict[str, Any], code: str
) -> None:
    """An export is of a tree that there was, and asked for by a person whom the log knows."""
    stream = forged.statement(_like(forged, "command.refused"))["stream"]
    data = {"kind": "study", "manifest_sha256": "0" * 64, "purpose": "copy", "role": "auditor", "size": 5}
    at = forged.append(attest(forged, "export.generated", stream, {**data, **changes}), [SERVICE_KEY])
    assert found(check(forged), code) == [at]


def test_opening_left_out(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A sealed value that the role sees and that is not opened is noted: nobody erased it."""
    forged.files["disclosures.jsonl"] = b""
    report = check(forged)
    assert problems(report) == set()
    assert found(report, "OPENING_MISSING") == [made.at["correction SA-01-001"]]


def test_participant_without_the_salt(forged: Forgery, check: Check) -> None:
    """In a participant's bundle the salt is given whoever reads: else statements could be left out of it."""
    scope = canonical.decode(forged.files["scope.json"])
    assert isinstance(scope, dict)
    stated = {**scope, "id": "SA-01-001", "kind": "participant", "role": "participant"}
    forged.files["scope.json"] = canonical.encode(stated)
    forged.files["streams.json"] = canonical.encode({}, keys=Keys.STREAMS)
    report = check(forged, scope=Scope(kind="participant", id="SA-01-001"), role="participant")
    assert "SALT_MISSING" in problems(report)


def test_breach_kept_back(forged: Forgery, made: SmallLedger, check: Check, tmp_path: Path) -> None:
    """A breach enters with what brought it to light; recorded only when an export is due, it says so."""
    fact = forged.draft(made.at["vitals SA-01-001"], occurred_at=NOW, signed_at=NOW)
    named = forged.append(fact, [key_of("bchan")])
    forged.append(forged.draft(made.at["training bchan"], signed_at=NOW, occurred_at=NOW), [key_of("root")])
    before = judge(forged.write(tmp_path / "before"), made.policy)
    codes = [each.detail.split()[0] for each in before.problems if each.code == "UNRECORDED_BREACH"]
    stream, event = "participant/SA-01-001", forged.leaf(named)["statement"]
    late = []
    for code in codes:
        data = {"rule": code, "statement": event}
        breach = attest(forged, "breach.detected", stream, data, site="SA-01", signed_at=NOW, occurred_at=NOW)
        late.append(forged.append(breach, [SERVICE_KEY]))
    report = check(forged)
    assert problems(report) == set()
    assert found(report, "BREACH_LATE") == late != []


def test_receipt_from_another_history(
    forged: Forgery, made: SmallLedger, check: Check, tmp_path: Path
) -> None:
    """A client's receipt shows a fork even where its own statement stands in both histories."""
    at = made.at["vitals SA-01-001"]
    outbox = tmp_path / "outbox"
    outbox.mkdir()
    (outbox / "kept.tlog-proof").write_bytes(receipt_of(made.ledger.store, at))
    assert check(forged, outbox=outbox).exit_code == 0
    forged.set_leaf(at - 1, at=forged.leaf(at)["at"])
    report = check(forged, outbox=outbox)
    assert "PREVIOUS" in problems(report)
    assert "OUTBOX_MISSING" not in problems(report)


def test_breach_hidden_under_another_class(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A breach in a stream that everyone reads can't be withheld as restricted."""
    change = forged.draft(made.at["backdated"], signed_at=NOW, occurred_at=NOW)
    named = forged.append(change, [key_of("aruiz")])
    data = {"rule": "DELEGATION_BACKDATED", "statement": forged.leaf(named)["statement"]}
    breach = attest(
        forged, "breach.detected", "site/SA-01", data, site="SA-01", signed_at=NOW, occurred_at=NOW
    )
    at = _hide(forged, breach)
    forged.set_leaf(at, **{"class": "restricted"})
    report = check(forged)
    assert found(report, "LABELS") == [at]
    assert problems(report) == {"LABELS"}


def test_participant_hidden_by_a_leaf_without_a_site(
    forged: Forgery, made: SmallLedger, check: Check
) -> None:
    """In a site's bundle a leaf can't be put outside by an empty site: only known streams have none."""
    scope = canonical.decode(forged.files["scope.json"])
    assert isinstance(scope, dict)
    forged.files["scope.json"] = canonical.encode({**scope, "id": "SA-01", "kind": "site"})
    fact = forged.draft(made.at["vitals SA-01-001"], signed_at=NOW, occurred_at=NOW)
    at = forged.append(fact, [key_of("bchan")], site="", stream="ef" * 32)
    forged.payloads[at] = b""
    line = {"index": at, "statement": forged.leaf(at)["statement"], "why": "scope"}
    forged.files["withheld.jsonl"] = canonical.encode(line) + b"\n"
    report = check(forged, scope=Scope(kind="site", id="SA-01"))
    assert found(report, "LABELS") == [at]
