"""The commands `serve` and `relay` (interfaces.md, "Command line").

The server is imported when it is started, and the frames when a directory is relayed: every other command is
quicker without them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli import loading, relaying, witness
from ledger.cli.terminal import AsJson, opened, say, settings, show
from ledger.configured import compare, pages_difference
from ledger.directory import ACCOUNTS, KEYS, read_config
from ledger.errors import FormatError
from ledger.identity.database import AccountsDatabase
from ledger.settings import Settings, parse_addresses

if TYPE_CHECKING:
    from api.logs import Lines
    from api.operating import Operating
    from api.study import OpenStudy
    from ledger.relay.sources import Entries
    from projections.copies.signing import DocumentSigner


def register(app: typer.Typer) -> None:
    """Add the commands; a relay of a directory shows what a reader of the stream would see."""
    app.command("serve")(serve_ledgers)
    app.command("signing-pages")(signing_pages)
    relaying.register(app, _from_directory)
    witness.register(app).command("serve")(serve_a_witness)


def _from_directory(directory: Path, role: str, person: str, sites: tuple[str, ...]) -> Entries:
    from api.relaying import from_directory

    return from_directory(directory, role, person, sites)


def serve_ledgers(
    directories: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Ledgers' directories.")],
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.")] = None,
    proxy_headers: Annotated[
        str | None, typer.Option(metavar="ADDRESSES", help="Proxies that are believed about who asks.")
    ] = None,
    tls_certificate: Annotated[Path | None, typer.Option(help="Certificate chain in PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key in PEM.")] = None,
    signing_port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port of the signing pages; without it, none.")
    ] = None,
    signing_host: Annotated[str, typer.Option(help="Address that the pages listen on.")] = "127.0.0.1",
    signing_api: Annotated[
        str | None, typer.Option(help="Origin of this interface as browsers reach it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Serve the HTTP interface; several studies from one process.

    Several processes may serve one directory. A listening socket that a service manager hands over is used
    in place of host and port. SIGTERM ends everything in order.
    """
    with loading():
        from api import logs
        from api.app import create_app
        from api.serve import Door, inherited, listen, serve
        from api.study import OpenStudy
        from ledger.delivery.addresses import reach_of
        from projections.check import checker

    configured = settings()
    door = Door(
        proxies=_addresses(proxy_headers) if proxy_headers is not None else configured.proxy_headers,
        certificate=tls_certificate or configured.tls_certificate,
        key=tls_key or configured.tls_key,
    )
    door.check()
    operating = _operating(configured, logs.configure(configured.log_level))
    with contextlib.ExitStack() as stack:
        studies = [
            OpenStudy(
                config=read_config(directory),
                ledger=stack.enter_context(opened(directory)),
                directory=directory,
                accounts=_accounts(stack, directory),
                documents=_documents(directory),
                reach=reach_of(configured.webhook_networks, configured.webhook_ports),
                audit_every_s=configured.audit_hours * 3600.0 or None,
                checkers=(checker(directory),),
                clock_limit_ms=configured.clock_limit_ms,
            )
            for directory in directories
        ]
        for study in studies:
            _tell_differences(study)
        where = (configured.host if host is None else host, configured.port if port is None else port)
        listening = stack.enter_context(inherited(os.environ) or listen(*where))
        app = create_app(studies, operating)
        _tell(door.scheme, listening.getsockname(), [study.config.study for study in studies], as_json)
        if signing_port is not None:
            from api.signing_host import pages, serving

            _tell_pages(studies)
            pages_socket = stack.enter_context(listen(signing_host, signing_port))
            api = signing_api or _url(door.scheme, listening.getsockname())
            stack.enter_context(serving(pages(api), pages_socket, door.certificate, door.key))
            _tell_one("Signing pages", _url(door.scheme, pages_socket.getsockname()), as_json)
        serve(app, listening, door)


