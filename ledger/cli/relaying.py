"""`relay nats`: hand a study's stream on to JetStream; `relay check`: read it back and verify every entry.

    trial-ledger relay nats https://ledger.example/v1/studies/small --token-file T --server nats://h:4222 \
        --stream SMALL --create
    trial-ledger relay nats DIR --role auditor --person mchen --server nats://h:4222 --stream SMALL
    trial-ledger relay check --server nats://h:4222 --stream SMALL --policy policy.txt

What happens is told on standard error: `relaying`, `jetstream-away`, `ledger-away`, `out-of-step`, each with
the number of entries that JetStream holds.

Exit codes: 0 ended by whoever started it, or done with --once, 1 the stream and the log do not fit, 2 usage,
3 not usable, or unpinned.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
import typer

from ledger.cli.subscribing import UNPINNED, read_bounded, read_token
from ledger.cli.terminal import AsJson, say, show
from ledger.errors import FormatError, StoreError
from ledger.lines import encode_base64
from ledger.policy import MAX_POLICY_BYTES, parse_policy
from ledger.subscriber import Source, Wanted

if TYPE_CHECKING:
    from ledger.relay.jetstream import Address
    from ledger.relay.sources import Entries

PREFIX: Final = "trial"

Server = Annotated[str, typer.Option(help="The NATS server: nats://HOST:PORT or tls://HOST:PORT.")]
Stream = Annotated[str, typer.Option(help="The JetStream stream, of this log and this reader alone.")]
Prefix = Annotated[str, typer.Option(help="What subjects begin with: PREFIX.STUDY.TYPE.")]
Credentials = Annotated[Path | None, typer.Option(help="A NATS credentials file.")]

FromDirectory = Callable[[Path, str, str, tuple[str, ...]], "Entries"]
"""(directory, role, person, sites) -> what a reader of that role sees of its log"""


def register(app: typer.Typer, from_directory: FromDirectory) -> None:
    """Add the commands.

    Args:
        from_directory: reads a directory as a reader would; what a reader sees is not decided here.
    """
    relay = typer.Typer(help="Hand the stream on to NATS JetStream.", no_args_is_help=True)

    @relay.command()
    def nats(
        source: Annotated[str, typer.Argument(metavar="DIR|URL", help="A ledger's directory, or its study.")],
        server: Server,
        stream: Stream,
        prefix: Prefix = PREFIX,
        credentials: Credentials = None,
        token_file: Annotated[Path | None, typer.Option(help="URL: a file with the bearer token.")] = None,
        role: Annotated[str | None, typer.Option(help="DIR: the role that consumers read as.")] = None,
        person: Annotated[str, typer.Option(help="DIR: the person, for what a role sees of its own.")] = "",
        sites: Annotated[
            str | None, typer.Option(help="DIR: sites, separated by commas, or *; else the person's, or all.")
        ] = None,
        create: Annotated[bool, typer.Option("--create", help="Make the streams where missing.")] = False,
        once: Annotated[bool, typer.Option("--once", help="End when all there is was relayed.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Relay every entry once and in order, for as long as the command runs."""
        if "://" in source:
            if role is not None or person or sites is not None:
                raise typer.BadParameter("a URL is read as who its token is for", param_hint="--role")
            entries = _served(source, token_file)
        elif role is None:
            raise typer.BadParameter("expected the role that consumers read as", param_hint="--role")
        elif token_file is not None:
            raise typer.BadParameter("a directory is read without a token", param_hint="--token-file")
        else:
            entries = from_directory(Path(source), role, person, _sites(sites))
        _installed()
        from ledger.relay.relaying import Relay, Wish

        address = _address(server, stream, prefix, credentials)
        wish = Wish(entries=entries, address=address, create=create, once=once)
        _run(Relay(wish, _teller(as_json)).run())

    relay.command()(check)
    app.add_typer(relay, name="relay")


def check(
    server: Server,
    stream: Stream,
    policy: Annotated[Path | None, typer.Option(help="Your trust policy: ledger id and log keys.")] = None,
    credentials: Credentials = None,
    as_json: AsJson = False,
) -> None:
    """Read what JetStream holds, and verify that each entry is there once, in order, and holds."""
    _installed()
    from ledger.relay.consuming import consume
    from ledger.relay.jetstream import AwayError

    trusted = None if policy is None else parse_policy(read_bounded(policy, MAX_POLICY_BYTES, "POLICY"))
    address = _address(server, stream, PREFIX, credentials)
    try:
        found = asyncio.run(consume(address, trusted))
    except AwayError as error:
        raise StoreError("SERVER", "JetStream does not answer, or has no such stream") from error
    show(
        {"entries": found.size, "root": encode_base64(found.root), "confirmed": found.confirmed},
        as_json,
    )
    if not found.pinned:
        say("UNPINNED: no ledger id was given; what holds, holds for an unnamed ledger")
        raise typer.Exit(UNPINNED)


def _sites(text: str | None) -> tuple[str, ...]:
    """Read the sites that are named; none where none are, which an empty text does not say."""
    named = tuple(site.strip() for site in (text or "").split(",") if site.strip())
    if text is not None and not named:
        raise typer.BadParameter("expected sites, or * for all", param_hint="--sites")
    return named


def _installed() -> None:
    try:
        import nats  # noqa: F401  asked for here, so that the other commands need not have it
    except ImportError as error:
        raise StoreError("EXTRA_MISSING", "expected the extra nats to be installed") from error


def _address(server: str, stream: str, prefix: str, credentials: Path | None) -> Address:
    from ledger.relay.jetstream import Address, check_address

    address = Address(server=server, stream=stream, prefix=prefix, credentials=credentials)
    try:
        check_address(address)
    except FormatError as error:
        raise typer.BadParameter(error.message, param_hint=error.field or "--prefix") from error
    return address


def _served(url: str, token_file: Path | None) -> Entries:
    from ledger.relay.sources import Served

    try:
        return Served(Source(url=url, wanted=Wanted(), token=read_token(token_file)))
    except FormatError as error:
        if error.code != "URL":
            raise
        raise typer.BadParameter(error.message, param_hint="DIR|URL") from error


def _teller(as_json: bool) -> Callable[[str, int], None]:
    def tell(what: str, size: int) -> None:
        text = orjson.dumps({"relay": what, "size": size}).decode() if as_json else f"{what} size={size}"
        print(text, file=sys.stderr, flush=True)

    return tell


def _run(relaying: Coroutine[Any, Any, None]) -> None:
    """Run until it ends or somebody ends it; what is on its way then is asked for by the next one."""

    async def until_told() -> None:
        task = asyncio.ensure_future(relaying)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(until_told())
