"""The one table and the one function that decides: sites, blinding, own, places; nobody else decides."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest

from api import sight
from api.app import OPERATIONS
from api.routes.authorization import addresses_of
from ledger.actions import all_specs
from ledger.exports import export_ledger
from ledger.roles import ROLES
from ledger.verify.options import Scope
from projections.authorization import (
    BLINDED,
    NO_OPERATION,
    NO_ROLE,
    NO_SITE,
    NOT_OWN,
    TABLE,
    YES,
    Arm,
    Bundle,
    Decision,
    Participant,
    Place,
    Record,
    Resource,
    Sealed,
    Site,
    allowed,
)
from projections.matrix import as_markdown, records
from projections.reader import Reader
from tests.api.marked_ledger import marked
from tests.shared import ROOT

HERE, THERE = frozenset({"SA-01"}), frozenset({"SD-02"})
NOBODY = {"actor": {"id": "somebody"}, "data": {}}
SOMEBODY = Participant(id="P", sites=("SA-01",))
DECIDES = re.compile(
    r"\bSIGHTS\b|\bsees_stream\b|\bsees_scope\(role|reader\.sites is|in reader\.sites"
    r"|reader\.role (?:in|==|!=) "
)


def record(stream: str, type_: str = "vital_signs.recorded", site: str | None = "SA-01") -> Record:
    """Return a statement by its labels."""
    return Record(stream=stream, type=type_, statement={**NOBODY, "site": site})


@pytest.mark.parametrize(
    ("role", "sites", "operation", "resource", "decision"),
    [
        ("auditor", None, "unheard-of", None, NO_OPERATION),
        ("auditor", None, "participants", None, YES),
        ("participant", None, "participants", None, NO_ROLE),
        ("device", None, "stream", None, NO_ROLE),
        ("coordinator", HERE, None, Site(site="SA-01"), YES),
        ("coordinator", HERE, None, Site(site="SD-02"), NO_SITE),
        ("coordinator", HERE, None, Participant(id="P", sites=("SD-02", "SA-01")), YES),
        ("coordinator", THERE, None, Participant(id="P", sites=("SA-01",)), NO_SITE),
        ("participant", HERE, None, Participant(id="P", sites=("SA-01",)), NOT_OWN),
        ("service", None, None, Participant(id="P", sites=("SA-01",)), NO_ROLE),
        ("coordinator", HERE, None, record("participant/P"), YES),
        ("coordinator", THERE, None, record("participant/P"), NO_SITE),
        ("coordinator", HERE, None, record("pharmacy/SA-01"), BLINDED),
        ("unblinded_pharmacist", HERE, None, record("pharmacy/SA-01"), YES),
        ("unblinded_pharmacist", THERE, None, record("pharmacy/SA-01"), NO_SITE),
        ("blinded_rater", HERE, None, record("participant/P", "postinfusion.observed"), BLINDED),
        ("coordinator", THERE, None, record("site/SA-01", "delegation.granted"), YES),
        ("coordinator", HERE, None, Sealed(scope="treatment"), BLINDED),
        ("coordinator", HERE, None, Sealed(scope="treatment", shown=True), BLINDED),
        ("investigator", HERE, None, Sealed(scope="treatment", shown=True), YES),
        ("investigator", HERE, None, Sealed(scope="safety", shown=True), BLINDED),
        ("unblinded_statistician", None, None, Sealed(scope="identity"), BLINDED),
        ("investigator", THERE, None, Arm(participant=SOMEBODY, shown=True), YES),
        ("investigator", HERE, None, Arm(participant=SOMEBODY, shown=False), BLINDED),
        ("list_holder", None, "prepare", Place(stream="randomization/main", type="x"), YES),
        ("list_holder", None, "prepare", Place(stream="study", type="x"), NO_ROLE),
        ("coordinator", HERE, "prepare", Place(stream="site/SD-02", type="x"), NO_SITE),
        ("coordinator", HERE, "prepare", Place(stream="safety", type="susar.assessed"), BLINDED),
        ("investigator", HERE, "prepare", Place(stream="safety", type="unblinding.performed"), YES),
        ("inspector", None, "prepare", Place(stream="study", type="certified_copy.received"), YES),
        ("inspector", None, "prepare", Place(stream="study", type="correction.made"), NO_ROLE),
        ("auditor", None, "export", Bundle(kind="study"), YES),
        ("coordinator", HERE, "export", Bundle(kind="study"), NO_SITE),
        ("coordinator", HERE, "export", Bundle(kind="site", id="SA-01"), YES),
        ("blinded_rater", None, "export", Bundle(kind="study"), NO_ROLE),
        ("participant", None, "export", Bundle(kind="study"), NOT_OWN),
    ],
)  # fmt: skip
def test_one_function_decides(
    role: str, sites: frozenset[str] | None, operation: str | None, resource: Resource, decision: Decision
) -> None:
    """Role by operation by site by blinding, and the column that says no."""
    found = allowed(Reader(role=role, person="somebody", sites=sites), operation, resource)
    assert found == decision
    assert bool(found) == (decision is YES)


def test_who_brings_nobody_may_ask_for_what_is_open_alone() -> None:
    """No reader: open operations are answered, everything else and every record is not."""
    assert allowed(None, "record")
    assert not allowed(None, "participants")
    assert not allowed(None, None, record("study", "site.activated"))


def test_a_reader_who_stays_blinded_sees_no_arm_in_any_role() -> None:
    """An inspector of a blinded inspection: neither the pharmacy nor safety nor an arm; persons they see."""
    reader = Reader(role="inspector", person="insp", blinded=True)
    for hidden in (record("pharmacy/SA-01"), record("safety", site=None), Sealed(scope="treatment")):
        assert allowed(reader, None, hidden) == BLINDED
    assert allowed(reader, None, Sealed(scope="safety")) == BLINDED
    for shown in (record("access/2024-06", site=None), Sealed(scope="identity"), Sealed(scope="access")):
        assert allowed(reader, None, shown)


def test_own_records_of_access_are_seen_by_whom_they_are_about() -> None:
    """An investigator sees what they looked at themselves."""
    stream, own = "access/2024-06", {"actor": {"id": "service"}, "data": {"who": "aruiz"}}
    viewed = Record(stream=stream, type="record.viewed", statement=own)
    assert allowed(Reader(role="investigator", person="aruiz"), None, viewed)
    assert allowed(Reader(role="investigator", person="other"), None, viewed) == BLINDED
    assert allowed(Reader(role="data_manager", person="aruiz"), None, viewed) == BLINDED


def test_nobody_but_the_one_function_looks_into_the_tables() -> None:
    """No other module of `api` and `projections` compares roles or sites, or reads what a role sees."""
    exempt = {
        "projections/authorization.py",  # decides
        "projections/matrix.py",  # shows the table
        "api/routes/catalogue.py",  # shows the table
    }
    found = {
        str(path.relative_to(ROOT))
        for package in ("api", "projections")
        for path in (ROOT / package).rglob("*.py")
        if DECIDES.search(path.read_text())
    }
    assert found - exempt - OF_PEOPLE == set()


OF_PEOPLE = {
    "api/inspecting.py",  # an inspector's request is answered as of their inspection
    "api/auth.py",  # the same, where nobody has to be known
    "api/routes/catalogue.py",
}
"""Modules that ask for a role by name without deciding what it may see."""


def test_machines_and_the_list_holder_read_nothing() -> None:
    """Device and service have no cell; the list holder has none that reaches a record."""
    for name, row in TABLE.items():
        assert not row.roles & {"device", "service"}, name
        if "list_holder" in row.roles:
            assert row.reach in ("place", "own"), name


def test_the_published_matrix_has_every_signing_right_of_the_catalogue() -> None:
    """Role by action by meaning, from the classes that the log judges by."""
    found = {(type_, schema): cells for type_, schema, cells in records()}
    assert found.keys() == {(spec.type, spec.schema) for spec in all_specs()}
    for spec in all_specs():
        cells = found[spec.type, spec.schema]
        assert {role: set(meanings.split()) for role, meanings in cells.items()} == {
            role: set(meanings) for role, meanings in spec.roles.items()
        }
        assert cells.keys() <= ROLES


def test_the_page_is_what_the_table_says() -> None:
    """`make generated` writes it again."""
    page = (ROOT / "docs" / "authorization.md").read_text(encoding="utf-8")
    assert page == as_markdown(addresses_of(OPERATIONS))


@pytest.mark.parametrize("role", ["auditor", "coordinator", "unblinded_pharmacist", "safety_committee"])
def test_a_bundle_shows_what_the_one_function_shows(tmp_path: Path, role: str) -> None:
    """The offline half has its own tables (`ledger.roles`): statement by statement they say the same."""
    made = marked(tmp_path / "ledger")
    made.publish()
    export_ledger(made.ledger, tmp_path / "bundle", scope=Scope(kind="study"), role=role)
    lines = (tmp_path / "bundle" / "withheld.jsonl").read_bytes().splitlines()
    withheld = {orjson.loads(line)["index"] for line in lines}
    reader = Reader(role=role)
    size = orjson.loads((tmp_path / "bundle" / "scope.json").read_bytes())["size"]
    with made.ledger.store.snapshot() as reads:
        hidden = {
            entry.index
            for entry in reads.entries(0, size)
            if not sight.sees(reader, entry, orjson.loads(entry.statement), reads)
        }
    assert withheld == hidden
    assert hidden
    made.ledger.close()
