"""Settings of the environment, `TRIAL_LEDGER_*`, read in one place; an unknown one is an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.errors import FormatError

PREFIX: Final = "TRIAL_LEDGER_"
PASSPHRASE_FILE: Final = "TRIAL_LEDGER_PASSPHRASE_FILE"  # noqa: S105  a setting's name
HOST: Final = "TRIAL_LEDGER_HOST"
PORT: Final = "TRIAL_LEDGER_PORT"

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8417


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says."""

    passphrase_file: Path | None = None
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT

    def passphrase(self) -> str | None:
        """Read the passphrase from its file; None where no file is named.

        Raises:
            FormatError: `SETTING` when the file cannot be read or is empty.
        """
        if self.passphrase_file is None:
            return None
        try:
            text = self.passphrase_file.read_text(encoding="utf-8").removesuffix("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise FormatError(
                "SETTING", "the passphrase file cannot be read", field=PASSPHRASE_FILE
            ) from error
        if not text:
            raise FormatError("SETTING", "the passphrase file is empty", field=PASSPHRASE_FILE)
        return text


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings.

    Raises:
        FormatError: `SETTING` with the name of an unknown or malformed one.
    """
    known = {PASSPHRASE_FILE, HOST, PORT}
    unknown = {name for name in environment if name.startswith(PREFIX)} - known
    if unknown:
        raise FormatError("SETTING", "no such setting", field=min(unknown))
    port = environment.get(PORT, str(DEFAULT_PORT))
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65_535):
        raise FormatError("SETTING", "expected a port from 0 to 65535", field=PORT)
    file = environment.get(PASSPHRASE_FILE)
    return Settings(
        passphrase_file=Path(file) if file else None,
        host=environment.get(HOST, DEFAULT_HOST),
        port=int(port),
    )
