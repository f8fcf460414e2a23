"""What an auditor states before a bundle is judged: trust, scope, role, and what he holds himself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.errors import FormatError
from ledger.policy import TrustPolicy

SCOPE_KINDS: Final = ("study", "site", "participant")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A stated scope: the whole study, one site, or one participant."""

    kind: str
    id: str | None = None

    def __str__(self) -> str:
        return self.kind if self.id is None else f"{self.kind}:{self.id}"


def parse_scope(text: str) -> Scope:
    """Parse `study`, `site:S` or `participant:P`.

    Raises:
        FormatError: `SCOPE`.
    """
    kind, colon, name = text.partition(":")
    if kind not in SCOPE_KINDS or (kind == "study") == bool(colon):
        raise FormatError("SCOPE", "expected study, site:S or participant:P")
    if colon and _ID.fullmatch(name) is None:
        raise FormatError("SCOPE", "expected an id of a site or participant")
    return Scope(kind=kind, id=name if colon else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything that the auditor brings; nothing of it comes from the bundle.

    `classical` waives the post-quantum line of the log. `post_quantum` counts witnesses by their post-quantum
    cosignatures only. `strict_conduct` lets recorded breaches and what can't be judged count against conduct.
    `tsa` are certificates of a time-stamping authority, PEM, its own first; None leaves stamps unjudged.
    `continues` are bundles of the epochs before this one, the newest first; `beside` are bundles of other
    logs that claim to continue the same one. `times` is a file to write each event's time bracket to.
    """

    policy: TrustPolicy
    ledger_id: str | None
    scope: Scope
    role: str
    previous: bytes | None
    outbox: Path | None
    strict_conduct: bool
    classical: bool
    post_quantum: bool
    workers: int
    tsa: bytes | None = None
    continues: tuple[Path, ...] = ()
    beside: tuple[Path, ...] = ()
    times: Path | None = None
