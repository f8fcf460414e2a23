"""Emergency unblindings that an older epoch answered after its freeze, and how they enter the next log.

A log that is frozen for good takes nothing, so what waits beside it is recorded where the study goes on: the
same words with the same sealed values, signed again for the new log by the same person or by another who may,
with the first as performer. The row is taken from the older queue once the new log has the statement.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from ledger.committer import Ledger
from ledger.directory import UNBLINDINGS, read_config
from ledger.earlier_store import EarlierStore
from ledger.errors import RefusedError
from ledger.prepare import Signer
from ledger.recorded import Recorded
from ledger.store.unblindings import UnblindingQueue
from ledger.unblinding_queue import opened, signed_again


def waiting_before(directory: Path) -> int:
    """Count what waits beside the older epochs that a directory's log goes on from.

    Raises:
        StoreError: a queue cannot be read.
    """
    count, config = 0, read_config(directory)
    while config.continues is not None:
        place = config.continues.directory
        with UnblindingQueue(place / UNBLINDINGS) as queue:
            count += len(queue.waiting())
        config = read_config(place)
    return count


def carry_over(ledger: Ledger, directory: Path, signer: Signer) -> tuple[Recorded, ...]:
    """Sign what waits beside older epochs again, and record it; the eldest epoch first.

    Raises:
        RefusedError: `EPOCH_KEYS_ELSEWHERE` for an older directory's other passphrase; who may not sign.
        LedgerError: whatever keeps a statement out; it waits on.
    """
    found: list[tuple[Path, EarlierStore]] = []
    config, earlier = read_config(directory), ledger.store.earlier
    while config.continues is not None and isinstance(earlier, EarlierStore):
        found.insert(0, (config.continues.directory, earlier))
        config, earlier = read_config(config.continues.directory), earlier.store.earlier
    return tuple(done for place, epoch in found for done in _carry(ledger, place, epoch, signer))


def _carry(ledger: Ledger, place: Path, epoch: EarlierStore, signer: Signer) -> list[Recorded]:
    done: list[Recorded] = []
    with ExitStack() as stack:
        queue = stack.enter_context(UnblindingQueue(place / UNBLINDINGS))
        for each in queue.waiting():
            if epoch.data_keys is None:
                raise RefusedError("EPOCH_KEYS_ELSEWHERE", "expected the older directory's passphrase")
            submission, _ = opened(epoch.data_keys, each)
            done.append(ledger.record(signed_again(ledger, signer, submission, None)))
            queue.remove(each.event)
    return done
