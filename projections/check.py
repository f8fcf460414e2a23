"""Kept projections against the log: the check that `fsck` runs besides its own (interfaces.md).

A kept state is a cache. It is folded again from the log up to where it stood, and must be the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ledger.errors import StoreError
from ledger.fsck import Checker, Damage
from ledger.store.port import Reads
from projections.catalogue import KEPT
from projections.projection import Projection, encode_state, replay_all
from projections.runner import FILE, Runner, opened


def checker(directory: Path) -> Checker:
    """Return the check of the states kept in a ledger's directory; where none are it finds nothing."""

    def check(reads: Reads) -> Iterator[Damage]:
        path = directory / FILE
        if not path.exists():
            return
        try:
            with opened(path) as runner:
                for projection in KEPT:
                    yield from _compare(runner, projection, reads)
        except StoreError as error:
            yield _damage(FILE, error.message)

    return check


def _compare(runner: Runner, projection: Projection, reads: Reads) -> Iterator[Damage]:
    size = runner.position(projection)
    kept = dict(runner.dump(projection))
    fresh = {key: encode_state(state) for key, state in replay_all(projection, reads, size).items()}
    for key in sorted(kept.keys() | fresh.keys()):
        if kept.get(key) != fresh.get(key):
            where = f"{FILE} {projection.name} {key}"
            yield _damage(where, f"the state kept is not what the first {size} entries give")


def _damage(where: str, detail: str) -> Damage:
    return Damage(code="PROJECTION", index=None, where=where, detail=detail)
