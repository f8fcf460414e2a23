"""The command's frame: which commands there are, and how an error leaves the process.

An error is one line on standard error with its code, never a stack trace, and sets the exit code.
"""

from __future__ import annotations

import os
import platform
import signal
import sqlite3
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points, version
from typing import Annotated, Any, Final

import typer

from ledger.cli import (
    backup,
    definitions,
    doctor,
    epochs,
    erasing,
    importing,
    keeping,
    keys,
    loading,
    opening,
    page,
    people,
    randomization,
    signing,
    subscribing,
    transparency,
    unblinding,
    webhooks,
)
from ledger.cli.help import Commands, list_by_sections
from ledger.cli.terminal import settings
from ledger.errors import ConflictError, LedgerError, ProofError, RefusedError, SignatureError

DONE: Final = 0
REFUSED: Final = 1
USAGE: Final = 2
UNUSABLE: Final = 3
INTERRUPTED: Final = 130

USAGE_CODES: Final = frozenset(
    {
        *("AFTER", "FIELD", "FILTER", "FORMAT", "INDEX", "KNOWN", "LIMIT", "RANGE", "REPORT", "ROLE"),
        *("ROLE_UNKNOWN", "SCOPE", "SINCE", "SORT", "TRUE", "UNTIL"),
        *("ORIGIN", "PERSON", "SETTING", "STORE_URL", "WHY"),
    }
)
"""Codes of what was asked for wrongly: of arguments, never of what a file holds."""

ENTRY_POINTS: Final = "trial_ledger.commands"


def build() -> typer.Typer:
    """Return the application with every command of the installed packages."""
    app = typer.Typer(
        name="trial-ledger",
        help="The system of record for what was done to a person in a clinical trial.",
        epilog="Exit codes: 0 done or verified, 1 findings or refused, 2 usage, 3 unusable or unpinned.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_begin)
    opening.register(app)
    keys.register(app)
    people.register(app)
    keeping.register(app)
    backup.register(app)
    definitions.register(app)
    doctor.register(app)
    epochs.register(app)
    erasing.register(app)
    transparency.register(app)
    page.register(app)
    unblinding.register(app)
    randomization.register(app)
    importing.register(app)
    signing.register(app)
    subscribing.register(app)
    webhooks.register(app)
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        point.load()(app)
    app.command("verify", help="Judge an export bundle offline.", add_help_option=False)(_verify)
    list_by_sections(app)
    app.info.cls = _Commands
    return app


class _InterruptedError(Exception):
    """What interrupted a command, as its cause: of a KeyboardInterrupt typer leaves an exit code alone."""


class _Commands(Commands):
    """The commands of the application."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise _InterruptedError from error


def run(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    try:
        settings()
        with loading():
            app = build()
        with _ending_in_order():
            code = app(args=list(arguments), standalone_mode=False)
        # Outside of its standalone mode typer answers with the code of an `Exit` instead of raising it, and
        # makes such an `Exit` of a KeyboardInterrupt, as while arguments are read.
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        return code if isinstance(code, int) else DONE
    except typer.Abort:
        return _say("interrupted", INTERRUPTED)
    except (KeyboardInterrupt, _InterruptedError) as error:
        left = _notes(error.__cause__ or error)
        whole = "" if left else ", nothing is half-written"
        return _say(f"interrupted: what was acknowledged is recorded{whole}{left}", INTERRUPTED)
    except LedgerError as error:
        return _say(f"error: {error}{_notes(error)}", exit_code(error))
    except BrokenPipeError:
        sys.stderr.close()
        return DONE
    except OSError as error:
        where = "" if error.filename is None else f": {error.filename}"
        return _say(f"error: {error.strerror or 'the system refused'}{where}{_notes(error)}", UNUSABLE)
    except Exception as error:
        if isinstance(error, typer.BadParameter) or hasattr(error, "format_message"):
            message = error.format_message()
            return _say(message if message.startswith("Usage:") else f"usage: {message}", USAGE)
        raise


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does, so that what it had half written goes again.

    Services that end in their own order put handlers of theirs in its place.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    own = os.getpid()

    def end(number: int, _: object) -> None:
        if os.getpid() == own:
            raise KeyboardInterrupt
        signal.signal(number, signal.SIG_DFL)  # a child that was forked has nothing to put in order
        os.kill(os.getpid(), number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def exit_code(error: LedgerError) -> int:
    """Return 1 for what was refused, 2 for what was asked wrongly, 3 for what cannot be used at all."""
    if isinstance(error, RefusedError | ConflictError | SignatureError | ProofError):
        return REFUSED
    return USAGE if error.code in USAGE_CODES else UNUSABLE


def _notes(error: BaseException) -> str:
    """Return what is told beside an error, each on a line of its own."""
    return "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))


def _say(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code


def _print_version(asked: bool) -> None:
    """Print what a report of a fault needs: name, version, Python and SQLite; nothing of a ledger."""
    if asked:
        name = "trial-ledger"
        python, sqlite = platform.python_version(), sqlite3.sqlite_version
        print(f"{name} {version(name)} (Python {python}, SQLite {sqlite})")
        raise typer.Exit(DONE)


def _begin(
    _: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version, Python's and SQLite's.",
        ),
    ] = False,
) -> None:
    """The system of record for what was done to a person in a clinical trial."""


def _verify() -> None:
    """Listed for the help text; `main` hands `verify` over before this frame is loaded."""
