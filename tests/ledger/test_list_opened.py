"""Lists are opened after the database is locked, and to nothing but what was committed (§8.5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from ledger.exports import export_ledger
from ledger.lines import encode_base64
from ledger.rules.locks import digest_of
from ledger.verify.options import Scope
from tests.ledger.small_ledger import SmallLedger, seed
from tests.ledger.test_allocation import HOLDER, PLAN, SEEDS
from tests.ledger.test_second_stage import SECOND, with_both_lists
from tests.ledger.test_second_stage import SEEDS as SECOND_SEEDS
from tests.ledger.verifying import found, judge, problems
from tests.ledger.write_path import SOURCE, refused

FIRST: Final[dict[str, Any]] = {
    "block_sizes": list(PLAN.block_sizes or ()),
    "list": PLAN.list,
    "seeds": [encode_base64(each) for each in SEEDS],
}
AGAIN: Final[dict[str, Any]] = {
    "block_sizes": list(SECOND.block_sizes or ()),
    "list": SECOND.list,
    "seeds": [encode_base64(each) for each in SECOND_SEEDS],
}


def lock(small: SmallLedger) -> None:
    """Review the trail and lock the database of a study that nobody entered."""
    last = small.ledger.refresh().size - 1
    review = {"first": 0, "last": last, "criteria": ["late_entries"], "findings": 0, "source": SOURCE}
    told = small.say(
        "review", "aruiz", "investigator", "review", "trail.reviewed", "study", review,
        opened={"/data/text": None},
    )  # fmt: skip
    data = {"authority": "Sponsor's decision", "review": told.event, "unblinded_sha256": digest_of([])}
    small.say(
        "lock", "admin", "sponsor_administrator", "approval", "database.locked", "study", data,
        reason={"code": "end"}, opened={"/reason/text": None, "/data/unblinded": []},
    )  # fmt: skip


def open_list(small: SmallLedger, data: dict[str, Any]) -> None:
    """Open a list as its holder."""
    small.say("open", *HOLDER, "randomization.list_opened", f"randomization/{data['list']}", data)


def test_a_list_stays_closed_until_the_database_is_locked(small: SmallLedger) -> None:
    """The seeds tell every allocation, so the gate is refused before."""
    with_both_lists(small)
    with refused("DATABASE_NOT_LOCKED"):
        open_list(small, FIRST)


def test_a_list_is_opened_to_what_was_committed(small: SmallLedger, tmp_path: Path) -> None:
    """Other seeds, other block sizes, the second before the first: refused. The right ones verify."""
    with_both_lists(small)
    lock(small)
    with refused("LIST_SEED"):
        open_list(small, {**FIRST, "seeds": [encode_base64(seed("x")), FIRST["seeds"][1]]})
    with refused("LIST_OPENING"):
        open_list(small, {**FIRST, "block_sizes": [3]})
    with refused("LIST_OPENING"):
        open_list(small, AGAIN)
    open_list(small, FIRST)
    open_list(small, AGAIN)
    out = tmp_path / "bundle"
    export_ledger(small.ledger, out, scope=Scope(kind="study"), role="auditor")
    report = judge(out, small.policy)
    assert problems(report) == set()
    assert len(found(report, "BEACON_BY_OPERATOR")) == 2
