"""Issue a certified copy of an open ledger: bundle, verdicts, readable copy, signature, event; in this order.

    publish a checkpoint → export its bundle → where it opens values of treatment or identity, `record.viewed`
    → judge the bundle → print what it says, with bundle, ODM and listing attached → sign
    → `certified_copy.issued` with the SHA-256 of what is handed out → hand it out

Nothing is handed out before its event is durable, and of a frozen ledger nothing is: an export goes on there
(catalogue A; 21 CFR 11.10(b); ICH E6(R3) "certified copy").
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from ledger.authority import Authority
from ledger.committer import Ledger
from ledger.errors import FrozenError, RefusedError, StoreError
from ledger.export import export_bundle
from ledger.exports import require_scope
from ledger.times import parse_instant
from ledger.trust import trust_policy
from ledger.verify.judge import verify
from ledger.verify.options import Options, Scope
from ledger.verify.report import Report
from ledger.views import View, must_be_noted, note_view
from projections.copies.alone import alone, listed
from projections.copies.bundled import CopySource, open_copy
from projections.copies.document import Attached, Line, compose, lines_of, name_of
from projections.copies.odm import to_odm
from projections.copies.package import pack, readme
from projections.copies.printing import print_copy
from projections.copies.signing import DocumentSigner
from projections.render import to_csv, to_xlsx

Format = Literal["pdf", "zip"]
BUNDLE: Final = "bundle.zip"
_TYPE: Final = "certified_copy.issued"
_REASON: Final = "Certified copy of records of a clinical trial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for.

    Attributes:
        role: whose sight the copy has; `held` is the role that who asks holds in the log.
        purpose: a code; it is in the event.
    """

    scope: Scope
    role: str
    held: str
    who: str
    purpose: str
    format: Format
    study: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A copy that was issued: its bytes, their hash, the event that says so, and what the cover says.

    Attributes:
        lacks: what came before the log that it is of, in sentences; None of a study's first log.
    """

    data: bytes
    sha256: str
    index: int
    event: str
    size: int
    records: int
    verdicts: dict[str, str]
    lacks: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A readable copy, not signed yet, and what goes with it."""

    pdf: bytes
    attached: tuple[Attached, ...]
    workbook: bytes
    readme: bytes
    records: int
    verdicts: dict[str, str]


def issue_copy(
    ledger: Ledger, document: DocumentSigner, wanted: Wanted, keep: Callable[[bytes], None] | None = None
) -> Issued:
    """Issue a certified copy; `keep` takes its bytes before the log says that it was issued.

    Raises:
        FormatError: `SCOPE` for a participant or a site that the log does not have.
        FrozenError: `FROZEN` where nothing can be recorded.
        RefusedError: `PERSON_UNKNOWN`, `ACCOUNT_INACTIVE`, `ROLE_NOT_HELD`, `EXPORT_ROLE`, `EXPORT_SIZE`,
            `GLYPH_MISSING`, `INSPECTION_NOT_OPEN`.
        StoreError: `LEDGER_EMPTY`; as the store raises.
    """
    if ledger.startup.frozen:
        raise FrozenError(ledger.startup.code or "FROZEN", "a frozen ledger issues no copies: export it")
    require_scope(ledger.store, wanted.scope)
    require_recipient(ledger.refresh().authority, wanted.who, wanted.held)
    note = ledger.publish()
    if note is None:
        raise StoreError("LEDGER_EMPTY", "the ledger has no published checkpoint to copy")
    with tempfile.TemporaryDirectory(prefix="trial-ledger-") as directory:
        path = Path(directory) / BUNDLE
        export_bundle(ledger.store, ledger.data_keys, note, path, scope=wanted.scope, role=wanted.role)
        with open_copy(path) as source:
            _note_openings(ledger, source, wanted)
            size = source.checkpoint.size
            lacks = alone(source)
            made = make_copy(source, judge(ledger, path, source), path.read_bytes(), study=wanted.study)
    from projections.copies.pades import sign_copy  # slow to load, and wanted here alone

    pdf = signed = sign_copy(made.pdf, document, reason=_REASON)
    if wanted.format == "zip":
        signed = pack(pdf, made.attached, made.workbook, made.readme)
    if keep is not None:
        keep(signed)
    issued = _attest(ledger, wanted, size, pdf, "pdf")
    if wanted.format == "zip":
        issued = _attest(ledger, wanted, size, signed, "zip")
    return Issued(
        data=signed,
        sha256=hashlib.sha256(signed).hexdigest(),
        index=issued[0],
        event=issued[1],
        size=size,
        records=made.records,
        verdicts=made.verdicts,
        lacks=None if lacks is None else str(lacks),
    )


