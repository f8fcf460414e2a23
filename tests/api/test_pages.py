"""Pages: every signed record on them has printed name, time with zone and meaning, and none runs a script."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from api.app import OPERATIONS
from api.operations import Operation
from projections.reports import REPORTS
from projections.signed import indexes_in, indexes_of_rows
from tests.api.client import BASE, PARTICIPANT, Site, bearer
from tests.api.marked_ledger import marked, marks_in, sees, served

PAGES: Final = tuple(operation for operation in OPERATIONS if "html" in operation.twins)
FIELD: Final = "vital_signs.recorded/data/measurements"
ASKED: Final = {
    "participants": ["/participants"],
    "participant": [f"/participants/{PARTICIPANT}"],
    "timeline": [f"/participants/{PARTICIPANT}/timeline"],
    "history": [f"/participants/{PARTICIPANT}/history/{FIELD}"],
    "audit-trail": ["/audit-trail", "/audit-trail?sort=-name", "/audit-trail?type=correction.made"],
    "projection": [f"/projections/{name}" for name in ("enrolment", "breaches", *sorted(REPORTS))],
    "signing-scope": [f"/participants/{PARTICIPANT}/signing-scope"],
    "event": ["/events/20", "/events/3"],
    "dossier": ["/events/20/dossier"],
}
"""Addresses of each operation that has a page; one that is not here is red."""


class Read(HTMLParser):
    """What a page holds: rows that have a record's signature, tags, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.signed: dict[int, str] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._row: int | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            index = dict(attrs).get("data-signed")
            self._row = int(index) if index is not None else None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._row is not None:
            self.signed[self._row] = self.signed.get(self._row, "") + data + " "

    def handle_endtag(self, tag: str) -> None:
        if tag == "tr":
            self._row = None


def page_of(path: str) -> str:
    """Return the page's address for that of an answer."""
    place, _, query = path.partition("?")
    return f"{place}.html" + (f"?{query}" if query else "")


@pytest.mark.parametrize("operation", PAGES, ids=lambda operation: operation.name)
def test_every_record_on_a_page_has_name_time_and_meaning(site: Site, operation: Operation) -> None:
    """Of every index that the answer names: printed name, role, meaning, and times with their zone."""
    for path in ASKED[operation.name]:
        answer, page = site.get(path, "auditor"), site.get(page_of(path), "auditor")
        assert (answer.status_code, page.status_code) == (200, 200), (path, page.text)
        assert page.headers["content-type"].startswith("text/html")
        value = answer.json()
        read = Read(page.text)
        named = indexes_in(value) | indexes_of_rows(value.get("rows", ()))
        for index in named:
            entry = site.get(f"/events/{index}", "auditor").json()
            if entry["withheld"]:
                continue
            row, first = read.signed[index], entry["signatures"][0]
            for words in (first["name"], first["role"].replace("_", " "), first["meaning"]):
                assert words in row, (path, index, words)
            assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", row), (path, index)


def test_every_page_has_addresses_to_be_asked_for_here() -> None:
    """A new page is looked at by these tests."""
    assert {operation.name for operation in PAGES} == set(ASKED)


@pytest.mark.parametrize("path", [path for paths in ASKED.values() for path in paths[:1]])
def test_a_page_runs_nothing_and_loads_one_style_sheet(site: Site, path: str) -> None:
    """No script, nothing inline, one link, everything labelled; the policy says so too."""
    page = site.get(page_of(path), "auditor")
    rules = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in rules
    assert "script" not in rules
    assert "unsafe" not in rules
    read = Read(page.text)
    tags = [tag for tag, _ in read.tags]
    assert not {"script", "style", "img", "iframe", "object"} & set(tags)
    assert not any(name.startswith("on") or name == "style" for _, attrs in read.tags for name in attrs)
    assert [attrs["href"] for tag, attrs in read.tags if tag == "link"] == ["/pages/pages.css"]
    assert site.http.get("/pages/pages.css").headers["content-type"].startswith("text/css")
    assert tags.count("h1") == 1
    assert tags.count("main") == 1
    regions = [attrs for tag, attrs in read.tags if attrs.get("role") == "region"]
    assert all(attrs["aria-label"] and attrs["tabindex"] == "0" for attrs in regions)


def test_a_milestone_leads_to_its_record(site: Site) -> None:
    """An index under a name of its own is a link like any other."""
    path = f"/participants/{PARTICIPANT}"
    registered = site.get(path, "auditor").json()["milestones"]["registered"]
    page = site.get(page_of(path), "auditor").text
    assert f'<dt>registered</dt><dd><a href="{BASE}/events/{registered}.html">{registered}</a></dd>' in page


@pytest.mark.parametrize(
    ("name", "who", "words"),
    [
        ("pharmacy", "coordinator", "sees nothing of the records of the pharmacies"),
        ("unblinding", "auditor", "sees nothing of the unblinded safety records"),
        ("access", "coordinator", "sees only what names the reader of the access log"),
        ("near-misses", "rater", "sees nothing of the access log"),
    ],
)
def test_a_report_that_a_role_does_not_see_says_so(site: Site, name: str, who: str, words: str) -> None:
    """An empty table would read as if there were nothing; JSON names what is withheld."""
    assert words in site.get(f"/projections/{name}.html", who).text
    assert site.get(f"/projections/{name}", who).json()["withheld"]
    csv = site.get(f"/projections/{name}.csv", who).headers
    assert csv["Content-Disposition"].endswith('-withheld.csv"')
    assert csv["Ledger-Withheld"].split(", ") == site.get(f"/projections/{name}", who).json()["withheld"]
    assert "withheld" not in site.get("/projections/visits.csv", who).headers["Content-Disposition"]
    assert "withheld" not in site.get("/projections/access", "auditor").json()
    assert "withheld" not in site.get("/projections/visits", who).json()


