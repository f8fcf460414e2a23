"""A signer's own client against a real server, and against what a lying one would answer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from ledger import canonical
from ledger.checkpoint import Checkpoint, check_head
from ledger.cli.app import run
from ledger.errors import FormatError, LedgerError, ProofError, StoreError
from ledger.exports import export_ledger
from ledger.keyfile import Holder, KeyMaterial, write_key
from ledger.prepare import prepare
from ledger.service import sign_body
from ledger.signing.client import AnsweredError, Client, Keep, check_prepared, check_recorded
from ledger.sources import SystemSources
from ledger.statement import Statement, parse_statement
from ledger.store.startup import Startup
from ledger.submission import Submission
from ledger.verify.options import Scope
from tests.api.client import STREAM, VITALS
from tests.api.signing import Served, served_study
from tests.ledger.small_ledger import seed
from tests.ledger.verifying import judge
from tests.ledger.write_path import refused

ACTION: Final[dict[str, Any]] = {
    "type": "vital_signs.recorded",
    "stream": STREAM,
    "site": "SA-01",
    "protocol": "1.0",
    "role": "coordinator",
    "data": VITALS,
    "reason": {"code": "late_entry"},
}
OPENED: Final = {"/reason/text": "the cable was loose"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A served study."""
    with served_study(tmp_path_factory.mktemp("client") / "ledger") as served:
        yield served


def client_of(served: Served, place: Path) -> Client:
    """Return the coordinator's client."""
    made = served.made
    return Client(served.url, made.policy, Keep(place), token="coordinator", sources=made.sources)


def test_what_is_signed_and_recorded_is_kept_and_found_again(served: Served, tmp_path: Path) -> None:
    """Twice, so that the second head continues the first; then the outbox agrees with an export."""
    signer = served.made.people["bchan"]
    with client_of(served, tmp_path / "outbox") as client:
        first = client.record(signer, ACTION, OPENED)
        second = client.record(signer, ACTION, OPENED)
    assert second.index > first.index
    kept = {path.name for path in (tmp_path / "outbox").iterdir()}
    events = {
        f"{each.event}{suffix}" for each in (first, second) for suffix in (".json", ".leaf", ".tlog-proof")
    }
    assert kept == {"head", *events}
    export_ledger(served.made.ledger, tmp_path / "bundle", scope=Scope(kind="study"), role="auditor")
    assert judge(tmp_path / "bundle", served.made.policy, outbox=tmp_path / "outbox").exit_code == 0


def test_a_refusal_is_told_by_its_code(served: Served, tmp_path: Path) -> None:
    """And nothing is taken for recorded."""
    with client_of(served, tmp_path) as client, pytest.raises(AnsweredError) as caught:
        client.record(served.made.people["bchan"], {**ACTION, "role": "investigator"}, OPENED)
    assert (caught.value.code, caught.value.status) == ("ROLE_NOT_HELD", 422)
    assert not list(tmp_path.glob("*.tlog-proof"))


def test_a_refused_statement_is_not_looked_for_in_the_log(served: Served, tmp_path: Path) -> None:
    """It is set apart in the outbox, and the outbox agrees with an export."""
    with client_of(served, tmp_path / "outbox") as client, pytest.raises(AnsweredError):
        client.record(served.made.people["bchan"], {**ACTION, "role": "investigator"}, OPENED)
    assert [path.suffix for path in (tmp_path / "outbox").iterdir() if path.name != "head"] == [".refused"]
    export_ledger(served.made.ledger, tmp_path / "bundle", scope=Scope(kind="study"), role="auditor")
    assert judge(tmp_path / "bundle", served.made.policy, outbox=tmp_path / "outbox").exit_code == 0


def test_what_has_another_form_is_refused_before_it_is_signed(served: Served, tmp_path: Path) -> None:
    """By the member that is wrong; nothing of it is kept."""
    with client_of(served, tmp_path) as client, pytest.raises(AnsweredError) as caught:
        client.record(
            served.made.people["bchan"], {**ACTION, "data": {**VITALS, "position": "upright"}}, OPENED
        )
    assert (caught.value.code, caught.value.field) == ("DATA", "/data/position")
    assert not list(tmp_path.iterdir())


