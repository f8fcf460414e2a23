"""Problems: one form, stable codes with a sentence each, nothing of what came in."""

from __future__ import annotations

import gzip
import re

import pytest

from api import problems
from api.problems import ProblemError, problem, status_of
from api.titles import BY_STATUS, TITLES
from ledger.errors import (
    ConflictError,
    FormatError,
    FrozenError,
    LedgerError,
    ProofError,
    RefusedError,
    SignatureError,
    StoreError,
)
from ledger.rules.codes import codes
from tests.api.client import BASE, Site, bearer
from tests.shared import ROOT

RAISED = re.compile(
    r"(?:FormatError|SignatureError|RefusedError|ConflictError|problem|Problem|ProblemError)"
    r'\(\s*(?:code=)?"([A-Z0-9_]+)"|\(\s*"([A-Z_]{3,})",\s*"[a-z]'
)
WRITE_PATH = (
    "ledger/allocation.py",
    "ledger/authorisation.py",
    "ledger/authority.py",
    "ledger/chain.py",
    "ledger/admission.py",
    "ledger/committer.py",
    "ledger/control.py",
    "ledger/prepare.py",
    "ledger/statement.py",
    "ledger/submission.py",
    "ledger/transaction.py",
    "ledger/exports.py",
    "ledger/unblinding.py",
    "ledger/views.py",
    "ledger/actions/registry.py",
    "api",
)


def test_every_code_of_the_write_path_has_its_sentence() -> None:
    """No code that a client can meet falls back on the sentence of its status."""
    files = [path for name in WRITE_PATH for path in sorted((ROOT / name).rglob("*.py")) or [ROOT / name]]
    found = [match for path in files for match in RAISED.findall(path.read_text(encoding="utf-8"))]
    raised = {first or second for first, second in found}
    assert len(raised) > 50
    at_the_start = {"STUDY", "ADDRESS", "SETTING"}  # before there is anybody to answer
    assert raised - TITLES.keys() - codes().keys() - at_the_start == set()


def test_every_sentence_is_lower_case_and_ends_without_a_stop() -> None:
    """Titles read as the errors of the project do."""
    for text in (*TITLES.values(), *BY_STATUS.values()):
        assert not text.endswith(".")
        assert text == text.strip()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (FormatError("JSON", ""), 400),
        (FormatError("STATEMENT", ""), 422),
        (FormatError("SIZE", ""), 413),
        (SignatureError("SIGNATURE", ""), 401),
        (RefusedError("CONSENT_MISSING", ""), 422),
        (ProofError("TREE_RANGE", ""), 422),
        (ConflictError("STALE", ""), 409),
        (FrozenError("FROZEN", ""), 503),
        (StoreError("STORE_BUSY", ""), 503),
        (StoreError("STORE_FULL", ""), 507),
        (StoreError("STORE_CORRUPT", ""), 503),
        (ProblemError("NOT_FOUND", 404), 404),
    ],
)
def test_errors_have_their_status(error: LedgerError, status: int) -> None:
    """Kind and code of an error decide its status, and nothing is an internal error."""
    assert status_of(error) == status


def test_a_problem_says_its_code_and_not_its_message() -> None:
    """The title belongs to the code; the message of the error, which has values in it, stays here."""
    response = problem(RefusedError("CONSENT_MISSING", "of SA-01-007", field="/data/visit"))
    assert response.media_type == problems.MEDIA_TYPE
    assert b"SA-01-007" not in bytes(response.body)
    assert b'"field":"/data/visit"' in bytes(response.body)
    assert b'"type":"urn:trial-ledger:problem:consent-missing"' in bytes(response.body)


def test_a_rule_over_sealed_values_names_no_field() -> None:
    """The one public code of such rules does not tell which value it was (catalogue R8)."""
    assert b"field" not in bytes(problem(RefusedError("SEALED_RULE", "", field="/data/arm")).body)


