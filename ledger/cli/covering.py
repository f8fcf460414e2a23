"""What an action signs a digest of: filled in where it is left out, and shown before it is signed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import typer

from ledger.cli.terminal import say
from ledger.covering import Asked, asked, fill_in, found

if TYPE_CHECKING:
    from ledger.committer import Ledger
    from ledger.signing.client import Client


def cover_of_log(members: dict[str, Any], ledger: Ledger) -> None:
    """Fill in the digest from the log in a directory; ask whether to sign where there is a terminal.

    Raises:
        RefusedError, FormatError: where nothing can be signed so (`fill_in`).
        Abort: who signs said no.
    """
    _cover(members, lambda what: found(ledger, what))


def cover_of_service(members: dict[str, Any], client: Client) -> None:
    """Fill in the digest of what the service shows, computed here.

    Raises:
        RefusedError, FormatError, Abort: as `cover_of_log`.
        AnsweredError: where the service shows nothing of it.
    """

    def ask(what: Asked) -> dict[str, Any]:
        query: dict[str, Any] = {"scope": what.scope, "of": what.of, "upto": what.upto}
        query = {name: value for name, value in query.items() if value is not None}
        return client.get(
            f"/participants/{quote(what.participant, safe='')}/signing-scope?{urlencode(query)}"
        )

    _cover(members, ask)


def _cover(members: dict[str, Any], find: Callable[[Asked], dict[str, Any]]) -> None:
    what = asked(members)
    if what is None:
        return
    told = find(what)
    fill_in(members, told)
    for line in _lines(told):
        say(line)
    if sys.stdin.isatty():
        typer.confirm("Sign this?", err=True, abort=True)


def _lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Say what is covered, a line each."""
    hidden = f", {told['not_shown']} of them not shown to your role" if told["not_shown"] else ""
    if "criteria" in told:
        yield f"signs the newest assessment of {len(told['criteria'])} criteria{hidden}:"
        for row in told["criteria"]:
            yield f"  {row['criterion']} {row['result']} at index {row['index']}: {row['text'] or 'unknown'}"
        return
    count = len(told["lines"]) + told["not_shown"]
    yield f"signs {count} statements below index {told['upto']}{hidden}:"
    for line in told["lines"]:
        yield f"  {line['type'] or 'not in this copy'} at index {line['index']}"
