"""The files of a bundle (§9): each defect of the public one, told by code, index and file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.verify.judge import verify
from ledger.verify.report import Report
from tests.ledger.verifying import MINIMAL, minimal

Edit = Callable[[Path], None]
Told = set[tuple[str, int | None, str | None]]

TILE, ENTRIES, PAYLOADS = "tile/0/000.p/11", "tile/entries/000.p/11", "payloads/000.p/11"
HEX = "ab" * 32
ALWAYS: Told = {("NO_QUORUM", None, "checkpoint"), ("OPENING_MISSING", 10, None)}
"""What is noted of the bundle as it is."""


def judged(place: Path, edit: Edit, **changes: object) -> Report:
    """Verify a copy of the public bundle after a change."""
    bundle = place / "bundle"
    shutil.copytree(MINIMAL, bundle)
    for path in bundle.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    edit(bundle)
    return verify(bundle, minimal(**changes))


def told(report: Report) -> Told:
    """Return everything that is found or noted."""
    return {(each.code, each.index, each.file) for each in report.findings}


def put(name: str, data: bytes | str) -> Edit:
    """Write a file."""

    def edit(bundle: Path) -> None:
        (bundle / name).parent.mkdir(parents=True, exist_ok=True)
        (bundle / name).write_bytes(data.encode() if isinstance(data, str) else data)

    return edit


def missing(name: str) -> Edit:
    """Take a file away."""
    return lambda bundle: (bundle / name).unlink()


def change(name: str, how: Callable[[bytes], bytes]) -> Edit:
    """Change a file's bytes."""
    return lambda bundle: put(name, how((bundle / name).read_bytes()))(bundle)


def withheld(*rows: str) -> Edit:
    """Write the list of withheld statements."""
    return put("withheld.jsonl", "".join(f"{row}\n" for row in rows))


def opened(*rows: str) -> Edit:
    """Write the openings."""
    return put("disclosures.jsonl", "".join(f"{row}\n" for row in rows))


def row(index: str = "4", statement: str = HEX, why: str = "scope", more: str = "") -> str:
    """Write one line of the list of withheld statements."""
    return f'{{"index":{index},{more}"statement":"{statement}","why":"{why}"}}'