def test_an_action_without_a_type_is_told_so(served: Served, tmp_path: Path) -> None:
    """Not by a member that follows from the type."""
    action = {name: each for name, each in ACTION.items() if name != "type"}
    with client_of(served, tmp_path) as client, pytest.raises(AnsweredError) as caught:
        client.record(served.made.people["bchan"], action, OPENED)
    assert (caught.value.code, caught.value.field) == ("ACTION", "/type")


def test_a_service_that_is_not_there_is_told(served: Served, tmp_path: Path) -> None:
    """One line; what was to be signed is not."""
    made = served.made
    with (
        Client("http://127.0.0.1:9/v1/studies/small", made.policy, Keep(tmp_path)) as client,
        refused("UNREACHABLE", StoreError),
    ):
        client.record(made.people["bchan"], ACTION, OPENED)


def test_a_log_that_does_not_continue_the_kept_head_gets_no_signature(served: Served, tmp_path: Path) -> None:
    """A head of another history, validly signed by the log: a fork, and nothing is signed."""
    from ledger.checkpoint import sign_head

    made, keep = served.made, Keep(tmp_path)
    size = made.ledger.store.head().size
    forked = Checkpoint(origin=made.ledger.origin, size=size - 1, root=seed("another history"))
    keep.put("head", sign_head(forked, made.ledger.signers.head))
    with client_of(served, tmp_path) as client, pytest.raises(ProofError):
        client.record(made.people["bchan"], ACTION, OPENED)
    assert not list(tmp_path.glob("*.json"))


def test_a_head_by_other_keys_gets_no_signature(served: Served, tmp_path: Path) -> None:
    """The policy names the log's keys."""
    from ledger.note import CosignatureSigner, NoteSigner

    origin = served.made.ledger.origin
    keys = (NoteSigner(origin, seed("x")).key, CosignatureSigner(origin, seed("y")).key)
    policy = replace(served.made.policy, log_keys=keys)
    client = Client(served.url, policy, Keep(tmp_path), token="coordinator", sources=served.made.sources)
    with client, pytest.raises(LedgerError, match="NOTE"):
        client.record(served.made.people["bchan"], ACTION, OPENED)
    assert not list(tmp_path.glob("*.json"))


def prepared(served: Served) -> tuple[dict[str, Any], Statement, dict[str, str], Checkpoint]:
    """Return what was asked, and what an honest service prepares."""
    made = served.made
    asked = made.people["bchan"].complete(made.ledger, ACTION)
    done = prepare(made.ledger, asked, OPENED)
    return asked, done.statement, dict(done.disclosures), check_head(done.head, made.policy.log_keys)


@pytest.mark.parametrize(
    ("place", "value", "field"),
    [
        (("data", "measurements", 0, "quantity", "value"), "65", "/data"),
        (("meaning",), "approval", "/meaning"),
        (("actor", "role"), "investigator", "/actor"),
        (("occurred_at",), "2024-06-01", "/occurred_at"),
        (("site",), "SA-02", "/site"),
        (("reason", "code"), "transcription", "/reason"),
        (("key", "id"), "sha256:" + "0" * 64, "/key"),
        (("originator",), {"id": "x", "kind": "person"}, "/originator"),
        (("seen", "root"), "A" * 43 + "=", "/seen"),
        (("seen", "size"), 1, "/seen"),
    ],
)
def test_a_prepared_statement_that_differs_is_not_signed(
    served: Served, place: tuple[Any, ...], value: Any, field: str
) -> None:
    """Every member is compared with what was asked for."""
    asked, statement, disclosures, head = prepared(served)
    check_prepared(statement, disclosures, asked, OPENED, head)
    members = canonical.decode(statement.body)
    at: Any = members
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = value
    changed = parse_statement(canonical.encode(members))
    with refused("PREPARED", FormatError, field=field):
        check_prepared(changed, disclosures, asked, OPENED, head)