def require_recipient(authority: Authority, person: str, role: str) -> None:
    """Require a copy to go to somebody whom the log has in the role.

    Raises:
        RefusedError: `PERSON_UNKNOWN`, `ACCOUNT_INACTIVE`, `ROLE_NOT_HELD`.
    """
    known = authority.person(person)  # root persons hold their role without an account (record-format.md §6)
    if known is None:
        message = "expected the id of a person whom the log knows, such as the report `roles-log` lists"
        raise RefusedError("PERSON_UNKNOWN", message, field="to")
    if not known.active:
        raise RefusedError("ACCOUNT_INACTIVE", "expected an active account", field="to")
    if not authority.holds(person, role, None):
        held = ", ".join(sorted(known.roles)) or "none at present"
        raise RefusedError("ROLE_NOT_HELD", f"expected a role that they hold: {held}", field="role")


def judge(ledger: Ledger, path: Path, source: CopySource) -> Report:
    """Judge the bundle that a copy is made of, under the ledger's own policy: the cover says so."""
    policy = trust_policy(ledger)
    return verify(
        path,
        Options(
            policy=policy,
            ledger_id=policy.ledger_id,
            scope=source.scope,
            role=source.role,
            previous=None,
            outbox=None,
            strict_conduct=False,
            classical=False,
            post_quantum=False,
            workers=1,
        ),
    )


def make_copy(source: CopySource, report: Report, bundle: bytes, *, study: str) -> Made:
    """Make the readable copy with its attachments: the same bytes for the same bundle."""
    lines = lines_of(source)
    attached = _attached(source, lines, bundle, study)
    title = f"Study {study}: {name_of(source)}"
    document = compose(source, lines, report, title=title, attached=attached)
    as_of_us = parse_instant(source.as_of)
    return Made(
        pdf=print_copy(document, attached, as_of_us),
        attached=attached,
        workbook=to_xlsx(listed(source, lines), created=datetime.fromtimestamp(as_of_us // 1_000_000, UTC)),
        readme=readme(source, title, attached),
        records=len(lines),
        verdicts=dict(document["cover"]["verdicts"]),
    )


def _attached(source: CopySource, lines: list[Line], bundle: bytes, study: str) -> tuple[Attached, ...]:
    odm = to_odm(source, lines, study)
    return (
        Attached(
            name=BUNDLE,
            media_type="application/zip",
            text="the export bundle: every statement, signature and proof, for the verifier",
            data=bundle,
        ),
        Attached(
            name="odm.xml",
            media_type="application/xml",
            text="the participants' records as CDISC ODM 1.3.2, transactional, archival",
            data=odm,
        ),
        Attached(
            name="audit-trail.csv",
            media_type="text/csv",
            text="the audit trail, one row for each changed field",
            data=to_csv(listed(source, lines)).encode(),
        ),
    )


def _note_openings(ledger: Ledger, source: CopySource, wanted: Wanted) -> None:
    """Record that the copy opens values of which every opening is an event, before anybody gets it."""
    scopes: set[str] = set()
    indexes: list[int] = []
    events = {event for event, _ in source.openings}
    for event in events:
        kept = {each.scope for each in ledger.store.disclosures(event)}
        if must_be_noted(kept):
            scopes |= kept
            index = source.bundled.index_of_event(event)
            indexes += [] if index is None else [index]
    if not must_be_noted(scopes):
        return
    note_view(
        ledger,
        View(
            who=wanted.who,
            role=wanted.held,
            scope=wanted.scope,
            size=source.checkpoint.size,
            purpose=wanted.purpose,
            opened=tuple(sorted(scopes)),
            since=min(indexes),
            projection="certified_copy",
        ),
    )


def _attest(ledger: Ledger, wanted: Wanted, size: int, data: bytes, format_: Format) -> tuple[int, str]:
    members: dict[str, Any] = {
        "bundle_sha256": hashlib.sha256(data).hexdigest(),
        "format": format_,
        "kind": wanted.scope.kind,
        "purpose": wanted.purpose,
        "role": wanted.role,
        "size": size,
        "who": wanted.who,
    }
    if wanted.scope.id is not None:
        members["id"] = wanted.scope.id
    recorded = ledger.attest(_TYPE, ledger.access_stream(), members)
    return recorded.index, recorded.event
