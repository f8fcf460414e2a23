"""HEAD says what GET would, and shows and records nothing."""

from __future__ import annotations

import pytest

from api.app import OPERATIONS
from api.head_requests import NEVER
from tests.api.client import BASE, PARTICIPANT, Site, bearer


@pytest.mark.parametrize(
    "path", ["/livez", "/openapi.json", f"{BASE}/participants", f"{BASE}/audit-trail.html", f"{BASE}/none"]
)
def test_head_has_the_headers_of_get_and_no_body(site: Site, path: str) -> None:
    """Status, type, length and ETag are those of the answer that GET gives (RFC 9110 §9.3.2)."""
    shown, head = (site.http.request(method, path, headers=bearer("auditor")) for method in ("GET", "HEAD"))
    assert head.content == b""
    assert head.status_code == shown.status_code
    for name in ("content-type", "content-length", "etag", "content-security-policy"):
        assert head.headers.get(name) == shown.headers.get(name)


@pytest.mark.parametrize("path", [f"/participants/{PARTICIPANT}?purpose=review", "/audit-trail.csv"])
def test_head_records_nothing_where_get_records_what_it_shows(own_site: Site, path: str) -> None:
    """Who is shown nothing has opened nothing and taken no file."""
    before = own_site.made.ledger.store.head().size
    head = own_site.http.request("HEAD", f"{BASE}{path}", headers=bearer("monitor"))
    assert head.status_code == 200
    assert own_site.made.ledger.store.head().size == before


@pytest.mark.parametrize("name", sorted(NEVER))
def test_there_is_no_head_of_what_is_recorded_or_has_no_end(own_site: Site, name: str) -> None:
    """405 says that only GET is there, and nothing is recorded."""
    operation = next(each for each in OPERATIONS if each.name == name)
    path = operation.address.format(study="small", participant=PARTICIPANT)
    before = own_site.made.ledger.store.head().size
    head = own_site.http.request("HEAD", path, headers=bearer("auditor"))
    assert (head.status_code, head.headers["Allow"]) == (405, "GET")
    assert head.headers["Ledger-Head"].startswith(f"{before} ") == operation.in_study
    assert own_site.made.ledger.store.head().size == before


def test_405_names_head_beside_get(site: Site) -> None:
    """Allow lists what there is (RFC 9110 §10.2.1)."""
    assert site.http.delete(f"{BASE}/participants").headers["Allow"] == "GET, HEAD"
