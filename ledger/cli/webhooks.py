"""`webhooks`: propose endpoints, look at them, and write the actions that put changes in force.

    webhooks propose DIR --url https://receiver.example/h --role auditor --person mc > action.json
    record DIR --key admin.json action.json

What `propose`, `rotate`, `replay` and `off` print is an action for an administrator to sign with `record`.
Until that is in the log nothing changes. The public key that receivers need is told on standard error.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import orjson
import typer

from ledger.cli.terminal import AsJson, Directory, opened, say, settings, show
from ledger.committer import Ledger
from ledger.delivery.addresses import Reach, reach_of
from ledger.delivery.book import Book
from ledger.delivery.delivering import IN_FORCE, Ready, state_of
from ledger.delivery.endpoints import action, off, parse_endpoint, ranges, replay, rotation
from ledger.delivery.standing import Standing, Standings, holds
from ledger.errors import RefusedError
from ledger.identity.reach import Heads
from ledger.sources import SystemSources

REFERENCE: Final = "webhook"

EndpointId = Annotated[str, typer.Argument(metavar="ENDPOINT", help="Id of an endpoint.")]
Signs = Annotated[
    Literal["sponsor_administrator", "root"], typer.Option("--as", help="Role of who signs the action.")
]
Reference = Annotated[str, typer.Option(help="Reference of the change, such as a change request.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    webhooks = typer.Typer(help="Endpoints that the stream is sent to.", no_args_is_help=True)
    webhooks.command("list")(list_endpoints)
    for command in (propose, rotate, parked, off_endpoint, replay_entries):
        webhooks.command(command.__name__.partition("_")[0])(command)
    app.add_typer(webhooks, name="webhooks")


def list_endpoints(directory: Directory, as_json: AsJson = False) -> None:
    """Show every endpoint: whether it is in force, its keys, where it is, how much is parked."""
    with _desk(directory) as desk:
        for name, standing in desk.standings.items():
            show(desk.shown(name, standing), as_json)


def propose(
    directory: Directory,
    url: Annotated[str, typer.Option(help="https://…, without credentials.")],
    role: Annotated[str, typer.Option(help="The role that it reads as.")],
    person: Annotated[str, typer.Option(help="The account that holds it.")],
    sites: Annotated[str, typer.Option(help="Sites, separated by commas, or *.")] = "*",
    types: Annotated[str, typer.Option(help="Action types, separated by commas; none for all.")] = "",
    after: Annotated[int, typer.Option(min=-1, help="Begin after this index.")] = -1,
    endpoint: Annotated[str | None, typer.Option(help="An endpoint that is there, to change it.")] = None,
    reference: Reference = REFERENCE,
    signs: Signs = "sponsor_administrator",
    as_json: AsJson = False,
) -> None:
    """Keep the configuration of an endpoint, and print the action that puts it in force."""
    with _desk(directory) as desk:
        standing = Standing() if endpoint is None else desk.known(endpoint)
        name = endpoint or desk.book.new_endpoint()
        value = {"endpoint": name, "url": url, "role": role, "person": person, "after": after}
        words = {"sites": sites.split(","), "types": types.split(",") if types else []}
        wanted = parse_endpoint({**value, **words}, desk.reach)
        if not holds(desk.heads.now(), wanted):
            raise RefusedError("ROLE_NOT_HELD", "the account does not hold this role on these sites")
        key = None if standing.keys else desk.book.new_key(name)
        desk.book.propose(wanted)
        _print(wanted.changes(standing.digest, key), reference, signs, as_json, endpoint=name, public_key=key)


def rotate(
    directory: Directory,
    endpoint: EndpointId,
    reference: Reference = REFERENCE,
    signs: Signs = "sponsor_administrator",
    as_json: AsJson = False,
) -> None:
    """Make another signing key, and print the action from which on deliveries bear both signatures."""
    with _desk(directory) as desk:
        standing = desk.known(endpoint)
        key = desk.book.new_key(endpoint)
        changes = rotation(endpoint, standing.keys[-1].public, key)
        _print(changes, reference, signs, as_json, endpoint=endpoint, public_key=key)


def parked(
    directory: Directory,
    endpoint: EndpointId,
    reference: Reference = REFERENCE,
    signs: Signs = "sponsor_administrator",
    as_json: AsJson = False,
) -> None:
    """Tell what an endpoint did not take for days, and print the action that has it sent once more."""
    with _desk(directory) as desk:
        desk.known(endpoint)
        kept = desk.book.parked(endpoint)
        rows = [{"index": each.index, "tries": each.tries, "trouble": each.trouble} for each in kept]
        changes = replay(endpoint, *ranges([each.index for each in kept])) if kept else None
        if as_json:
            wanted = None if changes is None else _action(changes, reference, signs)
            show({"endpoint": endpoint, "parked": rows, "action": wanted}, as_json)
            return
        for row in rows:
            say(f"{row['index']:>8}  {row['tries']:>4} tries  {row['trouble']}")
        if changes is not None:
            _print(changes, reference, signs, as_json)


def replay_entries(
    directory: Directory,
    endpoint: EndpointId,
    first: Annotated[int, typer.Argument(min=0)],
    last: Annotated[int, typer.Argument(min=0)],
    reference: Reference = REFERENCE,
    signs: Signs = "sponsor_administrator",
    as_json: AsJson = False,
) -> None:
    """Print the action that has a range of entries sent once more."""
    with _desk(directory) as desk:
        desk.known(endpoint)
        if last < first:
            raise typer.BadParameter("expected the first index before the last", param_hint="LAST")
        _print(replay(endpoint, (first, last)), reference, signs, as_json, endpoint=endpoint)


def off_endpoint(
    directory: Directory,
    endpoint: EndpointId,
    reference: Reference = REFERENCE,
    signs: Signs = "sponsor_administrator",
    as_json: AsJson = False,
) -> None:
    """Print the action that takes an endpoint out of force."""
    with _desk(directory) as desk:
        digest = desk.known(endpoint).digest
        if digest is None:
            raise RefusedError("WEBHOOK_UNKNOWN", "the endpoint is off already")
        _print(off(endpoint, digest), reference, signs, as_json, endpoint=endpoint)


@dataclass(slots=True, kw_only=True)
class _Desk:
    """A ledger opened for its endpoints."""

    ledger: Ledger
    book: Book
    heads: Heads
    reach: Reach
    standings: dict[str, Standing]

    def known(self, name: str) -> Standing:
        """Return an endpoint as the log has it.

        Raises:
            RefusedError: `WEBHOOK_UNKNOWN`.
        """
        standing = self.standings.get(name)
        if standing is None or not standing.keys:
            raise RefusedError("WEBHOOK_UNKNOWN", "the log has no such endpoint")
        return standing

    def shown(self, name: str, standing: Standing) -> dict[str, Any]:
        """Return what people want to know of an endpoint."""
        head, now_us = self.heads.now(), SystemSources().now_us()
        found = state_of(self.book, lambda each: holds(head, each), self.reach, name, standing, now_us)
        own = next((lane for lane in self.book.lanes(name) if lane.stop is None), None)
        return {
            "endpoint": name,
            "state": IN_FORCE if isinstance(found, Ready) else found,
            "host": standing.host,
            "reader": standing.reader,
            "public_keys": standing.signing(now_us),
            "next": -1 if own is None else own.next,
            "tries": 0 if own is None else own.tries,
            "trouble": "" if own is None else own.trouble,
            "parked": len(self.book.parked(name)),
        }


@contextmanager
def _desk(directory: Path) -> Iterator[_Desk]:
    configured = settings()
    with opened(directory) as ledger:
        book = Book.ensure(directory, ledger.service.secret, SystemSources())
        try:
            yield _Desk(
                ledger=ledger,
                book=book,
                heads=Heads(ledger),
                reach=reach_of(configured.webhook_networks, configured.webhook_ports),
                standings=dict(Standings().catch_up(ledger.store)),
            )
        finally:
            book.close()


def _print(
    changes: list[dict[str, str]], reference: str, role: str, as_json: bool, **told: str | None
) -> None:
    """Print an action for `record`, and beside it what receivers need; as JSON both in one object."""
    value = _action(changes, reference, role)
    if as_json:
        show({"action": value, **told}, as_json)
        return
    print(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
    if told.get("public_key") is not None:
        say(f"endpoint {told['endpoint']}, public key {told['public_key']}")
    elif "public_key" in told:
        say(f"endpoint {told['endpoint']}")


def _action(changes: list[dict[str, str]], reference: str, role: str) -> dict[str, Any]:
    return {**action(changes, reference), "role": role}
