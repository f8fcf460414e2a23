"""The running service: names of requests, lines of the log, bounds, and nobody told of in any of them."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import structlog

from api import logs, watching
from api.limits import Admission, Limits
from api.logs import FIELDS, Lines
from api.metrics import Metrics
from api.problems import ProblemError
from api.request_id import request_id
from api.watching import Watch
from tests.api.client import BASE, PARTICIPANT, STREAM, Site, bearer
from tests.api.operations import Log, logging_to_memory
from tests.shared import ROOT

NAME = "0123456789abcdef0123456789abcdef"
SECRET = "planted-secret-1f"
ARM = "planted-arm-psilocybin"


@pytest.fixture
def log() -> Iterator[Log]:
    """The log of this process, in memory."""
    with logging_to_memory() as log:
        yield log


def test_an_answer_names_its_request(site: Site) -> None:
    """A safe name that was brought is kept; every answer has one, that of an error too."""
    assert site.http.get("/livez", headers={"X-Request-Id": NAME}).headers["X-Request-Id"] == NAME
    answers = [site.http.get("/livez"), site.http.get("/nothing"), site.http.get(f"{BASE}/participants")]
    names = [answer.headers["X-Request-Id"] for answer in answers]
    assert len(set(names)) == 3
    assert all(re.fullmatch(r"[0-9a-f]{32}", name) for name in names)


@pytest.mark.parametrize(
    "given",
    [PARTICIPANT, "short", "a" * 65, NAME.upper(), f"{NAME}\t", "../../etc", "x" * 32, "0123456789abcde g"],
)
def test_a_name_that_could_be_anything_is_not_kept(given: str) -> None:
    """A participant's id, or a line of somebody else's log, does not get into ours."""
    made = request_id([(b"x-request-id", given.encode())])
    assert made != given
    assert re.fullmatch(r"[0-9a-f]{32}", made)


def test_a_name_given_twice_is_none() -> None:
    """Nobody can tell which of them a proxy wrote."""
    assert request_id([(b"x-request-id", NAME.encode())] * 2) != NAME
    dashed = "01234567-89ab-cdef-0123-456789abcdef"
    assert request_id([(b"x-request-id", dashed.encode())]) == dashed


def test_a_request_is_one_line(site: Site, log: Log) -> None:
    """Operation, status, time, study and the reader's role; never the person."""
    site.http.get(f"{BASE}/participants", headers={**bearer("coordinator"), "X-Request-Id": NAME})
    [line] = log.events("request")
    assert line.pop("duration_ms") > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line.pop("at"))
    assert line == {
        "event": "request",
        "level": "info",
        "operation": "participants",
        "request": NAME,
        "role": "coordinator",
        "status": 200,
        "study": "small",
    }


def test_an_error_has_its_code_in_the_line(site: Site, log: Log) -> None:
    """The code of a problem of the request itself, with the status."""
    site.http.get(f"{BASE}/participants")
    site.http.get("/nothing")
    assert [(line["operation"], line["status"], line.get("code")) for line in log.events("request")] == [
        ("participants", 401, "UNAUTHENTICATED"),
        ("none", 404, None),
    ]


def test_a_rule_that_refused_is_not_named(own_site: Site, log: Log) -> None:
    """A rule's code beside its time could tell of a blinded matter: the line says that a rule it was."""
    request = {"list": "main", "stage": 1, "stratum": "SA-01"}
    answer = own_site.hand_in(own_site.sign(own_site.prepare("randomization.requested", STREAM, request)))
    assert answer.status_code == 422
    [line] = [line for line in log.events("request") if line["operation"] == "record"]
    assert line["code"] == "RULE"
    assert answer.json()["code"] not in log.text


