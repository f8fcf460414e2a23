"""Certified copies over HTTP: to whom, of what, and what is recorded of it."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from ledger.statement import parse_statement
from ledger.verify.judge import verify
from ledger.verify.options import Options, Scope
from projections.copies.checking import check_copy
from tests.api.client import BASE, bearer, config, open_study, token
from tests.ledger.small_ledger import SITE, SmallLedger
from tests.projections.copying import PARTICIPANT, STREAM, document_key, make, words_of

COPY = f"{BASE}/participants/{PARTICIPANT}/certified-copy"
TOKENS = (
    token("investigator", "investigator", "aruiz", [SITE]),
    token("coordinator", "coordinator", "bchan", [SITE]),
    token("elsewhere", "investigator", "aruiz", ["SD-02"]),
    token("sponsor", "sponsor_administrator", "admin"),
    token("posing", "sponsor_administrator", "bchan"),
    token("rater", "blinded_rater", "bchan", [SITE]),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallLedger]:
    """A small ledger with names in other scripts."""
    made = make(tmp_path_factory.mktemp("copies") / "ledger")
    yield made
    made.ledger.close()


@pytest.fixture(scope="module")
def http(made: SmallLedger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The application with a key of documents."""
    documents = document_key(tmp_path_factory.mktemp("keys"))
    study = replace(open_study(made), config=replace(config(made), tokens=TOKENS), documents=documents)
    with TestClient(create_app([study])) as client:
        yield client


def get(http: TestClient, address: str, who: str) -> Any:
    """Ask as somebody."""
    return http.get(address, headers=bearer(who))


def test_the_investigator_takes_a_copy_home(http: TestClient, made: SmallLedger, tmp_path: Path) -> None:
    """A signed PDF that the ledger knows again, an event with its hash, before it a view of what it opens."""
    answer = get(http, f"{COPY}.pdf?purpose=own_copy", "investigator")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Cache-Control"] == "private, no-store"
    index = int(answer.headers["Ledger-Issued"])
    event, view = (made.ledger.store.entry(each) for each in (index, index - 1))
    assert event is not None
    assert view is not None
    data = parse_statement(event.statement).data
    assert data["bundle_sha256"] == hashlib.sha256(answer.content).hexdigest()
    assert (data["who"], data["role"], data["purpose"]) == ("aruiz", "investigator", "own_copy")
    assert view.type == "record.viewed"
    assert check_copy(answer.content, made.ledger.store).matches
    path = tmp_path / "copy.pdf"
    path.write_bytes(answer.content)
    assert f"the person behind {PARTICIPANT}" in words_of(path)
    if shutil.which("pdfsig"):
        said = subprocess.run(["pdfsig", path], capture_output=True, text=True, check=False).stdout
        assert "Signature is Valid" in said


def test_the_bundle_of_a_package_verifies(http: TestClient, made: SmallLedger, tmp_path: Path) -> None:
    """The sponsor's zip has a bundle that the offline verifier accepts, and nobody's identity."""
    answer = get(http, f"{COPY}.zip", "sponsor")
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as package:
        (tmp_path / "bundle.zip").write_bytes(package.read("bundle.zip"))
        everything = b"".join(package.read(name) for name in package.namelist())
    assert b"the person behind" not in everything
    options = Options(
        policy=made.policy,
        ledger_id=made.ledger_id,
        scope=Scope(kind="participant", id=PARTICIPANT),
        role="sponsor_administrator",
        previous=None,
        outbox=None,
        strict_conduct=False,
        classical=False,
        post_quantum=False,
        workers=1,
    )
    assert verify(tmp_path / "bundle.zip", options).exit_code == 0
    assert check_copy(answer.content, made.ledger.store).data["format"] == "zip"


@pytest.mark.parametrize(
    ("address", "who", "status", "code"),
    [
        (COPY, "nobody", 401, "UNAUTHENTICATED"),
        (f"{COPY}?purpose=own_copy", "elsewhere", 404, "UNKNOWN_PARTICIPANT"),
        (f"{BASE}/participants/SA-01-999/certified-copy", "sponsor", 404, "UNKNOWN_PARTICIPANT"),
        (COPY, "rater", 403, "FORBIDDEN"),
        (COPY, "investigator", 422, "PURPOSE"),
        (COPY, "posing", 422, "ROLE_NOT_HELD"),
        (f"{BASE}/certified-copy", "coordinator", 403, "FORBIDDEN"),
        (f"{BASE}/certified-copy?scope=site:SD-02&purpose=x", "coordinator", 403, "FORBIDDEN"),
        (f"{BASE}/certified-copy?scope=participant:{PARTICIPANT}", "sponsor", 400, "SCOPE"),
    ],
)
def test_nobody_gets_what_is_not_theirs(
    http: TestClient, made: SmallLedger, address: str, who: str, status: int, code: str
) -> None:
    """Another site's, a hidden role's, without a purpose, of nobody: refused, and nothing is issued."""
    before = made.ledger.refresh().size
    answer = get(http, address, who)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    issued = made.ledger.store.entries(before, made.ledger.store.head().size, {"certified_copy.issued"})
    assert issued == []


def test_the_site_has_its_own_copy(http: TestClient, made: SmallLedger, tmp_path: Path) -> None:
    """A site's copy has a chapter for each participant and the site's own stream, under the same count."""
    answer = get(http, f"{BASE}/certified-copy.pdf?scope=site:{SITE}&purpose=own_copy", "investigator")
    assert answer.status_code == 200, answer.text
    path = tmp_path / "site.pdf"
    path.write_bytes(answer.content)
    text = words_of(path)
    for chapter in (f"Participant {PARTICIPANT}", "Participant SA-01-002", f"Site {SITE}"):
        assert chapter in text
    for entry in made.ledger.store.stream_entries(f"site/{SITE}"):
        assert entry.event in text
    assert made.ledger.store.stream_entries(STREAM)[-1].event in text


def test_a_service_without_a_key_of_documents_says_so(made: SmallLedger) -> None:
    """Where the operator made none, nothing is issued: DOCUMENT_KEY."""
    study = replace(open_study(made), config=replace(config(made), tokens=TOKENS))
    with TestClient(create_app([study])) as client:
        answer = get(client, COPY, "sponsor")
    assert (answer.status_code, answer.json()["code"]) == (409, "DOCUMENT_KEY")
