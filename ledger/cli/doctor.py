"""`doctor`: one screen on the health of ledgers (interfaces.md, "Command line")."""

from __future__ import annotations

import os
import textwrap
import time
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.text import Text

from ledger.cli.terminal import AsJson, settings, show
from ledger.doctor.examine import Examined, examine
from ledger.doctor.finding import Finding, Verdict
from ledger.doctor.keys import certificate_finding
from ledger.doctor.log import Expected
from ledger.settings import SETTINGS

STYLES: Final[dict[Verdict, str]] = {"good": "green", "watch": "yellow", "bad": "bold red", "unknown": "dim"}
WIDTH: Final = 80
AREA: Final = 13
VERDICT: Final = 8

Days = Annotated[int, typer.Option(min=1)]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    directories: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Ledgers' directories.")],
    backup_days: Annotated[int, typer.Option(min=1, help="A backup is late after so many days.")] = 1,
    restore_days: Annotated[int, typer.Option(min=1, help="A restore test is late after so many.")] = 92,
    as_json: AsJson = False,
) -> None:
    """Show on one screen how ledgers are: head, checkpoint, witnesses, backups, clock, keys, room.

    Nothing is changed, and entries are not read through: damage inside is found by fsck. Ends with 1 where
    something is bad.
    """
    configured, now_us = settings(), time.time_ns() // 1_000
    expected = Expected(backup_days=backup_days, restore_days=restore_days)
    examined = [
        examine(each, now_us=now_us, expected=expected, passphrase=configured.passphrase())
        for each in directories
    ]
    service = []
    if configured.tls_certificate is not None:
        service.append(certificate_finding(configured.tls_certificate, now_us))
    if as_json:
        show(_json(examined, service), as_json=True)
    else:
        _print(examined, service)
    if not all(each.sound for each in examined) or any(each.verdict == "bad" for each in service):
        raise typer.Exit(1)


def _print(examined: list[Examined], service: list[Finding]) -> None:
    console = Console(width=WIDTH, highlight=False, soft_wrap=True)
    for each in examined:
        console.print(Text(f"{each.directory}: {_sum(each.findings)}", style="bold"))
        console.print(f"study {each.study}, origin {each.origin}")
        for finding in each.findings:
            _print_finding(console, finding)
        console.print()
    for finding in service:
        _print_finding(console, finding)
    in_force = ", ".join(f"{name.lower()} {value}" for name, value in _in_force().items())
    for line in textwrap.wrap(f"settings: {in_force or 'all as they come'}", WIDTH, subsequent_indent="  "):
        console.print(line, markup=False)


def _print_finding(console: Console, finding: Finding) -> None:
    first, *others = textwrap.wrap(finding.text, WIDTH - AREA - VERDICT - 2) or [""]
    verdict = Text(f"  {finding.verdict:<{VERDICT}}", style=STYLES[finding.verdict])
    console.print(verdict + Text(f"{finding.area:<{AREA}}{first}", style="none"))
    for line in others:
        console.print(" " * (2 + VERDICT + AREA) + line, markup=False)


def _sum(findings: tuple[Finding, ...]) -> str:
    counts = {verdict: sum(each.verdict == verdict for each in findings) for verdict in STYLES}
    parts = [f"{counts[verdict]} {verdict}" for verdict in ("bad", "watch", "unknown") if counts[verdict]]
    return ", ".join(parts) or "all good"


def _in_force() -> dict[str, str]:
    """Return the settings that the environment holds; of files the name, never what is in them."""
    return {
        setting.name.removeprefix("TRIAL_LEDGER_"): os.environ[setting.name]
        for setting in SETTINGS
        if setting.name in os.environ
    }


def _json(examined: list[Examined], service: list[Finding]) -> dict[str, Any]:
    return {
        "ledgers": [
            {
                "directory": str(each.directory),
                "study": each.study,
                "origin": each.origin,
                "sound": each.sound,
                "findings": [_members(finding) for finding in each.findings],
            }
            for each in examined
        ],
        "service": [_members(finding) for finding in service],
        "settings": _in_force(),
    }


def _members(finding: Finding) -> dict[str, Any]:
    return {each.name: getattr(finding, each.name) for each in fields(finding)}
