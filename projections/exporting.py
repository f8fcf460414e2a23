"""A trail that leaves by the command line is recorded, as one that leaves over HTTP is (EMA 6.2.1).

The record is the service's, so it takes the service's key, and its passphrase where it has one. A directory
that holds no key of a service, such as a copy or an archive that is read back, has nobody who could record
anything: the trail is given, and it is said that nothing records it. So it is of a frozen ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.cli.terminal import opened, say
from ledger.directory import KEYS, SERVICE_KEY, read_config
from ledger.exports import note_extract
from ledger.signing.holding import SERVICE
from ledger.verify.options import Scope
from projections.audit_trail import TrailFilter

UNRECORDED: Final = "not recorded: {}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What was asked for, by whom, in which role, and of how many entries."""

    wanted: TrailFilter
    role: str
    size: int
    requested_by: str | None = None

    @property
    def scope(self) -> Scope:
        """One participant, one site, or the study."""
        if self.wanted.participant is not None:
            return Scope(kind="participant", id=self.wanted.participant)
        return Scope(kind="study") if self.wanted.site is None else Scope(kind="site", id=self.wanted.site)


def note_trail(directory: Path, data: bytes, sought: Sought) -> None:
    """Record that a trail is written as a file, durably; say so where nothing can record it.

    Raises:
        LedgerError: the ledger can't be opened or written to; the trail may not leave then.
    """
    if not (directory / KEYS / SERVICE_KEY).exists() and SERVICE not in read_config(directory).signers:
        say(UNRECORDED.format("this directory holds no key of the service"))
        return
    with opened(directory) as ledger:
        noted = note_extract(
            ledger,
            data,
            scope=sought.scope,
            role=sought.role,
            size=sought.size,
            requested_by=sought.requested_by,
        )
    if noted is None:
        say(UNRECORDED.format("the ledger is frozen"))
