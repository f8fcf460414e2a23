"""A trail that leaves as a file is an event before its first byte leaves (EMA 6.2.1)."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import replace
from typing import Any

import orjson
import pytest

from api.app import create_app
from ledger.errors import StoreError
from ledger.store.startup import Startup
from tests.api.client import PARTICIPANT, Site


def exports(site: Site) -> list[dict[str, Any]]:
    """Return the data of every `export.generated` of the log."""
    reads = site.made.ledger.store
    entries = reads.entries(0, reads.head().size, types=("export.generated",))
    return [orjson.loads(entry.statement)["data"] for entry in entries]


def test_a_trail_as_csv_is_recorded_with_the_hash_of_its_bytes(own_site: Site) -> None:
    """Who asked, in which role, for what scope, at which size; the hash is that of the file."""
    size = own_site.made.ledger.store.head().size
    answer = own_site.get(f"/audit-trail.csv?participant={PARTICIPANT}")
    assert answer.status_code == 200
    assert exports(own_site) == [
        {
            "id": PARTICIPANT,
            "kind": "participant",
            "manifest_sha256": hashlib.sha256(answer.content).hexdigest(),
            "purpose": "audit_trail",
            "requested_by": "bchan",
            "role": "coordinator",
            "size": size,
        }
    ]


def test_each_page_that_leaves_is_recorded_and_no_other_answer(own_site: Site) -> None:
    """Two pages are two files; what is read as JSON or as a page, or did not change, is none."""
    first = own_site.get("/audit-trail.csv?limit=5&until=9")
    own_site.get("/audit-trail.csv?sort=name&limit=5")
    assert [each["kind"] for each in exports(own_site)] == ["study", "study"]
    tag = {"If-None-Match": first.headers["ETag"]}
    assert own_site.get("/audit-trail.csv?limit=5&until=9", **tag).status_code == 304
    for path in ("/audit-trail", "/audit-trail.json", "/audit-trail.html", "/audit-trail.csv?sort=x"):
        own_site.get(path)
    assert len(exports(own_site)) == 2


def test_nothing_leaves_that_cannot_be_recorded(own_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that takes no more: a problem, and no line of the trail."""

    def full(*_: Any, **__: Any) -> Any:
        raise StoreError("STORE_FULL", "no room")

    monkeypatch.setattr(own_site.made.ledger, "attest", full)
    answer = own_site.get("/audit-trail.csv")
    assert (answer.status_code, answer.json()["code"]) == (507, "STORE_FULL")
    assert own_site.get("/audit-trail").status_code == 200


def test_a_frozen_log_is_read_and_records_nothing(own_site: Site) -> None:
    """Reading and export go on (record-format.md §5)."""
    ledger = own_site.made.ledger
    ledger.startup = replace(ledger.startup, frozen=True, code="BEHIND", message="an older copy")
    assert isinstance(ledger.startup, Startup)
    assert own_site.get("/audit-trail.csv").status_code == 200
    assert exports(own_site) == []


def test_the_document_says_that_it_is_recorded() -> None:
    """Documented where the operation is."""
    document = orjson.loads(create_app([]).state.openapi)
    assert (
        "export.generated" in document["paths"]["/v1/studies/{study}/audit-trail.csv"]["get"]["description"]
    )


def test_a_csv_without_a_limit_holds_what_a_page_would_break_off(own_site: Site) -> None:
    """A file is opened where nobody follows a link: it is whole, and says so by its name where it is not."""
    store = own_site.made.ledger.store
    while (size := store.head().size) <= 100:
        own_site.get("/audit-trail.csv?limit=1", "auditor")  # each is an entry
    whole = own_site.get("/audit-trail.csv", "auditor")
    assert "next" not in whole.links
    assert {int(row["index"]) for row in csv.DictReader(io.StringIO(whole.text))} == set(range(size))
    assert whole.headers["Content-Disposition"] == f'attachment; filename="small-audit-trail-{size}.csv"'
    part = own_site.get("/audit-trail.csv?limit=5", "auditor")
    assert part.links["next"]["url"]
    assert part.headers["Content-Disposition"].endswith('-part.csv"')


def test_a_page_leads_to_the_csv_of_all_that_fits(site: Site) -> None:
    """Filters and order stay in the link, the page's place does not."""
    page = site.get("/audit-trail.html?participant=SA-01-001&sort=-name&limit=2", "auditor")
    assert "/audit-trail.csv?participant=SA-01-001&amp;sort=-name" in page.text
    assert "audit-trail.json?participant=SA-01-001&amp;sort=-name&amp;limit=2" in page.text
