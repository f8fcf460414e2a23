"""Emergency unblinding over HTTP while nothing can be recorded: an older database put back, a store held."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.serve import listen
from api.study import OpenStudy
from ledger.envelope import PAYLOAD_TYPE, pae
from ledger.prepare import Signer
from ledger.signing.client import Client, Keep, QueuedError
from ledger.signing.outbox import outbox, send
from ledger.store.sqlite import SqliteStore
from ledger.store.unblindings import UnblindingQueue
from ledger.study.lists import RandomizationList
from ledger.submission import format_submission
from tests.api.client import BASE, bearer, config, token
from tests.api.signing import running
from tests.ledger.small_ledger import SITE, SmallLedger
from tests.ledger.test_freeze import keep, put_back
from tests.ledger.test_second_stage import on_treatment, with_both_lists
from tests.ledger.write_path import SOURCE, copy_of, key_of, make_template, open_stores, types_from, vitals

NAME: Final = f"{SITE}-001"
ARUIZ: Final = Signer(key_of("aruiz"), "aruiz", "Dr. Ana Ruíz", f"Site {SITE}")
BCHAN: Final = Signer(key_of("bchan"), "bchan", "B. Chan", f"Site {SITE}")
OPENED: Final = {"/data/asked_by": "Dr. Elsewhere", "/reason/text": "found unconscious"}
TOKENS: Final = (
    token("investigator", "investigator", "aruiz", [SITE]),
    token("coordinator", "coordinator", "bchan", [SITE]),
    token("other", "investigator", "nobody", [SITE]),
)


@dataclass(slots=True, kw_only=True)
class Bedside:
    """A study behind the application, and where it lies."""

    made: SmallLedger
    place: Path
    first: RandomizationList
    http: TestClient | None = None
    settle: Callable[[], None] = lambda: None

    @contextmanager
    def served(self) -> Iterator[TestClient]:
        """Serve the ledger as it lies there now."""
        settings = replace(config(self.made), tokens=TOKENS)
        study = OpenStudy(config=settings, ledger=self.made.ledger, directory=self.place)
        with TestClient(create_app([study])) as http:
            self.http = http
            yield http
        self.http = None

    def reopen(self, **options: Any) -> None:
        """Open the stores as they lie there now."""
        self.made.ledger = open_stores(self.place, self.made.sources, **options)

    def action(self, role: str = "investigator") -> dict[str, Any]:
        """Return the members of an unblinding of the newest allocation."""
        fold = self.made.ledger.refresh()
        draw = fold.conduct.study.allocation(NAME, fold.size)
        assert draw is not None
        return {
            "type": "unblinding.performed", "stream": "safety", "role": role, "meaning": "responsibility",
            "data": {"participant": NAME, "statement": draw.event, "means": "ledger", "disclosed_to": [],
                     "source": SOURCE},
            "reason": {"code": "overdose"},
        }  # fmt: skip

    @contextmanager
    def client(self, kept: Keep) -> Iterator[Client]:
        """Serve the ledger as it lies there on a real socket, to a client of the investigator's."""
        settings = replace(config(self.made), tokens=TOKENS)
        study = OpenStudy(config=settings, ledger=self.made.ledger, directory=self.place)
        app = create_app([study])
        with listen("127.0.0.1", 0) as listening, running(app, listening):
            url = f"http://127.0.0.1:{listening.getsockname()[1]}{BASE}"
            sources = self.made.sources
            with Client(url, self.made.policy, kept, token="investigator", sources=sources) as client:
                client.get("/livez")  # answered once the study is there
                self.settle = lambda: app.state.studies["small"].unblindings.settle()
                yield client

    def prepare(self, by: Signer = ARUIZ, role: str = "investigator", **body: Any) -> Any:
        """Have an unblinding prepared."""
        assert self.http is not None
        value = self.action(role)
        self.made.sources.advance(1_000_000)
        action = by.complete(self.made.ledger, value)
        who = bearer("investigator" if by is ARUIZ else "coordinator")
        return self.http.post(
            f"{BASE}/statements:prepare", json={"action": action, "open": OPENED, **body}, headers=who
        )

    def signed(self, prepared: Any, by: Signer = ARUIZ) -> dict[str, Any]:
        """Sign what was prepared."""
        body = base64.b64decode(prepared["statement"])
        return {
            "payload": prepared["statement"],
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": by.key.id, "sig": base64.b64encode(by.key.sign(pae(body))).decode()}],
            "disclosures": prepared["disclosures"],
        }

    def unblind(self) -> Any:
        """Prepare, sign and hand in."""
        assert self.http is not None
        prepared = self.prepare()
        assert prepared.status_code == 200, prepared.text
        return self.http.post(f"{BASE}/statements", json=self.signed(prepared.json()))

    def regimen(self, who: str = "investigator") -> Any:
        """Ask what the participant gets."""
        assert self.http is not None
        return self.http.get(f"{BASE}/participants/{NAME}/regimen?purpose=emergency", headers=bearer(who))

    def waiting(self) -> int:
        """Count what waits on the disk."""
        with UnblindingQueue(self.place / "unblindings.db") as queue:
            return len(queue.waiting())