def test_a_field_that_could_be_more_than_a_place_is_left_out() -> None:
    """Only names and separators pass for a place."""
    assert b"field" not in bytes(problem(FormatError("STATEMENT", "", field="/data/<b>")).body)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "NOT_FOUND"),
        ("GET", f"{BASE}/nothing", 404, "NOT_FOUND"),
        ("GET", f"{BASE}/participants/", 404, "NOT_FOUND"),
        ("GET", "/v1/studies/other/participants", 404, "UNKNOWN_STUDY"),
        ("POST", f"{BASE}/participants", 405, "METHOD"),
        ("DELETE", f"{BASE}/events/1", 405, "METHOD"),
        ("GET", f"{BASE}/statements", 405, "METHOD"),
        ("GET", f"{BASE}/participants/SA-09-001", 404, "UNKNOWN_PARTICIPANT"),
        ("GET", f"{BASE}/participants/%00", 404, "UNKNOWN_PARTICIPANT"),
        ("GET", f"{BASE}/participants/%ff%fe", 404, "UNKNOWN_PARTICIPANT"),
        ("GET", f"{BASE}/projections/nothing", 404, "UNKNOWN_PROJECTION"),
        ("GET", f"{BASE}/events/999999", 404, "UNKNOWN_EVENT"),
        ("GET", f"{BASE}/events/-1", 404, "UNKNOWN_EVENT"),
        ("GET", f"{BASE}/events/01", 404, "UNKNOWN_EVENT"),
        ("GET", f"{BASE}/events/99999999999999999999", 404, "UNKNOWN_EVENT"),
        ("GET", f"{BASE}/events/{'f' * 64}", 404, "UNKNOWN_EVENT"),
        ("GET", f"{BASE}/events/{'f' * 64}/proof", 404, "UNKNOWN_EVENT"),
        ("GET", f"{BASE}/tile/0/001", 404, "TILE_PATH"),
        ("GET", f"{BASE}/tile/1/000", 404, "TILE_PATH"),
        ("GET", f"{BASE}/tile/99/000", 404, "TILE_PATH"),
        ("GET", f"{BASE}/tile/00/000", 404, "TILE_PATH"),
        ("GET", f"{BASE}/tile/entries/x", 404, "TILE_PATH"),
        ("GET", f"{BASE}/tile/entries/000", 404, "TILE_PATH"),
        ("GET", f"{BASE}/attachments/zz", 404, "NOT_FOUND"),
        ("GET", "/docs/../app.py", 404, "NOT_FOUND"),
        ("GET", "/docs/VENDORED.md", 404, "NOT_FOUND"),
        ("GET", f"{BASE}/participants?limit=0", 400, "QUERY"),
        ("GET", f"{BASE}/participants?limit=1001", 400, "QUERY"),
        ("GET", f"{BASE}/participants?limit=x", 400, "QUERY"),
        ("GET", f"{BASE}/participants?limit=1&limit=2", 400, "QUERY"),
        ("GET", f"{BASE}/participants?after=", 400, "QUERY"),
        ("GET", f"{BASE}/participants?colour=red", 400, "QUERY"),
        ("GET", f"{BASE}/participants?known=999999", 400, "KNOWN"),
        ("GET", f"{BASE}/participants?known=soon", 400, "KNOWN"),
        ("GET", f"{BASE}/participants/SA-01-001?true=2024-02-30", 400, "TRUE"),
        ("GET", f"{BASE}/participants/SA-01-001/history/weight", 400, "FIELD"),
        ("GET", f"{BASE}/audit-trail?order=random", 400, "QUERY"),
        ("GET", f"{BASE}/audit-trail?since=soon", 400, "SINCE"),
        ("GET", f"{BASE}/audit-trail?after=-1", 400, "QUERY"),
        ("GET", f"{BASE}/export?scope=moon", 400, "SCOPE"),
        ("GET", f"{BASE}/stream?after=x", 400, "QUERY"),
        ("GET", f"{BASE}/stream?types=no.such", 400, "QUERY"),
        ("GET", f"{BASE}/stream?after=999999", 409, "CURSOR_AHEAD"),
    ],
)
def test_what_is_not_there_is_a_problem(site: Site, method: str, path: str, status: int, code: str) -> None:
    """Unknown addresses, methods, names and parameters are answered in the one form."""
    answer = site.http.request(method, path, headers=bearer("auditor"))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == problems.MEDIA_TYPE


def test_a_method_that_is_not_there_says_which_are(site: Site) -> None:
    """405 lists the methods (RFC 9110 §15.5.6)."""
    assert "GET" in site.http.post(f"{BASE}/participants").headers["Allow"]


def test_a_body_that_is_compressed_is_refused_by_its_encoding(site: Site) -> None:
    """415 says which encoding is taken (RFC 9110 §15.5.16)."""
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = site.http.post(f"{BASE}/statements", content=gzip.compress(b"{}"), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "CONTENT_ENCODING")
    assert answer.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/statements", "{}", "/payload"),
        ("/statements:prepare", '{"open":{}}', "/action"),
        ("/sessions", '{"person":"bchan"}', "/password"),
    ],
)
def test_a_body_that_lacks_a_member_is_told_which(own_site: Site, path: str, body: str, field: str) -> None:
    """`field` names the first one that is missing."""
    headers = {"Content-Type": "application/json", **bearer("coordinator")}
    answer = own_site.http.post(f"{BASE}{path}", content=body, headers=headers)
    assert (answer.json()["code"], answer.json()["field"]) == ("BODY", field)


def test_a_broken_last_event_id_is_a_problem(site: Site) -> None:
    """A cursor is an index of the log and nothing else."""
    headers = {**bearer("auditor"), "Last-Event-ID": "-1"}
    answer = site.http.get(f"{BASE}/stream", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "LAST_EVENT_ID")
