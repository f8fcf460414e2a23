"""`trial-ledger verify-page`: write the release's verify.html, for whoever checks an export in a browser."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer

from ledger.browser import verify_html
from ledger.cli.terminal import AsJson, show
from ledger.new_file import new_file


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify-page", help="Write the page that checks an export in a browser.")(_verify_page)


def _verify_page(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A file to write, such as verify.html.")],
    as_json: AsJson = False,
) -> None:
    page = verify_html()
    with new_file(out, replace=True) as file:
        file.write(page)
    if as_json:
        show({"file": str(out), "sha256": sha256(page).hexdigest(), "size": len(page)}, as_json)
        return
    typer.echo(f"{out}: open it in a browser, drop an export on it, and paste your own policy")
