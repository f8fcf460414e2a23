"""Peak memory of verifying: a process of its own that verifies one bundle and says what it took.

    python -m tests.benchmarks.memory BUNDLE POLICY

On Linux the peak is the process's own high-water mark from /proc: `ru_maxrss` outlives the exec of a child,
and would be the parent's. Elsewhere it is `ru_maxrss`.
"""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Final

from ledger.verify.main import main  # what `trial-ledger verify` imports, and nothing more

_STATUS: Final = Path("/proc/self/status")


def peak_mib(bundle: Path, policy: Path) -> float:
    """Verify a bundle in a new process; return the peak of its resident memory in MiB."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.memory", str(bundle), str(policy)],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stderr.rsplit(maxsplit=1)[-1]) / 1024


def _peak_kib() -> int:
    """Return the peak of this process's resident memory since it was started, in KiB."""
    if _STATUS.is_file():
        found = re.search(r"^VmHWM:\s*(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
        if found is not None:
            return int(found[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak


def _run(bundle: str, policy: str) -> int:
    code = main([bundle, "--policy", policy])
    print(_peak_kib(), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(_run(sys.argv[1], sys.argv[2]))
