"""Emergency unblinding of one participant, at any hour, also while nothing can be recorded (catalogue D).

    asked = ask(ledger, queue, signer, …)      # signed and durable: in the log, or in the queue beside it
    regimen = show(ledger, asked)              # only then is the value opened

The statement names the newest allocation. Where that says that the regimen goes on, what is shown is the one
before; the log does not tell which. Envelopes for the same purpose are recorded before their sheet is made.

Left out on purpose: how what was queued enters the log (`unblinding_queue`), who may sign (`authorisation`),
and what is judged of it (`rules.unblinding`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from ledger.actions.fields import Source
from ledger.actions.registry import to_data
from ledger.actions.unblinding import KEEPERS, EnvelopeIssued, UnblindingPerformed
from ledger.committer import Ledger
from ledger.datakeys import DataKeys
from ledger.earlier_store import epoch_of
from ledger.errors import FrozenError, RefusedError, StoreError
from ledger.prepare import Signer
from ledger.recorded import Recorded
from ledger.roles import SIGHTS
from ledger.sealing import open_disclosure
from ledger.store.port import Store
from ledger.store.unblindings import UnblindingQueue
from ledger.study.lists import CONTINUE
from ledger.studystate import Draw, StudyState
from ledger.unblinding_cold import allocations, definitions
from ledger.unblinding_queue import ROLES, STREAM, put
from ledger.verify.options import Scope
from ledger.views import View, note_view

_ARM: Final = "/data/arm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked: whose regimen, why, and for whom.

    `reason` is code and text; `asked_by` is somebody who is not of the study, `disclosed_to` who is.
    """

    participant: str
    reason: tuple[str, str | None]
    source: Source
    asked_by: str | None = field(default=None, repr=False)
    disclosed_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that is durable; `index` is None while it waits to be recorded."""

    participant: str
    event: str
    index: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Regimen:
    """What a participant gets now: the arm, and the stage that it was allocated in."""

    arm: str = field(repr=False)
    stage: int = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A sealed envelope with a participant's regimen: its id, its place, who keeps it, its seal."""

    name: str
    participant: str
    site: str
    custodian: str
    seal: str
    replaces: str | None = None


def sees_arm(study: StudyState, role: str, person: str, participant: str, before: int) -> bool:
    """Tell whether a reader sees a participant's arm: by role, or because it was shown in an emergency."""
    if SIGHTS[role].treatment == "all":
        return True
    return role in ROLES and study.unblinding.shown_to(person, participant, before)


def ask(ledger: Ledger, queue: UnblindingQueue, signer: Signer, role: str, request: Request) -> Asked:
    """Record the unblinding or, where nothing can be recorded, queue it; durable when this returns.

    Raises:
        RefusedError: `ALLOCATION_MISSING` when the log has no allocation of the participant,
            `EPOCH_KEYS_ELSEWHERE`, or what authority has against the signer.
        StoreError: neither the log nor the queue can be written.
    """
    fold = ledger.refresh()
    newest = max(allocations(ledger, request.participant), key=lambda draw: draw.index, default=None)
    if newest is None:
        raise RefusedError("ALLOCATION_MISSING", "the log has no allocation of this participant")
    _holding(ledger, newest)  # what can't be shown here is not recorded as shown
    value, opened = _members(request, role, newest)
    if not ledger.startup.frozen and fold.is_whole:  # else the answer would wait for conduct to be folded
        try:
            recorded = ledger.record(signer.submission(ledger, value, opened))
        except (FrozenError, StoreError):
            pass  # nobody waits for a full disk to be cleared: it is queued
        else:
            return Asked(participant=request.participant, event=recorded.event, index=recorded.index)
    event = put(ledger, queue, signer, value, opened)
    return Asked(participant=request.participant, event=event, index=None)


def show(ledger: Ledger, asked: Asked) -> Regimen:
    """Open the current regimen of the participant of a durable request.

    Raises:
        StoreError: the sealed value cannot be opened.
    """
    return regimen_now(ledger, asked.participant)


