"""`signers`, `sign`, `outbox`, `enrol`: where keys are held, and signing over HTTP with one's own."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from ledger.cli.attaching import Attach, attached, tell
from ledger.cli.covering import cover_of_service
from ledger.cli.subscribing import read_bounded, read_token
from ledger.cli.terminal import (
    AsJson,
    Directory,
    passphrase_for,
    read_file,
    read_key,
    say,
    show,
    show_recorded,
)
from ledger.directory import KEK, KEYS, read_config
from ledger.errors import FormatError, RefusedError, StoreError
from ledger.lines import encode_base64
from ledger.policy import MAX_POLICY_BYTES, parse_policy
from ledger.prepare import Signer
from ledger.service import sign_body
from ledger.signing.client import Client, Keep, QueuedError
from ledger.signing.holding import DOCUMENT, LOG, SERVICE, open_signer, read_pin
from ledger.signing.outbox import outbox as kept_in
from ledger.signing.outbox import send as hand_in_again
from ledger.signing.pkcs11 import make_key_pair, parse_address
from ledger.submission import Submission, parse_body

Url = Annotated[str, typer.Argument(metavar="URL", help="The study: https://HOST/v1/studies/STUDY")]
KeyFile = Annotated[Path, typer.Option(help="The signer's key file.")]
PolicyFile = Annotated[Path, typer.Option(help="Your trust policy: ledger id and log keys.")]
Outbox = Annotated[Path, typer.Option(help="Directory of your own copies; made if missing.")]
TokenFile = Annotated[Path | None, typer.Option(help="A file with the bearer token to ask with.")]
Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="pkcs11:token=…;object=…?module-path=/…")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    signers = typer.Typer(help="Keys of the log, the service and documents.", no_args_is_help=True)
    signers.command("make")(make_in_token)
    signers.command("check")(check)
    app.add_typer(signers, name="signers")
    app.command("sign")(sign)
    app.command("enrol")(enrol)
    app.command("outbox")(list_outbox)


def make_in_token(
    address: Address,
    alg: Annotated[
        Literal["ed25519", "es256"], typer.Option(help="ed25519 for log and service, es256 for documents.")
    ] = "ed25519",
    as_json: AsJson = False,
) -> None:
    """Make a key pair in a token, out of which it never comes."""
    make_key_pair(parse_address(address), read_pin(), alg)
    if as_json:
        show({"address": address, "alg": alg}, as_json)


def check(directory: Directory, as_json: AsJson = False) -> None:
    """Have each key sign and check it, as at every start; print where it is and its public point."""
    config, place = read_config(directory), directory / KEYS
    passphrase = passphrase_for(place / KEK)
    rows = {}
    for name in (LOG, SERVICE, DOCUMENT):
        if name in config.signers or (place / f"{name}.json").exists():
            signer = open_signer(name, config.signers, place, passphrase)
            held = config.signers.get(name, f"{KEYS}/{name}.json")
            rows[name] = f"{signer.alg} {encode_base64(signer.public)} {held}"
    show(rows, as_json)


def sign(
    url: Url,
    action: Annotated[
        Path, typer.Argument(metavar="ACTION.json", help="Members of the statement, and `open`.")
    ],
    key: KeyFile,
    policy: PolicyFile,
    outbox: Outbox,
    further: Annotated[
        list[Path] | None, typer.Option("--with", help="Key files that sign too, in order.")
    ] = None,
    attach: Attach = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Sign one action with a key of one's own over HTTP; check what is prepared, and the receipt.

    The digest that `eligibility.confirmed` and `record.signed` are over is filled in where it is left out;
    what it covers is shown.

    Exit code 1: refused, or what the service answered does not hold.
    """
    members = parse_body(read_file(action))
    opened = members.pop("open", {})
    if not isinstance(opened, dict):
        raise FormatError("ACTION", "expected an object of values by path", field="/open")
    others = [read_key(path).signing_key() for path in further or ()]
    files = attached(members, attach)
    with _client(url, policy, outbox, token_file) as client:
        for file in files:
            client.attach(file.name, file.content)
            tell(file)
        cover_of_service(members, client)
        try:
            recorded = client.record(_signer(client, key), members, opened, others)
        except QueuedError as queued:
            show({"event": queued.event, "state": "queued"}, as_json)
            say("nothing can be recorded now: the unblinding waits, and its regimen is shown to you")
            return
    show_recorded(recorded, as_json)