def test_another_sealed_value_is_not_signed(served: Served) -> None:
    """The disclosure fits the digest, and says something else than was asked."""
    asked, statement, disclosures, head = prepared(served)
    with refused("PREPARED", FormatError, field="/reason/text"):
        check_prepared(statement, disclosures, asked, {"/reason/text": "something else"}, head)
    with refused("PREPARED", FormatError, field="/sealed"):
        check_prepared(statement, {}, asked, OPENED, head)


def test_a_receipt_of_another_record_is_none(served: Served, tmp_path: Path) -> None:
    """Leaf and receipt are of exactly what was handed in."""
    made = served.made
    signer = made.people["bchan"]
    with client_of(served, tmp_path) as client:
        recorded = client.record(signer, ACTION, OPENED)
    _, statement, disclosures, _ = prepared(served)
    other = Submission(
        statement=statement, sigs=sign_body(statement.body, signer.key), disclosures=disclosures
    )
    with refused("RECEIPT", ProofError):
        check_recorded(other, recorded.leaf, recorded.receipt, made.policy)
    own = parse_statement((tmp_path / f"{recorded.event}.json").read_bytes())
    mine = Submission(statement=own, sigs=sign_body(own.body, signer.key), disclosures={})
    assert check_recorded(mine, recorded.leaf, recorded.receipt, made.policy) == recorded.index
    with refused("RECEIPT", ProofError):
        check_recorded(mine, recorded.leaf[:-1] + b" ", recorded.receipt, made.policy)


