"""Every operation and every twin of it, for nobody, for who may not, and for who may (11.10(d), (g)).

The operations are those that the application declares, so that a route without a row, or one that answers
whom it should not, is red here without anybody's doing. What may be seen is expected by the catalogue's table
of roles; marks that stand in the ledger for each kind of matter are searched in whole answers, headers
included, in plain and in base64.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from api.app import OPERATIONS
from api.operations import BASE as STUDY_BASE
from api.operations import Operation
from ledger.roles import ROLES
from projections.authorization import ANYBODY, TABLE
from projections.reports import REPORTS
from tests.api.client import BASE, bearer, code_of
from tests.api.marked_ledger import MARKS, ONE, close, inspect, marked, marks_in, records, sees, served
from tests.ledger.small_ledger import SITE, SmallLedger

BYTES: Final = b"bytes to be named"
DIGEST: Final = hashlib.sha256(BYTES).hexdigest()
PLACES: Final[Mapping[str, str]] = {
    "study": "small",
    "participant": ONE,
    "field": "blind_guess.recorded/data/guess",
    "event": "140",
    "name": "enrolment",
    "tile": "000.p/1",
    "sha256": DIGEST,
    "file": "docs.js",
}
"""What stands for a path parameter; one that is not here gets a word that nothing is named by."""

Route = tuple[Operation, str | None]
ROUTES: Final[tuple[Route, ...]] = tuple(
    (operation, twin) for operation in OPERATIONS for twin in (None, *operation.twins)
)
CLOSED: Final = tuple(route for route in ROUTES if TABLE[route[0].name].roles is not ANYBODY)
ENDLESS: Final = frozenset({("stream", None)})
"""Asked while the service drains: they answer that, and not for ever, to whoever may ask."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SmallLedger:
    """The marked ledger; nothing that anybody is shown here changes what others are."""
    return marked(tmp_path_factory.mktemp("marked") / "ledger")


@pytest.fixture(scope="module")
def http(made: SmallLedger) -> Iterator[TestClient]:
    """A client of the application in front of it."""
    made.publish()
    with served(made) as client:
        yield client
    made.ledger.close()


def name_of(route: Route) -> str:
    """Name a route by its operation and twin."""
    return route[0].name + (f".{route[1]}" if route[1] else "")


def address(route: Route, **places: str) -> str:
    """Fill a route's address in, asking for sealed values by a purpose where that is possible."""
    operation, twin = route
    text = operation.address
    for name, value in {**PLACES, **places}.items():
        text = text.replace(f"{{{name}}}", value).replace(f"{{{name}:path}}", value)
    while "{" in text:
        text = text[: text.index("{")] + "nothing" + text[text.index("}") + 1 :]
    query = "?purpose=check" if any(each.name == "purpose" for each in operation.parameters) else ""
    query = places.get("query", query)
    return text + (f".{twin}" if twin else "") + query


def body_of(operation: Operation, who: str) -> dict[str, Any]:
    """Return what a request of an operation brings, as somebody would."""
    if operation.body is None:
        return {}
    if operation.name == "put-attachment":
        return {"content": BYTES, "headers": {"Content-Type": "text/plain"}}
    if operation.body[0] == "application/zip":
        empty = io.BytesIO()
        zipfile.ZipFile(empty, "w").close()
        return {"content": empty.getvalue(), "headers": {"Content-Type": "application/zip"}}
    stream = {"list_holder": "randomization/main", "participant": f"participant/{ONE}"}.get(who, "study")
    type_ = "certified_copy.received" if who == "inspector" else "correction.made"
    value = {"action": {"type": type_, "stream": stream}} if operation.name == "prepare" else {}
    return {"json": value}


def ask(http: TestClient, route: Route, who: str | None, **places: str) -> Any:
    """Ask for a route as somebody."""
    operation, twin = route
    arguments = body_of(operation, who or "")
    if operation.name == "export" and who == "participant":
        places["query"] = f"?scope=participant:{ONE}"
    headers = {**arguments.pop("headers", {}), **(bearer(who) if who is not None else {})}
    study = http.app.state.studies["small"]  # type: ignore[attr-defined]
    tailers = [each.tailer for each in (study, *study.inspected.values())]
    for tailer in tailers:
        tailer.draining = (operation.name, twin) in ENDLESS
    try:
        return http.request(operation.method, address(route, **places), headers=headers, **arguments)
    finally:
        for tailer in tailers:
            tailer.draining = False


def everything(answer: Any) -> bytes:
    """Return an answer's headers and body."""
    headers = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    return headers.encode() + b"\n" + bytes(answer.content)


def test_every_operation_has_a_row_and_every_row_an_operation() -> None:
    """The table says something of each operation, and of nothing else."""
    assert {operation.name for operation in OPERATIONS} == set(TABLE)
    assert all(operation.address.startswith(STUDY_BASE) for operation, _ in CLOSED)


