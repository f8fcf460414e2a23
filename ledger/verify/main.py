"""`trial-ledger verify`: judge a bundle offline.

    trial-ledger verify BUNDLE --policy FILE [--ledger-id HEX] [--scope study|site:S|participant:P]
        [--role auditor] [--previous CHECKPOINT] [--outbox DIR] [--strict-conduct] [--classical]
        [--post-quantum] [--tsa FILE] [--times FILE] [--workers N|all] [--json]

Exit codes: 0 verified, 1 findings, 2 usage, 3 unusable input or unpinned; 130 interrupted, nothing judged.
"""

from __future__ import annotations

import argparse
import gc
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ledger.errors import FormatError, LedgerError
from ledger.note import MAX_NOTE_BYTES
from ledger.policy import MAX_POLICY_BYTES, parse_policy
from ledger.roles import ROLES
from ledger.verify.options import Options, parse_scope
from ledger.verify.progress import progress_line
from ledger.verify.report import EXIT_INTERRUPTED, EXIT_UNUSABLE, EXIT_USAGE, Report, as_json, as_text

MAX_WORKERS: Final = 64
COLLECT_AFTER: Final = 100_000
MAX_ANCHOR_BYTES: Final = 100_000
_LEDGER_ID = re.compile(r"[0-9a-f]{64}")


class _UsageError(Exception):
    """What the auditor states contradicts itself or is not of its form."""


