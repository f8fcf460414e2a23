"""verify.html in a browser: good bundles hold, tampered ones are found by code, nothing leaves the page."""

from __future__ import annotations

import base64
import copy
import json
import re
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from ledger import canonical
from ledger.browser import JUDGE, javascript, verify_html
from ledger.canonical import Keys
from ledger.checkpoint import Checkpoint, publish, sign_head
from ledger.export import export_bundle
from ledger.policy import format_policy
from ledger.verify.files import CONVENIENCES
from ledger.verify.options import Scope
from tests.browser.verifying import Result, flip, open_page, run, zipped
from tests.ledger.epoch_story import go_on, make_old
from tests.ledger.forgery import Forgery, key_of
from tests.ledger.small_ledger import ORIGIN, SmallLedger, make
from tests.ledger.verifying import MINIMAL, MINIMAL_POLICY, judge, problems

VITALS = "vitals SA-01-002"
Verify = Callable[..., Result]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SmallLedger:
    """One small ledger for the whole file."""
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
def verify(browser: Browser, made: SmallLedger, tmp_path: Path) -> Verify:
    """Verify a bundle under the real policy."""
    page, asked = open_page(browser, tmp_path)
    policy = format_policy(made.policy).decode()

    def go(bundle: Path, **stated: str) -> Result:
        return run(page, asked, bundle, stated.pop("policy", policy), **stated)

    return go


def test_good_bundle_holds(verify: Verify, forged: Forgery, tmp_path: Path) -> None:
    """Integrity and completeness hold, conduct is not judged, and nothing was asked of a network."""
    result = verify(forged.write(tmp_path / "b"))
    assert result.said["verdicts"] == {
        "integrity": "no fault found",
        "completeness": "no fault found",
        "conduct": "not judged here",
    }
    assert result.codes == set()
    assert result.requests == []
    assert result.said["facts"]["size"] == forged.size


def test_minimal_bundle_of_the_format_holds(verify: Verify) -> None:
    """The format's own bundle holds under its own policy."""
    result = verify(MINIMAL, policy=MINIMAL_POLICY.read_text(encoding="utf-8"))
    assert (result.holds("integrity"), result.holds("completeness")) == (True, True)


@pytest.mark.parametrize(
    ("pattern", "at", "expected"),
    [
        ("payloads/000*/*", 2000, "STATEMENT_HASH"),
        ("tile/entries/000*/*", 300, "ROOT"),
        ("tile/0/000*/*", 40, "TILE"),
        ("disclosures.jsonl", 60, "DISCLOSURE"),
        ("checkpoint", 30, "LOG_SIGNATURE"),
        ("streams.json", 40, "SALT"),
    ],
)
def test_one_byte_changed(
    verify: Verify, forged: Forgery, tmp_path: Path, pattern: str, at: int, expected: str
) -> None:
    """One byte changed in any kind of file is found, and never is everything said to hold."""
    place = forged.write(tmp_path / "b")
    flip(next(place.glob(pattern)), at)
    result = verify(place)
    assert expected in result.codes
    assert not (result.holds("integrity") and result.holds("completeness"))


def test_forged_checkpoint_ends_the_reading(verify: Verify, forged: Forgery, tmp_path: Path) -> None:
    """Under a checkpoint that the log did not sign nothing further is read."""
    place = forged.write(tmp_path / "b")
    flip(place / "checkpoint", 50)
    result = verify(place)
    assert result.codes <= {"LOG_SIGNATURE", "NOTE"}
    assert "size" not in result.said["facts"]
    assert not result.holds("integrity")
    assert not result.holds("completeness")


def test_two_statements_swapped_by_the_log(
    verify: Verify, forged: Forgery, made: SmallLedger, tmp_path: Path
) -> None:
    """Swapped and signed again by the log's own keys, two events do not fit their indexes and streams."""
    at = made.at[VITALS]
    for rows in (forged.leaves, forged.payloads):
        rows[at], rows[at + 1] = rows[at + 1], rows[at]
    for index in (at, at + 1):
        forged.set_leaf(index, index=index)
    result = verify(forged.write(tmp_path / "b"))
    assert {"AT", "SEEN_ROOT"} & result.codes
    assert not result.holds("integrity")