@pytest.mark.parametrize("route", CLOSED, ids=name_of)
def test_nobody_is_answered_who_is_nobody(http: TestClient, route: Route) -> None:
    """Without credentials, with unknown ones, with another scheme, of a disabled account: 401 and no mark."""
    for who in (None, "unknown", "", "disabled"):
        answer = ask(http, route, who)
        assert (answer.status_code, code_of(answer)) == (401, "UNAUTHENTICATED"), who
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert marks_in(everything(answer)) == frozenset()
    headers = {"Authorization": "Basic YXVkaXRvcjo="}
    assert http.request(route[0].method, address(route), headers=headers).status_code == 401


@pytest.mark.parametrize("role", sorted(ROLES))
def test_every_cell_of_the_matrix(http: TestClient, role: str) -> None:
    """A cell is answered, no cell is refused, and no answer has a mark that the role does not see."""
    open_to = sees(role)
    for route in CLOSED:
        operation = route[0]
        answer = ask(http, route, role)
        if role in TABLE[operation.name].roles:
            permitted = answer.status_code not in (401, 403)
            assert permitted or told_apart(operation, answer), (name_of(route), answer.text)
            assert answer.status_code < 500 or answer.status_code == 503, (name_of(route), answer.text)
        else:
            assert (answer.status_code, code_of(answer)) == (403, "FORBIDDEN"), name_of(route)
        assert marks_in(everything(answer)) <= open_to, name_of(route)


def told_apart(operation: Operation, answer: Any) -> bool:
    """Tell whether a role with a cell is refused for itself: an arm not shown to it, or nobody of the log."""
    code = code_of(answer)
    if operation.name == "regimen":
        return code in ("ARM_BLINDED", "ROLE_NOT_HELD")
    return TABLE[operation.name].reach == "own" and code in ("FORBIDDEN", "SESSION_NEEDED")


@pytest.mark.parametrize("role", sorted(TABLE["audit-trail"].roles))
def test_what_a_role_sees_it_is_shown_somewhere_and_nothing_else(http: TestClient, role: str) -> None:
    """All events, the whole trail, every range of the stream: the marks found are exactly the catalogue's."""
    paths = ("/audit-trail?limit=1000&purpose=check", "/audit-trail.csv?limit=1000&purpose=check")
    found: set[str] = set()
    for path in (*paths, "/stream.jsonl", *(f"/events/{index}?purpose=check" for index in range(125, 146))):
        answer = http.get(BASE + path, headers=bearer(role))
        assert answer.status_code == 200, (path, answer.text)
        found |= marks_in(everything(answer))
    own = {"freetext"} & sees(role)
    assert found == (own if role == "participant" else sees(role))


@pytest.mark.parametrize("start", range(8))
def test_no_report_shows_a_mark_to_who_does_not_see_it(http: TestClient, start: int) -> None:
    """Every report with its twin, by every role, in turn."""
    readers = sorted(TABLE["projection"].roles)
    names = ("enrolment", "breaches", *sorted(REPORTS))
    asked = [(name, readers[(n * 5 + start) % len(readers)]) for n, name in enumerate(names)]
    for name, role in asked[:: 1 if start < 3 else 3]:
        answer = http.get(f"{BASE}/projections/{name}.csv?purpose=check", headers=bearer(role))
        assert answer.status_code == 200, (name, role)
        assert marks_in(everything(answer)) <= sees(role), (name, role)


AT_SITES: Final = frozenset({"pharmacy", "treatment", "identity", "freetext"})
"""Kinds of matter that stand at a site; `safety` and `access` are the study's."""


@pytest.mark.parametrize(
    "role", ["coordinator", "unblinded_pharmacist", "inspector", "auditor", "data_manager"]
)
def test_another_site_gets_nothing_of_this_one(http: TestClient, role: str) -> None:
    """No mark of the site, and of a participant the very answer that nobody at all would get."""
    who = f"{role} elsewhere"
    for route in CLOSED:
        if role not in TABLE[route[0].name].roles:
            continue
        answer = ask(http, route, who)
        assert not marks_in(everything(answer)) & AT_SITES, name_of(route)
        if "{participant}" in route[0].address:
            nobody = ask(http, route, who, participant=f"{SITE}-999")
            assert answer.status_code in (403, 404)
            assert same(answer) == same(nobody), name_of(route)
    for path in (f"/audit-trail?participant={ONE}", f"/export?scope=participant:{ONE}"):
        answers = [http.get(BASE + p, headers=bearer(who)) for p in (path, path.replace("-001", "-999"))]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert same(answers[0]) == same(answers[1])


def same(answer: Any) -> tuple[int, dict[str, str], bytes]:
    """Return all that an answer tells: status, headers and body."""
    headers = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
    return answer.status_code, headers, answer.content


def test_attempts_are_counted_and_logged_without_anybodys_name(http: TestClient) -> None:
    """By operation and status, for who sees the access log; a line of the log has no id and no input."""
    before = counts(http)
    path = f"{BASE}/participants/{ONE}/regimen?purpose=check"
    assert http.get(path).status_code == 401
    assert http.get(path, headers=bearer("data_manager")).status_code == 403
    after = counts(http)
    assert after["regimen", 401] == before.get(("regimen", 401), 0) + 1
    assert after["regimen", 403] == before.get(("regimen", 403), 0) + 1


