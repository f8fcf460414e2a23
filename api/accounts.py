"""What a served study knows people by: its accounts, its provider, the audiences of assertions.

A lock of a login is told at once: one line of the service's log, which names no person, and the operator's
own program, which gets what the log of the study says.
"""

from __future__ import annotations

import structlog

from ledger.committer import Ledger
from ledger.directory import Config
from ledger.identity.accounts import Accounts
from ledger.identity.alerts import Alert, run_command
from ledger.identity.database import AccountsDatabase
from ledger.identity.oidc import Provider
from ledger.identity.reach import Heads

_log = structlog.get_logger("api")


class People:
    """Everything by which one study tells who asks."""

    def __init__(
        self, config: Config, ledger: Ledger, heads: Heads, database: AccountsDatabase | None
    ) -> None:
        self._command = config.identity.alert_command
        self.accounts = (
            None
            if database is None
            else Accounts(ledger, database, config.identity, study=config.study, tell=self.tell, heads=heads)
        )
        self.provider = None if config.oidc is None else Provider(config.oidc, ledger.sources.now_us)
        url = config.identity.url
        self.audiences = (config.origin,) if url is None else (config.origin, url)

    def tell(self, alert: Alert) -> None:
        """Tell the operator of a lock."""
        _log.warning("login locked", kind=alert.kind, study=alert.study, failures=alert.failures)
        if self._command:
            run_command(self._command, alert)