def test_dropped_event(verify: Verify, forged: Forgery, made: SmallLedger, tmp_path: Path) -> None:
    """A dropped event leaves a gap in its stream, even where the log signed the shorter tree."""
    at = made.at[VITALS]
    del forged.leaves[at], forged.payloads[at]
    for index in range(at, forged.size):
        forged.set_leaf(index, index=index)
    result = verify(forged.write(tmp_path / "b"))
    assert result.indexes("SEQ")[0] == at
    assert "PREV" in result.codes


def test_tail_cut(verify: Verify, forged: Forgery, tmp_path: Path) -> None:
    """A file of the end that is missing is named."""
    place = forged.write(tmp_path / "b")
    next(place.glob("payloads/000*/*")).unlink()
    assert "FILE_MISSING" in verify(place).codes


def test_another_ledger(verify: Verify, forged: Forgery, made: SmallLedger, tmp_path: Path) -> None:
    """A ledger id that leaf 0 does not have is found."""
    unpinned = format_policy(replace(made.policy, ledger_id=None)).decode()
    result = verify(forged.write(tmp_path / "b"), ledger_id="ab" * 32, policy=unpinned)
    assert "LEDGER_ID" in result.codes


def test_signature_of_another_event(
    verify: Verify, forged: Forgery, made: SmallLedger, tmp_path: Path
) -> None:
    """A signature pasted from one event onto another does not hold."""
    at = made.at[VITALS]
    other = next(
        index
        for index in range(forged.size)
        if index != at and forged.leaf(index)["sigs"][0]["key"] == forged.leaf(at)["sigs"][0]["key"]
    )
    forged.set_leaf(at, sigs=forged.leaf(other)["sigs"])
    result = verify(forged.write(tmp_path / "b"))
    assert result.indexes("SIGNATURE") == [at]


def test_statement_of_another_log(verify: Verify, forged: Forgery, made: SmallLedger, tmp_path: Path) -> None:
    """What was signed for another origin is found, once."""
    draft = forged.draft(made.at[VITALS], log="ledger.example/other")
    at = forged.append(draft, [key_of("bchan")])
    assert verify(forged.write(tmp_path / "b")).indexes("LOG") == [at]


def test_signature_set_too_long(verify: Verify, forged: Forgery, made: SmallLedger, tmp_path: Path) -> None:
    """A signature that the statement does not ask for is found."""
    at = made.at[VITALS]
    sigs = forged.leaf(at)["sigs"]
    forged.set_leaf(at, sigs=[*sigs, *sigs])
    assert verify(forged.write(tmp_path / "b")).indexes("SIGNATURE_SET") == [at]


def test_statement_by_a_key_nobody_enrolled(
    verify: Verify, forged: Forgery, made: SmallLedger, tmp_path: Path
) -> None:
    """A key that the log does not know signs nothing."""
    thief = key_of("nobody")
    statement = forged.draft(made.at[VITALS], key={"alg": "ed25519", "id": thief.id})
    at = forged.append(statement, [thief])
    assert verify(forged.write(tmp_path / "b")).indexes("KEY_UNKNOWN") == [at]


def test_printed_name_of_somebody_else(
    verify: Verify, forged: Forgery, made: SmallLedger, tmp_path: Path
) -> None:
    """A printed name that is not the holder's is found."""
    like = made.at[VITALS]
    actor = {**forged.statement(like)["actor"], "name": "Somebody Else"}
    person = actor["id"]
    at = forged.append(forged.draft(like, actor=actor), [key_of(person)])
    assert verify(forged.write(tmp_path / "b")).indexes("ACTOR") == [at]


