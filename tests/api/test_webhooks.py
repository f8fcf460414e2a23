"""Webhooks end to end: proposed, signed, delivered in order to a receiver that fails, hangs and resets."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.study import OpenStudy
from api.webhooks import StudyLog
from ledger.committer import Ledger
from ledger.delivery import signing
from ledger.delivery.addresses import PUBLIC, Reach, reach_of
from ledger.delivery.book import Book, Lease
from ledger.delivery.delivering import Deliverer
from ledger.delivery.schedule import Schedule
from ledger.delivery.sending import Sender
from ledger.directory import open_ledger
from ledger.sources import SystemSources
from ledger.store.port import StoredEntry
from tests.api.client import BASE, TOKENS, bearer, config, token, write_directory
from tests.api.receiving import DRIP, FAIL, GONE, HANG, OK, REDIRECT, RESET, Receiver, receiving
from tests.api.test_serve import COMMAND, TIMEOUT_S, write
from tests.ledger.small_ledger import SmallLedger

REACH = reach_of(("127.0.0.0/8",), ())
QUICK = Schedule(first_s=0.01, longest_s=0.02, give_up_s=3_600.0)
ADMIN = token("admin", "sponsor_administrator", "admin")
WITHHELD = "access/"


class Desk:
    """An administrator at the HTTP interface, and the ledger behind it."""

    def __init__(self, made: SmallLedger, directory: Path, http: TestClient) -> None:
        self.made, self.directory, self.http = made, directory, http

    def ask(self, method: str, path: str, body: Any = None, who: str = "admin") -> Any:
        """Ask for an address of the study."""
        return self.http.request(method, BASE + path, json=body, headers=bearer(who))

    def sign(self, action: dict[str, Any]) -> int:
        """Sign what was proposed, as it stands; return its index."""
        said = ("admin", "sponsor_administrator", action["meaning"], action["type"], action["stream"])
        return self.made.say("webhook", *said, action["data"]).index

    def propose(self, receiver: Receiver, **members: Any) -> dict[str, Any]:
        """Propose an endpoint that reads as the administrator."""
        body = {"url": receiver.url, "role": "sponsor_administrator", "person": "admin", "sites": ["*"]}
        answer = self.ask("POST", "/webhooks", {**body, **members})
        assert answer.status_code == 201, answer.text
        proposed: dict[str, Any] = answer.json()
        receiver.key = proposed["public_keys"][0]
        return proposed

    def endpoint(self, receiver: Receiver, **members: Any) -> str:
        """Propose and sign an endpoint; return its id."""
        proposed = self.propose(receiver, **members)
        self.sign(proposed["action"])
        return str(proposed["endpoint"])

    def shown(self, endpoint: str) -> dict[str, Any]:
        """Return an endpoint as listed."""
        listed = self.ask("GET", "/webhooks").json()
        return next(each for each in listed if each["endpoint"] == endpoint)

    def change(self, endpoint: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask for a change, sign it, and return what was answered."""
        answer = self.ask("POST", f"/webhooks/{endpoint}", body)
        assert answer.status_code == 201, answer.text
        self.sign(answer.json()["action"])
        return dict(answer.json())

    def seen(self, receiver: Receiver, size: int) -> list[StoredEntry]:
        """Return the log up to a size, after the receiver has taken its last entry."""
        receiver.wait(lambda r: bool(r.taken) and r.indexes[-1] == size - 1)
        return self.made.ledger.store.entries(0, size)

    @property
    def size(self) -> int:
        """Size of the log."""
        return self.made.ledger.store.head().size


def wait_for(done: Callable[[], bool]) -> None:
    """Look again until it is so."""
    until = time.monotonic() + TIMEOUT_S
    while not done():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that takes everything, until told otherwise."""
    with receiving() as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A ledger of the test's own behind the application; nothing is delivered by itself."""
    made = write_directory(tmp_path / "ledger")
    app = create_app([open_study(made, tmp_path / "ledger", made.ledger)])
    with TestClient(app) as http:
        _take_lease(app)
        yield Desk(made, tmp_path / "ledger", http)
    made.ledger.close()


def open_study(made: SmallLedger, directory: Path, ledger: Ledger) -> OpenStudy:
    """Return an open study with its directory, whose administrator has a token."""
    said = replace(config(made), tokens=(*TOKENS, ADMIN))
    return OpenStudy(config=said, ledger=ledger, directory=directory, reach=REACH)


def _take_lease(app: Any) -> None:
    """Leave deliveries to the deliverers of the tests, which have a quicker schedule."""
    for study in app.state.studies.values():
        study.webhooks._lease.take = lambda: False