@pytest.fixture(scope="module")
def randomized(tmp_path_factory: pytest.TempPathFactory) -> tuple[SmallLedger, Path, RandomizationList]:
    """A ledger with a randomized participant, closed, to be copied."""
    place = tmp_path_factory.mktemp("randomized")
    template = make_template(place / "template")
    made = copy_of(template, place / "template", place / "made")
    first, _ = with_both_lists(made)
    on_treatment(made, NAME)
    made.ledger.close()
    return made, place / "made", first


@pytest.fixture
def bedside(randomized: tuple[SmallLedger, Path, RandomizationList], tmp_path: Path) -> Iterator[Bedside]:
    """A copy, open for writing."""
    template, source, first = randomized
    made = copy_of(template, source, tmp_path / "small")
    UnblindingQueue.create(tmp_path / "small" / "unblindings.db").close()
    yield Bedside(made=made, place=tmp_path / "small", first=first)
    made.ledger.close()


def rolled_back(bedside: Bedside, tmp_path: Path) -> None:
    """Put an older database back; the newer one is kept in `newer`."""
    made = bedside.made
    made.ledger.publish()
    made.ledger.close()
    keep(bedside.place, tmp_path / "older")
    bedside.reopen()
    for _ in range(3):
        made.ledger.record(vitals(made, f"participant/{NAME}"))
    made.ledger.close()
    keep(bedside.place, tmp_path / "newer")
    put_back(tmp_path / "older", bedside.place)
    bedside.reopen()
    assert made.ledger.startup.code == "LOG_BEHIND_CHECKPOINT"
    made.ledger.refresh()


def test_a_frozen_log_answers_the_bedside(bedside: Bedside, tmp_path: Path) -> None:
    """202 once it is durable, the regimen to who signed, to nobody else; two of them chain."""
    rolled_back(bedside, tmp_path)
    with bedside.served() as http:
        assert bedside.regimen().status_code == 403
        answer = bedside.unblind()
        assert (answer.status_code, answer.json()["state"]) == (202, "waiting")
        assert bedside.waiting() == 1
        shown = bedside.regimen()
        assert (shown.status_code, shown.json()["regimen"]) == (200, bedside.first.entries[0].arm)
        assert shown.headers["cache-control"] == "private, no-store"
        for who in ("coordinator", "other"):
            assert bedside.regimen(who).status_code == 403
        assert bedside.unblind().status_code == 202
        assert bedside.waiting() == 2
        ready = http.get(f"{BASE}/readyz")
        assert (ready.status_code, ready.json()["code"]) == (503, "LOG_BEHIND_CHECKPOINT")


def test_the_same_bytes_wait_once(bedside: Bedside, tmp_path: Path) -> None:
    """Whoever lost the answer hands the same bytes in again, and nothing is added."""
    rolled_back(bedside, tmp_path)
    with bedside.served() as http:
        handed_in = bedside.signed(bedside.prepare().json())
        answers = [http.post(f"{BASE}/statements", json=handed_in) for _ in range(2)]
        assert [each.status_code for each in answers] == [202, 202]
        assert answers[0].json()["event"] == answers[1].json()["event"]
    assert bedside.waiting() == 1


def test_a_batch_queues_what_one_statement_would(bedside: Bedside, tmp_path: Path) -> None:
    """Line by line: an unblinding waits, others hear that the log is frozen; one behind it is stale."""
    rolled_back(bedside, tmp_path)
    with bedside.served() as http:
        prepared = bedside.prepare().json()
        handed_in = json.dumps(bedside.signed(prepared))
        other = vitals(bedside.made, f"participant/{NAME}")
        late = json.dumps(bedside.signed(bedside.prepare().json()))
        lines = "\n".join([handed_in, format_submission(other).decode(), handed_in, late])
        answer = http.post(
            f"{BASE}/statements:batch", content=lines, headers={"Content-Type": "application/jsonl"}
        )
        assert answer.status_code == 200, answer.text
        first, second, again, stale = (json.loads(line) for line in answer.text.splitlines())
        assert first == {"status": 202, "event": prepared["event"], "state": "waiting"}
        assert (second["status"], again) == (503, first)
        assert (stale["status"], stale["code"], stale["seq"]) == (409, "STALE", 2)
        assert bedside.regimen().status_code == 200
    assert bedside.waiting() == 1