def list_outbox(
    place: Annotated[
        Path, typer.Argument(metavar="DIR|FILE", help="The directory of your own copies, or one of them.")
    ],
    send: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Hand in again what has no receipt: the study."),
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="Your trust policy; needed to send.")] = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """List what you signed: recorded, waiting, refused; hand in again what waits, as often as you like.

    Exit code 1: something waits still, or was refused just now.
    """
    if not place.exists():
        raise StoreError("OUTBOX_MISSING", "expected a directory of copies, or a file of one")
    rows = list(kept_in(place))
    if send is not None:
        if policy is None:
            raise FormatError("SETTING", "expected a trust policy to check receipts by", field="--policy")
        keep = place if place.is_dir() else place.parent
        with _client(send, policy, keep, token_file) as client:
            rows = [hand_in_again(client, Keep(keep), row) for row in rows]
    if as_json:
        show({"statements": [asdict(row) for row in rows]}, as_json=True)
    for row in () if as_json else rows:
        where = row.code or ("" if row.index is None else f"at index {row.index}")
        print(f"{row.state:<9} {row.signed_at}  {row.type:<28} {row.event}  {where}".rstrip())
    if any(row.state in ("waiting", "unsigned", "queued") or row.code is not None for row in rows):
        raise typer.Exit(1)


def enrol(
    url: Url,
    person: Annotated[str, typer.Option(help="Whose key waits to be enrolled.")],
    evidence: Annotated[Path, typer.Option(help="The signed form; its hash alone leaves this machine.")],
    key: KeyFile,
    policy: PolicyFile,
    outbox: Outbox,
    role: Annotated[str, typer.Option(help="Role to sign in.")] = "sponsor_administrator",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Sign the enrolment of a key that its holder made, and leave it for the holder's own signature."""
    with _client(url, policy, outbox, token_file) as client:
        waiting = [each["key"] for each in client.get("/signing-keys")["keys"]]
        brought = [each for each in waiting if each["person"] == person]
        if not brought:
            raise RefusedError("KEY_UNKNOWN", "no key of this person waits to be enrolled")
        signer, new = _signer(client, key), brought[-1]
        digest = hashlib.sha256(read_file(evidence)).hexdigest()
        value = {
            "type": "key.enrolled",
            "stream": f"person/{person}",
            "role": role,
            "meaning": "approval",
            "with": [{"alg": new["alg"], "id": new["id"]}],
            "data": {"evidence": {"kind": "signed-form", "sha256": digest}, "key": new},
        }
        statement, _ = client.prepare(signer.complete(client.place, value), {})
        submission = Submission(
            statement=statement, sigs=sign_body(statement.body, signer.key), disclosures={}
        )
        event = client.leave(submission, new["id"])
    shown = {"event": event, "person": person, "key": new["id"], "grade": new["grade"]}
    show(shown, as_json)


def _client(url: str, policy: Path, outbox: Path, token_file: Path | None) -> Client:
    trusted = parse_policy(read_bounded(policy, MAX_POLICY_BYTES, "POLICY"))
    return Client(url, trusted, Keep(outbox), token=read_token(token_file))


def _signer(client: Client, path: Path) -> Signer:
    """Return the signer of a key file: as the file says, else as the service knows who asks.

    The name is printed in what is signed, and the log refuses another than the account's.
    """
    material = read_key(path)
    holder = material.holder
    if holder.person is not None and holder.name is not None and holder.organisation is not None:
        return Signer(material.signing_key(), holder.person, holder.name, holder.organisation)
    told = client.get("/signing")
    if holder.person is not None and holder.person != told.get("person"):
        raise RefusedError("ACTOR", "the key file is another person's than the token")
    name, organisation = str(told["name"]), str(told["organisation"])
    return Signer(material.signing_key(), str(told["person"]), name, organisation)
