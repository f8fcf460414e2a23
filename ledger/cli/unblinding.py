"""`unblind`, `unblindings`, `envelope`: an arm shown in an emergency, what waits of it, its twin on paper."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ledger.actions.fields import Source
from ledger.cli.terminal import AsJson, Directory, opened, read_key, say, show
from ledger.directory import UNBLINDINGS
from ledger.epochs import FROZEN as EPOCH_FROZEN
from ledger.errors import StoreError
from ledger.prepare import Signer
from ledger.recorded import Recorded
from ledger.store.unblindings import UnblindingQueue
from ledger.unblinding import Envelope, Request, ask, issue_envelope, regimen_name
from ledger.unblinding import show as show_regimen
from ledger.unblinding_epochs import carry_over, waiting_before
from ledger.unblinding_queue import role_of, settle, sign_again

Key = Annotated[Path, typer.Option(help="The signer's key file.")]
ParticipantId = Annotated[str, typer.Option(help="The participant.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(unblind)
    app.command()(unblindings)
    app.command()(envelope)


def unblind(
    directory: Directory,
    participant: ParticipantId,
    key: Key,
    reason: Annotated[str, typer.Option(help="A code, such as overdose.")],
    text: Annotated[str | None, typer.Option(help="The reason in words; it is sealed.")] = None,
    asked_by: Annotated[str | None, typer.Option(help="Who asked and is not of the study; sealed.")] = None,
    disclosed_to: Annotated[
        list[str] | None, typer.Option(help="People of the study who learn it too, by id.")
    ] = None,
    role: Annotated[str | None, typer.Option(help="The role to sign in.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show one participant's current regimen in an emergency, also while the log is frozen.

    The record of it is durable before anything is shown, and enters the log after: nobody waits for the whole
    log to be folded.
    """
    signing = read_key(key).signing_key()
    request = Request(
        participant=participant,
        reason=(reason, text),
        source=Source(kind="esource"),
        asked_by=asked_by,
        disclosed_to=tuple(disclosed_to or ()),
    )
    with opened(directory, lazy=True) as ledger, UnblindingQueue(directory / UNBLINDINGS) as queue:
        signer = Signer.of_log(ledger, signing)
        asked = ask(ledger, queue, signer, role or role_of(ledger, signer), request)
        regimen = show_regimen(ledger, asked)
        show(
            {
                "participant": participant,
                "regimen": regimen.arm,
                "name": regimen_name(ledger, regimen.arm),
                "stage": regimen.stage,
                "event": asked.event,
                "index": "queued",
            },
            as_json,
        )
        sys.stdout.flush()  # shown before the log is judged by: that takes its time on a large one
        recorded = settle(ledger, queue)
    if recorded:
        say(f"recorded at index {recorded[-1].index}")
    else:
        say("nothing can be recorded now: the unblinding is signed and waits; see: trial-ledger unblindings")


def unblindings(
    directory: Directory,
    key: Annotated[Path | None, typer.Option(help="Sign what does not fit its place any more again.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell how many emergency unblindings wait to be recorded; with a key, sign them again.

    Those that wait beside an older epoch, frozen for good, are recorded here.
    """
    with opened(directory, lazy=True) as ledger, UnblindingQueue(directory / UNBLINDINGS) as queue:
        recorded: tuple[Recorded, ...] = ()
        if key is not None:
            signer = Signer.of_log(ledger, read_key(key).signing_key())
            recorded = (*sign_again(ledger, queue, signer), *carry_over(ledger, directory, signer))
        left = len(queue.waiting()) + waiting_before(directory)
        frozen = ledger.startup.code == EPOCH_FROZEN
    show({"recorded": len(recorded), "waiting": left}, as_json)
    if left and frozen:
        say("this epoch is frozen for good: they are recorded in the next one, by `unblindings NEWDIR --key`")
    if left:
        raise typer.Exit(1)


def envelope(
    directory: Directory,
    participant: ParticipantId,
    key: Key,
    site: Annotated[str, typer.Option(help="Where the envelope will be kept.")],
    custodian: Annotated[str, typer.Option(help="Who keeps it, by id.")],
    name: Annotated[str, typer.Option("--envelope", help="The envelope's own id.")],
    seal: Annotated[str, typer.Option(help="The number on its seal.")],
    out: Annotated[Path, typer.Option(help="A new file, to be printed by who is unblinded and deleted.")],
    replaces: Annotated[str | None, typer.Option(help="The envelope that it replaces.")] = None,
    as_json: AsJson = False,
) -> None:
    """Record a sealed envelope with one participant's current regimen, and write its sheet."""
    signing = read_key(key).signing_key()
    issued = Envelope(
        name=name, participant=participant, site=site, custodian=custodian, seal=seal, replaces=replaces
    )
    descriptor = _new_file(out)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file, opened(directory) as ledger:
            recorded, regimen = issue_envelope(ledger, Signer.of_log(ledger, signing), issued)
            file.write(
                f"{ledger.origin}\n\nEnvelope {name}, seal {seal}, site {site}, kept by {custodian}\n"
                f"Participant {participant}\n\nRegimen: {regimen.arm}\n"
                f"{regimen_name(ledger, regimen.arm)}\n\n"
                "Whoever opens this envelope records it: unblinding.performed, means envelope.\n"
            )
    except BaseException:  # an interruption too: no sheet that is empty or cut short is left behind
        out.unlink(missing_ok=True)
        raise
    show({"event": recorded.event, "index": recorded.index, "sheet": str(out)}, as_json)


def _new_file(path: Path) -> int:
    try:
        return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError as error:
        raise StoreError("STORE_EXISTS", "expected no file, found one") from error
