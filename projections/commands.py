"""Commands that read projections: `replay`, `trail`, `rebuild` (interfaces.md, "Command line")."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""