def look_again(ledger: Ledger, *, person: str, role: str, participant: str, purpose: str) -> Regimen:
    """Show an arm again to who was shown it before; that they look is recorded before.

    Raises:
        RefusedError: `ARM_BLINDED` for who has no sight of this arm.
        FrozenError: nothing can be recorded now; a new emergency is asked for by `ask`.
    """
    fold = ledger.refresh()
    if not sees_arm(fold.conduct.study, role, person, participant, fold.size):
        raise RefusedError("ARM_BLINDED", "expected somebody to whom this arm was shown")
    scope = Scope(kind="participant", id=participant)
    view = View(who=person, role=role, scope=scope, size=fold.size, purpose=purpose, opened=("treatment",))
    if note_view(ledger, view) is None:
        raise FrozenError(ledger.startup.code or "FROZEN", ledger.startup.message)
    return regimen_now(ledger, participant)


def issue_envelope(ledger: Ledger, signer: Signer, envelope: Envelope) -> tuple[Recorded, Regimen]:
    """Record an envelope and return what its sheet says; the opening is recorded before the value is opened.

    Raises:
        RefusedError: `ALLOCATION_MISSING`, or what authority has against the signer.
        FrozenError: an envelope can wait for the log.
    """
    fold = ledger.refresh()
    newest = fold.conduct.study.allocation(envelope.participant, fold.size)
    if newest is None:
        raise RefusedError("ALLOCATION_MISSING", "the log has no allocation of this participant")
    held = [role for role in KEEPERS if fold.authority.holds(signer.person, role, None)]
    action = EnvelopeIssued(
        envelope=envelope.name,
        participant=envelope.participant,
        statement=newest.event,
        site=envelope.site,
        custodian=envelope.custodian,
        seal=envelope.seal,
        replaces=envelope.replaces,
        source=Source(kind="esource"),
    )
    role = held[0] if held else KEEPERS[0]
    recorded = signer.record(ledger, action, stream=STREAM, role=role, meaning="responsibility")
    return recorded, regimen_now(ledger, envelope.participant)


def regimen_name(ledger: Ledger, arm: str) -> str:
    """Return what the protocol calls an arm; its id where no definition has it."""
    for definition in definitions(ledger):
        known = definition.arm(arm)
        if known is not None:
            return known.name
    return arm


def _members(request: Request, role: str, newest: Draw) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the statement's members and the values to seal."""
    action = UnblindingPerformed(
        participant=request.participant,
        statement=newest.event,
        means="ledger",
        disclosed_to=request.disclosed_to,
        asked_by=request.asked_by,
        source=request.source,
    )
    data, opened = to_data(action)
    code, text = request.reason
    value = {
        "type": action.spec.type,
        "stream": STREAM,
        "role": role,
        "meaning": "responsibility",
        "data": data,
        "reason": {"code": code},
    }
    return value, {**opened, "/reason/text": text}


def regimen_now(ledger: Ledger, participant: str) -> Regimen:
    """Open what a participant gets now: where the newest allocation lets it go on, the one before.

    For a caller whose record of this is durable already.

    Raises:
        StoreError: the sealed value cannot be opened.
    """
    for draw in sorted(allocations(ledger, participant), key=lambda draw: draw.stage, reverse=True):
        arm = _open_arm(ledger, draw)
        if arm != CONTINUE:
            return Regimen(arm=arm, stage=draw.stage)
    raise StoreError("STORE_CORRUPT", "no allocation of the participant names a regimen")


def _holding(ledger: Ledger, draw: Draw) -> tuple[Store, DataKeys]:
    """Return where an allocation is sealed, and under which keys: here, or in an older epoch.

    Raises:
        RefusedError: `EPOCH_KEYS_ELSEWHERE`.
    """
    older = epoch_of(ledger.store, draw.index)
    if older is None:
        return ledger.store, ledger.data_keys
    if older.data_keys is None:
        raise RefusedError(
            "EPOCH_KEYS_ELSEWHERE", "allocated in an older epoch: unblind in that epoch's directory"
        )
    return older.store, older.data_keys


def _open_arm(ledger: Ledger, draw: Draw) -> str:
    store, data_keys = _holding(ledger, draw)
    for kept in store.disclosures(draw.event):
        if kept.path == _ARM:
            disclosure = data_keys.open(
                kept.event, kept.path, kept.stream, kept.scope, kept.nonce, kept.ciphertext
            )
            return str(open_disclosure(disclosure).value)
    raise StoreError("DISCLOSURE_MISSING", "the store does not hold the sealed arm")