@contextmanager
def delivering(
    desk: Desk,
    *,
    schedule: Schedule = QUICK,
    now_us: Callable[[], int] | None = None,
    reach: Reach = REACH,
    attempt_s: float = 0.3,
) -> Iterator[list[tuple[str, str]]]:
    """Deliver in a thread of its own for a while; yield what was told."""
    told: list[tuple[str, str]] = []
    sources = SystemSources()
    stopping: list[Callable[[], object]] = []
    started = threading.Event()

    async def run() -> None:
        book = Book(desk.directory, desk.made.ledger.service.secret, sources)
        deliverer = Deliverer(
            book=book,
            lease=Lease(desk.directory),
            log=StudyLog(desk.made.ledger, BASE),
            sender=Sender(reach, attempt_s=attempt_s),
            reach=reach,
            schedule=schedule,
            now_us=now_us or sources.now_us,
            tell=lambda what, _, code: told.append((what, code)),
        )
        task = asyncio.ensure_future(deliverer.run())
        loop = asyncio.get_running_loop()
        stopping.append(lambda: loop.call_soon_threadsafe(task.cancel))
        started.set()
        await asyncio.gather(task, return_exceptions=True)
        book.close()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    started.wait()
    try:
        yield told
    finally:
        stopping[0]()
        thread.join()


def test_what_an_administrator_signed_is_delivered_in_order_as_the_reader_sees_it(
    desk: Desk, receiver: Receiver
) -> None:
    """Every entry once, in index order, signed; what the reader may not see is its leaf alone."""
    endpoint = desk.endpoint(receiver)
    with delivering(desk):
        entries = desk.seen(receiver, desk.size)
    assert receiver.indexes == list(range(len(entries)))
    assert receiver.wrong == []
    for entry, (name, event) in zip(entries, receiver.taken, strict=True):
        assert (name, event["id"]) == (f"{endpoint}-{entry.index}", entry.event)
        assert orjson.dumps(event["data"]["leaf"], option=orjson.OPT_SORT_KEYS) == entry.leaf
        assert ("statement" in event["data"]) is not entry.stream.startswith(WITHHELD)
    assert receiver.headers[0]["content-type"] == "application/cloudevents+json"
    assert desk.shown(endpoint)["state"] == "in force"


def test_a_delivery_is_the_line_that_the_reader_gets_of_the_stream(desk: Desk, receiver: Receiver) -> None:
    """The same JSON, byte for byte in its members, and never more than the reader's own stream has."""
    desk.endpoint(receiver, types=["participant.registered"], after=5)
    with delivering(desk):
        receiver.wait(lambda r: len(r.taken) == 2)
    answer = desk.ask("GET", "/stream.jsonl?types=participant.registered")
    lines = [orjson.loads(line) for line in answer.content.splitlines()]
    assert [event for _, event in receiver.taken] == [each for each in lines if "specversion" in each]


def test_nothing_is_sent_to_where_nobody_has_signed_for(desk: Desk, receiver: Receiver) -> None:
    """A proposal is no endpoint, and neither is another configuration than the one that was signed."""
    proposed = desk.propose(receiver)
    other = desk.propose(receiver)
    changes = other["action"]["data"]["changes"]
    changes[0]["new"] = proposed["digest"]
    desk.sign(other["action"])
    signed = desk.endpoint(receiver, types=["role.granted"])
    with delivering(desk):
        receiver.wait(lambda r: len(r.taken) == 3)
    assert {name.partition("-")[0] for name in receiver.tried} == {signed}
    assert desk.shown(proposed["endpoint"])["state"] == "not signed"
    assert desk.shown(other["endpoint"])["state"] == "the configuration that was signed is not here"


def test_a_receiver_that_misbehaves_gets_everything_in_order_at_least_once(
    desk: Desk, receiver: Receiver
) -> None:
    """Failing, hanging, resetting, dripping, redirecting at random: no gap, no order lost, one id each."""
    dice = random.Random(7)  # noqa: S311  which trouble comes next is no secret
    desk.endpoint(receiver)
    receiver.behave = lambda n: OK if n % 4 else dice.choice([FAIL, FAIL, RESET, REDIRECT, HANG, DRIP])
    with delivering(desk) as told:
        entries = desk.seen(receiver, desk.size)
    assert receiver.indexes == list(range(len(entries)))
    assert {"STATUS_503", "REDIRECTED", "UNREACHABLE"} <= {code for _, code in told}
    assert set(receiver.paths) == {"/hook"}, "a redirect was followed"
    assert receiver.wrong == []


