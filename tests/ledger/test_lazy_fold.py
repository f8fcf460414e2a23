"""A lazy fold: order and authority at once, conduct when something asks, and then as any other."""

from __future__ import annotations

from pathlib import Path

from ledger.fold import LogFold, StoreReader
from ledger.identity.reach import Heads
from ledger.unblinding import show
from ledger.unblinding_queue import settle
from tests.ledger.small_ledger import SmallLedger
from tests.ledger.test_second_stage import on_treatment, with_both_lists
from tests.ledger.test_unblinding import NAME, queue_of, unblind
from tests.ledger.write_path import register, vitals


def test_a_lazy_fold_is_the_fold(small: SmallLedger) -> None:
    """Conduct that is folded late is what it would have been, and goes on from there."""
    register(small)
    lazy = LogFold(StoreReader(small.ledger.store), lazy=True)
    lazy.catch_up(small.ledger.store, small.ledger.store.head().size)
    assert not lazy.is_whole
    whole = small.ledger.refresh()
    assert lazy.authority == whole.authority
    assert lazy.conduct.study == whole.conduct.study
    small.ledger.record(vitals(small))
    lazy.catch_up(small.ledger.store, small.ledger.store.head().size)
    assert list(lazy.conduct.participants()) == list(small.ledger.refresh().conduct.participants())


def test_an_emergency_does_not_wait_for_conduct(small: SmallLedger, tmp_path: Path) -> None:
    """Durable and shown before it is folded; recorded after, and judged by all of it."""
    first, _ = with_both_lists(small)
    on_treatment(small, NAME)
    ledger = small.ledger
    ledger._fold = LogFold(StoreReader(ledger.store), lazy=True)
    with queue_of(small, tmp_path) as queue:
        asked = unblind(ledger, queue)
        assert show(ledger, asked).arm == first.entries[0].arm
        assert asked.index is None
        assert not ledger.fold.is_whole
        (recorded,) = settle(ledger, queue)
        assert ledger.fold.is_whole
    assert recorded.event == asked.event
    assert ledger.fold.conduct.study.unblinding.shown_to("bchan", NAME, ledger.refresh().size)


def test_who_somebody_is_needs_no_conduct(small: SmallLedger) -> None:
    """Whether an account is active is authority; roles of an inspector ask for inspections, and fold them."""
    ledger = small.ledger
    ledger._fold = LogFold(StoreReader(ledger.store), lazy=True)
    head = Heads(ledger).now()
    assert head.is_active("bchan")
    assert not ledger.fold.is_whole
    assert head.people.login_limit(head.size) == 5
    assert ledger.fold.is_whole