SCOPE, STREAMS = "scope.json", "streams.json"
CASES: dict[str, tuple[Edit, Told]] = {
    "as it is": (lambda bundle: None, set()),
    "no disclosures": (missing("disclosures.jsonl"), {("FILE_MISSING", None, "disclosures.jsonl")}),
    "no withheld": (missing("withheld.jsonl"), {("FILE_MISSING", None, "withheld.jsonl")}),
    "no streams": (missing(STREAMS), {("FILE_MISSING", None, STREAMS)}),
    "no scope": (missing(SCOPE), {("FILE_MISSING", None, SCOPE)}),
    "no tile": (missing(TILE), {("FILE_MISSING", 0, TILE)}),
    "tile short": (change(TILE, lambda data: data[:-1]), {("TILE", 0, TILE)}),
    "tile of another width": (change(TILE, lambda data: data[:-32]), {("TILE", 0, TILE)}),
    "tile long": (change(TILE, lambda data: data + bytes(246 * 32)), {("FILE_SIZE", 0, TILE)}),
    "hash of 0 wrong": (change(TILE, lambda data: b"0" + data[1:]), {("TILE", 0, TILE)}),
    "hash of 3 wrong": (change(TILE, lambda data: data[:96] + bytes(32) + data[128:]), {("TILE", 3, TILE)}),
    "hash of 10 wrong": (change(TILE, lambda data: data[:-1] + b"0"), {("TILE", 10, TILE)}),
    "a line too many": (change(PAYLOADS, lambda data: data + b"\n"), {("PAYLOAD_LINES", 0, PAYLOADS)}),
    "scope of another kind": (
        put(SCOPE, '{"kind":"all","role":"auditor","size":11}'),
        {("FILE_FORM", None, SCOPE)},
    ),
    "study with an id": (
        put(SCOPE, '{"id":"x","kind":"study","role":"auditor","size":11}'),
        {("FILE_FORM", None, SCOPE)},
    ),
    "site without an id": (
        put(SCOPE, '{"kind":"site","role":"auditor","size":11}'),
        {("FILE_FORM", None, SCOPE)},
    ),
    "site with a number": (
        put(SCOPE, '{"id":1,"kind":"site","role":"auditor","size":11}'),
        {("FILE_FORM", None, SCOPE)},
    ),
    "role a number": (put(SCOPE, '{"kind":"study","role":1,"size":11}'), {("FILE_FORM", None, SCOPE)}),
    "size a text": (
        put(SCOPE, '{"kind":"study","role":"auditor","size":"11"}'),
        {("FILE_FORM", None, SCOPE)},
    ),
    "size a boolean": (
        put(SCOPE, '{"kind":"study","role":"auditor","size":true}'),
        {("FILE_FORM", None, SCOPE)},
    ),
    "another size": (
        put(SCOPE, '{"kind":"study","role":"auditor","size":10}'),
        {("SCOPE_MISMATCH", None, SCOPE)},
    ),
    "another role": (
        put(SCOPE, '{"kind":"study","role":"inspector","size":11}'),
        {("SCOPE_MISMATCH", None, SCOPE)},
    ),
    "another scope": (
        put(SCOPE, '{"id":"SA-01","kind":"site","role":"auditor","size":11}'),
        {("SCOPE_MISMATCH", None, SCOPE)},
    ),
    "one member more": (
        put(SCOPE, '{"kind":"study","more":1,"role":"auditor","size":11}'),
        {("FILE_FORM", None, SCOPE)},
    ),
    "scope an array": (put(SCOPE, "[]"), {("FILE_FORM", None, SCOPE)}),
    "scope of 4096 bytes": (put(SCOPE, b" " * 4096), {("FILE_FORM", None, SCOPE)}),
    "scope of 4097 bytes": (put(SCOPE, b" " * 4097), {("FILE_SIZE", None, SCOPE)}),
    "salt of no secret": (put(STREAMS, f'{{"study":"{HEX}"}}'), {("FILE_FORM", None, STREAMS)}),
    "salt of one byte": (put(STREAMS, '{"participant/x":"ab"}'), {("FILE_FORM", None, STREAMS)}),
    "salt of zeros": (put(STREAMS, f'{{"participant/x":"{"00" * 32}"}}'), {("FILE_FORM", None, STREAMS)}),
    "salt in capitals": (put(STREAMS, f'{{"participant/x":"{"AB" * 32}"}}'), {("FILE_FORM", None, STREAMS)}),
    "salt a number": (put(STREAMS, '{"participant/x":1}'), {("FILE_FORM", None, STREAMS)}),
    "streams an array": (put(STREAMS, "[]"), {("FILE_FORM", None, STREAMS)}),
    "salt of no leaf": (put(STREAMS, f'{{"participant/x":"{HEX}"}}'), {("SALT", None, STREAMS)}),
    "shown and listed": (withheld(row()), {("WITHHELD_FORM", 4, None)}),
    "the last listed": (withheld(row("10")), {("WITHHELD_FORM", 10, None)}),
    "listed past the end": (withheld(row("11")), {("FILE_FORM", None, "withheld.jsonl")}),
    "listed before the beginning": (withheld(row("-1")), {("FILE_FORM", None, "withheld.jsonl")}),
    "listed for another reason": (withheld(row(why="x")), {("FILE_FORM", None, "withheld.jsonl")}),
    "listed in capitals": (withheld(row(statement="AB" * 32)), {("FILE_FORM", None, "withheld.jsonl")}),
    "listed by a boolean": (withheld(row("true")), {("FILE_FORM", None, "withheld.jsonl")}),
    "listed with more": (withheld(row(more='"more":1,')), {("FILE_FORM", None, "withheld.jsonl")}),
    "listed without an end": (put("withheld.jsonl", row()), {("FILE_FORM", None, "withheld.jsonl")}),
    "listed twice": (
        withheld(row(), row()),
        {("WITHHELD_FORM", 4, None), ("FILE_FORM", 5, "withheld.jsonl")},
    ),
    "a broken line behind the first": (
        withheld(row("0"), "x"),
        {("WITHHELD_FORM", 0, None), ("FILE_FORM", 1, "withheld.jsonl")},
    ),
    "listed backwards": (
        withheld(row(), row("3")),
        {("WITHHELD_FORM", 4, None), ("FILE_FORM", 5, "withheld.jsonl")},
    ),
    "0 and 1 listed": (
        withheld(row("0"), row("1")),
        {("WITHHELD_FORM", 0, None), ("WITHHELD_FORM", 1, None)},
    ),
    "opened past the end": (
        opened('{"index":11,"open":{"/data/a":"x"}}'),
        {("FILE_FORM", None, "disclosures.jsonl")},
    ),
    "opened and not sealed": (opened('{"index":3,"open":{"/data/a":"x"}}'), {("DISCLOSURE", 3, None)}),
    "nothing opened": (opened('{"index":3,"open":{}}'), {("FILE_FORM", None, "disclosures.jsonl")}),
    "opened to a number": (
        opened('{"index":3,"open":{"/data/a":1}}'),
        {("FILE_FORM", None, "disclosures.jsonl")},
    ),
    "opened to a list": (opened('{"index":3,"open":[]}'), {("FILE_FORM", None, "disclosures.jsonl")}),
    "opened with more": (
        opened('{"index":3,"more":1,"open":{"/data/a":"x"}}'),
        {("FILE_FORM", None, "disclosures.jsonl")},
    ),
    "a broken line behind": (
        opened('{"index":3,"open":{"/data/a":"x"}}', '{"index":5}'),
        {("DISCLOSURE", 3, None), ("FILE_FORM", 4, "disclosures.jsonl")},
    ),
    "an extra file": (put("extra", "x"), {("FILE_EXTRA", None, "extra")}),
    "an attachment that nothing names": (
        put(f"attachments/{HEX}", "x"),
        {("FILE_EXTRA", None, f"attachments/{HEX}")},
    ),
    "a fork that is no note": (put(f"forks/{HEX}", "x"), {("FORK_UNFOUNDED", None, f"forks/{HEX}")}),
    "a fork of another name": (put("forks/x", "x"), {("FILE_EXTRA", None, "forks/x")}),
    "a file of later versions": (put("shown/x", "x"), {("FILE_UNJUDGED", None, "shown/x")}),
    "consistency with nothing": (put("consistency/0", "x"), {("FILE_EXTRA", None, "consistency/0")}),
    "consistency with the future": (put("consistency/12", "x"), {("FILE_EXTRA", None, "consistency/12")}),
    "no proof of consistency": (put("consistency/11", "x"), {("CONSISTENCY", None, "consistency/11")}),
    "a time stamp": (put("checkpoint.tsr", "x"), {("STAMP_UNJUDGED", None, "checkpoint.tsr")}),
}


