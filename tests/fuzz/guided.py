"""Coverage-guided fuzzing of each parser by atheris, in an environment of its own: `make fuzz`.

    python -m tests.fuzz.guided [--seconds 60] [TARGET…]

Each target runs in a process of its own, from seeds of `tests.fuzz.parsers`, for so many seconds. Bytes that
break a promise are kept under their hash in the directory that is printed. Exits 1 where there are any.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ONE = "--one"
_STATS = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
_COVERED = re.compile(r"cov: (\d+)")


def main(argv: Sequence[str]) -> int:
    """Fuzz every target, or those that are named."""
    if argv[:1] == [ONE]:
        return _one(argv[1], argv[2:])
    from tests.fuzz.parsers import TARGETS

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.guided", description="Fuzz the parsers.")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}")
    arguments = parser.parse_args(argv)
    place = Path(tempfile.mkdtemp(prefix="fuzz-"))
    failed = [
        name for name in arguments.targets or TARGETS if not _fuzz(name, arguments.seconds, place / name)
    ]
    print(f"found in {place}: {', '.join(failed)}" if failed else "nothing found")
    return 1 if failed else 0


def _fuzz(name: str, seconds: int, place: Path) -> bool:
    """Fuzz one target in a process of its own; return whether nothing was found."""
    from tests.fuzz.parsers import TARGETS

    corpus = place / "corpus"
    corpus.mkdir(parents=True)
    for number, seed in enumerate(TARGETS[name].seeds):
        (corpus / f"seed{number}").write_bytes(seed)
    limits = [f"-max_total_time={seconds}", "-max_len=70000", "-timeout=10", "-rss_limit_mb=2048"]
    command = [sys.executable, "-m", "tests.fuzz.guided", ONE, name, str(corpus), *limits]
    done = subprocess.run(
        [*command, f"-artifact_prefix={place}/", "-print_final_stats=1"],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    runs, covered = _STATS.findall(done.stderr), _COVERED.findall(done.stderr)
    print(
        f"{name:<12} {runs[-1] if runs else '?':>9} runs, {covered[-1] if covered else '?':>5} edges, "
        f"exit {done.returncode}",
        flush=True,
    )
    if done.returncode:
        print(done.stderr[-3_000:], file=sys.stderr)
    return done.returncode == 0


def _one(name: str, options: Sequence[str]) -> int:
    """Fuzz in this process, which libFuzzer ends."""
    import atheris  # of its own environment

    with atheris.instrument_imports(include=["ledger"]):
        from tests.fuzz.parsers import TARGETS, attempt

    target = TARGETS[name]
    atheris.Setup([sys.argv[0], *options], lambda data: attempt(target, data) and None)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
