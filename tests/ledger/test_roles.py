"""The roles and what they see, against the catalogue's table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ledger.actions import all_specs
from ledger.actions import spec as spec_of
from ledger.control import roles_conflict
from ledger.roles import INCOMPATIBLE, ROLES, SCOPES, SIGHTS, sees_scope, sees_stream
from tests.ledger.small_ledger import SmallLedger
from tests.ledger.write_path import copy_of, refused, signed, vitals_action
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


def test_nobody_writes_in_a_pharmacys_stream_who_does_not_see_it() -> None:
    """Corrections, queries, deviations and signatures there are of unblinded roles, or the service's (R8)."""
    for spec in all_specs():
        for role in spec.roles_in("pharmacy/SA-01") if "pharmacy" in spec.streams else ():
            assert role == "service" or sees_stream(role, "pharmacy/SA-01"), (spec.type, role)
    assert "coordinator" in spec_of("correction.made", 1).roles_in("participant/SA-01-001")


def test_who_does_not_see_a_pharmacy_changes_nothing_there(
    template: tuple[SmallLedger, Path], tmp_path: Path
) -> None:
    """A blinded coordinator's correction is refused before anything is said of what it names."""
    small = copy_of(*template, tmp_path / "ledger")
    data = {
        "statement": small.ledger.store.entries(0, 1)[0].event,
        "path": "/data/code",
        "old": "a",
        "new": "b",
    }
    action = vitals_action("pharmacy/SA-01", type="correction.made", data=data, reason={"code": "error"})
    submission = signed(small, "bchan", action, {"/reason/text": None})
    with refused("ROLE_NOT_ALLOWED"):
        small.ledger.record(submission)
    small.ledger.close()