@pytest.mark.parametrize("name", CASES)
def test_each_defect_is_told_by_code_index_and_file(name: str, tmp_path: Path) -> None:
    """Beside what is always noted there is this one finding, and nothing that would drown it."""
    edit, expected = CASES[name]
    assert told(judged(tmp_path, edit)) == expected | ALWAYS


UNREADABLE: dict[str, tuple[Edit, Told]] = {
    "no entries": (missing(ENTRIES), {("FILE_MISSING", 0, ENTRIES), ("SCOPE_EMPTY", None, None)}),
    "entries cut": (
        change(ENTRIES, lambda data: data[:-1]),
        {("ENTRY_BUNDLE", 0, ENTRIES), ("SCOPE_EMPTY", None, None)},
    ),
    "entries with more": (
        change(ENTRIES, lambda data: data + b"\0"),
        {("ENTRY_BUNDLE", 0, ENTRIES), ("SCOPE_EMPTY", None, None)},
    ),
    "no payloads": (missing(PAYLOADS), {("FILE_MISSING", 0, PAYLOADS), ("NOT_JUDGED", None, None)}),
    "payloads cut": (
        change(PAYLOADS, lambda data: data[:-1]),
        {("PAYLOAD_LINES", 0, PAYLOADS), ("NOT_JUDGED", None, None)},
    ),
    "a line too few": (
        change(PAYLOADS, lambda data: data[: data[:-1].rindex(b"\n") + 1]),
        {("PAYLOAD_LINES", 0, PAYLOADS), ("NOT_JUDGED", None, None)},
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_can_not_be_read_is_told_once(name: str, tmp_path: Path) -> None:
    """The file that can't be read is named, and what follows from that is no flood of findings."""
    edit, expected = UNREADABLE[name]
    assert told(judged(tmp_path, edit)) - ALWAYS == expected


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (missing("checkpoint"), ("FILE_MISSING", None, "checkpoint")),
        (put("checkpoint", b"a" * 1_000_001), ("FILE_SIZE", None, "checkpoint")),
        (put("checkpoint", "a\n"), ("NOTE", None, "checkpoint")),
        (
            change("checkpoint", lambda data: data.replace(b"\n11\n", b"\n10\n")),
            ("LOG_SIGNATURE", None, "checkpoint"),
        ),
    ],
)
def test_nothing_is_said_behind_a_checkpoint_that_does_not_hold(
    edit: Edit, expected: tuple[str, int | None, str | None], tmp_path: Path
) -> None:
    """One finding, and no verdict but that something is wrong."""
    report = judged(tmp_path, edit)
    assert told(report) == {expected}
    assert (report.exit_code, report.complete, report.facts) == (1, False, {})


def test_an_empty_line_is_a_statement_withheld(tmp_path: Path) -> None:
    """A control statement that isn't shown is told at its index, and so is what it leaves open."""
    lines = (MINIMAL / PAYLOADS).read_bytes().split(b"\n")
    report = judged(tmp_path, put(PAYLOADS, b"\n".join([*lines[:5], b"", *lines[6:]])))
    assert {("CONTROL_WITHHELD", 5, None), ("WITHHELD_FORM", 5, None), ("KEY_UNKNOWN", 5, None)} <= told(
        report
    )
    assert report.counts["statements shown"] == 10
    assert report.counts["statements withheld"] == 1


def test_what_was_verified_is_stated_and_counted(tmp_path: Path) -> None:
    """Facts and counts name the log, what it rests on, and what was looked at."""
    report = judged(tmp_path, lambda bundle: None)
    assert report.facts == {
        "origin": "ledger.example/minimal",
        "size": 11,
        "root": "4CndoWL3FQYff5w0B3rGrAziFv4QuGzgXa8xFJFJj0o=",
        "ledger_id": minimal().policy.ledger_id,
        "scope": "study",
        "role": "auditor",
    }
    assert report.counts == {
        "statements shown": 11,
        "statements withheld": 0,
        "statements resting on a client key": 11,
        "sealed values": 1,
        "sealed values opened here": 0,
        "breaches recorded": 0,
        "allocations": 0,
    }
    assert (report.exit_code, report.complete, report.pinned, report.first_index) == (0, True, True, None)
    assert [each.code for each in report.problems] == []
    assert {each.code for each in report.notes} == {"NO_QUORUM", "OPENING_MISSING"}
