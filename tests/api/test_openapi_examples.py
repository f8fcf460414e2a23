"""The examples of the OpenAPI document are sent as they stand, and do what they say."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from api.app import OPERATIONS
from api.openapi_examples import EXAMPLES
from api.operations import Operation
from api.study import ServedStudy
from ledger import canonical
from ledger.delivery.addresses import PUBLIC
from ledger.delivery.endpoints import parse_endpoint
from ledger.envelope import pae
from ledger.keys import Ed25519SigningKey
from ledger.leaf import stream_tag
from ledger.store.port import NewStream
from ledger.times import parse_instant
from tests.api.client import BASE, app_of, bearer
from tests.api.marked_ledger import marked, served
from tests.api.prompting import PULSE, with_checks
from tests.api.shapes import DOCUMENT, broken, told
from tests.fuzz_http import FORM
from tests.ledger.small_ledger import SmallLedger, make, seed

BODIES = {each.name: each for each in OPERATIONS if each.body is not None}
ALL = [(BODIES[name], example) for name, examples in EXAMPLES.items() for example in examples]
IDS = [f"{operation.name}: {example}" for operation, example in ALL]
STREAM = "participant/SA-01-009"
SIGNED_AT = parse_instant("2024-06-03T10:00:39.000000Z")


def at_signing(made: SmallLedger) -> SmallLedger:
    """Return a ledger whose clock has reached the time of the examples."""
    made.sources.advance(max(0, SIGNED_AT - made.sources.now_us()))
    return made


@pytest.fixture
def small(tmp_path: Path) -> Iterator[TestClient]:
    """The small ledger that the examples are of."""
    made = at_signing(make(tmp_path / "ledger"))
    salt = seed("example stream")
    made.ledger.reserve(NewStream(stream=STREAM, tag=stream_tag(STREAM, salt), salt=salt))
    with app_of(made) as http:
        yield http
    made.ledger.close()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The same ledger with more people, and with accounts and signing pages."""
    made = marked(tmp_path_factory.mktemp("marked") / "ledger")
    with served(made) as http:
        yield http
    made.ledger.close()


def send(http: TestClient, operation: Operation, example: str, who: str) -> Any:
    """Send an example."""
    value = EXAMPLES[operation.name][example]
    content = value.encode() if isinstance(value, str) else orjson.dumps(value)
    assert operation.body is not None
    path = operation.address.replace("{study}", "small").replace("{event}", "f" * 64)
    headers = {"Content-Type": operation.body[0], **bearer(who)}
    return http.request(operation.method, path.replace("{endpoint}", "x"), content=content, headers=headers)


def seen_now(http: TestClient) -> dict[str, Any]:
    """Return the example of a statement, signed anew by who has seen the log as it is."""
    study: ServedStudy = http.app.state.studies["small"]  # type: ignore[attr-defined]
    example, head = EXAMPLES["record"]["registration"], study.ledger.store.head()
    statement = orjson.loads(base64.b64decode(example["payload"]))
    statement["seen"] = {"root": base64.b64encode(head.root).decode(), "size": head.size}
    body, key = canonical.encode(statement), Ed25519SigningKey.from_seed(seed("bchan"))
    signature = {"keyid": key.id, "sig": base64.b64encode(key.sign(pae(body))).decode()}
    return {**example, "payload": base64.b64encode(body).decode(), "signatures": [signature]}


def test_every_body_of_json_has_an_example() -> None:
    """Whoever writes a client sees one for each operation that takes JSON."""
    assert EXAMPLES.keys() == {name for name, each in BODIES.items() if "json" in each.body[0]}  # type: ignore[index]


@pytest.mark.parametrize(("operation", "example"), ALL, ids=IDS)
def test_an_example_is_as_its_schema_says(operation: Operation, example: str) -> None:
    """The document's own words for the body hold for its example, as published."""
    published = DOCUMENT["paths"][operation.address][operation.method.lower()]["requestBody"]["content"]
    assert operation.body is not None
    content = published[operation.body[0]]
    assert told(content["schema"], content["examples"][example]["value"]) == []


@pytest.mark.parametrize(("operation", "example"), ALL, ids=IDS)
def test_an_example_is_not_refused_for_its_form(desk: TestClient, operation: Operation, example: str) -> None:
    """Whatever an answer says of it, it is not that the body is malformed."""
    answer = send(desk, operation, example, "sponsor_administrator")
    assert answer.status_code not in (400, 404, 405, 413, 415) or answer.json()["code"] not in FORM
    assert answer.status_code != 500


def test_the_statement_is_prepared_and_recorded(small: TestClient) -> None:
    """Prepared with the same members; recorded as somebody who has seen this very log."""
    prepared = send(small, BODIES["prepare"], "registration", "coordinator")
    assert prepared.status_code == 200, prepared.text
    assert broken("POST /statements:prepare", 200, prepared.json()) == []
    submission = seen_now(small)
    for status in (201, 200):
        answer = small.post(f"{BASE}/statements", json=submission)
        assert answer.status_code == status, answer.text
        assert broken("POST /statements", status, answer.json()) == []


def test_the_statement_as_it_stands_is_refused_for_its_tree_at_most(small: TestClient) -> None:
    """Its signature holds over its bytes, its disclosure is what they seal, whatever the log holds."""
    answer = send(small, BODIES["record"], "registration", "coordinator")
    assert answer.status_code == 201 or answer.json()["code"] in ("SEEN_ROOT", "SEEN_BACK", "SEEN_SIZE")


def test_a_batch_has_an_outcome_a_line(small: TestClient) -> None:
    """The same statement twice: recorded and recorded before, or both refused for their tree."""
    answer = send(small, BODIES["record-batch"], "two lines", "coordinator")
    outcomes = [orjson.loads(line)["status"] for line in answer.text.splitlines()]
    assert outcomes in ([201, 200], [422, 422])


def test_a_statement_that_lacks_a_signature_waits(desk: TestClient) -> None:
    """The signature that is there holds; the other one is left to whose key it is."""
    answer = send(desk, BODIES["leave-signature"], "a new key", "sponsor_administrator")
    assert (answer.status_code, answer.json().get("person")) == (202, "bchan"), answer.text


def test_an_edit_check_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a study that asks, the question is recorded with its answer."""
    made = at_signing(with_checks(tmp_path / "ledger", monkeypatch, PULSE))
    with app_of(made) as http:
        answer = send(http, BODIES["edit-check"], "confirmed", "coordinator")
        assert answer.status_code == 201, answer.text
    made.ledger.close()


def test_an_endpoint_can_be_proposed() -> None:
    """The proposal is one that a service takes which sends webhooks."""
    value = {**EXAMPLES["webhook-propose"]["consents"], "endpoint": "e" * 16}
    assert parse_endpoint(value, PUBLIC).url == value["url"]