def test_statement_not_canonical(verify: Verify, forged: Forgery, made: SmallLedger, tmp_path: Path) -> None:
    """Other bytes for the same JSON are not the statement's."""
    at = made.at[VITALS]
    forged.payloads[at] = json.dumps(forged.statement(at), ensure_ascii=False).encode()
    codes = verify(forged.write(tmp_path / "b")).codes
    assert "STATEMENT_HASH" in codes


def test_control_statement_withheld(verify: Verify, forged: Forgery, tmp_path: Path) -> None:
    """What tells who may sign is in every bundle."""
    at = next(index for index in range(2, forged.size) if forged.leaf(index)["class"] == "control")
    forged.payloads[at] = b""
    line = {"index": at, "statement": forged.leaf(at)["statement"], "why": "scope"}
    forged.files["withheld.jsonl"] = canonical.encode(line) + b"\n" + forged.files["withheld.jsonl"]
    assert at in verify(forged.write(tmp_path / "b")).indexes("CONTROL_WITHHELD")


def test_statement_withheld_in_silence(
    verify: Verify, forged: Forgery, made: SmallLedger, tmp_path: Path
) -> None:
    """A withheld statement of a stream whose salt is given speaks against completeness."""
    forged.payloads[made.at[VITALS]] = b""
    result = verify(forged.write(tmp_path / "b"))
    assert {"WITHHELD_FORM", "WITHHELD_IN_STREAM"} <= result.codes
    assert not result.holds("completeness")


def test_opening_moved_to_another_event(verify: Verify, forged: Forgery, tmp_path: Path) -> None:
    """An opening that stands at another event is not what that event commits to."""
    lines = [json.loads(line) for line in forged.files["disclosures.jsonl"].splitlines()]
    lines[0]["open"], lines[1]["open"] = lines[1]["open"], lines[0]["open"]
    forged.files["disclosures.jsonl"] = b"".join(
        canonical.encode(line, keys=Keys.DISCLOSURES) + b"\n" for line in lines
    )
    assert "DISCLOSURE" in verify(forged.write(tmp_path / "b")).codes


def test_scope_that_was_not_asked_for(verify: Verify, forged: Forgery, tmp_path: Path) -> None:
    """The auditor's scope counts, and one that nothing is of never succeeds."""
    result = verify(forged.write(tmp_path / "b"), kind="site", id="ZZ-99")
    assert {"SCOPE_MISMATCH", "SCOPE_EMPTY"} <= result.codes
    assert not result.holds("completeness")


def test_extra_file(verify: Verify, forged: Forgery, tmp_path: Path) -> None:
    """A file that bundles do not have is named."""
    place = forged.write(tmp_path / "b")
    (place / "notes.txt").write_text("trust me", encoding="utf-8")
    assert verify(place).codes == {"FILE_EXTRA"}


def test_zip_holds(verify: Verify, forged: Forgery, tmp_path: Path) -> None:
    """A zip of the one allowed form is read like the directory."""
    assert verify(zipped(forged.write(tmp_path / "b"), tmp_path / "b.zip")).codes == set()


@pytest.mark.parametrize("name", ["../evil", "scope.json", "aaa"])
def test_zip_that_climbs_repeats_or_is_out_of_order(
    verify: Verify, forged: Forgery, tmp_path: Path, name: str
) -> None:
    """A zip that two readers could read differently is not read."""
    with pytest.warns(UserWarning, match="Duplicate") if name == "scope.json" else nullcontext():
        packed = zipped(forged.write(tmp_path / "b"), tmp_path / "b.zip", **{name: "{}"})
    result = verify(packed)
    assert result.codes == {"ZIP_FORM"}
    assert not result.holds("integrity")


