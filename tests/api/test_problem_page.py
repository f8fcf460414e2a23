"""Problems as pages: readable in a browser, without a script, and saying no more than the problem does."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from tests.api.client import BASE, PARTICIPANT, Site, bearer
from tests.api.test_pages import Read

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("path", "who", "status", "code"),
    [
        ("/participants.html", None, 401, "UNAUTHENTICATED"),
        ("/participants", None, 401, "UNAUTHENTICATED"),
        ("/participants.html", "device", 403, "FORBIDDEN"),
        ("/participants/SA-09-001.html", "auditor", 404, "UNKNOWN_PARTICIPANT"),
        (
            f"/participants/{PARTICIPANT}/history/3/data/nothing",
            "auditor",
            404,
            "UNKNOWN_FIELD",
        ),
        ("/nothing", "auditor", 404, "NOT_FOUND"),
        ("/audit-trail.html?type=nope", "auditor", 400, "UNKNOWN_TYPE"),
        ("/statements", "auditor", 405, "METHOD"),
    ],
)
def test_a_browser_gets_a_page(site: Site, path: str, who: str | None, status: int, code: str) -> None:
    """The status and headers are the problem's; the page has its code, its sentence, and where to log in."""
    headers = {} if who is None else bearer(who)
    page = site.http.get(BASE + path, headers={**headers, **BROWSER})
    problem = site.http.get(BASE + path, headers={**headers, "Accept": "application/problem+json"})
    assert (page.status_code, problem.status_code) == (status, status)
    assert problem.json()["code"] == code
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers.get("WWW-Authenticate") == problem.headers.get("WWW-Authenticate")
    assert page.headers.get("Ledger-Head") == problem.headers.get("Ledger-Head")
    rules = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in rules
    assert "script" not in rules
    read = Read(page.text)
    assert not {"script", "style", "img"} & {tag for tag, _ in read.tags}
    assert code in read.text
    assert problem.json()["title"][1:] in read.text
    assert f"{BASE}/pages" in {attrs.get("href") for tag, attrs in read.tags if tag == "a"}
    assert "nope" not in read.text


def test_programs_get_the_problem(site: Site) -> None:
    """Without a wish for a page, or with JSON wished for more, the bytes are those of RFC 9457."""
    plain = site.http.get(f"{BASE}/participants")
    assert plain.headers["content-type"] == "application/problem+json"
    for wish in ("*/*", "application/json", "application/json, text/html;q=0.9", "text/html;q=0"):
        answer = site.http.get(f"{BASE}/participants", headers={"Accept": wish})
        assert answer.content == plain.content, wish
    assert site.http.get(f"{BASE}/participants", headers={"Accept": "text/html;q=x;,"}).status_code == 401
    asked = {"Accept": "application/json"}
    assert site.http.get(f"{BASE}/participants.html", headers=asked).content == plain.content
    assert site.http.get(f"{BASE}/participants.html").headers["content-type"].startswith("text/html")
    posted = site.http.post(f"{BASE}/statements", headers={**BROWSER, "Content-Type": "text/plain"})
    assert posted.headers["content-type"] == "application/problem+json"


def test_a_page_of_no_study_leads_to_the_root() -> None:
    """An unknown study is told as such, and nothing is said of those that there are."""
    with TestClient(create_app([])) as http:
        page = http.get("/v1/studies/other/participants", headers=BROWSER)
        assert page.status_code == 404
        assert "UNKNOWN_STUDY" in page.text
        assert 'href="/"' in page.text


def test_the_root_leads_to_documents_and_names_no_study(site: Site) -> None:
    """A page in a browser, links for programs; every link of either is answered, without a token."""
    page, links = site.http.get("/", headers=BROWSER), site.http.get("/").json()["links"]
    assert page.headers["content-type"].startswith("text/html")
    assert "small" not in page.text + str(links)
    assert links.pop("study") == "/v1/studies/{study}"
    assert set(links.values()) <= set(re.findall(r'href="([^"]+)"', page.text))
    assert all(site.http.get(link).status_code == 200 for link in links.values())


def test_a_study_leads_to_its_pages_and_proofs(site: Site) -> None:
    """The same for a study: what needs a login asks for it there, and nothing of the log is shown."""
    page, value = site.http.get(BASE, headers=BROWSER), site.http.get(BASE).json()
    assert page.headers["content-type"].startswith("text/html")
    assert PARTICIPANT not in page.text
    assert {"pages", "docs", "authorization", "checkpoint", "openapi", "asyncapi"} <= value["links"].keys()
    assert page.headers["Ledger-Head"] == site.http.get(f"{BASE}/checkpoint").headers["Ledger-Head"]
    for name, link in value["links"].items():
        if name == "stream":
            continue  # endless
        assert site.http.get(link, headers=bearer("auditor")).status_code == 200, name
    for link in re.findall(r'href="(/v1[^"]+)"', page.text):
        if not link.endswith("/stream"):
            assert site.http.get(link, headers=bearer("auditor")).status_code == 200, link
