"""What a report concludes, as programs read it: verdicts, exit code, findings; and what an auditor states."""

from __future__ import annotations

import json

import pytest

from ledger.errors import FormatError
from ledger.verify.findings import Finding, Verdict, finding
from ledger.verify.options import Scope, parse_scope
from ledger.verify.report import Report, as_json, as_text

INTEGRITY = finding("TILE", "a tile", index=7, file="tile/0/000")
COMPLETENESS = finding("SCOPE_EMPTY", "nothing")
CONDUCT = finding("UNRECORDED_BREACH", "a breach", index=3)
UNUSABLE = finding("BUNDLE", "none")
NOTE = finding("RECORDED_BREACH", "a breach", index=1)
OTHER_NOTE = finding("NO_QUORUM", "none", file="checkpoint")


def report(*findings: Finding, complete: bool = True, pinned: bool = True, strict: bool = False) -> Report:
    """Make a report."""
    return Report(
        findings=findings,
        complete=complete,
        pinned=pinned,
        strict_conduct=strict,
        facts={"origin": "ledger.example/one"},
        counts={"statements shown": 2},
        identity=({"person": "p"},),
    )


def verdicts(made: Report) -> tuple[str, str, str]:
    """Return the three verdicts."""
    return (
        made.verdict(Verdict.INTEGRITY),
        made.verdict(Verdict.COMPLETENESS),
        made.verdict(Verdict.CONDUCT),
    )


@pytest.mark.parametrize(
    ("made", "expected", "code"),
    [
        (report(), ("holds", "holds", "holds"), 0),
        (report(NOTE, OTHER_NOTE), ("holds", "holds", "holds"), 0),
        (report(NOTE, strict=True), ("holds", "holds", "fails"), 1),
        (report(OTHER_NOTE, strict=True), ("holds", "holds", "holds"), 0),
        (report(finding("NOT_JUDGED", "x"), strict=True), ("holds", "holds", "fails"), 1),
        (report(INTEGRITY), ("fails", "holds", "holds"), 1),
        (report(COMPLETENESS), ("holds", "fails", "holds"), 1),
        (report(CONDUCT), ("holds", "holds", "fails"), 1),
        (report(INTEGRITY, complete=False), ("fails", "not judged", "not judged"), 1),
        (report(complete=False), ("not judged", "not judged", "not judged"), 3),
        (report(UNUSABLE, complete=False), ("not judged", "not judged", "not judged"), 3),
        (report(UNUSABLE), ("holds", "holds", "holds"), 3),
        (report(UNUSABLE, CONDUCT), ("holds", "holds", "fails"), 1),
        (report(pinned=False), ("holds", "holds", "holds"), 3),
        (report(INTEGRITY, pinned=False), ("fails", "holds", "holds"), 1),
        (report(NOTE, pinned=False), ("holds", "holds", "holds"), 3),
    ],
)
def test_verdicts_and_exit_code(made: Report, expected: tuple[str, str, str], code: int) -> None:
    """A finding speaks against one verdict; what nobody judged or named never exits 0."""
    assert verdicts(made) == expected
    assert made.exit_code == code


def test_notes_and_problems_are_apart() -> None:
    """A note becomes a problem where the auditor is strict about conduct."""
    findings = (INTEGRITY, NOTE, OTHER_NOTE)
    assert report(*findings).problems == (INTEGRITY,)
    assert report(*findings).notes == (NOTE, OTHER_NOTE)
    assert report(*findings, strict=True).problems == (INTEGRITY, NOTE)
    assert report(*findings, strict=True).notes == (OTHER_NOTE,)


def test_the_first_index_is_the_lowest_of_a_problem() -> None:
    """Notes have no part in it, nor what has no index; index 0 is one."""
    assert report(INTEGRITY, CONDUCT, NOTE, COMPLETENESS).first_index == 3
    assert report(NOTE, COMPLETENESS).first_index is None
    assert report(INTEGRITY, finding("TILE", "x", index=0)).first_index == 0


def test_programs_read_one_object() -> None:
    """Every member of the JSON, with its name; index and file where there are some."""
    assert json.loads(as_json(report(INTEGRITY, COMPLETENESS, OTHER_NOTE, NOTE))) == {
        "verdicts": {"integrity": "fails", "completeness": "fails", "conduct": "holds"},
        "exit": 1,
        "pinned": True,
        "first_index": 7,
        "facts": {"origin": "ledger.example/one"},
        "counts": {"statements shown": 2},
        "identity": [{"person": "p"}],
        "findings": [
            {
                "code": "TILE",
                "verdict": "integrity",
                "section": "5",
                "detail": "a tile",
                "index": 7,
                "file": "tile/0/000",
            },
            {"code": "SCOPE_EMPTY", "verdict": "completeness", "section": "10", "detail": "nothing"},
        ],
        "notes": [
            {
                "code": "NO_QUORUM",
                "verdict": "note",
                "section": "5",
                "detail": "none",
                "file": "checkpoint",
            },
            {"code": "RECORDED_BREACH", "verdict": "note", "section": "10", "detail": "a breach", "index": 1},
        ],
    }
    text = as_json(report())
    assert text.isascii()
    assert list(json.loads(text)) == sorted(json.loads(text))
    assert text.startswith('{\n  "counts": {\n    "statements shown": 2\n  },\n')


def test_a_hostile_text_writes_nothing_to_the_terminal() -> None:
    """Control characters, and what has no shape, are told as question marks; lines stay lines."""
    text = as_text(report(finding("TILE", "a\x1b[31m\x07\u202e\x00\r tile")))
    assert "TILE: a?[31m???? tile\n" in text
    assert not set("\x1b\x07\u202e\x00\r") & set(text)


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("study", Scope(kind="study")),
        ("site:S", Scope(kind="site", id="S")),
        ("participant:" + "a" * 63, Scope(kind="participant", id="a" * 63)),
    ],
)
def test_a_scope_is_read_back(text: str, scope: Scope) -> None:
    """The study alone has no id."""
    assert parse_scope(text) == scope
    assert str(scope) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Study",
        "study:",
        "study:x",
        "site",
        "site:",
        "site:-a",
        "site:a b",
        "site:a:b",
        "participant:" + "a" * 64,
    ],
)
def test_other_scopes_are_refused(text: str) -> None:
    """Three kinds, each with the id that it needs."""
    with pytest.raises(FormatError, match=r"^SCOPE\b"):
        parse_scope(text)
