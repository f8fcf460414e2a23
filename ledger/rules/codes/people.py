"""Rules of ledger, people, access (catalogue A): code, effect, section, and what it asks; one line each."""

from typing import Final

TABLE: Final = """
ERASURE_APPROVALS        refuse A    erasure has two approvals of the same digests, one not of the sponsor
"""
