"""Who may ask for what: every operation by every role, and tokens."""

from __future__ import annotations

import pytest

from api.app import OPERATIONS
from api.auth import ANYBODY, PERMITTED
from api.identity import authenticate
from api.operations import Operation
from api.problems import ProblemError
from ledger.directory import Token
from ledger.roles import ROLES
from tests.api.client import TOKENS, Site, bearer, token

PLACES = {
    "study": "small",
    "participant": "SA-01-001",
    "field": "vital_signs.recorded/data/source",
    "event": "3",
    "name": "enrolment",
    "tile:path": "000.p/1",
    "field:path": "vital_signs.recorded/data/source",
    "sha256": "0" * 64,
    "file": "docs.js",
}
RESTRICTED = [each for each in OPERATIONS if PERMITTED[each.name] is not ANYBODY]


def address(operation: Operation) -> str:
    """Fill an operation's address in."""
    text = operation.address
    for name, value in PLACES.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def test_every_operation_has_its_row_and_every_row_its_operation() -> None:
    """The table of roles says something of each operation, and of nothing else."""
    assert {operation.name for operation in OPERATIONS} == set(PERMITTED)


@pytest.mark.parametrize("operation", RESTRICTED, ids=lambda operation: operation.name)
def test_an_operation_refuses_who_brings_no_valid_token(site: Site, operation: Operation) -> None:
    """Without a token, with an unknown one or another scheme: 401 with its challenge (11.10(d))."""
    for headers in ({}, bearer("nobody"), bearer(""), {"Authorization": "Basic YXVkaXRvcjo="}):
        answer = site.http.request(operation.method, address(operation), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("operation", RESTRICTED, ids=lambda operation: operation.name)
def test_an_operation_refuses_roles_that_its_row_does_not_have(site: Site, operation: Operation) -> None:
    """Deny by default: a role without a cell gets 403."""
    roles = {held.role: name for name, held in zip(_names(), TOKENS, strict=True)}
    refused = roles.keys() - PERMITTED[operation.name]
    assert refused
    for role in refused:
        answer = site.http.request(operation.method, address(operation), headers=bearer(roles[role]))
        assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")


def test_machines_and_the_list_holder_read_nothing() -> None:
    """Device and service read nothing; the list holder prepares and attaches, no more."""
    readable = {name for name, roles in PERMITTED.items() if roles & {"device", "service"}}
    assert readable == set()
    assert {name for name, roles in PERMITTED.items() if "list_holder" in roles} == {
        "prepare",
        "put-attachment",
    }


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


def _names() -> list[str]:
    return [
        "auditor",
        "inspector",
        "coordinator",
        "elsewhere",
        "rater",
        "monitor",
        "participant",
        "device",
        "list-holder",
        "service",
    ]