def test_what_was_taken_but_not_acknowledged_is_sent_again_under_the_same_id(
    desk: Desk, receiver: Receiver
) -> None:
    """At least once: a receiver that answers 503 after it took an entry knows it again by its id."""
    desk.endpoint(receiver, types=["study.registered", "protocol.approved"])
    receiver.behave = lambda n: FAIL if n == 0 else OK
    with delivering(desk):
        receiver.wait(lambda r: bool(r.taken))
    assert receiver.tried[0] == receiver.tried[1] == receiver.taken[0][0]
    assert receiver.headers[0]["webhook-id"] == receiver.headers[1]["webhook-id"]


def test_what_fails_for_days_is_parked_listed_and_replayed_by_a_signed_statement(
    desk: Desk, receiver: Receiver
) -> None:
    """The entry after it goes on; a replay sends what is parked, and it is parked no more."""
    endpoint = desk.endpoint(receiver, types=["participant.registered"])
    receiver.behave = lambda n: FAIL if n < 2 else OK
    with delivering(desk, schedule=replace(QUICK, give_up_s=0.0)) as told:
        wait_for(lambda: desk.shown(endpoint).get("parked") == 2)
        listed = desk.ask("GET", f"/webhooks/{endpoint}/parked").json()
        assert [each["trouble"] for each in listed["parked"]] == ["STATUS_503"] * 2
        assert not receiver.taken
        desk.sign(listed["action"])
        receiver.wait(lambda r: len(r.taken) == 2)
        wait_for(lambda: desk.shown(endpoint)["parked"] == 0)
    assert receiver.indexes == [each["index"] for each in listed["parked"]]
    assert ("delivery-parked", "STATUS_503") in told


def test_a_range_is_replayed_on_demand(desk: Desk, receiver: Receiver) -> None:
    """What was delivered already goes out once more, in order, under the ids that it had."""
    endpoint = desk.endpoint(receiver)
    with delivering(desk, attempt_s=10):
        size = len(desk.seen(receiver, desk.size))
        desk.change(endpoint, {"replay": [3, 6]})
        receiver.wait(lambda r: len(r.taken) == size + 1 + 4)
    assert sorted(receiver.indexes[size:]) == [3, 4, 5, 6, size]
    assert [index for index in receiver.indexes[size:] if index < size] == [3, 4, 5, 6]


def test_a_rotated_key_signs_beside_the_old_one(desk: Desk, receiver: Receiver) -> None:
    """For a day deliveries bear both signatures, so that a receiver may change over when it wants."""
    endpoint = desk.endpoint(receiver, types=["configuration.changed"])
    old = receiver.key
    fresh = desk.change(endpoint, {"key": "new"})["public_keys"][0]
    assert desk.shown(endpoint)["public_keys"] == [fresh]  # the ledger's clock stands years before this one
    receiver.key = ""
    now_us = desk.made.sources.now_us
    with delivering(desk, now_us=now_us):
        receiver.wait(lambda r: len(r.taken) == 2)
    for (_, event), given in zip(receiver.taken, receiver.headers, strict=True):
        assert len(given[signing.SIGNATURE].split(" ")) == 2
        assert event["specversion"] == "1.0"
    assert old != fresh


def test_an_endpoint_that_was_turned_off_gets_nothing_more(desk: Desk, receiver: Receiver) -> None:
    """From the statement on, which it is the last to get or does not get any more."""
    endpoint = desk.endpoint(receiver)
    with delivering(desk):
        desk.seen(receiver, desk.size)
        desk.change(endpoint, {"off": True})
        size = desk.size
        watched = desk.endpoint(receiver, after=size - 1)
        receiver.wait(lambda r: any(name.startswith(watched) for name in r.tried))
    assert max(int(name.partition("-")[2]) for name in receiver.tried if name.startswith(endpoint)) < size
    assert desk.shown(endpoint)["state"] == "off"


def test_a_reader_who_loses_the_role_gets_nothing_more(desk: Desk, receiver: Receiver) -> None:
    """The log decides at each entry who the reader is."""
    endpoint = desk.endpoint(receiver, role="coordinator", person="bchan", sites=["SA-01"])
    with delivering(desk):
        desk.seen(receiver, desk.size)
        data = {"person": "bchan", "role": "coordinator"}
        lost = desk.made.say(
            "lost", "root", "root", "approval", "role.revoked", "person/bchan", data
        ).index  # fmt: skip
        watched = desk.endpoint(receiver, after=lost)
        receiver.wait(lambda r: any(name.startswith(watched) for name in r.tried))
    assert max(int(name.partition("-")[2]) for name in receiver.tried if name.startswith(endpoint)) < lost
    assert desk.shown(endpoint)["state"] == "the reader does not hold the role there"


