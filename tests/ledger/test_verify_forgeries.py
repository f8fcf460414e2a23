"""Bundles that the log's own keys signed and that are wrong: each is found, by its code and index."""

from __future__ import annotations

import base64
import copy
import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import canonical
from ledger.canonical import Keys
from ledger.checkpoint import Checkpoint, publish, sign_head
from ledger.keys import Ed25519SigningKey
from ledger.verify.findings import Verdict
from ledger.verify.report import Report
from tests.ledger.forgery import SERVICE_KEY, Forgery, key_of
from tests.ledger.small_ledger import SmallLedger, make, seed
from tests.ledger.verifying import found, judge, problems

COMMAND = Path(sys.executable).with_name("trial-ledger")
KEYS = {key.id: key for key in map(key_of, ("root", "service", "admin", "aruiz", "bchan"))}
VITALS = "vitals SA-01-002"
CORRECTION = "correction SA-01-002"
STREAM = "participant/SA-01-002"
NOW = "2024-06-03T10:00:52.000000Z"
LATER = "2024-06-03T10:00:53.000000Z"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SmallLedger:
    """One small ledger for the whole file; forgeries copy what they change."""
    return make(tmp_path_factory.mktemp("ledger") / "d")


@pytest.fixture(scope="module")
def real(made: SmallLedger, tmp_path_factory: pytest.TempPathFactory) -> Forgery:
    """The real bundle in memory."""
    return Forgery(made, tmp_path_factory.mktemp("bundle") / "b")


def copied(real: Forgery) -> Forgery:
    """Copy what forgeries change."""
    other = copy.copy(real)
    other.leaves, other.payloads, other.files = real.leaves.copy(), real.payloads.copy(), dict(real.files)
    return other


@pytest.fixture
def forged(real: Forgery) -> Forgery:
    """A copy to change."""
    return copied(real)


@pytest.fixture
def check(made: SmallLedger, tmp_path: Path) -> Callable[..., Report]:
    """Write a forged bundle and verify it under the real policy."""

    def run(forged: Forgery, **options: object) -> Report:
        return judge(forged.write(tmp_path / "forged"), made.policy, **options)

    return run


Check = Callable[..., Report]


def fact(forged: Forgery, made: SmallLedger, **changes: object) -> dict[str, object]:
    """Draft a plain late fact by the coordinator: the type of the vital signs, of now."""
    return forged.draft(made.at[VITALS], occurred_at=NOW, signed_at=NOW, **changes)


def test_the_real_bundle_holds(forged: Forgery, check: Check) -> None:
    """Written again by the same keys, the unchanged bundle verifies: what fails below fails by its change."""
    report = check(forged)
    assert problems(report) == set()
    assert len(found(report, "RECORDED_BREACH")) == 9


def test_strict_conduct_counts_recorded_breaches(forged: Forgery, check: Check) -> None:
    """With --strict-conduct a recorded breach speaks against conduct."""
    report = check(forged, strict_conduct=True)
    assert report.exit_code == 1
    assert report.verdict(Verdict.CONDUCT) == "fails"
    assert report.verdict(Verdict.INTEGRITY) == "holds"


def test_claimed_size_without_the_files(forged: Forgery, made: SmallLedger, tmp_path: Path) -> None:
    """A signed size that the files can't bear ends the run at once, without a verdict."""
    place = forged.write(tmp_path / "forged")
    tree = Checkpoint(origin=made.ledger.origin, size=1 << 50, root=bytes(32))
    head = sign_head(tree, forged.signers.head)
    (place / "checkpoint").write_bytes(publish(head, forged.signers.published, 1_717_400_000))
    report = judge(place, made.policy)
    assert problems(report) == {"FILE_MISSING"}
    assert report.exit_code == 1
    assert report.verdict(Verdict.INTEGRITY) == "fails"
    assert report.verdict(Verdict.CONDUCT) == "not judged"


