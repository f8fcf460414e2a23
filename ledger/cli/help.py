"""How `--help` lists commands: in the order of the work, each with its whole first sentences."""

from __future__ import annotations

import inspect
from typing import Any, Final

import typer
from typer.core import TyperGroup

SECTIONS: Final = {
    "Begin": ("demo", "definition", "init", "serve", "import", "migrate"),
    "Record and sign": (
        "record",
        "sign",
        "outbox",
        "enrol",
        "keys",
        "people",
        "randomization",
        "signing-pages",
    ),
    "Read": ("replay", "trail", "report", "dossier", "subscribe"),
    "Verify": ("trust", "export", "verify", "verify-page", "prove", "stamp", "fork", "witness"),
    "Copies and archive": ("copy-key", "copy", "copy-check", "archive"),
    "In an emergency": ("unblind", "unblindings", "envelope"),
    "Operate": ("doctor", "fsck", "rebuild", "backup", "restore-check", "restore", "erase"),
    "Keys of the service, and epochs": ("signers", "epoch"),
    "Hand on": ("webhooks", "relay"),
}
"""The commands in the order in which they are listed; what is in none of these comes last."""


class Commands(TyperGroup):
    """A group of commands whose list cuts no sentence off."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, in sections where there are some of these."""
        rows = {
            name: _first_paragraph(command.help or "")
            for name, command in self.commands.items()
            if not command.hidden
        }
        known = {title: [name for name in names if name in rows] for title, names in SECTIONS.items()}
        sections = known if ctx.parent is None else {}
        placed = {name for names in sections.values() for name in names}
        width = max(len(name) for name in rows)
        for title, names in (*sections.items(), ("Commands", [name for name in rows if name not in placed])):
            if names:
                with formatter.section(title):
                    formatter.write_dl([(name.ljust(width), rows[name]) for name in names])


def list_by_sections(app: typer.Typer) -> None:
    """Have an application and its groups list their commands so."""
    app.info.cls = Commands
    for group in app.registered_groups:
        if group.typer_instance is not None:
            list_by_sections(group.typer_instance)


def _first_paragraph(text: str) -> str:
    return " ".join(inspect.cleandoc(text).split("\n\n")[0].split())
