"""A participant's transfer through the write path: labels, signers, and what each site's bundle shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.export import export_bundle
from ledger.keys import SigningKey
from ledger.verify.options import Scope
from ledger.verify.report import Report
from tests.ledger.small_ledger import SITE, SmallLedger
from tests.ledger.transferring import THERE, consented, open_site, transfer
from tests.ledger.verifying import judge, problems
from tests.ledger.write_path import (
    BEDSIDE,
    HOUR,
    PARTICIPANT,
    STREAM,
    VITALS,
    check_whole,
    key_of,
    refused,
    signed,
    vitals_action,
)

AUDITOR = "auditor"


@pytest.fixture
def moved(small: SmallLedger) -> SmallLedger:
    """A ledger in which the participant was transferred, with something recorded before and after."""
    open_site(small)
    consented(small)
    small.sources.advance(HOUR)
    small.say("before", *BEDSIDE, "vital_signs.recorded", STREAM, VITALS)
    transfer(small)
    small.say(
        "after", "lpark", "coordinator", "authorship", "vital_signs.recorded", STREAM, VITALS, site=THERE
    )
    return small


def verify_scope(small: SmallLedger, place: Path, scope: Scope) -> Report:
    """Export and verify one scope."""
    ledger = small.ledger
    export_bundle(ledger.store, ledger.data_keys, small.publish(), place, scope=scope, role=AUDITOR)
    return judge(place, small.policy, scope=scope, role=AUDITOR)


def test_after_a_transfer_statements_stand_under_the_new_site(moved: SmallLedger) -> None:
    """The transfer itself stands under the old site, what comes after under the new one; one stream."""
    sites = [e.leaf for e in moved.ledger.refresh().reader.entries_of(STREAM)]
    assert [leaf.site for leaf in sites][-3:] == [SITE, SITE, THERE]
    state = moved.ledger.refresh().conduct.state(PARTICIPANT)
    assert state is not None
    assert state.site == THERE
    check_whole(moved)


def test_the_old_sites_label_no_longer_fits(moved: SmallLedger) -> None:
    """A statement under the site that was left is refused, whoever signs it."""
    moved.sources.advance(1_000_000)
    with refused("SITE"):
        moved.ledger.record(signed(moved, "bchan", vitals_action()))


def test_the_old_sites_people_sign_no_more(moved: SmallLedger) -> None:
    """A role that is held at the old site alone does not reach the participant any more."""
    moved.sources.advance(1_000_000)
    with refused("SITE_NOT_HELD"):
        moved.ledger.record(signed(moved, "bchan", vitals_action(site=THERE)))


@pytest.mark.parametrize(
    "further",
    [(), (key_of("lpark"),), (key_of("admin"),), (key_of("kwong"), key_of("lpark"))],
    ids=["nobody", "a coordinator there", "the sponsor", "one too many"],
)
def test_both_investigators_sign_a_transfer(small: SmallLedger, further: tuple[SigningKey, ...]) -> None:
    """The investigator of the site that takes over signs too, and nobody else in that place."""
    open_site(small)
    consented(small)
    with refused("TRANSFER_SIGNERS"):
        transfer(small, further=further)


def test_one_investigator_of_both_sites_cannot_transfer_alone(small: SmallLedger) -> None:
    """Who takes over is another person than who lets go."""
    open_site(small)
    consented(small)
    role = {"blinded": True, "person": "kwong", "role": "investigator", "sites": [SITE, THERE]}
    small.say("both", "root", "root", "approval", "role.granted", "person/kwong", role)
    with refused("SIGNATURE_SET"):
        transfer(small, by="kwong")


def test_a_breach_of_an_earlier_record_stands_under_the_new_site(moved: SmallLedger) -> None:
    """A correction that brings a breach out on what the old site recorded: both stand under the new one."""
    entry = moved.ledger.store.entry(moved.at["before"])
    assert entry is not None
    early = {
        "statement": entry.event, "path": "/occurred_at", "old": None, "new": "2024-06-03T09:00:00.000000Z",
    }  # fmt: skip
    occurred = moved.ledger.refresh().reader.entry_at(moved.at["before"])
    assert occurred is not None
    assert occurred.statement is not None
    early["old"] = occurred.statement.occurred_at
    told = moved.say(
        "correction", "lpark", "coordinator", "authorship", "correction.made", STREAM, early,
        site=THERE, reason={"code": "misread"}, opened={"/reason/text": None},
    )  # fmt: skip
    assert "PROCEDURE_BEFORE_CONSENT" in told.breaches
    detected = moved.ledger.refresh().reader.entries_of(STREAM)[-1]
    assert detected.leaf.site == THERE
    check_whole(moved)


@pytest.mark.parametrize(
    "scope",
    [
        Scope(kind="study"),
        Scope(kind="participant", id=PARTICIPANT),
        Scope(kind="site", id=SITE),
        Scope(kind="site", id=THERE),
    ],
    ids=str,
)
def test_every_bundle_verifies_after_a_transfer(moved: SmallLedger, tmp_path: Path, scope: Scope) -> None:
    """The whole, the participant's, and those of both sites: each shows what stands under its labels."""
    report = verify_scope(moved, tmp_path / "bundle", scope)
    assert problems(report) == set()
    assert report.exit_code == 0


def test_a_transfer_and_back_verifies_for_both_sites(moved: SmallLedger, tmp_path: Path) -> None:
    """Back at the first site, whose bundle lacks what lay between: it is not judged, and nothing is found."""
    transfer(moved, by="kwong", left=THERE, there=SITE, further=(key_of("aruiz"),))
    moved.say("back", *BEDSIDE, "vital_signs.recorded", STREAM, VITALS)
    check_whole(moved)
    for number, name in enumerate((SITE, THERE)):
        report = verify_scope(moved, tmp_path / str(number), Scope(kind="site", id=name))
        assert problems(report) == set()
    assert verify_scope(moved, tmp_path / "study", Scope(kind="study")).exit_code == 0