def test_no_line_tells_of_anybody(own_site: Site, log: Log) -> None:
    """Planted in paths, queries, headers and bodies, and what the answers held: none of it is in the log."""
    http = own_site.http
    own_site.hand_in(own_site.vitals())
    paths = (
        f"/participants/{PARTICIPANT}",
        f"/participants/{PARTICIPANT}/timeline",
        f"/participants/{ARM}",
        f"/audit-trail?participant={PARTICIPANT}",
        f"/audit-trail?actor={SECRET}",
        f"/{ARM}",
        f"/projections/{ARM}?{SECRET}={ARM}",
    )
    for path in paths:
        http.get(BASE + path, headers=bearer("coordinator"))
        http.get(BASE + path, headers={**bearer(SECRET), "X-Request-Id": ARM, "User-Agent": SECRET})
    for body in (b'{"payload":"' + ARM.encode(), orjson.dumps({"action": {"data": {ARM: SECRET}}})):
        for path in ("/statements", "/statements:prepare"):
            headers = {**bearer("coordinator"), "Content-Type": "application/json"}
            http.post(BASE + path, content=body, headers=headers)
    told = log.text + http.get("/metrics", headers={"X": "y"}).text
    assert len(log.events("request")) > 15
    for planted in (PARTICIPANT, SECRET, ARM, "bchan", "heart_rate", "vital_signs", "SA-01"):
        assert planted not in told


def test_what_nobody_foresaw_is_told_without_its_text(
    own_site: Site, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The class of the exception and the line of code; a message may quote what it was given."""

    def fail(*_: object, **__: object) -> None:
        raise ValueError(ARM)

    monkeypatch.setattr("api.routes.participants.answer", fail)
    answer = own_site.get(f"/participants/{PARTICIPANT}")
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    [line] = log.events("unforeseen")
    assert (line["kind"], line["operation"], line["level"]) == ("ValueError", "participant", "error")
    assert line["request"] == answer.headers["X-Request-Id"]
    assert re.fullmatch(r"tests\.api\.test_operations:\d+", line["place"])
    assert ARM not in log.text


def test_a_field_that_is_not_declared_is_left_out(log: Log) -> None:
    """Its name is told, so that whoever wrote the line sees it; its value is not."""
    structlog.get_logger().info("request", participant=PARTICIPANT, status=200)
    [line] = log.events()
    assert line["undeclared"] == ["participant"]
    assert PARTICIPANT not in log.text


def test_lines_of_libraries_and_threads_have_no_text(log: Log) -> None:
    """A library's message, a warning, and a thread's last words are told by their place alone."""
    logging.getLogger("somebody.else").warning("patient %s", PARTICIPANT)
    logging.getLogger("somebody.else").info("patient %s", PARTICIPANT)
    try:
        raise ValueError(ARM)
    except ValueError:
        logging.getLogger("asyncio").exception(ARM)

    def die() -> None:
        raise KeyError(SECRET)

    thread = threading.Thread(target=die)
    thread.start()
    thread.join()
    told = [(line["event"], line.get("logger"), line.get("kind")) for line in log.events()]
    assert told == [
        ("library", "somebody.else", None),
        ("library", "asyncio", "ValueError"),
        ("uncaught", None, "KeyError"),
    ]
    assert not any(planted in log.text for planted in (PARTICIPANT, ARM, SECRET))


def test_every_field_of_a_line_is_in_the_manual() -> None:
    """Documented or red."""
    text = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    section = text.partition("## Logs")[2].partition("\n## ")[0]
    assert re.findall(r"(?m)^\| `(\w+)` \| (.+) \|$", section) == list(FIELDS.items())


def test_a_log_that_nobody_reads_stalls_nobody() -> None:
    """What does not fit into the queue is counted; what was taken is written once somebody reads."""
    reading = threading.Event()
    written: list[bytes] = []

    class Stuck:
        def write(self, data: bytes) -> int:
            reading.wait()
            written.append(bytes(data))
            return len(data)

    lines = Lines(Stuck(), most=3)  # type: ignore[arg-type]
    lines.put(b"0\n")
    while lines._waiting:  # the writer takes the first, and waits with it in hand
        time.sleep(0.001)
    for number in range(1, 6):
        lines.put(b"%d\n" % number)
    assert (lines.dropped, lines.flush(0.01)) == (2, False)
    reading.set()
    assert lines.flush()
    assert b"".join(written) == b"0\n1\n2\n3\n"


def test_a_level_keeps_the_lines_below_it_out() -> None:
    """At warning a request is no line, and an error is one."""
    with logging_to_memory("warning") as log:
        structlog.get_logger().info("request", status=200)
        structlog.get_logger().error("unforeseen", kind="ValueError")
        assert [line["event"] for line in log.events()] == ["unforeseen"]


def test_addresses_and_headers_are_bounded(site: Site, log: Log) -> None:
    """414 and 431 as problems with the headers of all answers, before anything reads them."""
    cases = (
        (site.http.get("/" + "a" * watching.MAX_ADDRESS_BYTES), 414, "ADDRESS_SIZE"),
        (site.http.get("/livez?" + "a" * watching.MAX_ADDRESS_BYTES), 414, "ADDRESS_SIZE"),
        (site.http.get("/livez", headers={"X": "a" * watching.MAX_HEADERS_BYTES}), 431, "HEADERS_SIZE"),
        (site.http.get("/livez", headers={f"X{n}": "" for n in range(101)}), 431, "HEADERS_SIZE"),
    )
    for answer, status, code in cases:
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Connection"] == "close"
    assert [line["operation"] for line in log.events("request")] == ["none"] * 4


@pytest.mark.parametrize(
    ("method", "path", "kind", "most"),
    [
        ("POST", "/statements", "application/json", 96 * 1024),
        ("POST", "/statements:prepare", "application/json", 96 * 1024),
        ("POST", "/verify", "application/zip", 256 * 1024 * 1024),
    ],
)
def test_a_body_that_says_it_is_too_large_is_not_read(
    site: Site, method: str, path: str, kind: str, most: int
) -> None:
    """413 by the length that is stated, whatever comes."""
    headers = {**bearer("coordinator"), "Content-Type": kind, "Content-Length": str(most + 1)}
    answer = site.http.request(method, BASE + path, content=b"", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "SIZE")


def test_a_body_that_comes_too_slowly_is_given_up() -> None:
    """Every byte buys a little time; who sends none runs out of it."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(await receive())
        with pytest.raises(ProblemError, match="SLOW") as caught:
            await receive()
        seen.append(caught.value.status)

    async def receive() -> Any:
        if seen:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message: Any) -> None:
        """Nothing is answered."""

    admission = Admission(Limits())
    watch = Watch(app, metrics=Metrics(dict, admission), admission=admission, body_grace_s=0.01)
    scope = {"type": "http", "headers": [(b"content-length", b"2")], "scheme": "http", "path": "/"}
    asyncio.run(watch(scope, receive, send))
    assert seen[1] == 408


