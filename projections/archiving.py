"""`archive seal` and `archive check`: lay a study down, and read it back with its dynamic functions (EMA
6.10).

`check` asks everything that a person could: it verifies the bundle under a policy of the reader's own,
compares the copy of the events with the bundle, replays every participant now and as known half way, reads
the whole trail and each report. What fails is said, and with a ledger and a key it is recorded as
`archive.restored_and_read`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ledger.archive import BUNDLE, LEDGER, ROLE, seal, unpack
from ledger.backup.manifest import describe
from ledger.checkpoint import parse_body
from ledger.cli.terminal import AsJson, Directory, opened, read_file, read_key, say, show
from ledger.committer import Ledger
from ledger.directory import open_store
from ledger.errors import FormatError, LedgerError
from ledger.lines import encode_base64
from ledger.merkle import read_frontier
from ledger.note import parse_note
from ledger.policy import parse_policy
from ledger.prepare import Signer
from ledger.store.port import Snapshot
from ledger.tiles import TileHashes
from ledger.verify.judge import verify
from ledger.verify.options import Options, Scope
from projections.audit_trail import MAX_LIMIT, TrailFilter, trail
from projections.desk import Desk
from projections.participant import participant_view
from projections.reader import Reader
from projections.report import rows_of
from projections.reports import REPORTS

SOURCE: Final = {"kind": "esource"}
SHOWN: Final = 20

Key = Annotated[Path, typer.Option(help="The signer's key file.")]
Role = Annotated[str, typer.Option(help="Role that is signed in.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBack:
    """What reading an archive back gave: how much could be asked, and what was wrong."""

    sha256: str
    counts: dict[str, int]
    problems: tuple[str, ...]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Lay a study down for the years, and read it back.", no_args_is_help=True)
    group.command("seal")(seal_archive)
    group.command("check")(check_archive)
    app.add_typer(group, name="archive")


def seal_archive(
    directory: Directory,
    out: Annotated[Path, typer.Argument(metavar="OUT.zip", help="A new file.")],
    key: Key,
    role: Role,
    medium: Annotated[str, typer.Option(help="What it lies on, a code such as tape.")],
    place: Annotated[str, typer.Option(help="Where that is kept.")],
    as_json: AsJson = False,
) -> None:
    """Write the archive of a study, and sign `archive.sealed` with its hash."""
    signing = read_key(key).signing_key()
    with opened(directory) as ledger:
        made = seal(ledger, directory, out)
        data = {"sha256": made.sha256, "size": made.size, "root": encode_base64(made.root)}
        data |= {"medium": medium, "place": place, "source": SOURCE}
        signer = Signer.of_log(ledger, signing)
        event = _record(ledger, signer, "archive.sealed", role, "responsibility", data)
    show({"sha256": made.sha256, "entries": made.size, "event": event}, as_json)


def check_archive(
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE.zip")],
    policy: Annotated[Path, typer.Option(help="Trust policy of your own.")],
    ledger: Annotated[Path | None, typer.Option(metavar="DIR", help="Record the outcome there.")] = None,
    sealed: Annotated[
        str | None, typer.Option(metavar="EVENT", help="The archive's `archive.sealed`.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="The signer's key file.")] = None,
    role: Role = "data_manager",
    as_json: AsJson = False,
) -> None:
    """Read an archive back on an empty place: verified, replayed, its trail and reports read."""
    if len({ledger is None, sealed is None, key is None}) != 1:
        raise FormatError("SETTING", "expected a ledger, an event and a key together", field="--ledger")
    with tempfile.TemporaryDirectory(prefix="trial-ledger-archive-") as place:
        done = read_back(archive, Path(place), policy.read_bytes())
    if ledger is not None and key is not None and sealed is not None:
        data = {"statement": sealed, "sha256": done.sha256, "readable": not done.problems, "source": SOURCE}
        signing = read_key(key).signing_key()
        with opened(ledger) as live:
            signer = Signer.of_log(live, signing)
            _record(live, signer, "archive.restored_and_read", role, "verification", data)
    for problem in done.problems:
        say(problem)
    show({"sha256": done.sha256, "readable": not done.problems, **done.counts}, as_json)
    if done.problems:
        raise typer.Exit(1)


def read_back(archive: Path, place: Path, policy: bytes) -> ReadBack:
    """Unpack an archive to an empty place, verify it, and ask it everything.

    Raises:
        FormatError: the policy is none; `ARCHIVE` where there is no file at all. What else is wrong with the
        archive is a problem of the outcome.
        StoreError: `STORE_IO` where there is no room to unpack it, which is no fault of the archive.
    """
    if not archive.is_file():
        raise FormatError("ARCHIVE", f"expected the file that `archive seal` wrote, and {archive} is none")
    options, sha256 = _options(policy), describe(archive, archive.name).sha256
    counts: dict[str, int] = {}
    problems: list[str] = []
    try:
        unpack(archive, place)
    except FormatError as error:
        return ReadBack(sha256=sha256, counts=counts, problems=(f"{error.code}: {error.message}",))
    try:
        problems += [
            f"{each.code}: {each.detail}" for each in verify(place / BUNDLE, options).problems[:SHOWN]
        ]
        with closing(open_store(place / LEDGER)) as store, store.snapshot() as reads:
            problems += _compare(reads, read_file(place / BUNDLE / "checkpoint"))
            counts |= ask_everything(reads)
    except LedgerError as error:
        problems.append(f"{error.code}: {error.message}")
    return ReadBack(sha256=sha256, counts=counts, problems=tuple(problems))


def ask_everything(reads: Snapshot) -> dict[str, int]:
    """Read trail, participants (now, and as known half way) and every report; count what came.

    Raises:
        LedgerError: something cannot be answered.
    """
    reader = Reader(role=ROLE)
    desk = Desk(reads, reader=reader, known=None)
    participants = [each.id for each in desk.participants()]
    for name in participants:
        for known in (None, str(reads.size // 2)):
            participant_view(reads, name, reader=reader, known=known, true=None, conduct=desk.conduct)
    return {
        "participants": len(participants),
        "trail": sum(1 for _ in _trail(reads, reader)),
        "reports": sum(1 for report in REPORTS.values() if rows_of(report, desk) is not None),
    }


def _trail(reads: Snapshot, reader: Reader) -> Iterator[dict[str, Any]]:
    after: int | None = None
    while True:
        page = trail(reads, TrailFilter(), reader=reader, after=after, limit=MAX_LIMIT, newest_first=False)
        yield from page.lines
        after = page.next
        if after is None:
            return


def _compare(reads: Snapshot, note: bytes) -> Iterator[str]:
    """Compare the copy of the events with the bundle's checkpoint."""
    promised = parse_body(parse_note(note).text)
    if reads.size < promised.size:
        yield f"the ledger in it has {reads.size} entries, the bundle {promised.size}"
    elif read_frontier(promised.size, TileHashes(reads.tile_hashes)).root() != promised.root:
        yield "the ledger in it is of another history than the bundle"


def _options(policy: bytes) -> Options:
    return Options(
        policy=parse_policy(policy),
        ledger_id=None,
        scope=Scope(kind="study"),
        role=ROLE,
        previous=None,
        outbox=None,
        strict_conduct=False,
        classical=False,
        post_quantum=False,
        workers=1,
    )


def _record(ledger: Ledger, signer: Signer, type_: str, role: str, meaning: str, data: dict[str, Any]) -> str:
    members = {"type": type_, "stream": "study", "role": role, "meaning": meaning, "data": data}
    return ledger.record(signer.submission(ledger, members, {})).event