IN_STUDY: Final = tuple(route for route in ROUTES if route[0].in_study)


@pytest.mark.parametrize("route", IN_STUDY, ids=[name_of(route) for route in IN_STUDY])
def test_every_answer_of_a_study_says_its_head(http: TestClient, made: SmallLedger, route: Route) -> None:
    """Refused, misspelt or answered: `Ledger-Head` names a size and its root (interfaces.md)."""
    for headers in ({}, bearer("auditor")):
        if headers and (route[0].name, route[1]) in ENDLESS:
            continue
        answer = http.request(route[0].method, address(route), headers=headers)
        size, root = answer.headers["Ledger-Head"].split()
        assert int(size) <= made.ledger.store.head().size
        assert len(root) == len("A" * 43 + "=")


@pytest.mark.parametrize(("method", "path"), [("GET", "/no-such-thing"), ("DELETE", "/participants")])
def test_an_address_that_is_not_there_says_the_head_too(http: TestClient, method: str, path: str) -> None:
    """What no operation answers is still an answer of the study; of a study that is not there, none."""
    assert "Ledger-Head" in http.request(method, BASE + path).headers
    assert "Ledger-Head" not in http.request(method, "/v1/studies/unknown" + path).headers


def counts(http: TestClient) -> dict[tuple[str, int], int]:
    """Return the counts of refused requests."""
    rows = http.get(f"{BASE}/authorization/attempts", headers=bearer("auditor")).json()["attempts"]
    return {(row["operation"], row["status"]): row["count"] for row in rows}


def test_the_matrix_is_answered_as_json_and_csv(http: TestClient) -> None:
    """Both halves: operations and sights by role, and who signs what."""
    value = http.get(f"{BASE}/authorization.json", headers=bearer("participant")).json()
    assert {row["operation"] for row in value["operations"]} == set(TABLE)
    for row in value["operations"]:
        roles = TABLE[row["operation"]].roles
        assert set(row["cells"]) == (ROLES if roles is ANYBODY else roles)
    assert any("coordinator" in row["cells"] for row in value["records"])
    table = http.get(f"{BASE}/authorization.csv", headers=bearer("auditor")).text.splitlines()
    assert len(table) == 1 + sum(len(value[part]) for part in ("operations", "sees", "records"))


LATER: Final = {name: mark + "zzafter" for name, mark in MARKS.items()}


def test_an_inspector_reads_one_checkpoint_and_nothing_after_the_end(tmp_path: Any) -> None:
    """Whatever is recorded meanwhile, every answer stays, byte for byte; and then there is none."""
    made = marked(tmp_path / "ledger")
    opened = made.ledger.fold.conduct.study.people.inspections[-1]
    with served(made) as http:
        mine = [route for route in CLOSED if "inspector" in TABLE[route[0].name].roles]
        frozen = [route for route in mine if TABLE[route[0].name].frozen]
        assert len(frozen) > 10
        finite = [route for route in frozen if (route[0].name, route[1]) not in ENDLESS]
        paths = [address(route).partition("?")[0] for route in finite if route[0].method == "GET"]
        size = opened.size
        further = (
            "/audit-trail?limit=1000&order=newest", "/checkpoint", "/checkpoint.json", f"/events/{size}",
            f"/tile/entries/000.p/{size + 1}", "/projections/flow", "/projections/access",
            "/projections/breaches", "/stream.jsonl", f"/participants/{SITE}-002",
            f"/participants?known={size}",
        )  # fmt: skip
        asked = [*paths, *(BASE + path for path in further)]
        answers = [http.get(path, headers=bearer("inspector")) for path in asked]
        made.ledger.publish()
        records(made, LATER, f"{SITE}-002")
        made.ledger.publish()
        for path, before in zip(asked, answers, strict=True):
            after = http.get(path, headers=bearer("inspector"))
            assert same(before) == same(after), path
            assert b"zzafter" not in everything(after), path
            if "Ledger-Head" in after.headers:
                assert after.headers["Ledger-Head"].split()[0] == str(opened.size), path
        assert f"{BASE}/stream.jsonl" in asked
        close(made, opened.event)
        for path in asked[: len(paths)]:
            ended = http.get(path, headers=bearer("inspector"))
            assert (ended.status_code, code_of(ended)) == (403, "INSPECTION_NOT_OPEN"), path
        again = inspect(made, "INSP-2", blinded=True)
        blind = http.get(f"{BASE}/audit-trail?limit=1000&purpose=check", headers=bearer("inspector"))
        assert marks_in(blind.content) == {"identity", "freetext", "access"}
        assert LATER["identity"].encode() in blind.content
        bundle = http.get(f"{BASE}/export", headers=bearer("inspector")).content
        assert not marks_in(bundle) & {"treatment", "pharmacy", "safety"}
        close(made, again)
    made.ledger.close()
