"""Peak memory of verifying, by size of the log: one ledger that grows, exported and verified at each size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.export import export_bundle
from ledger.verify.options import Scope
from tests.benchmarks.memory import peak_mib
from tests.benchmarks.trial import open_trial, participant_id, signed_vital_signs
from tests.ledger.small_ledger import SmallLedger

PARTICIPANTS: Final = 10
PER_COMMIT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """What verifying one bundle took at most."""

    statements: int
    bundle_mib: float
    peak_mib: float


def peaks(directory: Path, sizes: Sequence[int]) -> Iterator[Peak]:
    """Verify bundles of these sizes, each in a process of its own."""
    trial = open_trial(directory / "growing", PARTICIPANTS)
    policy = trial.write_policy(directory / "growing.policy")
    for size in sizes:
        _grow(trial, size)
        bundle = export(trial, directory / f"growing-{size}")
        size_bytes = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())
        yield Peak(statements=size, bundle_mib=size_bytes / 2**20, peak_mib=peak_mib(bundle, policy))
    trial.ledger.close()


def _grow(trial: SmallLedger, size: int) -> None:
    """Record vital signs, a participant's page at a time, until the log has `size` entries."""
    turn = 0
    while (missing := size - trial.ledger.store.head().size) > 0:
        name = participant_id(1 + turn % PARTICIPANTS)
        trial.ledger.record_all(signed_vital_signs(trial, name, min(PER_COMMIT, missing)))
        turn += 1


def export(trial: SmallLedger, out: Path) -> Path:
    """Publish, and export the whole study for an auditor."""
    ledger = trial.ledger
    note = trial.publish()
    export_bundle(ledger.store, ledger.data_keys, note, out, scope=Scope(kind="study"), role="auditor")
    return out
