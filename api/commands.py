"""The commands `serve` and `relay` (interfaces.md, "Command line").

The server is imported when it is started, and the frames when a directory is relayed: every other command is
quicker without them.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import relaying
from ledger.cli.terminal import opened, settings
from ledger.directory import read_config

if TYPE_CHECKING:
    from ledger.relay.sources import Entries


def register(app: typer.Typer) -> None:
    """Add the commands; a relay of a directory shows what a reader of the stream would see."""
    app.command("serve")(serve_ledgers)
    relaying.register(app, _from_directory)


def _from_directory(directory: Path, role: str, person: str, sites: tuple[str, ...]) -> Entries:
    from api.relaying import from_directory

    return from_directory(directory, role, person, sites)


def serve_ledgers(
    directories: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Ledgers' directories.")],
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.")] = None,
) -> None:
    """Serve the HTTP interface; several studies from one process."""
    from api.app import create_app
    from api.operations import BASE
    from api.serve import listen, serve
    from api.study import OpenStudy
    from ledger.delivery.addresses import reach_of

    configured = settings()
    with contextlib.ExitStack() as stack:
        studies = [
            OpenStudy(
                config=read_config(directory),
                ledger=stack.enter_context(opened(directory)),
                directory=directory,
                reach=reach_of(configured.webhook_networks, configured.webhook_ports),
            )
            for directory in directories
        ]
        listening = stack.enter_context(
            listen(configured.host if host is None else host, configured.port if port is None else port)
        )
        address, number = listening.getsockname()[:2]
        url = f"http://{f'[{address}]' if ':' in address else address}:{number}"
        app = create_app(studies)
        print(f"Serving {len(studies)} {'study' if len(studies) == 1 else 'studies'} on {url}")
        for study in studies:
            print(f"  {url}{BASE.format(study=study.config.study)}")
        print(f"  {url}/docs", flush=True)
        serve(app, listening)
