"""The trust policy that a ledger gives out: its id and its log keys, for the auditor to pin."""

from __future__ import annotations

from ledger.committer import Ledger
from ledger.earlier_store import EarlierStore
from ledger.errors import StoreError
from ledger.merkle import leaf_hash
from ledger.policy import TrustPolicy


def ledger_id(ledger: Ledger) -> str:
    """Return the leaf hash of index 0, 64 hex digits: the root of trust (record-format.md §5).

    Raises:
        StoreError: `LEDGER_EMPTY` when nothing was opened yet.
    """
    first = ledger.store.entry(0)
    if first is None:
        raise StoreError("LEDGER_EMPTY", "the ledger has no first entry; it was not opened")
    return leaf_hash(first.leaf).hex()


def trust_policy(ledger: Ledger) -> TrustPolicy:
    """Return the policy: ledger id, log keys, older epochs' too, and the witnesses that the log asks for.

    Whoever pins it decides: an auditor may ask for other witnesses, or for more.
    """
    policy = None if ledger.gathering is None else ledger.gathering.policy
    earlier = ledger.store.earlier
    older = tuple(earlier.log_keys()) if isinstance(earlier, EarlierStore) else ()
    return TrustPolicy(
        ledger_id=ledger_id(ledger),
        log_keys=(*ledger.signers.verifier_keys, *older),
        witnesses=() if policy is None else policy.witnesses,
        groups=() if policy is None else policy.groups,
        quorum=None if policy is None else policy.quorum,
    )