def test_the_list_is_sorted_by_its_headings_and_leads_to_records(site: Site) -> None:
    """Each column that can be sorted by has a link, milestones lead to their entries."""
    page = site.get("/participants.html?sort=-status_index", "auditor").text
    for name in ("participant", "site", "status"):
        assert f'href="?sort={name}"' in page
    assert 'aria-sort="descending"><a href="?sort=status_index"' in page
    (row, *_) = site.get("/participants", "auditor").json()["participants"]
    registered = row["milestones"]["registered"]
    assert f'<a href="{BASE}/events/{registered}.html">{registered}</a>' in page
    assert f"{site.get('/participants', 'auditor').json()['count']} participants" in page


def test_an_event_in_a_table_is_told_by_its_beginning(site: Site) -> None:
    """A hash takes no half of the screen: it is there whole, and cut off by the style sheet."""
    path = f"/participants/{PARTICIPANT}/timeline"
    event = site.get(path, "auditor").json()["timeline"][0]["event"]
    page = site.get(page_of(path), "auditor").text
    link = f'<a href="{BASE}/events/{event}.html" title="{event}"><code class="short">{event}</code></a>'
    assert link in page
    assert site.get(f"/events/{event}.html", "auditor").status_code == 200
    assert f">{event}<" in site.get(f"/events/{event}.html", "auditor").text


def test_what_there_is_none_of_is_told_in_one_line(site: Site) -> None:
    """Lists without anything take no row each."""
    value = site.get(f"/participants/{PARTICIPANT}", "auditor").json()
    empty = [name.replace("_", " ") for name, each in value.items() if each == []]
    assert empty
    page = site.get(f"/participants/{PARTICIPANT}.html", "auditor").text
    assert f"None here: {', '.join(empty)}." in page


def test_what_stands_in_data_is_never_markup(own_site: Site) -> None:
    """A reason that looks like a script is text on the page."""
    text = "<script>alert(1)</script>"
    recorded = own_site.hand_in(own_site.vitals(reason={"code": "late_entry"}, open={"/reason/text": text}))
    assert recorded.status_code == 201, recorded.text
    page = own_site.get("/audit-trail.html?sort=-index")
    assert text not in page.text
    assert "&lt;script&gt;alert(1)" in page.text


def test_the_start_page_logs_in_and_runs_its_own_files_alone(site: Site) -> None:
    """Anybody gets it; it names no record, and every file that it loads is served."""
    page = site.http.get(f"{BASE}/pages")
    assert page.status_code == 200
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    read = Read(page.text)
    loaded = [attrs.get("src") or attrs["href"] for tag, attrs in read.tags if tag in ("script", "link")]
    assert sorted(filter(None, loaded)) == ["/pages/pages.css", "/pages/start.js"]
    assert all(site.http.get(name).status_code == 200 for name in loaded if name)
    assert PARTICIPANT not in page.text
    assert site.http.get("/pages/docs.html").status_code == 404


def test_a_reviewer_sees_criteria_what_is_not_covered_and_what_to_sign(own_site: Site) -> None:
    """The range without a review, with the very statement for who may sign it."""
    size = own_site.made.ledger.store.head().size
    page = own_site.get("/projections/trail-review.html", "auditor").text
    assert "late entry" in page
    assert f"Entries 0 to {size - 1}" in page
    written = re.search(r"<pre>(.*?)</pre>", page, re.DOTALL)
    assert written is not None
    asked = json.loads(html.unescape(written[1]))
    assert asked["data"]["last"] == size - 1
    assert "<pre>" not in own_site.get("/projections/trail-review.html", "coordinator").text


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client of the marked ledger."""
    made = marked(tmp_path_factory.mktemp("marked") / "ledger")
    with served(made) as client:
        yield client
    made.ledger.close()


@pytest.mark.parametrize("role", ["blinded_rater", "coordinator", "auditor", "unblinded_pharmacist"])
def test_no_page_shows_a_mark_to_who_does_not_see_it(http: TestClient, role: str) -> None:
    """Trail, events and reports, sorted and asked for with a purpose."""
    trail = "/audit-trail.html?limit=1000&purpose=check"
    paths = [trail, f"{trail}&sort=new"]
    paths += [f"/events/{index}.html?purpose=check" for index in range(125, 146, 3)]
    paths += [f"/projections/{name}.html?purpose=check" for name in ("access", "pharmacy-stock", "safety")]
    found = set[Any]()
    for path in paths:
        answer = http.get(BASE + path, headers=bearer(role))
        assert answer.status_code in (200, 404), (path, answer.text)
        found |= marks_in(answer.content)
    assert found <= sees(role)


def test_the_filter_offers_roles_and_types(site: Site) -> None:
    """Nobody has to know how a type is spelt: what the trail can be filtered by is offered."""
    text = site.get("/audit-trail.html", "auditor").text
    assert '<datalist id="types"><option>account.created</option>' in text
    assert "<option>blinded_monitor</option>" in text
    assert 'name="type" value="" list="types"' in text


def test_a_page_that_did_not_change_keeps_its_policy(site: Site) -> None:
    """A browser goes on with its page under the policy of the 304, and may load the style sheet still."""
    first = site.get(f"/participants/{PARTICIPANT}.html", "auditor")
    again = site.get(
        f"/participants/{PARTICIPANT}.html", "auditor", **{"If-None-Match": first.headers["ETag"]}
    )
    assert again.status_code == 304
    assert again.headers["Content-Security-Policy"] == first.headers["Content-Security-Policy"]
