"""Sorting and searching over HTTP: every column, stable, page by page, and nothing told of what is sealed."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from projections.sorted_trail import SORTED
from tests.api.client import BASE, Site, bearer, code_of
from tests.api.marked_ledger import MARKS, marked, served

NEXT = re.compile(r'<([^>]+)>; rel="next"')


def lines_of(http: TestClient, path: str, who: str) -> list[dict[str, Any]]:
    """Return the lines of all pages that Link leads to."""
    found: list[dict[str, Any]] = []
    while path:
        answer = http.get(path, headers=bearer(who))
        assert answer.status_code == 200, answer.text
        found += answer.json()["lines"]
        link = NEXT.fullmatch(answer.headers.get("Link", ""))
        path = link[1] if link else ""
    return found


@pytest.mark.parametrize("column", sorted(SORTED))
def test_the_trail_is_sorted_by_every_column_page_by_page(site: Site, column: str) -> None:
    """Each line once, in both directions; what is alike stays in the order of the log."""
    size = site.made.ledger.store.head().size
    plain = site.get(f"/audit-trail?limit=1000&known={size - 1}", "auditor").json()["lines"]
    path = f"{BASE}/audit-trail?known={size - 1}&limit=40&sort="
    up, down = (lines_of(site.http, f"{path}{sign}{column}", "auditor") for sign in ("", "-"))
    for lines in (up, down):
        assert sorted(line["index"] for line in lines) == [line["index"] for line in plain]
    groups: dict[str, list[int]] = {}
    for line in plain:
        first = line["changes"][0] if line["changes"] else {}
        groups.setdefault(repr(SORTED[column](line, first)), []).append(line["index"])
    for lines in (up, down):
        order = {line["index"]: n for n, line in enumerate(lines)}
        assert all(sorted(group, key=order.__getitem__) == group for group in groups.values())


def test_texts_numbers_and_what_is_empty(site: Site) -> None:
    """Names by letters, indexes by value, empty cells last in both directions."""
    size = site.made.ledger.store.head().size
    path = f"{BASE}/audit-trail?known={size - 1}&limit=1000&sort="
    names = [line["who"]["name"].casefold() for line in lines_of(site.http, f"{path}name", "auditor")]
    assert names == sorted(names)
    indexes = [line["index"] for line in lines_of(site.http, f"{path}-index", "auditor")]
    assert indexes == sorted(indexes, reverse=True)
    for sign in ("", "-"):
        people = [line["participant"] for line in lines_of(site.http, f"{path}{sign}participant", "auditor")]
        there = [each for each in people if each is not None]
        assert people[: len(there)] == there
        assert there == sorted(there, reverse=bool(sign))


def test_csv_and_page_are_sorted_alike(site: Site) -> None:
    """The twins hold the same lines in the same order; a heading leads to the other direction."""
    query = "sort=-name&limit=20"
    value = site.get(f"/audit-trail?{query}", "auditor").json()
    rows = csv.DictReader(io.StringIO(site.get(f"/audit-trail.csv?{query}", "auditor").text))
    indexes = list(dict.fromkeys(int(row["index"]) for row in rows))
    assert indexes == [line["index"] for line in value["lines"]]
    page = site.get(f"/audit-trail.html?{query}", "auditor").text
    assert [int(each) for each in re.findall(r'data-signed="(\d+)"', page)][:20] == indexes
    assert re.search(r'aria-sort="descending"><a href="\?sort=name&amp;limit=20">', page)
    assert 'href="?sort=meaning&amp;limit=20"' in page


@pytest.mark.parametrize(
    ("path", "code", "field"),
    [
        ("/audit-trail?sort=weather", "SORT", "sort"),
        ("/audit-trail?sort=--name", "SORT", "sort"),
        ("/audit-trail?sort=name&order=newest", "SORT", "order"),
        ("/audit-trail?sort=name&after=99999", "AFTER", "after"),
        ("/projections/visits?sort=weather", "SORT", "sort"),
        ("/projections/breaches?sort=weather", "SORT", "sort"),
        ("/projections/enrolment?sort=site", "FILTER", "sort"),
        ("/participants?sort=weather", "SORT", "sort"),
    ],
)
def test_what_rows_are_not_sorted_by_is_said(site: Site, path: str, code: str, field: str) -> None:
    """A problem names the field, and the columns that there are."""
    place, _, query = path.partition("?")
    page = site.get(f"{place}.html?{query}", "auditor")
    assert (page.status_code, code_of(page)) == (400, code)
    assert f"<dd>{field}</dd>" in page.text
    assert "weather" not in page.text
    for twin in (".csv", ""):
        answer = site.get(f"{place}{twin}?{query}", "auditor")
        assert answer.status_code == 400
        assert (answer.json()["code"], answer.json()["field"]) == (code, field)
    if code == "SORT":
        assert "weather" not in answer.text
        assert answer.json()["columns"]


def test_reports_and_lists_are_sorted(site: Site) -> None:
    """By any of their columns, and page by page as known at the first."""
    rows = site.get("/projections/training-log?sort=-person", "auditor").json()["rows"]
    people = [row["person"].casefold() for row in rows]
    assert len(set(people)) > 2
    assert people == sorted(people, reverse=True)
    first = site.get("/projections/training-log?sort=-person&limit=2", "auditor")
    link = NEXT.fullmatch(first.headers["Link"])
    assert link is not None
    second = site.http.get(link[1], headers=bearer("auditor")).json()["rows"]
    assert [*first.json()["rows"], *second] == rows[:4]
    everybody = site.get("/participants?sort=-participant", "auditor").json()["participants"]
    assert [row["participant"] for row in everybody] == ["SA-01-002", "SA-01-001"]
    path, found = f"{BASE}/participants?sort=-participant&limit=1", []
    while path:
        answer = site.http.get(path, headers=bearer("auditor"))
        found += answer.json()["participants"]
        link = NEXT.fullmatch(answer.headers.get("Link", ""))
        path = link[1] if link else ""
    assert found == everybody


def test_lines_are_found_by_role_and_by_value(site: Site) -> None:
    """Who in which role; an old or new value, in any case."""
    by_role = site.get("/audit-trail?role=root&limit=1000", "auditor").json()["lines"]
    assert by_role
    assert {line["who"]["role"] for line in by_role} == {"root"}
    found = site.get("/audit-trail?value=73&type=correction.made", "auditor").json()["lines"]
    assert found
    assert all("73" in str(change) for line in found for change in line["changes"])
    assert site.get("/audit-trail?value=nowhere-at-all", "auditor").json()["lines"] == []


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client of a ledger in which marks stand for sealed matter."""
    made = marked(tmp_path_factory.mktemp("marked") / "ledger")
    with served(made) as client:
        yield client
    made.ledger.close()


@pytest.mark.parametrize("role", ["coordinator", "unblinded_pharmacist", "inspector"])
def test_what_needs_a_purpose_is_neither_sorted_nor_searched_by(http: TestClient, role: str) -> None:
    """Whoever opens it by one gets the order of who does not, and finds nothing by it."""
    known = lines_of(http, f"{BASE}/audit-trail?limit=1000", role)[-1]["index"]
    for query in ("sort=new", "sort=-new"):
        path = f"{BASE}/audit-trail?limit=1000&known={known}&{query}"
        closed, opened = lines_of(http, path, role), lines_of(http, f"{path}&purpose=check", role)
        assert [line["index"] for line in closed] == [line["index"] for line in opened]
    for matter in ("treatment", "identity"):
        path = f"{BASE}/audit-trail?limit=1000&known={known}&value={MARKS[matter]}"
        assert lines_of(http, f"{path}&purpose=check", role) == []
