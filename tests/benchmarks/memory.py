"""Peak memory of verifying: a process of its own that verifies one bundle and says what it took.

python -m tests.benchmarks.memory BUNDLE POLICY
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

from ledger.verify.main import main  # what `trial-ledger verify` imports, and nothing more


def peak_mib(bundle: Path, policy: Path) -> float:
    """Verify a bundle in a new process; return the peak of its resident memory in MiB."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.memory", str(bundle), str(policy)],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stderr.rsplit(maxsplit=1)[-1]) / 1024


def _run(bundle: str, policy: str) -> int:
    code = main([bundle, "--policy", policy])
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(peak_kib, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(_run(sys.argv[1], sys.argv[2]))
