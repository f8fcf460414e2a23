"""Answers have the shapes that the OpenAPI document gives them, and no member beside."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from api.answer_shapes import PLACE, SHAPES, members
from api.app import OPERATIONS
from api.openapi_answers import ANSWERS, COMPONENTS
from ledger.roles import ROLES
from projections.signed import INDEXES
from projections.status import MILESTONES
from tests.api.answered import FREE, wrong
from tests.api.client import BASE, PARTICIPANT, STREAM, VITALS, Site, bearer
from tests.api.marked_ledger import ONE, marked, served
from tests.api.shapes import DOCUMENT, broken, closed, told

READ = (
    ("/participants", ""),
    ("/participants", "?known=5"),
    ("/participants/{participant}", ""),
    ("/participants/{participant}", "?true=2024-06-03T10:00:00Z"),
    ("/participants/{participant}/timeline", ""),
    ("/participants/{participant}/timeline", "?true=2024-06"),
    ("/audit-trail", ""),
    ("/audit-trail", "?limit=1000"),
    ("/signing/places", ""),
    ("/projections/{name}", "enrolment"),
    ("/projections/{name}", "breaches"),
    ("/projections/{name}", "training-log"),
    ("/projections/{name}", "visits"),
)


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A ledger with a value of each kind that somebody may not see, and a token for every role."""
    made = marked(tmp_path_factory.mktemp("marked") / "ledger")
    made.publish()
    with served(made) as client:
        yield client
    made.ledger.close()


def address(path: str, rest: str) -> str:
    """Fill an address in."""
    named = path.replace("{participant}", PARTICIPANT)
    return named.replace("{name}", rest) if "{name}" in named else named + rest


@pytest.mark.parametrize(("path", "rest"), READ)
def test_what_is_read_has_its_shape(site: Site, path: str, rest: str) -> None:
    """Lists, one participant, projections, as known and as true; the twin has the same shape."""
    if site.get("/participants/SA-01-001/timeline").text.count("vital_signs") < 1:
        site.hand_in(site.vitals())
    answer = site.get(address(path, rest), "auditor")
    assert answer.status_code == 200, answer.text
    assert broken(f"GET {path}", 200, answer.json()) == []
    assert broken(f"GET {path}.json", 200, answer.json()) == []


def test_the_history_of_a_field_has_its_shape(site: Site) -> None:
    """With what corrected it, and why."""
    site.hand_in(site.vitals())
    path = f"/participants/{PARTICIPANT}/history/vital_signs.recorded/data/measurements"
    answer = site.get(path, "auditor")
    assert answer.json()["history"]
    assert broken("GET /participants/{participant}/history/{field}", 200, answer.json()) == []


def test_every_entry_has_its_shape(http: TestClient) -> None:
    """Statement, leaf and signatures, and the leaf alone where it is withheld."""
    seen = set()
    for index in range(0, 147, 3):
        for who in ("unblinded_statistician", "coordinator"):
            value = http.get(f"{BASE}/events/{index}?purpose=check", headers=bearer(who)).json()
            assert broken("GET /events/{event}", 200, value) == [], index
            seen.add(value["withheld"])
    assert seen == {True, False}


@pytest.mark.parametrize("role", sorted(ROLES - {"device", "root", "service", "list_holder"}))
def test_what_a_role_sees_less_of_has_the_same_shape(http: TestClient, role: str) -> None:
    """Values and markers stand in the same places, for every role that reads."""
    field = "blind_guess.recorded/data/guess"
    for path, place in (
        ("/participants", "/participants"),
        ("/participants/{participant}", f"/participants/{ONE}?purpose=check"),
        ("/participants/{participant}/timeline", f"/participants/{ONE}/timeline"),
        ("/participants/{participant}/history/{field}", f"/participants/{ONE}/history/{field}?purpose=check"),
        ("/audit-trail", "/audit-trail?limit=1000&purpose=check&order=newest"),
        ("/projections/{name}", "/projections/access"),
    ):
        answer = http.get(BASE + place, headers=bearer(role))
        if answer.status_code == 200:
            assert broken(f"GET {path}", 200, answer.json()) == [], place
        else:
            kind = "application/problem+json"
            assert broken(f"GET {path}", answer.status_code, answer.json(), kind) == [], place


@pytest.mark.parametrize("path", ["/events/{event}/proof", "/checkpoint"])
def test_receipt_and_checkpoint_are_text_and_json(http: TestClient, path: str) -> None:
    """The exact bytes at the plain address, a shape at the other."""
    place = BASE + path.replace("{event}", "140")
    plain, twin = (http.get(place + suffix, headers=bearer("auditor")) for suffix in ("", ".json"))
    assert plain.headers["content-type"].startswith("text/plain")
    assert broken(f"GET {path}", 200, plain.text, "text/plain") == []
    assert broken(f"GET {path}.json", 200, twin.json()) == []
    assert plain.text in twin.json().values()


