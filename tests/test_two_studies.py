"""Two studies in one process share nothing but code, and the code names no product of any of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from ledger.errors import LedgerError
from ledger.export import export_bundle
from ledger.verify.judge import verify
from ledger.verify.options import Options, Scope
from ledger.verify.report import Verdict
from tests.ledger import small_ledger
from tests.ledger.small_ledger import SmallLedger
from tests.shared import ROOT

OTHER = (
    ("nct06414356", "other-study"),
    ("SA-01", "BE-07"),
    ("SD-02", "NL-03"),
    ("America/Chicago", "Europe/Brussels"),
    ("America/Los_Angeles", "Europe/Amsterdam"),
    ("ketamine", "alpha"),
    ("magnesium_sulfate", "beta"),
    ("magnesium", "beta"),
)
NAMES = re.compile(r"ketamine|magnesium", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Two:
    """Two open ledgers of different studies."""

    one: SmallLedger
    other: SmallLedger
    folder: Path


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Two:
    """The reference study's ledger, and one of a study with other sites, zones and products."""
    folder = tmp_path_factory.mktemp("two")
    text = small_ledger.DEFINITION.read_text(encoding="utf-8")
    for here, there in OTHER:
        text = text.replace(here, there)
    definition = folder / "other.json"
    definition.write_text(text, encoding="utf-8")
    one = small_ledger.make(folder / "one")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small_ledger, "DEFINITION", definition)
        patch.setattr(small_ledger, "SITE", "BE-07")
        patch.setattr(small_ledger, "ORIGIN", "ledger.example/other")
        people = tuple(
            (*row[:4], [site.replace("SA-01", "BE-07") for site in row[4]]) for row in small_ledger.PEOPLE
        )
        patch.setattr(small_ledger, "PEOPLE", people)
        other = small_ledger.make(folder / "other")
    return Two(one=one, other=other, folder=folder)


def test_each_is_judged_by_its_own_definition(two: Two) -> None:
    """Sites, zones and products of one are nothing to the other."""
    one, other = (each.ledger.refresh().conduct.study for each in (two.one, two.other))
    assert (one.zone("SA-01"), other.zone("SA-01")) == ("America/Chicago", "UTC")
    assert (one.zone("BE-07"), other.zone("BE-07")) == ("UTC", "Europe/Brussels")
    definitions = [study.protocols[-1].definition for study in (one, other)]
    assert [sorted(each.products) for each in definitions if each is not None] == [
        ["ketamine", "magnesium_sulfate"],
        ["alpha", "beta"],
    ]


def test_nothing_recorded_in_one_reaches_the_other(two: Two) -> None:
    """A statement of one is refused by the other, whose log holds nothing of it but the refusal."""
    before = two.other.ledger.store.head().size
    signer = two.one.people["bchan"]
    value = {
        "type": "vital_signs.recorded",
        "stream": "participant/SA-01-001",
        "role": "coordinator",
        "site": "SA-01",
        "protocol": "1.0",
        "data": {
            "measurements": [{"name": "pulse", "quantity": {"value": "70", "unit": "/min"}}],
            "source": {"kind": "esource"},
        },
    }
    submission = signer.submission(two.one.ledger, {**signer.complete(two.one.ledger, value)}, {}, [])
    with pytest.raises(LedgerError) as refused:
        two.other.ledger.record(submission)
    assert refused.value.code == "LOG"
    recorded = two.one.ledger.record(submission)
    assert two.one.ledger.store.head().size > recorded.index
    added = two.other.ledger.store.entries(before, two.other.ledger.store.head().size)
    assert [entry.type for entry in added] == ["command.refused"]  # whose keys are enrolled in both
    one, other = (each.ledger.refresh().conduct for each in (two.one, two.other))
    here, there = ({each.id for each in conduct.participants()} for conduct in (one, other))
    assert here
    assert there
    assert not here & there


def test_each_verifies_by_its_own_policy_alone(two: Two) -> None:
    """The bundle of one holds under its own ledger id and keys, and not under the other's."""
    made, other = two.one, two.other
    bundle = two.folder / "bundle"
    export_bundle(
        made.ledger.store,
        made.ledger.data_keys,
        made.publish(),
        bundle,
        scope=Scope(kind="study"),
        role="auditor",
    )
    for policy, holds in ((made.policy, True), (other.policy, False)):
        options = Options(
            policy=policy,
            ledger_id=None,
            scope=Scope(kind="study"),
            role="auditor",
            previous=None,
            outbox=None,
            strict_conduct=False,
            classical=False,
            post_quantum=False,
            workers=1,
        )
        assert (verify(bundle, options).verdict(Verdict.INTEGRITY) == "holds") is holds


def test_no_product_is_named_outside_definitions_demo_and_tests() -> None:
    """The drugs of the reference study stand in its definition, and nowhere in what any study runs on."""
    named = []
    for package in ("ledger", "projections", "api"):
        for path in sorted((ROOT / package).rglob("*")):
            inside = path.relative_to(ROOT).as_posix()
            if path.suffix not in (".py", ".sql", ".json", ".html", ".js") or "/definitions/" in inside:
                continue
            if not inside.startswith(("ledger/demo/", "api/web/swagger-ui/")) and NAMES.search(
                path.read_text(encoding="utf-8")
            ):
                named.append(inside)
    pages = [ROOT / "README.md", ROOT / "docs" / "architecture.md", *(ROOT / "docs" / "adr").glob("*.md")]
    named += [page.name for page in pages if NAMES.search(page.read_text(encoding="utf-8"))]
    assert named == []