def test_what_waited_is_first_in_the_log_that_comes_back(bedside: Bedside, tmp_path: Path) -> None:
    """The service records it before anything else; its receipt is given for the same bytes."""
    rolled_back(bedside, tmp_path)
    with bedside.served() as http:
        handed_in = bedside.signed(bedside.prepare().json())
        event = http.post(f"{BASE}/statements", json=handed_in).json()["event"]
    bedside.made.ledger.close()
    put_back(tmp_path / "newer", bedside.place)
    bedside.reopen()
    size = bedside.made.ledger.refresh().size
    with bedside.served() as http:
        http.app.state.studies["small"].unblindings.settle()  # type: ignore[attr-defined]
        assert types_from(bedside.made, size)[0] == "unblinding.performed"
        again = http.post(f"{BASE}/statements", json=handed_in)
        assert (again.status_code, again.json()["index"], again.json()["event"]) == (200, size, event)
        assert bedside.regimen().status_code == 200
    assert bedside.waiting() == 0


@pytest.mark.sqlite_only("locks the whole file")
def test_a_store_that_another_writer_holds(bedside: Bedside) -> None:
    """Queued and answered; recorded once the store takes it, before the next statement."""
    bedside.made.ledger.close()
    bedside.reopen(busy_timeout_s=0.05)
    with (
        bedside.served() as http,
        closing(sqlite3.connect(bedside.place / "ledger.db", isolation_level=None)) as other,
    ):
        bedside.made.ledger.refresh()
        other.execute("BEGIN IMMEDIATE")
        assert bedside.unblind().status_code == 202
        shown = bedside.regimen()
        assert (shown.status_code, shown.json()["regimen"]) == (200, bedside.first.entries[0].arm)
        other.execute("ROLLBACK")
        size = bedside.made.ledger.store.head().size
        submission = vitals(bedside.made, f"participant/{NAME}")
        recorder = http.app.state.studies["small"].recorder  # type: ignore[attr-defined]
        assert http.portal is not None
        recorded = http.portal.call(recorder.record, submission)
        assert types_from(bedside.made, size)[0] == "unblinding.performed"
        assert recorded.index > size
    assert bedside.waiting() == 0


def test_who_may_not_unblind_is_queued_nothing(bedside: Bedside, tmp_path: Path) -> None:
    """A coordinator's statement is refused as the log would refuse it; other types hear that it is frozen."""
    rolled_back(bedside, tmp_path)
    with bedside.served() as http:
        prepared = bedside.prepare().json()
        other = bedside.signed(prepared, BCHAN)
        assert http.post(f"{BASE}/statements", json=other).status_code in (401, 422)
        assert bedside.prepare(BCHAN, "coordinator").status_code == 403
        stale = bedside.signed(prepared)
        assert bedside.unblind().status_code == 202
        answer = http.post(f"{BASE}/statements", json=stale)
        assert (answer.status_code, answer.json()["code"], answer.json()["seq"]) == (409, "STALE", 2)
    assert bedside.waiting() == 1


def test_a_client_that_knows_the_published_head_is_prepared_for(bedside: Bedside, tmp_path: Path) -> None:
    """`have` of the published checkpoint is answered with that; `seen` then names what the log will hold."""
    rolled_back(bedside, tmp_path)
    latest = bedside.made.ledger.checkpoints.latest()
    assert latest is not None
    size, note = latest
    root = note.split(b"\n")[2].decode()
    with bedside.served():
        answer = bedside.prepare(have={"root": root, "size": size})
        assert answer.status_code == 200
        assert (answer.json()["head"].encode(), answer.json()["consistency"]) == (note, [])


@pytest.mark.parametrize("kept", ["published", "head"])
def test_a_signers_own_client_gets_through(bedside: Bedside, tmp_path: Path, kept: str) -> None:
    """Whatever newer head it has kept: queued, in the outbox until the log is back, then with its receipt."""
    rolled_back(bedside, tmp_path)
    made, keep_ = bedside.made, Keep(tmp_path / "outbox")
    latest = made.ledger.checkpoints.latest()
    assert latest is not None
    with closing(SqliteStore.open(tmp_path / "newer" / "ledger.db")) as newer:
        earlier = newer.head_covering(latest[0] - 2)
    assert earlier is not None
    keep_.put("head", latest[1] if kept == "published" else earlier.note)
    with bedside.client(keep_) as client, pytest.raises(QueuedError):
        client.record(ARUIZ, bedside.action(), OPENED)
    (waiting,) = outbox(tmp_path / "outbox")
    assert (waiting.state, bedside.waiting()) == ("waiting", 1)
    if kept == "head":
        return  # signed for a head that its key is past by then: who signed signs again
    made.ledger.close()
    put_back(tmp_path / "newer", bedside.place)
    bedside.reopen()
    with bedside.client(keep_) as client:
        bedside.settle()
        assert send(client, keep_, waiting).state == "recorded"
