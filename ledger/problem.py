"""Why a statement does not count: what the judges of authority and of linkage answer with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One reason, with its stable code and the member that it is about."""

    code: str
    message: str
    field: str | None = None


Problems = tuple[Problem, ...]


def problem(code: str, message: str, field: str | None = None) -> Problem:
    """Make a problem."""
    return Problem(code=code, message=message, field=field)
