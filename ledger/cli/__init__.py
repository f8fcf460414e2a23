"""The command `trial-ledger` (interfaces.md, "Command line").

`verify` is handed over before anything else is imported: an auditor's machine needs neither the service's
dependencies nor a ledger. Commands that read projections or serve HTTP live with their packages and come in
through the entry points `trial_ledger.commands`, so this package imports nothing above it.

Exit codes: 0 done or verified, 1 findings or refused, 2 usage, 3 unusable input or unpinned.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

UNUSABLE: Final = 3


def main() -> None:
    """Run the command that the arguments name, and exit with its code."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["verify"]:
        from ledger.verify.main import main as verify

        sys.exit(verify(arguments[1:]))
    try:
        with loading():
            from ledger.cli.app import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("ledger", "api", "projections"):
            raise
        print(f"error: only `verify` can be run here: {error.name} is not installed", file=sys.stderr)
        sys.exit(UNUSABLE)
    sys.exit(run(arguments))


@contextmanager
def loading() -> Iterator[None]:
    """Import many modules without looking for garbage: they stay, and the search is a sixth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
