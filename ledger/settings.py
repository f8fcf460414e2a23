"""Settings of the environment, `TRIAL_LEDGER_*`, read in one place; an unknown one is an error.

One line of `SETTINGS` is one setting: its name, its member of `Settings` (whose default is the default), how
it is read, and what it is for. `docs/operating.md` has the same lines; a test compares them. A secret never
stands in the environment itself, where other processes could read it: the setting names its file.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ledger.errors import FormatError

PREFIX: Final = "TRIAL_LEDGER_"
PASSPHRASE_FILE: Final = "TRIAL_LEDGER_PASSPHRASE_FILE"  # noqa: S105  a setting's name
HOST: Final = "TRIAL_LEDGER_HOST"
PORT: Final = "TRIAL_LEDGER_PORT"
METRICS_TOKEN_FILE: Final = "TRIAL_LEDGER_METRICS_TOKEN_FILE"  # noqa: S105  a setting's name
PKCS11_PIN_FILE: Final = "TRIAL_LEDGER_PKCS11_PIN_FILE"

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8417
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
MOST: Final = 1_000_000
MOST_HOURS: Final = 8_760


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says."""

    passphrase_file: Path | None = None
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    proxy_headers: tuple[str, ...] = ()
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    log_level: str = "info"
    metrics_token_file: Path | None = None
    pkcs11_pin_file: Path | None = None
    telemetry: bool = False
    max_requests: int = 1024
    rate_per_s: int = 200
    anonymous_rate_per_s: int = 100
    audit_hours: int = 24
    clock_limit_ms: int = 1000
    webhook_networks: tuple[str, ...] = ()
    webhook_ports: tuple[int, ...] = ()

    def passphrase(self) -> str | None:
        """Read the passphrase from its file; None where no file is named.

        Raises:
            FormatError: `SETTING` when the file cannot be read or is empty.
        """
        return _secret(self.passphrase_file, PASSPHRASE_FILE, "passphrase")

    def metrics_token(self) -> str | None:
        """Read the token that opens /metrics from its file; None where no file is named.

        Raises:
            FormatError: `SETTING` when the file cannot be read or is empty.
        """
        return _secret(self.metrics_token_file, METRICS_TOKEN_FILE, "token")

    def pkcs11_pin(self) -> str | None:
        """Read the PIN of tokens that hold keys from its file; None where no file is named.

        Raises:
            FormatError: `SETTING` when the file cannot be read or is empty.
        """
        return _secret(self.pkcs11_pin_file, PKCS11_PIN_FILE, "PIN")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting: `member` is that of `Settings`, `parse` reads its text and raises ValueError."""

    name: str
    member: str
    parse: Callable[[str], Any]
    text: str


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings.

    Raises:
        FormatError: `SETTING` with the name of an unknown or malformed one; the value is not repeated.
    """
    known = {setting.name for setting in SETTINGS}
    unknown = {name for name in environment if name.startswith(PREFIX)} - known
    if unknown:
        raise FormatError("SETTING", "no such setting", field=min(unknown))
    members = {}
    for setting in SETTINGS:
        if setting.name in environment:
            try:
                members[setting.member] = setting.parse(environment[setting.name])
            except ValueError as error:
                raise FormatError("SETTING", str(error), field=setting.name) from None
    return Settings(**members)


def parse_addresses(text: str) -> tuple[str, ...]:
    """Read addresses and networks, separated by commas; `*` is none.

    Raises:
        ValueError: one of them is neither.
    """
    addresses = tuple(each.strip() for each in text.split(",") if each.strip())
    for each in addresses:
        try:
            ipaddress.ip_network(each)
        except ValueError:
            raise ValueError("expected addresses or networks, separated by commas") from None
    return addresses


def _secret(file: Path | None, name: str, what: str) -> str | None:
    if file is None:
        return None
    try:
        text = file.read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError("SETTING", f"the {what} file cannot be read", field=name) from error
    if not text:
        raise FormatError("SETTING", f"the {what} file is empty", field=name)
    return text


def _text(text: str) -> str:
    return text


def _file(text: str) -> Path | None:
    return Path(text) if text else None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65_535):
        raise ValueError("expected a port from 0 to 65535")
    return int(text)


def _ports(text: str) -> tuple[int, ...]:
    return tuple(_port(each.strip()) for each in text.split(",") if each.strip())


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 7 and 1 <= int(text) <= MOST):
        raise ValueError(f"expected a number from 1 to {MOST}")
    return int(text)


def _hours(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and int(text) <= MOST_HOURS):
        raise ValueError(f"expected a number from 0 to {MOST_HOURS}")
    return int(text)


def _switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise ValueError("expected on or off")
    return text == "on"


def _level(text: str) -> str:
    if text not in LOG_LEVELS:
        raise ValueError(f"expected one of {', '.join(LOG_LEVELS)}")
    return text


def _setting(name: str, parse: Callable[[str], Any], text: str) -> Setting:
    return Setting(name=PREFIX + name, member=name.lower(), parse=parse, text=text)


SETTINGS: Final = (
    _setting("PASSPHRASE_FILE", _file, "file with the passphrase of the key files"),
    _setting("HOST", _text, "address to listen on"),
    _setting("PORT", _port, "port to listen on; 0 takes a free one"),
    _setting("PROXY_HEADERS", parse_addresses, "proxies whose X-Forwarded-For and -Proto are believed"),
    _setting("TLS_CERTIFICATE", _file, "certificate chain in PEM, to speak TLS without a proxy"),
    _setting("TLS_KEY", _file, "the certificate's private key in PEM"),
    _setting("LOG_LEVEL", _level, "lines below this level are not written"),
    _setting("METRICS_TOKEN_FILE", _file, "file with the bearer token that opens /metrics"),
    _setting("PKCS11_PIN_FILE", _file, "file with the PIN of tokens that hold keys"),
    _setting("TELEMETRY", _switch, "spans to the process's OpenTelemetry provider, scrubbed"),
    _setting("MAX_REQUESTS", _count, "requests answered at once; a quarter is kept for recording"),
    _setting("RATE_PER_S", _count, "requests a second of one reader, lasting"),
    _setting("ANONYMOUS_RATE_PER_S", _count, "requests a second of one address without a reader, lasting"),
    _setting("AUDIT_HOURS", _hours, "the whole storage is read again once in so many hours; 0 never"),
    _setting("CLOCK_LIMIT_MS", _count, "a step of the clock beyond this is recorded"),
    _setting("WEBHOOK_NETWORKS", parse_addresses, "networks of your own that webhooks may go to"),
    _setting("WEBHOOK_PORTS", _ports, "ports that webhooks may go to beside 443"),
)
"""Every setting there is."""
