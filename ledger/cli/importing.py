"""`import`: public standards in, each with a report of what was and was not taken."""

from __future__ import annotations

import typer

from ledger.cli.importing_sdtm import sdtm
from ledger.cli.importing_usdm import usdm


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="Public standards in; a report of what was and was not taken.", no_args_is_help=True
    )
    group.command("usdm")(usdm)
    group.command("sdtm")(sdtm)
    app.add_typer(group, name="import")