def test_zip_packed_again_names_the_file_and_verifies_unpacked(
    verify: Verify, forged: Forgery, tmp_path: Path
) -> None:
    """What a file manager packs is not the form of an export: a file of it is named; the folder verifies."""
    place = forged.write(tmp_path / "b")
    with zipfile.ZipFile(tmp_path / "again.zip", "w") as packed:
        for file in sorted(each for each in place.rglob("*") if each.is_file()):
            packed.write(file, file.relative_to(place))
    result = verify(tmp_path / "again.zip")
    assert result.codes == {"ZIP_FORM"}
    assert {each["file"] for each in result.said["findings"] if each["code"] == "ZIP_FORM"} == {"VERIFY.md"}
    assert verify(place).codes == set()


def test_zip_with_a_wrong_checksum(verify: Verify, forged: Forgery, tmp_path: Path) -> None:
    """A byte changed inside a zip fails its checksum."""
    packed = zipped(forged.write(tmp_path / "b"), tmp_path / "b.zip")
    data = bytearray(packed.read_bytes())
    data[data.find(b'"kind"')] ^= 1
    packed.write_bytes(data)
    assert "ZIP_FORM" in verify(packed).codes


def test_markup_in_a_name_is_text(verify: Verify, forged: Forgery, made: SmallLedger, tmp_path: Path) -> None:
    """What a bundle says is shown as text, whatever it looks like; the page runs no script but its own."""
    evil = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
    like = made.at[VITALS]
    actor = {**forged.statement(like)["actor"], "name": evil}
    at = forged.append(forged.draft(like, actor=actor), [key_of(actor["id"])])
    result = verify(forged.write(tmp_path / "b"))
    page = result.page
    page.fill("#search", str(at))
    page.click(f"#list button[aria-label='Event {at}']")
    page.wait_for_selector("#event-body h3")
    assert evil in (page.text_content("#event-body") or "")
    assert page.locator("#event-body img, #list img, #event-body script").count() == 0
    assert page.title() == "Verify an export"
    assert result.requests == []


def test_one_event_is_shown_with_signer_and_proof(
    verify: Verify, forged: Forgery, made: SmallLedger, tmp_path: Path
) -> None:
    """An event shows printed name, meaning, both times with their zone, key, and that it is in the tree."""
    at = made.at[VITALS]
    result = verify(forged.write(tmp_path / "b"))
    page = result.page
    page.fill("#search", str(at))
    page.click(f"#list button[aria-label='Event {at}']")
    page.wait_for_selector("#event-body h3")
    text = page.text_content("#event-body") or ""
    statement, leaf = forged.statement(at), forged.leaf(at)
    for shown in (
        statement["actor"]["name"],
        f"the meaning: {statement['meaning']}",
        statement["occurred_at"],
        leaf["at"][:10],
        "UTC",
        leaf["sigs"][0]["key"],
        leaf["statement"],
        "hashes lead from its leaf to the signed root",
    ):
        assert shown in text


def test_what_is_wrong_with_the_policy_is_said(verify: Verify, forged: Forgery, tmp_path: Path) -> None:
    """A policy that can't be read gives no verdict and says which line."""
    result = verify(forged.write(tmp_path / "b"), policy="quorum none\nnonsense\n")
    assert not result.holds("integrity")
    assert "line 2" in result.said["findings"][0]["detail"]
    assert "Integrity: not judged" in result.page.inner_text("#verdicts")


def test_log_that_signed_with_one_key_only(
    verify: Verify, forged: Forgery, made: SmallLedger, tmp_path: Path
) -> None:
    """A checkpoint without the line of a key that the policy lists is not the log's."""
    place = forged.write(tmp_path / "b")
    root = base64.b64decode(forged.root(forged.size))
    head = sign_head(Checkpoint(origin=ORIGIN, size=forged.size, root=root), forged.signers.head)
    (place / "checkpoint").write_bytes(head)
    assert verify(place).codes == {"LOG_SIGNATURE"}
    (place / "checkpoint").write_bytes(publish(head, forged.signers.published, 1_717_400_000))
    assert verify(place).codes == set()


