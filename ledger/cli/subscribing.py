"""`subscribe`: print a study's stream, verifying as it goes (interfaces.md, "Command line").

    12  visit.started          participant/SA-01-001  yes
    13  leaf                   -                      leaf only

Each line is an entry that was verified: `yes` (statement, signatures, authority, order, tree), `leaf only`
(the reader may not see the statement), or `bytes only` (a filtered stream: statement and leaf fit each other,
and nothing more can be said). What happens besides is told on standard error, or in JSON with a `notice`.

Exit codes: 0 ended by whoever started it, 1 a finding, 2 usage, 3 not reachable, not usable, or unpinned.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

import orjson
import typer

from ledger.cli.terminal import AsJson, say
from ledger.errors import FormatError, StoreError
from ledger.policy import MAX_POLICY_BYTES, TrustPolicy, parse_policy
from ledger.subscriber import Notice, Position, Source, Subscriber, UnreachableError, Verified, Wanted

MAX_TOKEN_BYTES: Final = 8_192
UNPINNED: Final = 3
TRIES: Final = 4
"""How often in a row `--once` finds nobody before it gives up; without it, somebody waits for the server."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(subscribe)


def subscribe(
    url: Annotated[str, typer.Argument(metavar="URL", help="The study: https://HOST/v1/studies/STUDY")],
    after: Annotated[
        int, typer.Option(min=-1, help="Print only what follows this index; all before is verified too.")
    ] = -1,
    types: Annotated[
        str | None, typer.Option(help="Action types, separated by commas; then the tree is not verified.")
    ] = None,
    participant: Annotated[str | None, typer.Option(help="One participant's stream; likewise.")] = None,
    policy: Annotated[Path | None, typer.Option(help="Your trust policy: ledger id and log keys.")] = None,
    state: Annotated[Path | None, typer.Option(help="Where to keep the position; made if missing.")] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="A file with the bearer token to read with.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="End when everything there is was read.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print a study's stream, verifying as it goes."""
    wanted = Wanted(types=tuple(sorted(set(types.split(",")))) if types else (), participant=participant)
    try:
        source = Source(url=url, wanted=wanted, token=read_token(token_file))
    except FormatError as error:
        if error.code != "URL":
            raise
        raise typer.BadParameter(error.message, param_hint="URL") from error
    trusted = None if policy is None else parse_policy(read_bounded(policy, MAX_POLICY_BYTES, "POLICY"))
    position = None if state is None else Position.open(state, wanted)
    try:
        with Subscriber(source, position, trusted) as subscriber:
            _warn(trusted, wanted)
            _follow(subscriber, _Printer(after=after, as_json=as_json), once=once)
            pinned = subscriber.judge.pinned
            say(f"ended after index {subscriber.after}, confirmed to size {subscriber.judge.confirmed}")
    finally:
        if position is not None:
            position.close()
    if not pinned:
        raise typer.Exit(UNPINNED)


class _Ended(BaseException):
    """Somebody asked the command to end while it was waiting."""


class _Ending:
    """Ends at once where nothing is in hand, and else after the batch: printed and kept, or neither."""

    def __init__(self) -> None:
        self.asked = False
        self.busy = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        if not self.busy:
            raise _Ended


class _Printer:
    """Writes a line for each entry, and tells of the rest."""

    def __init__(self, *, after: int, as_json: bool) -> None:
        self._after = after
        self._as_json = as_json

    def entry(self, each: Verified) -> None:
        """Print an entry."""
        if each.index <= self._after:
            return
        statement = each.entry.statement
        type_, stream = ("leaf", None) if statement is None else (statement.type, statement.stream)
        if not self._as_json:
            print(f"{each.index:>8}  {type_:<34}  {stream or '-':<28}  {each.verified}")
            return
        self._json(
            {
                "index": each.index,
                "type": type_,
                "stream": stream,
                "verified": each.verified,
                "event": each.entry.event,
                "at": each.entry.leaf.at,
            }
        )

    def notice(self, each: Notice) -> None:
        """Tell of a control event, or of the connection."""
        if self._as_json:
            self._json({"notice": each.kind, **each.data})
        else:
            say(" ".join([each.kind, *(f"{name}={value}" for name, value in sorted(each.data.items()))]))

    @staticmethod
    def _json(value: dict[str, object]) -> None:
        print(orjson.dumps(value).decode())


def _follow(subscriber: Subscriber, printer: _Printer, *, once: bool) -> None:
    """Print batch after batch until somebody ends it; each is printed, then its place is kept."""
    with _signals(_Ending()) as ending:
        tries = 0
        for batch in subscriber.batches():
            tries = tries + 1 if _is_lost(batch) else 0
            if once and tries == TRIES:
                raise UnreachableError("UNREACHABLE", f"nobody answered at that address, asked {TRIES} times")
            ending.busy = True
            for item in batch:
                if isinstance(item, Verified):
                    printer.entry(item)
                else:
                    printer.notice(item)
                    ending.asked |= once and item.kind == "caught-up"
            sys.stdout.flush()
            subscriber.keep()
            ending.busy = False
            if ending.asked:
                return


def _is_lost(batch: Sequence[Verified | Notice]) -> bool:
    """Tell whether no connection was had; one that was had begins with `connected`."""
    return [item.kind for item in batch if isinstance(item, Notice)] == ["lost"]


@contextmanager
def _signals(ending: _Ending) -> Iterator[_Ending]:
    before = {number: signal.signal(number, ending) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ending
    except _Ended:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _warn(policy: TrustPolicy | None, wanted: Wanted) -> None:
    """Say what can't be verified, before anything is printed."""
    if policy is None or policy.ledger_id is None:
        say("UNPINNED: no ledger id was given; what holds, holds for an unnamed ledger")
    if not wanted.whole:
        say("FILTERED: entries are left out; neither tree nor signatures can be verified, bytes only")


def read_token(path: Path | None) -> str | None:
    """Read a bearer token; None where no file is named.

    Raises:
        StoreError: `TOKEN`.
    """
    if path is None:
        return None
    try:
        token = read_bounded(path, MAX_TOKEN_BYTES, "TOKEN").decode("ascii").strip()
    except UnicodeDecodeError:
        token = ""
    if not token or not token.isprintable() or " " in token:
        raise StoreError("TOKEN", "expected a file with one token")
    return token


def read_bounded(path: Path, limit: int, code: str) -> bytes:
    """Read a file of at most so many bytes.

    Raises:
        StoreError: of that code.
    """
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise StoreError(code, f"{path.name} can't be read: {error.strerror}") from error
    if len(data) > limit:
        raise StoreError(code, f"{path.name} is longer than {limit} bytes")
    return data
