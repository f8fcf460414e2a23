"""Diaries: due, in time, by a known device, and not filled in at once before a visit (catalogue F)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.given_safety import diary, given_diaries
from tests.scenario import Story, breaks, given_consented, keeps

DAY_8, DAY_15, DAY_22 = "2025-02-10", "2025-02-17", "2025-02-24"
MISSED = {"diary": "weekly_pain", "due": DAY_15, "code": "forgotten"}


def on(story: Story, date: str, hour: int = 20) -> Story:
    """Go to an hour of a day, Greenwich time."""
    story.goto(f"{date}T{hour:02}:00:00.000000Z")
    return story


def submit(story: Story, due: str, **more: Any) -> tuple[str, ...]:
    """Submit a diary; return what it breaks."""
    return story.when("diary.submitted", diary(story, due, **more)).codes


@keeps("diary.submitted", "diary.missed")
def test_a_diary_is_kept_week_by_week() -> None:
    """Entered on its day, or missed; late in the hours that remain."""
    story = on(given_diaries(), DAY_8)
    story.given("diary.submitted", diary(story, DAY_8))
    on(story, DAY_22)
    story.given("diary.missed", MISSED)
    on(story, "2025-02-27")
    story.given("diary.submitted", diary(story, DAY_22))


@breaks("diary.submitted", "DIARY_DAY")
@pytest.mark.parametrize(
    ("date", "due"),
    [(DAY_8, DAY_15), ("2025-02-14", DAY_8), (DAY_8, "2025-02-09"), ("2025-08-25", "2025-08-25")],
    ids=["before its day", "after it closed", "not a day of the plan", "after the last day"],
)
def test_a_diary_is_entered_while_its_day_is_open(date: str, due: str) -> None:
    """A diary of week 2 is open on day 8 and for 72 hours after it."""
    story = on(given_diaries(), date)
    assert submit(story, due) == ("DIARY_DAY",)


@breaks("diary.submitted", "DIARY_UNKNOWN")
@breaks("diary.missed", "DIARY_UNKNOWN")
@pytest.mark.parametrize("more", [{"diary": "daily"}, {"instrument": "pcl5"}, {"version": "0.1"}])
def test_a_diary_is_the_protocols(more: dict[str, str]) -> None:
    """Another diary, instrument or version is flagged."""
    story = on(given_diaries(), DAY_8)
    assert submit(story, DAY_8, **more) == ("DIARY_UNKNOWN",)
    assert story.when("diary.missed", {**MISSED, "diary": "daily"}).codes == ("DIARY_UNKNOWN",)


@breaks("diary.submitted", "DIARY_REPEATED")
@breaks("diary.missed", "DIARY_REPEATED")
def test_a_day_has_one_diary() -> None:
    """Submitted twice, or submitted and missed, is flagged."""
    story = on(given_diaries(), DAY_15)
    story.given("diary.submitted", diary(story, DAY_15))
    assert submit(story, DAY_15) == ("DIARY_REPEATED",)
    assert story.when("diary.missed", MISSED).codes == ("DIARY_REPEATED",)


@breaks("diary.submitted", "DIARY_CLOCK")
@pytest.mark.parametrize(
    "more",
    [
        {"uploaded": "2025-02-10T19:00:00Z"},
        {"uploaded": "2025-02-10T21:00:00Z"},
        {"clock_offset_s": 301},
        {"clock_offset_s": -301},
    ],
    ids=["uploaded before it was entered", "uploaded in the future", "clock ahead", "clock behind"],
)
def test_the_clock_of_a_device_goes_right(more: dict[str, Any]) -> None:
    """More than five minutes, or an order that cannot be, is flagged."""
    story = on(given_diaries(), DAY_8)
    assert submit(story, DAY_8, **more) == ("DIARY_CLOCK",)


def test_a_diary_counts_by_the_server() -> None:
    """A device four minutes ahead enters at 06:02 what was 05:58, still in the last hour of the 72."""
    story = on(given_diaries(), "2025-02-14", hour=6)
    story.wait(minutes=-3)
    told = diary(story, DAY_8, entered="2025-02-14T06:02:00Z", uploaded="2025-02-14T06:02:00Z")
    story.given("diary.submitted", {**told, "clock_offset_s": 240})


@breaks("diary.submitted", "SOURCE_UNREGISTERED")
def test_a_device_is_registered() -> None:
    """A diary from a device that nobody registered is refused (21 CFR 11.10(h))."""
    story = on(given_diaries(), DAY_8)
    told = story.when("diary.submitted", diary(story, DAY_8, device="EPRO-99"))
    assert told.refused == "SOURCE_UNREGISTERED"


def test_a_diary_on_paper_has_no_device() -> None:
    """Before day 1 no day of it is known, and paper needs no registration."""
    story = given_consented()
    told = diary(story, "2025-01-06")
    del told["device"]
    story.given("diary.submitted", told)


@breaks("diary.submitted", "DIARY_BACKFILLED")
def test_diaries_filled_in_before_a_visit_are_found_by_it() -> None:
    """Three weeks entered in the waiting room: all three are flagged when the visit starts."""
    story = on(given_diaries(), DAY_22)
    told = [story.when("diary.submitted", diary(story, due)) for due in (DAY_8, DAY_15, DAY_22)]
    story.wait(minutes=10)
    visit = story.given("visit.started", {"visit": "w4d22", "mode": "in_person"})
    assert set(visit.caused) == {("DIARY_BACKFILLED", each.event) for each in told}
    assert story.given("visit.completed", {"visit": "w4d22"}).caused == ()


@breaks("diary.submitted", "DIARY_BACKFILLED")
def test_diaries_uploaded_after_the_visit_are_found_too() -> None:
    """The device comes online after the visit: the third upload shows what the first two were."""
    story = on(given_diaries(), DAY_22)
    entered = story.now
    story.wait(minutes=10)
    story.given("visit.started", {"visit": "w4d22", "mode": "in_person"})
    first, second, third = (
        story.when("diary.submitted", diary(story, due, entered=entered)) for due in (DAY_8, DAY_15, DAY_22)
    )
    assert "DIARY_BACKFILLED" not in second.codes
    assert third.codes == ("DIARY_BACKFILLED",)
    assert set(third.caused) == {("DIARY_BACKFILLED", first.event), ("DIARY_BACKFILLED", second.event)}


def test_two_diaries_before_a_visit_are_none_too_many() -> None:
    """Catching up with one day is no batch."""
    story = on(given_diaries(), DAY_22)
    for due in (DAY_15, DAY_22):
        story.when("diary.submitted", diary(story, due))
    assert story.given("visit.started", {"visit": "w4d22", "mode": "in_person"}).caused == ()
