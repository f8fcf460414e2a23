"""Where the keys of the log, of the service and of documents are held, as `ledger.toml` says.

    [signers]
    log = "pkcs11:token=trial-ledger;object=log?module-path=/usr/lib/softhsm/libsofthsm2.so"
    service = "pkcs11:token=trial-ledger;object=service?module-path=/usr/lib/softhsm/libsofthsm2.so"
    document = "pkcs11:token=trial-ledger;object=document?module-path=/usr/lib/softhsm/libsofthsm2.so"

A name that is not there is a key file `keys/<name>.json`, the document signer's, of P-256, only where it was
made. Each key signs and is checked when it is opened (`selftest`).
"""

from __future__ import annotations

import json  # its strings are TOML's basic strings
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ledger import keys
from ledger.errors import FormatError, StoreError
from ledger.keyfile import load_key
from ledger.settings import PKCS11_PIN_FILE, read_settings
from ledger.signing.pkcs11 import Pkcs11Signer, parse_address
from ledger.signing.port import FileSigner, Signer
from ledger.signing.selftest import check_signer

LOG: Final = "log"
SERVICE: Final = "service"
DOCUMENT: Final = "document"
NAMES: Final[Mapping[str, str]] = {LOG: keys.ED25519, SERVICE: keys.ED25519, DOCUMENT: keys.ES256}
"""Keys that can be held elsewhere, and the algorithm of each."""


def read_signers(value: Any) -> Mapping[str, str]:
    """Read `[signers]`: addresses by name.

    Raises:
        FormatError: `CONFIG` with the member.
    """
    if not isinstance(value, Mapping) or not all(isinstance(each, str) for each in value.values()):
        raise FormatError("CONFIG", "expected a table [signers] of addresses", field="signers")
    unknown = value.keys() - NAMES.keys()
    if unknown:
        raise FormatError("CONFIG", f"expected one of {', '.join(NAMES)}", field=f"signers.{min(unknown)}")
    for name, address in value.items():
        try:
            parse_address(address)
        except FormatError as error:
            raise FormatError("CONFIG", error.message, field=f"signers.{name}") from error
    return dict(value)


def format_signers(signers: Mapping[str, str]) -> list[str]:
    """Write the lines of `[signers]`; none where every key is a file."""
    if not signers:
        return []
    return [
        "",
        "[signers]",
        *(f"{name} = {json.dumps(address)}" for name, address in sorted(signers.items())),
    ]


def open_signer(
    name: str, signers: Mapping[str, str], keys_directory: Path, passphrase: str | None
) -> Signer:
    """Open a key where it is held, and have it prove that it signs.

    Raises:
        StoreError: what the token or the key file raises; `SIGNER_SELF_TEST`.
        FormatError, LedgerError: what the key file raises; `SIGNER_ADDRESS` without a PIN file.
    """
    signer: Signer
    if name in signers:
        signer = Pkcs11Signer(parse_address(signers[name]), read_pin())
    else:
        signer = FileSigner(load_key(keys_directory / f"{name}.json", passphrase))
    if signer.alg != NAMES[name]:
        raise StoreError("SIGNER_MISSING", f"expected a key of {NAMES[name]} for {name}", field=name)
    check_signer(name, signer)
    return signer


def read_pin() -> str:
    """Return the PIN of tokens.

    Raises:
        FormatError: `SETTING` where no file is named, or it cannot be read.
    """
    pin = read_settings(os.environ).pkcs11_pin()
    if pin is None:
        raise FormatError("SETTING", "a key in a token needs a PIN", field=PKCS11_PIN_FILE)
    return pin
