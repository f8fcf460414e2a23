"""`make test`: the whole suite in two processes side by side, with one demonstration played for both.

The second half is whatever the first does not name, so that no test is left out. Its output is printed when
the first is done; the exit code is that of the first half that failed. The first half is followed by a part
of the suite over PostgreSQL (`tests.on_postgresql`), by what writes most; `make test-postgresql` runs all of
it there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.demonstration import PLAYED

TESTS: Final = Path(__file__).parent
FIRST: Final = (
    *("attacks", "benchmarks", "browser", "fuzz", "ledger", "projections"),
    *("test_extremes.py", "test_fuzz_http.py", "test_other_trials.py", "test_own_study.py", "test_sbom.py"),
)
OVER_POSTGRESQL: Final = ("-p", "tests.on_postgresql.plugin")
WRITING: Final = (
    "ledger/test_committer.py",
    "ledger/test_batch.py",
    "ledger/test_chain.py",
    "ledger/test_recorder.py",
    "ledger/test_erasing.py",
    "ledger/test_freeze.py",
    "ledger/test_cli.py",
    "api/test_recording.py",
    "api/test_recorder.py",
    "api/test_batch.py",
    "api/test_tailer.py",
    "test_over_postgresql.py",
)
"""What runs over PostgreSQL in every `make test`."""


def halves() -> tuple[list[str], list[str]]:
    """Return the paths of both halves."""
    found = sorted(path for path in TESTS.iterdir() if path.is_dir() or path.name.startswith("test_"))
    first = [str(path) for path in found if path.name in FIRST]
    return first, [str(path) for path in found if path.name not in (*FIRST, "vectors", "__pycache__")]


def main(arguments: Sequence[str]) -> int:
    """Run both halves with the same further arguments of pytest."""
    first, second = ([sys.executable, "-m", "pytest", *arguments, *half] for half in halves())
    writing = [sys.executable, "-m", "pytest", *OVER_POSTGRESQL, *arguments]
    writing += [str(TESTS / name) for name in WRITING]
    with tempfile.TemporaryFile() as told, tempfile.TemporaryDirectory() as place:
        over_postgresql = bool(set(OVER_POSTGRESQL) & set(arguments))
        # What lies in schemas instead of files is not copied: there each half plays its own.
        environment = {**os.environ} if over_postgresql else {**os.environ, PLAYED: place}
        beside = subprocess.Popen(second, stdout=told, stderr=subprocess.STDOUT, env=environment)
        try:
            codes = [subprocess.call(first, env=environment)]
            if not over_postgresql:
                codes.append(subprocess.call(writing))
            codes.append(beside.wait())
        finally:
            if beside.poll() is None:
                beside.terminate()
                beside.wait()
        told.seek(0)
        sys.stdout.buffer.write(told.read())
        sys.stdout.flush()
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
