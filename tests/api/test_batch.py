"""`statements:batch`: many statements in one commit, an outcome for each line in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from api.routes import recording
from ledger.proof import check_receipt
from ledger.submission import Submission, format_submission, parse_submission
from tests.api.client import BASE, STREAM, VITALS, Site
from tests.ledger.write_path import altered, key_of, open_stores


def page(site: Site, count: int) -> list[Submission]:
    """Sign so many measurements of one participant, each behind the one before."""
    first = site.made.people["bchan"].submission(
        site.made.ledger,
        {
            "type": "vital_signs.recorded",
            "stream": STREAM,
            "role": "coordinator",
            "data": VITALS,
            "site": "SA-01",
            "protocol": "1.0",
        },
        {},
    )
    found = [first]
    while len(found) < count:
        last = found[-1].statement
        statement_id = f"{last.id[:-4]}{len(found):04x}"
        found.append(altered(found[-1], key_of("bchan"), seq=last.seq + 1, prev=last.event, id=statement_id))
    return found


def hand_in(site: Site, *lines: Submission | bytes) -> list[Mapping[str, Any]]:
    """Hand lines in; return the outcome of each."""
    body = b"\n".join(format_submission(each) if isinstance(each, Submission) else each for each in lines)
    answer = site.http.post(
        f"{BASE}/statements:batch", content=body, headers={"Content-Type": "application/jsonl"}
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/jsonl"
    return [orjson.loads(line) for line in answer.content.splitlines()]


def test_a_page_is_recorded_in_one_commit(site: Site) -> None:
    """Statements of one stream, signed one behind the other, get receipts to one head."""
    outcomes = hand_in(site, *page(site, 12))
    keys = site.made.ledger.signers.verifier_keys
    checked = [check_receipt(each["receipt"].encode(), keys) for each in outcomes]
    assert [each["status"] for each in outcomes] == [201] * 12
    assert [leaf.index for leaf, _ in checked] == [each["index"] for each in outcomes]
    assert len({head.size for _, head in checked}) == 1
    first = outcomes[0]["index"]
    assert [each["index"] for each in outcomes] == list(range(first, first + 12))


def test_what_lines_break_is_recorded_behind_all_and_named(site: Site) -> None:
    """Each outcome names the breaches that followed from its own line."""
    outcomes = hand_in(site, *page(site, 3))
    assert all("CONSENT_MISSING" in each["breaches"] for each in outcomes)
    added = [index for each in outcomes for index in each["added"]]
    assert min(added) > max(each["index"] for each in outcomes)
    assert len(set(added)) == len(added)
    for each in outcomes:
        detected = [site.get(f"/events/{index}").json()["statement"]["data"] for index in each["added"]]
        assert {data["statement"] for data in detected} == {each["event"]}


def test_one_bad_line_keeps_no_other_from_being_recorded(site: Site) -> None:
    """What is malformed, forged, stale or known already has its own outcome; the rest is recorded."""
    (known,) = page(site, 1)
    hand_in(site, known)
    second, third = page(site, 2)
    sig = second.sigs[0]
    forged = replace(second, sigs=(replace(sig, sig=third.sigs[0].sig),))
    stale = altered(known, key_of("bchan"), id=f"{known.statement.id[:-4]}ffff")
    outcomes = hand_in(site, known, b"{", b"", forged, stale, second, third)
    assert [each["status"] for each in outcomes] == [200, 400, 400, 401, 409, 201, 201]
    assert [each.get("code") for each in outcomes[1:5]] == ["JSON", "JSON", "SIGNATURE", "STALE"]
    behind = len(outcomes[5]["added"]) + len(outcomes[6]["added"])
    assert outcomes[4]["seq"] == third.statement.seq + behind + 1


def test_the_same_page_again_changes_nothing(site: Site) -> None:
    """Known events are answered with their first index (R5)."""
    lines = page(site, 5)
    first = hand_in(site, *lines)
    size = site.made.ledger.store.head().size
    again = hand_in(site, *lines)
    assert [each["status"] for each in again] == [200] * 5
    assert [each["index"] for each in again] == [each["index"] for each in first]
    assert site.made.ledger.store.head().size == size


@pytest.mark.parametrize("lines", [0, 5])
def test_a_page_has_so_many_lines(site: Site, monkeypatch: pytest.MonkeyPatch, lines: int) -> None:
    """Nothing at all, and more than are taken at once, is no page."""
    monkeypatch.setattr(recording, "MAX_BATCH_LINES", 4)
    answer = site.http.post(
        f"{BASE}/statements:batch", content=b"{}\n" * lines, headers={"Content-Type": "application/jsonl"}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "BATCH")


def test_what_another_process_recorded_is_under_the_answers_head(own_site: Site, tmp_path: Path) -> None:
    """Handed in again here, the answer names a head that has it, not the newest of this process."""
    assert own_site.hand_in(own_site.vitals()).status_code == 201
    submission = own_site.vitals()
    other = open_stores(tmp_path / "ledger", own_site.made.sources)
    try:
        index = other.record(parse_submission(orjson.dumps(submission))).index
    finally:
        other.close()
    answer = own_site.hand_in(submission)
    assert (answer.status_code, answer.json()["index"]) == (200, index)
    assert int(answer.headers["Ledger-Head"].split()[0]) > index