def test_what_is_prepared_recorded_again_and_stale_has_its_shape(own_site: Site) -> None:
    """The whole way of a statement: 200 of prepare, 201, 200 again, 409 for one that came too late."""
    head = own_site.made.ledger.store.head()
    late = own_site.vitals()
    body = {
        "action": own_site.action("vital_signs.recorded", STREAM, VITALS),
        "have": {"size": head.size - 1, "root": base64.b64encode(head.root).decode()},
    }
    prepared = own_site.http.post(f"{BASE}/statements:prepare", json=body, headers=bearer("coordinator"))
    assert prepared.json()["consistency"]
    assert broken("POST /statements:prepare", 200, prepared.json()) == []
    submission = own_site.sign(prepared.json())
    for status in (201, 200):
        answer = own_site.hand_in(submission)
        assert answer.status_code == status
        assert broken("POST /statements", status, answer.json()) == []
    stale = own_site.hand_in(late)
    assert stale.status_code == 409
    assert broken("POST /statements", 409, stale.json(), "application/problem+json") == []
    assert {"head", "seen", "seq", "prev"} <= stale.json().keys()


def test_a_further_member_would_be_found(site: Site) -> None:
    """The shapes are held closed here, so that none is forgotten in the document; published they are open."""
    value = site.get("/participants", "auditor").json()
    value["participants"][0]["secret"] = 1
    assert len(broken("GET /participants", 200, value)) == 1
    value = site.get("/participants", "auditor").json()
    del value["participants"][0]["status"]
    assert len(broken("GET /participants", 200, value)) == 1
    assert "additionalProperties" not in COMPONENTS["Participants"]
    assert closed(members({"a": {}}))["additionalProperties"] is False


def test_whatever_names_a_record_changes_the_tag_and_has_its_signature(site: Site) -> None:
    """Each member that holds an index of the log is one by which ETags and printed signatures are found."""

    def places(schema: Any) -> Iterator[str]:
        if isinstance(schema, list):
            for inner in schema:
                yield from places(inner)
        if isinstance(schema, dict):
            for name, inner in schema.get("properties", {}).items():
                if any(each.get("description") == PLACE["description"] for each in alternatives(inner)):
                    yield name
            for inner in schema.values():
                yield from places(inner)

    def alternatives(schema: dict[str, Any]) -> list[dict[str, Any]]:
        return [schema, *schema.get("anyOf", ()), schema.get("items", {})]

    named = {name for shape in SHAPES.values() for name in places(shape)}
    assert {"index", "deviation", "closed_by", "corrected_by"} <= named
    # Milestones stand in a member that is one; a cursor names no record.
    assert named - INDEXES - set(MILESTONES) == {"next"}


def test_a_leaf_is_closed() -> None:
    """What is a format of the record has exactly its members."""
    assert SHAPES["Leaf"]["additionalProperties"] is False
    assert told({"$ref": "#/components/schemas/Leaf"}, {}) != []


def test_the_main_routes_have_shapes() -> None:
    """Every operation that has one is there, and every shape of the document is used in it."""
    assert ANSWERS.keys() <= {operation.name for operation in OPERATIONS}
    text = orjson.dumps(DOCUMENT).decode()
    assert [name for name in COMPONENTS if f'"#/components/schemas/{name}"' not in text] == []
    shapes: dict[str, Any] = DOCUMENT["paths"]["/v1/studies/{study}/participants.csv"]["get"]["responses"]
    assert shapes["200"]["content"] == {"text/csv": {}}


def test_every_operation_has_a_shape_or_a_reason() -> None:
    """A new route is described, or says why it is not."""
    names = {operation.name for operation in OPERATIONS}
    assert names == set(ANSWERS) | set(FREE)
    assert not set(ANSWERS) & set(FREE)


def test_an_answer_that_is_not_of_its_shape_is_noticed(own_site: Site) -> None:
    """A member that the document does not name, and one that is missing."""
    good = own_site.get("/authorization/attempts", "auditor").json()
    assert wrong("GET", f"{BASE}/authorization/attempts", 200, good) == []
    assert wrong("GET", f"{BASE}/authorization/attempts", 200, {**good, "more": 1})
    assert wrong("GET", f"{BASE}/authorization/attempts.json", 200, {})
    assert wrong("GET", f"{BASE}/authorization/attempts", 202, good) == ["202 is not documented"]