def test_exports_carry_the_page(made: SmallLedger, tmp_path: Path) -> None:
    """An export holds both conveniences, the page byte for byte the release's."""
    Forgery(made, tmp_path / "b")
    assert all((tmp_path / "b" / name).is_file() for name in CONVENIENCES)
    assert (tmp_path / "b" / "verify.html").read_bytes() == verify_html()


def test_a_second_epoch_is_not_complete_by_itself(verify: Verify, tmp_path: Path) -> None:
    """The page has one bundle: it says that an older log is continued which it was not given."""
    epochs = go_on(make_old(tmp_path / "old"), tmp_path)
    try:
        bundle, _ = epochs.export("bundle")
        policy = format_policy(epochs.policy).decode()
    finally:
        epochs.close()
    result = verify(bundle, policy=policy)
    assert result.codes == {"EPOCH_MISSING"}, result.said["findings"]
    assert (result.holds("integrity"), result.holds("completeness")) == (True, False)


def test_every_kind_of_data_is_read_by_the_page(browser: Browser, nowhere: Path) -> None:
    """No pattern of the vocabulary is one that a browser reads otherwise or not at all."""
    page = browser.new_page()
    page.goto(nowhere.as_uri())
    page.add_script_tag(content=javascript(JUDGE))
    patterns = page.evaluate("TABLES.kinds.map((kind) => kind.pattern).filter((text) => text !== undefined)")
    assert len(patterns) > 10
    for pattern in patterns:
        for text in ("", "a", "A", "0", "-0", "-0.0", "-0.1", "01", "1.50", "SA-01", "a/b", "ab" * 32, "a\n"):
            matches = page.evaluate("([text, value]) => pattern(text).test(value)", [pattern, text])
            assert matches == (re.fullmatch(pattern.removesuffix("$").removeprefix("^"), text) is not None), (
                pattern,
                text,
            )
    page.close()


Forge = Callable[[Forgery, SmallLedger], object]


def bedside(forged: Forgery, made: SmallLedger, *signers: str, **members: object) -> int:
    """Append a bedside statement with changes, signed by the coordinator or whom else it says."""
    draft = forged.draft(made.at[VITALS], **members)
    return forged.append(draft, [key_of(each) for each in signers or ("bchan",)])


def as_person(forged: Forgery, person: str, role: str) -> dict[str, object]:
    """Return the members of a statement by somebody else."""
    known = next(
        value["actor"]
        for value in map(forged.statement, range(forged.size))
        if value["actor"]["id"] == person
    )
    return {"actor": {**known, "role": role}, "key": {"alg": "ed25519", "id": key_of(person).id}}


def hidden_twice(forged: Forgery, made: SmallLedger) -> None:
    """Withhold the first two statements of a participant as of restricted streams."""
    for label in ("registered SA-01-002", VITALS):
        at = made.at[label]
        forged.payloads[at] = b""
        forged.set_leaf(at, **{"class": "restricted"})


def in_role(forged: Forgery, made: SmallLedger, role: str) -> int:
    """Append a bedside statement by the coordinator in another role."""
    return bedside(forged, made, actor={**forged.statement(made.at[VITALS])["actor"], "role": role})


def trained(forged: Forgery, made: SmallLedger, **members: object) -> int:
    """Append a statement by root, like a training but for the changes."""
    return forged.append(forged.draft(made.at["training bchan"], **members), [key_of("root")])


def of_nobody(forged: Forgery, made: SmallLedger) -> None:
    """Record the training of a person whom the log does not know."""
    data = {**forged.statement(made.at["training bchan"])["data"], "person": "nobody"}
    trained(forged, made, data=data, stream="person/nobody")


def to_oneself(forged: Forgery, made: SmallLedger) -> None:
    """Grant a role to oneself."""
    granted = forged.draft(made.at["role admin"], **as_person(forged, "admin", "sponsor_administrator"))
    forged.append(granted, [key_of("admin")])


