"""Roles of operations, and tokens; every operation by every role is `test_every_route`."""

from __future__ import annotations

import pytest

from api.auth import ANYBODY, PERMITTED
from api.identity import authenticate
from api.problems import ProblemError
from ledger.directory import Token
from ledger.roles import ROLES
from tests.api.client import token


def test_the_table_names_no_role_that_the_catalogue_does_not_have() -> None:
    """Rows hold roles of the catalogue."""
    for roles in PERMITTED.values():
        assert roles is ANYBODY or roles <= ROLES


def test_a_token_is_known_by_its_hash_alone() -> None:
    """The reader is that of the token whose SHA-256 is listed; sites are narrowed to its own."""
    tokens: tuple[Token, ...] = (token("one", "auditor"), token("two", "coordinator", "p", ["SA-01"]))
    reader = authenticate("bearer two", tokens)
    assert (reader.role, reader.person, reader.sites) == ("coordinator", "p", frozenset({"SA-01"}))
    assert authenticate("Bearer one", tokens).sites is None
    with pytest.raises(ProblemError, match="UNAUTHENTICATED"):
        authenticate(f"Bearer {tokens[0].sha256}", tokens)
