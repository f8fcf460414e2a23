"""Who is told of a lock, and how: administrators by name in the log, the operator by a program of theirs.

The program that `[identity] alert_command` names gets one JSON line on its standard input and has ten
seconds; what it does with it (a page, a mail, a ticket) is the operator's. A lock never waits for it and
never fails with it.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal

from ledger.authority import Authority

TIMEOUT_S: Final = 10
ADMINISTRATOR: Final = "sponsor_administrator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A login was locked. `who` is the person's id in the log, None for an id that nobody has."""

    kind: Literal["login_locked", "unknown_locked", "address_locked"]
    study: str
    failures: int
    who: str | None = None
    alerted: tuple[str, ...] = ()


Tell = Callable[[Alert], None]


def people_to_alert(authority: Authority, who: str) -> tuple[str, ...]:
    """Return the administrators who are told of a lock: active ones, others than its person.

    Without any, the root persons are named: there is always one of them.
    """
    active = [each.id for each in authority.persons.values() if each.active and ADMINISTRATOR in each.roles]
    others = [each for each in (*active, *authority.roots) if each != who]
    first = [each for each in active if each != who]
    return tuple(sorted(first or others or [who]))


def run_command(command: Sequence[str], alert: Alert) -> threading.Thread:
    """Tell the operator's program, beside whatever goes on here; return the thread that waits for it."""
    line = json.dumps(asdict(alert)) + "\n"

    def run() -> None:
        try:
            subprocess.run(
                list(command),
                input=line.encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return  # the alert is in the log whether or not the program runs

    thread = threading.Thread(target=run, name="alert", daemon=True)
    thread.start()
    return thread