def serve_a_witness(
    directory: witness.Place,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.")] = 8418,
    as_json: AsJson = False,
) -> None:
    """Take checkpoints of the logs that this witness knows, and cosign those that continue the last."""
    from api.serve import listen
    from api.witnessing import serve_witness

    with contextlib.ExitStack() as stack:
        opened_witness = stack.enter_context(witness.opened_witness(directory))
        listening = stack.enter_context(listen(host, port))
        _tell_one("Witness", _url("http", listening.getsockname()), as_json)
        serve_witness(opened_witness, listening)


def _tell_differences(study: OpenStudy) -> None:
    """Say where `ledger.toml` is not what the log says that it is (21 CFR 11.10(k))."""
    for difference in compare(study.config, study.ledger.store).differences:
        say(f"{study.config.study}: {difference}")


def _tell_pages(studies: Sequence[OpenStudy]) -> None:
    """Say where nobody can sign on the pages, and where they are not those of a study's newest release."""
    from api.signing_host import digest

    for study in studies:
        if study.config.signing is None:
            say(f"{study.config.study}: no [signing] in ledger.toml, so these pages may not ask the service")
        difference = pages_difference(study.ledger.store, digest())
        if difference is not None:
            say(f"{study.config.study}: {difference}")


def _accounts(stack: contextlib.ExitStack, directory: Path) -> AccountsDatabase | None:
    """Open the file of accounts until the stack ends; None where the ledger has none yet."""
    path = directory / ACCOUNTS
    return stack.enter_context(AccountsDatabase(path)) if path.exists() else None


def _documents(directory: Path) -> DocumentSigner | None:
    """Open the key that signs certified copies; None where none was made."""
    from projections.copies.commands import document_of
    from projections.copies.signing import CERTIFICATE

    return document_of(directory) if (directory / KEYS / CERTIFICATE).exists() else None


def _operating(configured: Settings, lines: Lines) -> Operating:
    from api.limits import Limits
    from api.operating import Operating

    return Operating(
        limits=Limits(
            max_requests=configured.max_requests,
            rate_per_s=configured.rate_per_s,
            anonymous_rate_per_s=configured.anonymous_rate_per_s,
        ),
        metrics_token=configured.metrics_token(),
        telemetry=configured.telemetry,
        lines=lines,
    )


def _addresses(text: str) -> tuple[str, ...]:
    try:
        return parse_addresses(text)
    except ValueError as error:
        raise FormatError("SETTING", str(error), field="--proxy-headers") from None


def signing_pages(
    digest: Annotated[bool, typer.Option("--hash", help="Print the one hash that is released.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the SHA-256 of each file of the signing pages, or with --hash that of the whole list.

    The latter is `pages_sha256` of `system.released`; `sha256sum -c` checks the former on any copy.
    """
    from api import signing_host

    if as_json:
        rows = (line.split("  ") for line in signing_host.hashes().splitlines())
        files = {name: sha256 for sha256, name in rows}
        show({"pages_sha256": signing_host.digest(), **({} if digest else {"files": files})}, as_json)
        return
    print(signing_host.digest() if digest else signing_host.hashes(), end="\n" if digest else "")


def _url(scheme: str, address: tuple[Any, ...]) -> str:
    host, port = address[:2]
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _tell_one(what: str, url: str, as_json: bool) -> None:
    """Say where something listens; as JSON one object a line."""
    if as_json:
        show({what.lower().replace(" ", "_"): url}, as_json)
    else:
        print(f"{what} on {url}", flush=True)


def _tell(scheme: str, address: tuple[Any, ...], studies: list[str], as_json: bool) -> None:
    from api.operations import BASE

    url = _url(scheme, address)
    if as_json:
        show({"url": url, "studies": {study: url + BASE.format(study=study) for study in studies}}, as_json)
        return
    print(f"Serving {len(studies)} {'study' if len(studies) == 1 else 'studies'} on {url}")
    for study in studies:
        print(f"  {url}{BASE.format(study=study)}/pages")
    print(f"  {url}/docs", flush=True)