def main(argv: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    parser = _parser()
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as left:
        return int(left.code or 0)
    try:
        options = _options(arguments)
    except _UsageError as error:
        print(f"trial-ledger verify: {error}", file=sys.stderr)
        return EXIT_USAGE
    except LedgerError as error:
        print(f"trial-ledger verify: {error}", file=sys.stderr)
        return EXIT_UNUSABLE
    try:
        report = _verify(arguments, options)
    except KeyboardInterrupt:
        print("trial-ledger verify: interrupted, nothing is judged", file=sys.stderr)
        return EXIT_INTERRUPTED
    except LedgerError as error:
        print(f"trial-ledger verify: {error}", file=sys.stderr)
        return EXIT_UNUSABLE
    text = as_json(report) + "\n" if arguments.json else as_text(report, identity=arguments.identity)
    # A terminal of another encoding than UTF-8 must not stop a verdict.
    sys.stdout.write(
        text.encode(sys.stdout.encoding or "utf-8", "replace").decode(sys.stdout.encoding or "utf-8")
    )
    return report.exit_code


def _verify(arguments: argparse.Namespace, options: Options) -> Report:
    # The catalogue of actions is most of what is imported: neither help nor a wrong option waits for it, and
    # the collector of cycles would go through it several times for nothing.
    gc.set_threshold(COLLECT_AFTER)
    from ledger.verify.judge import verify

    settle()
    if arguments.json or not sys.stderr.isatty():
        return verify(arguments.bundle, options)
    with progress_line(sys.stderr) as progress:
        return verify(arguments.bundle, options, progress)


def settle() -> None:
    """Let the collector of cycles look seldom, and never at what was imported: it takes a tenth of the time.

    Hardly anything here refers to itself: only what an error leaves behind.
    """
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trial-ledger verify",
        description="Judge an export bundle offline: integrity, completeness, conduct.",
        epilog="exit codes: 0 verified, 1 findings, 2 usage, 3 unusable input or unpinned",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("bundle", type=Path, metavar="BUNDLE", help="directory or zip")
    add(
        "--policy",
        type=Path,
        required=True,
        metavar="FILE",
        help="trust policy: the auditor's own, a C2SP tlog-policy",
    )
    add("--ledger-id", metavar="HEX", help="leaf hash of index 0, where the policy does not give it")
    add("--scope", default="study", metavar="SCOPE", help="study, site:S or participant:P (default study)")
    add(
        "--role",
        default="auditor",
        metavar="ROLE",
        help="the role that the bundle was made for (default auditor)",
    )
    add(
        "--previous",
        type=Path,
        metavar="CHECKPOINT",
        help="an earlier checkpoint or head that the auditor holds",
    )
    add(
        "--outbox",
        type=Path,
        metavar="DIR",
        help="statements (.json) and receipts (.tlog-proof) that were handed in",
    )
    add(
        "--strict-conduct",
        action="store_true",
        help="recorded breaches and what can't be judged count as well",
    )
    add("--classical", action="store_true", help="do without the log's post-quantum signature")
    add("--post-quantum", action="store_true", help="count witnesses by post-quantum cosignatures only")
    add(
        "--tsa",
        type=Path,
        metavar="FILE",
        help="certificates of the time-stamping authority that the auditor trusts, its own first",
    )
    add(
        "--continues",
        type=Path,
        action="append",
        default=[],
        metavar="BUNDLE",
        help="the older epoch that this log continues; again for still older ones",
    )
    add(
        "--beside",
        type=Path,
        action="append",
        default=[],
        metavar="BUNDLE",
        help="another log that claims to continue the same epoch",
    )
    add(
        "--times",
        type=Path,
        metavar="FILE",
        help="write between which times each event was signed, a JSON object a line",
    )
    add(
        "--workers",
        type=_workers,
        default=1,
        metavar="N",
        help="processes that examine entries, or all: one for each core (default 1)",
    )
    add("--identity", action="store_true", help="list people, their keys, and who endorsed them on what")
    add("--json", action="store_true", help="print one JSON object")
    return parser


def _workers(text: str) -> int:
    return min(os.cpu_count() or 1, MAX_WORKERS) if text == "all" else int(text)


def _options(arguments: argparse.Namespace) -> Options:
    try:
        scope = parse_scope(arguments.scope)
    except FormatError as error:
        raise _UsageError(f"--scope: {error.message}") from error
    if arguments.role not in ROLES:
        raise _UsageError("--role: expected a role of the catalogue")
    if arguments.classical and arguments.post_quantum:
        raise _UsageError("--classical and --post-quantum exclude each other")
    if not 1 <= arguments.workers <= MAX_WORKERS:
        raise _UsageError(f"--workers: expected 1 to {MAX_WORKERS}")
    if arguments.outbox is not None and not arguments.outbox.is_dir():
        raise _UsageError("--outbox: expected a directory")
    if arguments.times is not None and not (arguments.times.parent.is_dir() and not arguments.times.exists()):
        raise _UsageError("--times: expected a new file in a directory that is there")
    policy = parse_policy(_read(arguments.policy, MAX_POLICY_BYTES, "POLICY"))
    ledger_id = arguments.ledger_id
    if ledger_id is not None and _LEDGER_ID.fullmatch(ledger_id) is None:
        raise _UsageError("--ledger-id: expected 64 lower-case hex digits")
    if None not in (ledger_id, policy.ledger_id) and ledger_id != policy.ledger_id:
        raise _UsageError("--ledger-id: the policy names another ledger")
    previous = arguments.previous
    return Options(
        policy=policy,
        ledger_id=ledger_id,
        scope=scope,
        role=arguments.role,
        previous=None if previous is None else _read(previous, MAX_NOTE_BYTES, "NOTE"),
        outbox=arguments.outbox,
        strict_conduct=arguments.strict_conduct,
        classical=arguments.classical,
        post_quantum=arguments.post_quantum,
        workers=arguments.workers,
        continues=tuple(arguments.continues),
        beside=tuple(arguments.beside),
        times=arguments.times,
        tsa=None if arguments.tsa is None else _read(arguments.tsa, MAX_ANCHOR_BYTES, "TSA_ANCHOR"),
    )


def _read(path: Path, limit: int, code: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise FormatError(code, f"{path.name} can't be read: {error.strerror}") from error
    if len(data) > limit:
        raise FormatError(code, f"{path.name} is longer than {limit} bytes")
    return data