def test_security_over_tls_is_told_to_browsers(site: Site) -> None:
    """HSTS where the request came over TLS, and never otherwise."""
    assert "Strict-Transport-Security" not in site.http.get("/livez").headers
    secure = site.http.get("https://testserver/livez")
    assert secure.headers["Strict-Transport-Security"].startswith("max-age=31536000")


def test_readiness_waits_for_the_first_fold(own_site: Site) -> None:
    """While the log is still read the probe says FOLDING, and how many studies wait for it."""
    study = own_site.http.app.state.studies["small"]  # type: ignore[attr-defined]
    assert own_site.http.get("/readyz").status_code == 200
    study.folded = threading.Event()
    answer = own_site.http.get("/readyz")
    assert (answer.status_code, answer.json()["code"], answer.json()["not_ready"]) == (
        503,
        "FOLDING",
        {"FOLDING": 1},
    )
    assert answer.headers["Retry-After"] == "1"
    assert own_site.http.get("/livez").status_code == 200


def test_modules_that_write_lines_use_declared_fields() -> None:
    """What the code passes to the log by name is in the table, so that nothing is left out at night."""
    calls = re.compile(r"(?:_log|get_logger\(\))\.(?:debug|info|warning|error)\(([^)]*)\)")
    used = {
        name
        for path in sorted((ROOT / "api").rglob("*.py"))
        for call in calls.findall(path.read_text(encoding="utf-8"))
        for name in re.findall(r"\b(\w+)=", call)
    }
    assert used
    assert used <= FIELDS.keys()
    assert logs.QUEUE > 1_000
