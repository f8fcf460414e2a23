"""Look at a ledger's directory without changing anything, and put the findings together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.delivery.book import parked_in
from ledger.directory import (
    CHECKPOINTS,
    CONFIG,
    DATA_KEYS,
    DATABASE,
    KEYS,
    UNBLINDINGS,
    open_store,
    read_config,
)
from ledger.doctor import machine
from ledger.doctor.finding import Finding, Verdict, amount, failed
from ledger.doctor.keys import key_findings
from ledger.doctor.log import Expected, event_findings, log_findings
from ledger.doctor.settings import settings_findings
from ledger.errors import LedgerError
from ledger.places import open_checkpoints
from ledger.store.tracking import LedgerTrackingRecorder
from ledger.store.unblindings import UnblindingQueue
from ledger.unblinding_epochs import waiting_before

PROJECTIONS: Final = "projections.db"  # of the package above this one, in `store.tracking`'s form
LEAST_FREE: Final = 0.05
LEAST_FREE_BYTES: Final = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What was found in one directory."""

    directory: Path
    study: str
    origin: str
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Tell whether nothing is bad."""
        return all(finding.verdict != "bad" for finding in self.findings)


def examine(directory: Path, *, now_us: int, expected: Expected, passphrase: str | None = None) -> Examined:
    """Look at a ledger's directory.

    Args:
        passphrase: tries the keys that need one; without it they are not tried.

    Raises:
        StoreError, FormatError: the directory holds no ledger, or one that nobody can name.
    """
    config = read_config(directory)
    findings: list[Finding] = []
    with ExitStack() as opened:
        try:
            store = opened.enter_context(closing(open_store(directory)))
            checkpoints = opened.enter_context(
                closing(open_checkpoints(config.checkpoints, directory / CHECKPOINTS))
            )
            findings += log_findings(config, store, checkpoints, now_us, expected)
            findings += event_findings(store, now_us, expected)
            findings += settings_findings(config, store)
            findings += _of_projections(directory, store.head().size)
            findings += key_findings(directory, store, passphrase)
        except LedgerError as error:
            findings.append(failed("log", error))
    findings += _of_directory(directory)
    return Examined(directory=directory, study=config.study, origin=config.origin, findings=tuple(findings))


def _of_projections(directory: Path, size: int) -> Iterator[Finding]:
    path = directory / PROJECTIONS
    if not path.exists():
        yield Finding(area="projections", verdict="good", text="none are kept: made when asked for")
        return
    with closing(LedgerTrackingRecorder(path)) as tracking:
        positions = tracking.positions()
    lag = size - min(positions.values(), default=0)
    where = "up to the head" if lag <= 0 else f"{lag:,} entries behind: rebuild"
    yield Finding(
        area="projections",
        verdict="good" if lag <= 0 else "watch",
        text=f"{len(positions)} kept, {where}",
        values={"lag": max(0, lag), "positions": positions},
    )


def _of_directory(directory: Path) -> Iterator[Finding]:
    try:
        with closing(UnblindingQueue(directory / UNBLINDINGS)) as queue:
            count = len(queue.waiting()) + waiting_before(directory)
        yield Finding(
            area="unblindings",
            verdict="bad" if count else "good",
            text=f"{count} wait to be recorded: see `unblind` in the manual" if count else "none waits",
            values={"waiting": count},
        )
    except LedgerError as error:
        yield failed("unblindings", error)
    yield from _of_deliveries(directory)
    readable = [
        *machine.open_to_others(directory / KEYS, ("*",)),
        *machine.open_to_others(directory, ("*.db", CONFIG)),
    ]
    private = [path.relative_to(directory) for path in readable if path.name != CONFIG]
    yield Finding(
        area="files",
        verdict="bad" if private else "good",
        text=f"others may read {', '.join(map(str, private))}"
        if private
        else "keys and stores are the owner's alone",
        values={"readable": [str(path) for path in private]},
    )
    yield _of_room(directory)


def _of_deliveries(directory: Path) -> Iterator[Finding]:
    try:
        parked = parked_in(directory)
    except LedgerError as error:
        yield failed("deliveries", error)
        return
    if parked is not None:
        text = f"{parked} were given up: see `webhooks list`" if parked else "nothing was given up"
        verdict: Verdict = "watch" if parked else "good"
        yield Finding(area="deliveries", verdict=verdict, text=text, values={"parked": parked})


def _of_room(directory: Path) -> Finding:
    room = machine.room(directory)
    sizes = {name: machine.size_of(directory / name) for name in (DATABASE, CHECKPOINTS, DATA_KEYS)}
    short = room.free < LEAST_FREE_BYTES or room.free < LEAST_FREE * room.total
    used = "".join(f"; {name} {amount(size)}" for name, size in sizes.items() if size)
    return Finding(
        area="disk",
        verdict="bad" if short else "good",
        text=f"{amount(room.free)} free of {amount(room.total)}{used}",
        values={"free": room.free, "total": room.total, "sizes": sizes},
    )
