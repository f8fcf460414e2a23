"""Reports under an amendment: each participant is told by the version that the rules judge them by."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ledger.times import local_date
from projections.desk import Desk
from projections.reader import Reader
from projections.report import rows_of
from projections.reports import REPORTS
from tests.given_sites import amended, amendment, approve, given_amended, prepare
from tests.projections.ledgers import store_of
from tests.scenario import PARTICIPANT, SITE, SOURCE, Story, given_infused

ALSO = pytest.mark.parametrize(("reconsent", "day"), [(True, 5), (False, 6)])


def later() -> bytes:
    """Return an amended definition whose third infusion is on day 6, not 5."""
    before = b'"day":{"source":"X","value":5}'
    definition = amended()
    assert definition.count(before) == 1
    return definition.replace(before, before.replace(b"5", b"6"))


def halved(definition: bytes) -> bytes:
    """Return a definition with half the volume of an infusion, at half the rate."""
    for name, value, half in ((b"volume_ml", b"250", b"125"), (b"rate_ml_h", b"375", b"187.5")):
        planned = b'"infusion_%s":{"source":"X","value":"%s"}'
        assert definition.count(planned % (name, value)) == 1
        definition = definition.replace(planned % (name, value), planned % (name, half))
    return definition


def wait_for_day(story: Story, day: int) -> None:
    """Let time pass until a study day has begun at the site."""
    assert story.participant.day1 is not None
    while local_date(story.now_us, "America/Chicago") < story.participant.day1 + timedelta(days=day - 1):
        story.wait(hours=1)


def rows(story: Story, path: Path, name: str) -> list[dict[str, Any]]:
    """Return a report's rows of the participant."""
    store = store_of(story, path / f"{name}.db")
    try:
        with store.snapshot() as reads:
            found = rows_of(REPORTS[name], Desk(reads, reader=Reader(role="auditor")))
            return [dict(row) for row in found if row["participant"] == PARTICIPANT]
    finally:
        store.close()


@ALSO
def test_windows_are_those_of_the_participants_version(tmp_path: Path, reconsent: bool, day: int) -> None:
    """Until consent is given again the windows are those by which a visit is judged."""
    story = given_amended(given_infused(), reconsent=reconsent, definition=later())
    wait_for_day(story, day + 1)
    told = story.when("visit.started", {"visit": "w1d5", "mode": "in_person", "source": SOURCE})
    (row,) = [row for row in rows(story, tmp_path, "visits") if row["visit"] == "w1d5"]
    assert (row["planned_day"], row["in_window"]) == (day, True)
    assert row["last_day"] == local_date(story.now_us, "America/Chicago").isoformat()
    assert "OUTSIDE_WINDOW" not in told.codes


@pytest.mark.parametrize("reconsent", [True, False])
def test_what_was_done_is_told_by_the_version_of_then(tmp_path: Path, reconsent: bool) -> None:
    """A window and a volume that an amendment plans are not asked of what was done before."""
    story = given_infused()
    wait_for_day(story, 4)
    story.given("visit.started", {"visit": "w1d5", "mode": "in_person", "source": SOURCE})
    given_amended(story, reconsent=reconsent, definition=halved(later()))
    (visit,) = [row for row in rows(story, tmp_path, "visits") if row["visit"] == "w1d5"]
    assert (visit["planned_day"], visit["in_window"]) == (5, True)
    infusions = {row["infusion"]: row["planned_ml"] for row in rows(story, tmp_path, "dosing")}
    assert (infusions[1], infusions[2]) == ("250", "250" if reconsent else "125")


def test_an_activation_that_is_to_come_changes_nothing_yet(tmp_path: Path) -> None:
    """From a day on: before it the present version is told."""
    story = given_infused()
    approve(story, definition=later())
    prepare(story)
    begins = {"from": story.ago(hours=-48)}
    story.given("amendment.activated", amendment(story, **begins), by="sponsor", stream=f"site/{SITE}")
    (row,) = [row for row in rows(story, tmp_path, "visits") if row["visit"] == "w1d5"]
    assert row["planned_day"] == 5


def test_an_emergency_card_names_the_products_of_every_version(tmp_path: Path) -> None:
    """What an amendment takes out may have been given before it."""
    story = given_infused()
    name = b'"name":{"source":"S","value":"%s"},"route"'
    assert amended().count(name % b"magnesium sulfate") == 1
    changed = amended().replace(name % b"magnesium sulfate", name % b"magnesium chloride")
    given_amended(story, definition=changed)
    (card,) = rows(story, tmp_path, "emergency-cards")
    assert card["could_have_had"] == ["ketamine", "magnesium sulfate", "magnesium chloride"]