def test_a_receiver_that_is_gone_is_asked_no_more_until_somebody_signs_again(
    desk: Desk, receiver: Receiver
) -> None:
    """410 ends it; the endpoint signed for once more goes on where it was."""
    endpoint = desk.endpoint(receiver, types=["role.granted"])
    receiver.behave = lambda n: GONE if n == 1 else OK
    with delivering(desk) as told:
        wait_for(lambda: ("endpoint-gone", "GONE") in told)
        assert desk.shown(endpoint)["state"] == "the receiver is gone"
        assert len(receiver.taken) == 1
        desk.sign(desk.propose(receiver, endpoint=endpoint, types=["role.granted"])["action"])
        receiver.wait(lambda r: len(r.taken) == 3)
    assert receiver.indexes == sorted(set(receiver.indexes))


def test_where_the_operator_no_longer_lets_webhooks_go_none_goes(desk: Desk, receiver: Receiver) -> None:
    """The settings count at each delivery, whatever was signed."""
    endpoint = desk.endpoint(receiver)
    with delivering(desk, reach=PUBLIC):
        watched = desk.propose(receiver)
    assert not receiver.tried
    assert watched["endpoint"] != endpoint


def test_what_is_no_endpoint_is_refused_with_its_code(desk: Desk) -> None:
    """And the URL is not in the answer."""
    good = {"url": "https://receiver.example/h", "role": "sponsor_administrator", "person": "admin"}
    wrong: list[tuple[dict[str, Any], int, str]] = [
        ({"url": "http://10.0.0.1/"}, 422, "WEBHOOK_URL"),
        ({"url": "https://169.254.169.254/latest"}, 422, "WEBHOOK_URL"),
        ({"role": "auditor"}, 422, "ROLE_NOT_HELD"),
        ({"person": "nobody"}, 422, "ROLE_NOT_HELD"),
        ({"role": "inspector"}, 422, "ROLE_UNKNOWN"),
        ({"endpoint": "0" * 16}, 404, "WEBHOOK_UNKNOWN"),
        ({"more": 1}, 400, "BODY"),
    ]
    for body, status, code in wrong:
        answer = desk.ask("POST", "/webhooks", {**good, "sites": ["*"], **body})
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert "169.254" not in answer.text


def test_only_those_who_sign_for_endpoints_see_them(desk: Desk) -> None:
    """FORBIDDEN for everybody else, the auditor among them: a URL may carry a secret."""
    for method, path in (("GET", "/webhooks"), ("POST", "/webhooks"), ("POST", "/webhooks/x")):
        answer = desk.ask(method, path, {} if method == "POST" else None, who="auditor")
        assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")


def test_no_url_is_in_the_log(desk: Desk, receiver: Receiver) -> None:
    """Its path may be a secret: the log has host, reader and hash."""
    receiver.url += "/very-secret"
    desk.endpoint(receiver)
    log = b"".join(entry.statement for entry in desk.made.ledger.store.entries(0, desk.size))
    assert b"very-secret" not in log
    assert b"127.0.0.1" in log


def test_the_sender_is_killed_and_the_next_one_goes_on(tmp_path: Path, receiver: Receiver) -> None:
    """kill -9 of the server in the middle: the next one has the lease at once; at least once, in order."""
    made = write_directory(tmp_path / "ledger")
    ledger = open_ledger(tmp_path / "ledger", None, SystemSources())  # with the keys that the server has
    opened = open_study(made, tmp_path / "ledger", ledger)
    with TestClient(create_app([opened])) as http:
        _take_lease(http.app)
        Desk(made, tmp_path / "ledger", http).endpoint(receiver)
    ledger.close()
    environment = {**os.environ, "TRIAL_LEDGER_WEBHOOK_NETWORKS": "127.0.0.0/8"}
    for round_ in range(2):
        before = len(receiver.taken)
        process = subprocess.Popen(
            [COMMAND, "serve", tmp_path / "ledger", "--port", "0"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            if round_ == 0:
                receiver.wait(lambda r: len(r.taken) > before + 9, TIMEOUT_S)  # noqa: B023
            else:
                size = write(made, tmp_path / "ledger", 3)
                receiver.wait(lambda r: r.indexes[-1] == size - 1, TIMEOUT_S)  # noqa: B023
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    first = [index for n, index in enumerate(receiver.indexes) if index not in receiver.indexes[:n]]
    assert first == list(range(size))
    assert len(receiver.indexes) <= size + 1, "more than the one in hand was sent twice"
    assert receiver.wrong == []