def of_what_is_not(forged: Forgery, made: SmallLedger) -> None:
    """Accept a delegation that there is not."""
    forged.append({**forged.draft(made.at["accepted"]), "data": {"delegation": "ab" * 32}}, [key_of("bchan")])


FORGED: dict[str, Forge] = {
    "ROLE_NOT_HELD": lambda forged, made: in_role(forged, made, "investigator"),
    "ROLE_UNKNOWN": lambda forged, made: in_role(forged, made, "king"),
    "ROLE_NOT_ALLOWED": lambda forged, made: bedside(
        forged, made, "admin", **as_person(forged, "admin", "sponsor_administrator")
    ),
    "MEANING_NOT_ALLOWED": lambda forged, made: bedside(forged, made, meaning="approval"),
    "ATTESTATION": lambda forged, made: bedside(forged, made, meaning="attestation"),
    "UNKNOWN_TYPE": lambda forged, made: bedside(forged, made, schema=9),
    "STREAM": lambda forged, made: bedside(forged, made, stream="site/SA-01"),
    "SEALED_PATHS": lambda forged, made: bedside(
        forged, made, type="participant.registered", data={"participant": "x"}
    ),
    "SIGNATURE_SET": lambda forged, made: bedside(
        forged, made, "bchan", "bchan", **{"with": [{"alg": "ed25519", "id": key_of("bchan").id}]}
    ),
    "STATEMENT": lambda forged, made: bedside(forged, made, protocol=["1.0"]),
    "DATA": lambda forged, made: bedside(
        forged, made, data={"measurements": [], "source": {"kind": "hearsay"}}
    ),
    "SALT_MISSING": lambda forged, _: forged.files.update({"streams.json": b"{}"}),
    "FILE_FORM": lambda forged, _: forged.files.update({"streams.json": b"[]"}),
    "LABELS": hidden_twice,
    "REFERENCE": of_what_is_not,
    "PERSON_UNKNOWN": of_nobody,
    "SELF_GRANT": to_oneself,
    "THRESHOLD": lambda forged, made: trained(
        forged, made, type="policy.changed", stream="study", meaning="approval", data={"threshold": 2}
    ),
    "GENESIS": lambda forged, _: forged.append(forged.draft(0), [key_of("root")]),
}


@pytest.mark.parametrize("code", FORGED)
def test_forged_by_who_holds_the_keys_of_the_log(
    verify: Verify, forged: Forgery, made: SmallLedger, tmp_path: Path, code: str
) -> None:
    """What the verifier finds in a log that its operator signed, the page finds under the same code."""
    FORGED[code](forged, made)
    place = forged.write(tmp_path / "b")
    report = judge(place, made.policy)
    assert code in problems(report)
    result = verify(place)
    assert code in result.codes, result.said["findings"]
    assert result.said["outcome"] == "fails"


def test_second_signature_of_the_log_on_its_checkpoint(
    verify: Verify, forged: Forgery, made: SmallLedger, tmp_path: Path
) -> None:
    """A log signs a checkpoint once: a line that stands twice is none."""
    place = forged.write(tmp_path / "b")
    note = (place / "checkpoint").read_text(encoding="utf-8")
    (place / "checkpoint").write_text(f"{note}{note.splitlines()[4]}\n", encoding="utf-8")
    assert "LOG_SIGNATURE" in problems(judge(place, made.policy))
    assert verify(place).codes == {"LOG_SIGNATURE"}


def test_checksum_of_what_is_not_judged(
    verify: Verify, forged: Forgery, made: SmallLedger, tmp_path: Path
) -> None:
    """A convenience in a zip whose checksum is wrong is found, though nobody goes by what it says."""
    packed = zipped(forged.write(tmp_path / "b"), tmp_path / "b.zip")
    data = bytearray(packed.read_bytes())
    data[data.find(b"# ", data.find(b"VERIFY.md"))] ^= 1
    packed.write_bytes(data)
    assert problems(judge(packed, made.policy)) == {"ZIP_FORM"}
    assert verify(packed).codes == {"ZIP_FORM"}


