"""The error tree: every failure that a caller may meet, each with a stable code.

A code is upper snake case and is shared by API problems, refusals recorded in the log, and findings of the
verifier. Messages are lower case, say what was expected and what came, and never carry a participant's data,
a blinded value or key material.
"""

from __future__ import annotations


class LedgerError(Exception):
    """Base of all errors that the project raises on purpose.

    Attributes:
        code: stable upper-snake-case code, for programs.
        message: one lower-case sentence, for people.
        field: dotted path or JSON Pointer of the offending member, when there is one.
    """

    def __init__(self, code: str, message: str, *, field: str | None = None) -> None:
        super().__init__(code, message, field)
        self.code = code
        self.message = message
        self.field = field

    def __str__(self) -> str:
        where = f" at {self.field}" if self.field is not None else ""
        return f"{self.code}{where}: {self.message}"


class FormatError(LedgerError):
    """Bytes or text that do not follow their format."""


class SignatureError(LedgerError):
    """A key that may not be used, or a signature that does not hold."""


class ProofError(LedgerError):
    """An inclusion, consistency or randomization proof that does not hold."""


class RefusedError(LedgerError):
    """An action that a rule of authority or of the catalogue refuses."""


class ConflictError(LedgerError):
    """A statement signed against a head of its stream that is no longer the newest."""


class StoreError(LedgerError):
    """A store that cannot be opened, read or written."""


class FrozenError(LedgerError):
    """A ledger whose writing is stopped; reading, export and emergency unblinding go on."""
