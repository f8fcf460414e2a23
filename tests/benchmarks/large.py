"""A bundle of any size to verify, made by bulk import, signed statements and all.

    python -m tests.benchmarks.large DIRECTORY EVENTS

What is left in the directory: the ledger, `bundle`, and the `policy` that an auditor would bring.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ledger.export import export_bundle
from ledger.verify.options import Scope
from tests.benchmarks.bulk import PAGE, PER_PARTICIPANT, import_into
from tests.benchmarks.trial import open_trial


def make_bundle(directory: Path, events: int) -> tuple[Path, Path]:
    """Import so many events, at least a page of them; return the study's bundle and the policy."""
    pages = max(1, events // PAGE)
    trial = open_trial(directory / "ledger", -(-pages * PAGE // PER_PARTICIPANT))
    ledger = trial.ledger
    try:
        import_into(trial, pages * PAGE)
        bundle = directory / "bundle"
        note = trial.publish()
        export_bundle(ledger.store, ledger.data_keys, note, bundle, scope=Scope(kind="study"), role="auditor")
        return bundle, trial.write_policy(directory / "policy")
    finally:
        ledger.close()


if __name__ == "__main__":
    for made in make_bundle(Path(sys.argv[1]), int(sys.argv[2])):
        print(made)