def test_dropped_event(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A dropped event shows in the stream's numbers, in every index and in what signers had seen."""
    at = made.at[VITALS]
    del forged.leaves[at], forged.payloads[at]
    for index in range(at, forged.size):
        forged.set_leaf(index, index=index)
    report = check(forged)
    assert found(report, "SEQ")[0] == at
    assert found(report, "PREV")[0] == at
    assert {"SEEN_ROOT", "REFERENCE"} <= problems(report)
    assert report.first_index == at


def test_leaves_without_dense_index(forged: Forgery, check: Check) -> None:
    """An index that is not the position is found at that position."""
    last = forged.size - 1
    forged.set_leaf(last, index=last + 1)
    assert found(check(forged), "INDEX") == [last]


def test_time_that_goes_back(forged: Forgery, check: Check) -> None:
    """A leaf timed before the one before it is found."""
    last = forged.size - 1
    forged.set_leaf(last, at="2024-06-03T08:00:00.000000Z")
    assert found(check(forged), "AT") == [last]


@pytest.mark.parametrize(
    "labels", [{"site": "SD-02"}, {"class": "open"}, {"stream": "0" * 64}, {"payload_type": "text/plain"}]
)
def test_labels_that_are_not_the_statements(forged: Forgery, check: Check, labels: dict[str, object]) -> None:
    """Class, site, stream and payload type of the leaf are those that were signed."""
    last = forged.size - 1
    forged.set_leaf(last, **labels)
    report = check(forged)
    assert report.exit_code == 1
    assert problems(report) & {"LABELS", "LEAF"}
    assert report.first_index == last


def test_signature_of_another_key(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A signature by another person's key over the same bytes is not the signer's."""
    statement = fact(forged, made)
    at = forged.append(statement, [key_of("bchan")])
    other = forged.leaf(at)
    other["sigs"][0]["sig"] = base64.b64encode(bytes(64)).decode()
    forged.leaves[at] = canonical.encode(other)
    assert found(check(forged), "SIGNATURE") == [at]


def test_signature_over_another_event(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A good signature pasted onto another event fails (11.70)."""
    at = forged.append(fact(forged, made), [key_of("bchan")])
    leaf = forged.leaf(at)
    leaf["sigs"] = forged.leaf(made.at[VITALS])["sigs"]
    forged.leaves[at] = canonical.encode(leaf)
    assert found(check(forged), "SIGNATURE") == [at]


def test_one_signature_too_many(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Exactly the keys of the statement sign, no further one."""
    at = forged.append(fact(forged, made), [key_of("bchan"), key_of("aruiz")])
    assert found(check(forged), "SIGNATURE_SET") == [at]


def test_key_that_nobody_enrolled(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A key that the log does not know signs nothing."""
    stranger = Ed25519SigningKey.from_seed(seed("stranger"))
    statement = fact(forged, made, key={"alg": stranger.alg, "id": stranger.id})
    at = forged.append(statement, [stranger])
    assert at in found(check(forged), "KEY_UNKNOWN")


def test_name_that_the_log_does_not_know(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """The printed name is that of the account."""
    actor = {"id": "bchan", "name": "Dr. Chan", "organisation": "Site SA-01", "role": "coordinator"}
    at = forged.append(fact(forged, made, actor=actor), [key_of("bchan")])
    assert found(check(forged), "ACTOR") == [at]


def test_role_that_is_not_held(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A role that was never granted is refused at the index."""
    actor = {"id": "bchan", "name": "B. Chan", "organisation": "Site SA-01", "role": "investigator"}
    at = forged.append(fact(forged, made, actor=actor), [key_of("bchan")])
    assert found(check(forged), "ROLE_NOT_HELD") == [at]


def test_service_that_records_a_fact(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """The operator's own key can't speak for the bedside."""
    service = {"id": "service", "name": "Ledger service", "organisation": "Operator", "role": "service"}
    key = {"alg": SERVICE_KEY.alg, "id": SERVICE_KEY.id}
    statement = fact(forged, made, actor=service, key=key, meaning="attestation")
    at = forged.append(statement, [SERVICE_KEY])
    assert found(check(forged), "ROLE_NOT_ALLOWED") == [at]


def test_statement_of_another_log(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """What was signed for another origin does not count here."""
    at = forged.append(fact(forged, made, log="ledger.example/other"), [key_of("bchan")])
    assert found(check(forged), "LOG") == [at]


def test_each_of_several_statements_of_another_log(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Who was found in order with the first is not taken for in order with those that follow."""
    of_another = [
        forged.append(fact(forged, made, log="ledger.example/other"), [key_of("bchan")]) for _ in range(3)
    ]
    assert found(check(forged), "LOG") == of_another


def test_seen_of_a_fork(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A signer who had seen another root is evidence of a second history."""
    seen = {"root": base64.b64encode(bytes(32)).decode(), "size": forged.size}
    at = forged.append(fact(forged, made, seen=seen), [key_of("bchan")])
    assert found(check(forged), "SEEN_ROOT") == [at]


def test_seen_that_goes_back(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A key never sees less than before."""
    seen = {"root": forged.root(3), "size": 3}
    at = forged.append(fact(forged, made, seen=seen), [key_of("bchan")])
    assert found(check(forged), "SEEN_BACK") == [at]


def test_seen_of_the_future(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Nobody has seen a tree that did not exist yet."""
    seen = {"root": forged.root(forged.size), "size": forged.size + 1}
    at = forged.append(fact(forged, made, seen=seen), [key_of("bchan")])
    assert found(check(forged), "SEEN_SIZE") == [at]


def test_id_used_twice(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A statement id occurs once in a log."""
    known = forged.statement(made.at[VITALS])["id"]
    at = forged.append(fact(forged, made, id=known), [key_of("bchan")])
    assert found(check(forged), "ID_REUSED") == [at]


def test_reference_to_nothing(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A statement that names an event names an earlier one."""
    data = {**forged.statement(made.at[CORRECTION])["data"], "statement": "ab" * 32}
    statement = forged.draft(made.at[CORRECTION], data=data)
    at = forged.append(statement, [key_of("bchan")])
    assert at in found(check(forged), "REFERENCE")


def test_digest_used_twice(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A digest occurs once: the same sealed value can't stand behind two statements."""
    statement = forged.draft(made.at[CORRECTION])
    at = forged.append(statement, [key_of("bchan")])
    assert at in found(check(forged), "DIGEST_REUSED")


def test_salted_stream_under_another_tag(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A participant's statement under a foreign tag is found by the given salt."""
    statement = fact(forged, made, tag=forged.statement(made.at["vitals SA-01-001"])["tag"])
    at = forged.append(statement, [key_of("bchan")])
    assert at in found(check(forged), "TAG")


def test_type_that_the_table_lacks(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A type that the authority table doesn't have is refused."""
    at = forged.append(fact(forged, made, type="vital_signs.invented"), [key_of("bchan")])
    assert at in found(check(forged), "UNKNOWN_TYPE")


def test_data_of_another_form(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Data with a member that its type doesn't have is refused."""
    data = {**forged.statement(made.at[VITALS])["data"], "more": 1}
    at = forged.append(fact(forged, made, data=data), [key_of("bchan")])
    assert found(check(forged), "DATA") == [at]


def test_statements_since_a_compromise_are_suspect(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """What a revoked key signed since its compromise is counted, and speaks against no verdict."""
    since = made.at["vitals SA-01-002"]
    data = {"compromised_from": since, "key": key_of("bchan").id, "person": "bchan"}
    like = made.at["training bchan"]
    revoked = forged.draft(like, type="key.revoked", data=data, meaning="approval", signed_at=NOW)
    forged.append({**revoked, "occurred_at": NOW}, [key_of("root")])
    report = check(forged)
    assert problems(report) <= {"UNRECORDED_BREACH"}
    assert found(report, "SUSPECT") == [since]
    assert any(each.detail.startswith("3 statements") for each in report.notes)


def test_breach_that_nobody_recorded(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A fact that breaks a rule without `breach.detected` speaks against conduct alone."""
    at = forged.append(fact(forged, made), [key_of("bchan")])
    report = check(forged)
    assert problems(report) == {"UNRECORDED_BREACH"}
    assert set(found(report, "UNRECORDED_BREACH")) == {at}
    assert report.verdict(Verdict.INTEGRITY) == "holds"
    assert report.verdict(Verdict.CONDUCT) == "fails"


def test_gate_that_its_rule_refuses(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A gate out of order, let in by the operator, is found."""
    name, like = "SA-01-009", made.at["enrolment"]
    again = forged.draft(like, signed_at=LATER, occurred_at=LATER)
    at = forged.append(again, [key_of("admin")])
    report = check(forged)
    assert found(report, "REFUSABLE") == [at], name
    assert report.verdict(Verdict.CONDUCT) == "fails"


def test_opening_of_another_value(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """An opening that is not the one committed to is found."""
    lines = [canonical.decode(line, keys=Keys.DISCLOSURES) for line in _lines(forged, "disclosures.jsonl")]
    lines[0]["open"], lines[1]["open"] = lines[1]["open"], lines[0]["open"]  # type: ignore[index,call-overload]
    text = b"".join(canonical.encode(line, keys=Keys.DISCLOSURES) + b"\n" for line in lines)
    forged.files["disclosures.jsonl"] = text
    expected = [made.at["correction SA-01-001"], made.at["correction SA-01-002"]]
    assert found(check(forged), "DISCLOSURE") == expected


def test_withheld_control_statement(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A control statement is in every bundle."""
    at = made.at["training bchan"]
    _withhold(forged, at, "blinded")
    report = check(forged)
    assert found(report, "CONTROL_WITHHELD") == [at]


def test_withheld_statement_in_a_stream_that_is_given(
    forged: Forgery, made: SmallLedger, check: Check
) -> None:
    """Within a stream whose salt is given nothing is withheld, neither as blinded nor as out of scope."""
    at = made.at["demographics SA-01-002"]
    _withhold(forged, at, "blinded")
    report = check(forged)
    assert found(report, "WITHHELD_IN_STREAM") == [at]
    assert found(report, "WITHHELD_BLINDED") == [at]
    _withhold(forged, at, "scope")
    assert found(check(forged), "WITHHELD_SCOPE") == [at]


def test_withheld_without_a_line(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Each empty line has its line in withheld.jsonl, and no other."""
    at = made.at["demographics SA-01-002"]
    _withhold(forged, at, "blinded")
    forged.files["withheld.jsonl"] = b""
    assert found(check(forged), "WITHHELD_FORM") == [at]


def test_listed_as_withheld_but_shown(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A line for a statement that is shown is found."""
    at = made.at["demographics SA-01-002"]
    body = forged.payloads[at]
    _withhold(forged, at, "blinded")
    forged.payloads[at] = body
    assert found(check(forged), "WITHHELD_FORM") == [at]


def test_wrong_salt(forged: Forgery, check: Check) -> None:
    """A salt under which no leaf has the stream's tag is found, and the stream's statements with it."""
    salts = canonical.decode(forged.files["streams.json"], keys=Keys.STREAMS)
    assert isinstance(salts, dict)
    salts[STREAM] = "11" * 32
    forged.files["streams.json"] = canonical.encode(salts, keys=Keys.STREAMS)
    assert {"SALT", "TAG"} <= problems(check(forged))


def test_missing_salt(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A stream that is shown whole comes with its salt: without it, nobody can tell what is missing."""
    salts = canonical.decode(forged.files["streams.json"], keys=Keys.STREAMS)
    assert isinstance(salts, dict)
    del salts[STREAM]
    forged.files["streams.json"] = canonical.encode(salts, keys=Keys.STREAMS)
    assert found(check(forged), "SALT_MISSING") == [made.at["registered SA-01-002"]]


def test_attachment_of_other_bytes(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """An attachment is of the hash that names it."""
    name = next(name for name in forged.files if name.startswith("attachments/"))
    forged.files[name] += b"x"
    report = check(forged)
    assert found(report, "ATTACHMENT")[0] in (made.at["protocol"], made.at["form"])


def test_attachment_that_is_missing(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Every attachment that a shown statement names is there."""
    digest = forged.statement(made.at["form"])["data"]["document"]["sha256"]
    del forged.files[f"attachments/{digest}"]
    assert found(check(forged), "ATTACHMENT_MISSING") == [made.at["form"]]


def test_attachment_that_nothing_names(forged: Forgery, check: Check) -> None:
    """Bytes that no statement names do not travel with the bundle."""
    forged.files["attachments/" + "ab" * 32] = b"x"
    assert problems(check(forged)) == {"FILE_EXTRA"}


def members(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Return the path of every member inside a JSON value."""
    inner: Iterable[tuple[object, object]] = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    return [each for key, item in inner for each in ((*path, key), *members(item, (*path, key)))]


ODD = (None, 0, -1, True, "", [], {}, "x", "0" * 64, "2024-13-01", "2024-06-03T08:00:00Z", ["a"], 1 << 52)


@settings(max_examples=40)
@given(data=st.data())
def test_hostile_statements_get_a_verdict(
    data: st.DataObject, real: Forgery, made: SmallLedger, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever stands in a well-signed statement, the verifier judges it and does not fail itself."""
    forged = copied(real)
    statement = json.loads(json.dumps(forged.draft(data.draw(st.integers(0, forged.size - 1)))))
    target = statement["data"]
    *parents, last = data.draw(st.sampled_from(members(target) or [("extra",)]))
    for key in parents:
        target = target[key]
    target[last] = data.draw(st.sampled_from(ODD))
    signers = [KEYS[ref["id"]] for ref in (statement["key"], *statement.get("with", []))]
    forged.append(statement, signers)
    report = judge(forged.write(tmp_path_factory.mktemp("hostile") / "b"), made.policy)
    assert "UNJUDGED" not in problems(report)
    assert report.complete


def _lines(forged: Forgery, name: str) -> list[bytes]:
    return forged.files[name].split(b"\n")[:-1]


def _withhold(forged: Forgery, index: int, why: str) -> None:
    forged.payloads[index] = b""
    line = {"index": index, "statement": forged.leaf(index)["statement"], "why": why}
    forged.files["withheld.jsonl"] = canonical.encode(line) + b"\n"


def test_dose_before_consent_that_a_server_let_pass_in_silence(
    forged: Forgery, made: SmallLedger, tmp_path: Path
) -> None:
    """The nurse signed what was done; the server wrote no breach: the auditor's command names the rule."""
    dose = {
        "infusion": 1,
        "volume": {"value": "250", "unit": "mL"},
        "percent_given": "100",
        "start": NOW,
        "end": NOW,
        "source": {"kind": "esource"},
    }
    statement = fact(
        forged, made, type="dose.administered", data=dose, sealed={"/data/amounts": "B" * 42 + "A"}
    )
    at = forged.append(statement, [key_of("bchan")])
    bundle = forged.write(tmp_path / "forged")
    policy = made.write_policy(tmp_path / "policy")
    done = subprocess.run(
        [COMMAND, "verify", str(bundle), "--policy", str(policy), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    found_ = [each for each in report["findings"] if each["code"] == "UNRECORDED_BREACH"]
    assert any(each["index"] == at and "CONSENT_MISSING" in each["detail"] for each in found_)
    assert report["verdicts"] == {"integrity": "holds", "completeness": "holds", "conduct": "fails"}