def test_the_command_signs_over_http(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`trial-ledger sign URL`: the key file's holder signs, the receipt is printed."""
    holder = Holder(person="bchan", name="B. Chan", organisation="Site SA-01")
    key = KeyMaterial(alg="ed25519", secret=seed("bchan"), holder=holder)
    write_key(tmp_path / "bchan.json", key, None)
    (tmp_path / "token").write_text("coordinator")
    (tmp_path / "action.json").write_bytes(orjson.dumps({**ACTION, "open": OPENED}))
    policy = served.made.write_policy(tmp_path / "policy")
    options = ["--key", tmp_path / "bchan.json", "--policy", policy, "--outbox", tmp_path / "outbox"]
    arguments = ["sign", served.url, tmp_path / "action.json", *options, "--token-file", tmp_path / "token"]
    now_us = served.made.sources.now_us()
    monkeypatch.setattr(SystemSources, "now_us", lambda _: now_us)  # the small ledger's clock stands still
    assert run(list(map(str, arguments))) == 0
    told = capsys.readouterr()
    assert told.out.startswith("c2sp.org/tlog-proof@v1")
    assert "recorded at index" in told.err


def test_the_command_hands_in_the_file_that_an_action_names(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A consent form is put where the service keeps it, named at its place, signed and recorded."""
    holder = Holder(person="admin", name="Sponsor Administrator", organisation="Sponsor")
    write_key(tmp_path / "admin.json", KeyMaterial(alg="ed25519", secret=seed("admin"), holder=holder), None)
    (tmp_path / "token").write_text("admin")
    form = tmp_path / "form.pdf"
    form.write_bytes(b"consent form, version 2")
    action = {
        "type": "consent_form.approved", "stream": "study", "role": "sponsor_administrator",
        "meaning": "approval",
        "data": {"version": "2", "language": "en", "from": "2024-06-03", "sites": ["*"]},
    }  # fmt: skip
    (tmp_path / "action.json").write_bytes(orjson.dumps(action))
    policy = served.made.write_policy(tmp_path / "policy")
    options = ["--key", tmp_path / "admin.json", "--policy", policy, "--outbox", tmp_path / "outbox"]
    arguments = ["sign", served.url, tmp_path / "action.json", *options, "--token-file", tmp_path / "token"]
    now_us = served.made.sources.now_us()
    monkeypatch.setattr(SystemSources, "now_us", lambda _: now_us)
    assert run([*map(str, arguments), "--attach", f"/data/document={form}"]) == 0, capsys.readouterr()
    kept = served.made.ledger.store.attachment(hashlib.sha256(form.read_bytes()).hexdigest())
    assert kept is not None
    assert (kept.media_type, kept.data) == ("application/pdf", form.read_bytes())
    size = served.made.ledger.store.head().size
    [entry] = served.made.ledger.store.entries(size - 1, size)
    assert orjson.loads(entry.statement)["data"]["document"]["size"] == len(kept.data)


def test_the_command_fills_in_what_a_signature_covers(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From what the service shows, computed here; of eligibility the criteria that are open are named."""
    holder = Holder(person="aruiz", name="Dr. Ana Ruíz", organisation="Site SA-01")
    write_key(tmp_path / "aruiz.json", KeyMaterial(alg="ed25519", secret=seed("aruiz"), holder=holder), None)
    (tmp_path / "token").write_text("investigator")
    who = {"role": "investigator", "meaning": "approval", "site": "SA-01", "stream": STREAM}
    source = {"kind": "esource"}
    signed = {"scope": "participant", "components": ["possession"], "source": source}
    policy = served.made.write_policy(tmp_path / "policy")
    options = ["--key", tmp_path / "aruiz.json", "--policy", policy, "--outbox", tmp_path / "outbox"]
    arguments = ["sign", served.url, tmp_path / "action.json", *options, "--token-file", tmp_path / "token"]
    now_us = served.made.sources.now_us()
    monkeypatch.setattr(SystemSources, "now_us", lambda _: now_us)

    action = tmp_path / "action.json"
    action.write_bytes(orjson.dumps({"type": "record.signed", **who, "data": signed}))
    assert run([*map(str, arguments)]) == 0, capsys.readouterr()
    size = served.made.ledger.store.head().size
    [entry] = served.made.ledger.store.entries(size - 1, size)
    data = orjson.loads(entry.statement)["data"]
    assert data["upto"] <= entry.index
    assert f"statements below index {data['upto']}:\n  " in capsys.readouterr().err

    action.write_bytes(orjson.dumps({"type": "eligibility.confirmed", **who, "data": {"source": source}}))
    assert run([*map(str, arguments)]) == 1
    assert "not assessed yet: I01, I02" in capsys.readouterr().err
    assert served.made.ledger.store.head().size == size


def test_what_a_frozen_service_did_not_take_is_handed_in_again(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It waits in the outbox with its signatures; `outbox --send` gets its receipt, and twice is once."""
    ledger, place = served.made.ledger, tmp_path / "outbox"
    open_ = ledger.startup
    monkeypatch.setattr(
        ledger, "startup", Startup(frozen=True, code="LOG_BEHIND_CHECKPOINT", message="older")
    )
    with client_of(served, place) as client, pytest.raises(AnsweredError, match="LOG_BEHIND"):
        client.record(served.made.people["bchan"], ACTION, OPENED)
    policy = served.made.write_policy(tmp_path / "policy")
    sending = ["outbox", str(place), "--send", served.url, "--policy", str(policy)]
    assert run(["outbox", str(place)]) == 1
    assert capsys.readouterr().out.startswith("waiting ")
    assert run(sending) == 1
    assert "LOG_BEHIND_CHECKPOINT" in capsys.readouterr().out
    monkeypatch.setattr(ledger, "startup", open_)
    for _ in range(2):
        assert run(sending) == 0
        assert capsys.readouterr().out.startswith("recorded ")
    assert {path.suffix for path in place.iterdir()} == {"", ".json", ".leaf", ".tlog-proof"}


def test_a_place_that_was_taken_is_refused_and_not_sent_again(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody else wrote to the stream meanwhile: STALE, once, and from then on it is refused."""
    ledger, place = served.made.ledger, tmp_path / "outbox"
    with monkeypatch.context() as frozen:
        frozen.setattr(ledger, "startup", Startup(frozen=True, code="LOG_BEHIND_CHECKPOINT", message=""))
        with client_of(served, place) as client, pytest.raises(AnsweredError):
            client.record(served.made.people["bchan"], ACTION, OPENED)
    with client_of(served, tmp_path / "other") as client:
        client.record(served.made.people["bchan"], ACTION, OPENED)
    policy = served.made.write_policy(tmp_path / "policy")
    assert run(["outbox", str(place), "--send", served.url, "--policy", str(policy)]) == 1
    assert "STALE" in capsys.readouterr().out
    assert run(["outbox", str(place)]) == 0
    assert capsys.readouterr().out.startswith("refused ")
