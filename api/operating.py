"""How a service is run: what settings say, in the form in which the application is given it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from api.limits import Limits
from api.logs import Lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Operating:
    """What an application is told of its surroundings.

    Attributes:
        metrics_token: opens /metrics from anywhere; None opens it to this machine alone.
        telemetry: whether spans go to the process's provider.
        lines: where the log goes, for the count of what was left out.
    """

    limits: Limits = field(default_factory=Limits)
    metrics_token: str | None = field(default=None, repr=False)
    telemetry: bool = False
    lines: Lines | None = None


PLAIN: Final = Operating()
"""For an application that is put together without settings: nobody is limited."""
