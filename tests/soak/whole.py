"""What has to hold of a ledger whatever was done to it: asked of the storage, not of who wrote."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ledger.committer import Ledger
from ledger.fsck import check_storage
from ledger.leaf import parse_leaf
from ledger.merkle import Frontier, leaf_hash
from ledger.proof import check_receipt
from ledger.sources import SystemSources
from ledger.store.postgres import PostgresStore
from tests.ledger.test_cli import run
from tests.ledger.write_path import open_stores
from tests.soak.fleet import Acknowledged

PAGE = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """How much there was."""

    size: int
    acknowledged: int


def check_whole(directory: Path, url: str, acknowledged: Sequence[Acknowledged]) -> Found:
    """Check that the start is clean, the index dense, the root right, and each acknowledged event there once.

    Receipts are checked against the log's keys, storage and folds by `fsck`.
    """
    with closing(_settled(directory, url)) as ledger:
        assert not ledger.startup.frozen, ledger.startup.message
        size = _check_log(ledger, acknowledged)
        assert ledger.refresh().conduct.unrecorded() == ()
        assert check_storage(ledger) == []
    return Found(size=size, acknowledged=len(acknowledged))


def check_export(directory: Path, out: Path) -> str:
    """Check that an export of the directory verifies; return the verdict's last line."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    exported = run("export", directory, out / "bundle")
    assert exported.code == 0, exported.err
    (out / "policy").write_text(run("trust", directory).out, encoding="utf-8")
    verdict = run("verify", out / "bundle", "--policy", out / "policy")
    assert verdict.code == 0, verdict.out + verdict.err
    return verdict.out.strip().splitlines()[-1]


def _settled(directory: Path, url: str) -> Ledger:
    """Open the ledger once nobody writes any more: a killed process's last commit may still be coming in."""
    store = PostgresStore.open(url, busy_timeout_s=30.0)
    with store.write():
        pass
    return open_stores(directory, SystemSources(), store=store)


def _check_log(ledger: Ledger, acknowledged: Sequence[Acknowledged]) -> int:
    head, frontier, events = ledger.store.head(), Frontier(), list[str]()
    wanted = {each.index: each for each in acknowledged}
    assert len(wanted) == len(acknowledged), "an index was acknowledged twice"
    keys = ledger.signers.verifier_keys
    for start in range(0, head.size, PAGE):
        for entry in ledger.store.entries(start, min(start + PAGE, head.size)):
            assert entry.index == len(events), "the index has a gap"
            frontier.append(leaf_hash(entry.leaf))
            events.append(entry.event)
            told = wanted.pop(entry.index, None)
            if told is not None:
                assert told.event == entry.event, f"index {entry.index} is another event than acknowledged"
                assert check_receipt(told.receipt, keys)[0] == parse_leaf(entry.leaf)
    assert not wanted, f"{len(wanted)} acknowledged events are not there"
    assert (len(events), frontier.root()) == (head.size, head.root)
    assert len(set(events)) == len(events), "an event is there twice"
    return head.size