def test_a_consistency_proof_bent(verify: Verify, made: SmallLedger, tmp_path: Path) -> None:
    """A proof in the bundle is the one that there is, or it is found."""
    note = made.publish()
    bundle = tmp_path / "b"
    export_bundle(
        made.ledger.store, made.ledger.data_keys, note, bundle, scope=Scope(kind="study"), role="auditor",
        old_sizes=(7,),
    )  # fmt: skip
    assert verify(bundle).codes == set()
    flip(bundle / "consistency" / "7", 12)
    assert "CONSISTENCY" in problems(judge(bundle, made.policy))
    assert verify(bundle).codes == {"CONSISTENCY"}


def test_a_schema_is_described_by_its_own_words(
    verify: Verify, forged: Forgery, made: SmallLedger, tmp_path: Path
) -> None:
    """A type of which a later schema says something else is not described by that one."""
    at = made.at["correction SA-01-002"]
    page = verify(forged.write(tmp_path / "b")).page
    page.fill("#search", str(at))
    page.click(f"#list button[aria-label='Event {at}']")
    page.wait_for_selector("#event-body h3")
    text = page.text_content("#event-body") or ""
    assert "A value of a statement, old and new" in text
    assert "sealed value" not in text


def test_an_altered_statement_is_not_shown_as_signed(
    verify: Verify, forged: Forgery, made: SmallLedger, tmp_path: Path
) -> None:
    """What the leaf does not commit to is nobody's, whatever name it bears."""
    at = made.at[VITALS]
    place = forged.write(tmp_path / "b")
    file = next(place.glob("payloads/000*/*"))
    file.write_bytes(file.read_bytes().replace(b'"72"', b'"27"'))
    page = verify(place).page
    page.fill("#search", str(at))
    page.click(f"#list button[aria-label='Event {at}']")
    page.wait_for_selector("#event-body h3")
    assert "not the statement that the leaf commits to" in (page.text_content("#event-body .said") or "")
    assert "B. Chan" not in (page.text_content("#event-body") or "")


def test_an_altered_leaf_is_not_in_the_tree(
    verify: Verify, forged: Forgery, made: SmallLedger, tmp_path: Path
) -> None:
    """One altered byte is found where it is, not in every later event; the leaf leads to no signed root."""
    place = forged.write(tmp_path / "b")
    file = next(place.glob("tile/entries/000*/*"))
    at = made.at[VITALS]
    data = file.read_bytes()
    leaf = forged.leaves[at]
    file.write_bytes(data.replace(leaf, leaf.replace(b'"at":"2024', b'"at":"2023')))
    result = verify(place)
    assert {"ROOT", "TILE"} <= result.codes
    assert "SEEN_ROOT" not in result.codes
    result.page.fill("#search", str(at))
    result.page.click(f"#list button[aria-label='Event {at}']")
    result.page.wait_for_selector("#event-body h3")
    assert "no: its leaf does not lead to the signed root" in (result.page.text_content("#event-body") or "")


def test_the_event_that_was_asked_for_last_is_shown(verify: Verify, forged: Forgery, tmp_path: Path) -> None:
    """One that takes longer to be read does not come up under the title of a later one."""
    page = verify(forged.write(tmp_path / "b")).page
    page.evaluate("""() => {
        const own = payloadOf;
        payloadOf = async (report, index) => {
            if (index === 3) await new Promise((resolve) => { window.goOn = resolve; });
            return own(report, index);
        };
    }""")
    page.click("#list button[aria-label='Event 3']")
    page.wait_for_function("() => window.goOn !== undefined")
    page.click("#list button[aria-label='Event 4']")
    page.wait_for_selector("#event-body h3")
    shown = page.text_content("#event-body")
    page.evaluate("() => window.goOn()")
    page.wait_for_timeout(300)
    assert (page.text_content("#event-title"), page.text_content("#event-body")) == ("Event 4", shown)
