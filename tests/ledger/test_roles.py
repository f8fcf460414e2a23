"""The roles and what they see, against the catalogue's table."""

from __future__ import annotations

import re

import pytest

from ledger.actions import all_specs
from ledger.control import roles_conflict
from ledger.roles import INCOMPATIBLE, ROLES, SCOPES, SIGHTS, sees_scope, sees_stream
from tests.shared import SHARED, needs_shared


@needs_shared
def test_sights_are_the_catalogues_table() -> None:
    """Each cell of the page's table is the same here, and no role is missing."""
    text = (SHARED / "spec/catalogue.md").read_text(encoding="utf-8")
    table = text[text.index("| role | pharmacy/") :].splitlines()[2:]
    found: set[str] = set()
    for line in table:
        if not line.startswith("|"):
            break
        roles, pharmacy, safety, access, treatment, identity, freetext = (
            cell.strip() for cell in line.strip("|").split("|")
        )
        for role in re.findall(r"`([a-z_]+)`", roles):
            sight = SIGHTS[role]
            found.add(role)
            assert sight.pharmacy == (pharmacy == "•"), role
            assert sight.safety == (safety == "•"), role
            assert sight.access == {"•": "all", "own": "own", "": "none"}[access], role
            assert sight.treatment == {"•": "all", "": "none"}.get(treatment, "one"), role
            assert sight.identity == (identity == "•"), role
            assert sight.freetext == (freetext == "•"), role
    assert found == ROLES == SIGHTS.keys()


@pytest.mark.parametrize(
    ("role", "scopes"),
    [
        ("investigator", {"identity", "freetext"}),
        ("blinded_rater", set()),
        ("on_call_unblinding", {"safety"}),
        ("unblinded_pharmacist", {"treatment", "freetext"}),
        ("auditor", {"access", "freetext"}),
        ("inspector", {"treatment", "identity", "freetext", "safety", "access"}),
        ("service", set()),
    ],
)
def test_scopes_that_a_role_sees(role: str, scopes: set[str]) -> None:
    """A sealed value is shown by its scope; one participant's unblinding is not a sight of the scope."""
    assert {scope for scope in SCOPES if sees_scope(role, scope)} == scopes


@pytest.mark.parametrize(
    ("role", "kinds"),
    [
        ("root", {"study", "site", "participant"}),
        ("unblinded_monitor", {"study", "site", "participant", "pharmacy"}),
        ("investigator", {"study", "site", "participant"}),
        ("safety_committee", {"study", "site", "participant", "safety"}),
        ("auditor", {"study", "site", "participant", "access"}),
        ("participant", set()),
        ("list_holder", set()),
    ],
)
def test_streams_that_a_role_sees(role: str, kinds: set[str]) -> None:
    """A role sees whole streams or needs a narrower view; `own` is not the whole."""
    streams = ("study", "safety", "site/SA-01", "pharmacy/SA-01", "participant/SA-01-007", "access/2026-01")
    assert {stream.partition("/")[0] for stream in streams if sees_stream(role, stream)} == kinds


@pytest.mark.parametrize(
    "role", ["blinded_rater", "blinded_monitor", "unblinded_monitor", "medical_monitor", "data_manager"]
)
def test_who_prepares_drug_neither_rates_nor_monitors_nor_manages_data(role: str) -> None:
    """Whichever role came first, now or earlier (catalogue A, `role.granted`)."""
    assert roles_conflict(frozenset({"unblinded_pharmacist", role}))
    assert not roles_conflict(frozenset({"unblinded_pharmacist", "coordinator"}))


def test_an_inspector_signs_no_record_of_the_trial() -> None:
    """An inspection is read only: what an inspector signs is about own keys and copies (catalogue A)."""
    signed = {spec.type for spec in all_specs() if "inspector" in spec.roles}
    assert signed == {
        "certified_copy.received",
        "esignature_policy.acknowledged",
        "key.holder_confirmed",
        "key.revoked",
        "key.rotated",
    }


def test_incompatible_roles_exist() -> None:
    """The table of exclusions names roles of the closed set."""
    assert INCOMPATIBLE.keys() <= ROLES
    assert all(others <= ROLES for others in INCOMPATIBLE.values())
