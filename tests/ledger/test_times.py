"""Instants of fixed width, clinical times, and the intervals that partial dates name at a site."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import FormatError
from ledger.times import (
    Interval,
    check_clinical,
    check_local_time,
    format_instant,
    interval,
    local_date,
    parse_instant,
)

SAN_DIEGO = "America/Los_Angeles"
DAY_US = 86_400_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def texts(found: Interval) -> tuple[str, str]:
    return format_instant(found.earliest_us), format_instant(found.latest_us)


# Instants


def test_instant_counts_microseconds_since_1970() -> None:
    """An instant is an integer of microseconds, also before 1970."""
    assert parse_instant("1970-01-01T00:00:00.000000Z") == 0
    assert parse_instant("2026-01-05T08:00:01.000002Z") == 1_767_600_001_000_002
    assert parse_instant("1969-12-31T23:59:59.999999Z") == -1


@given(st.datetimes(timezones=st.just(UTC)))
def test_instants_round_trip(moment: datetime) -> None:
    """Text and integer of an instant determine each other."""
    us = (moment - EPOCH) // timedelta(microseconds=1)
    assert parse_instant(format_instant(us)) == us
    assert format_instant(us) == moment.strftime("%Y").zfill(4) + moment.strftime("-%m-%dT%H:%M:%S.%fZ")


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05T08:00:01Z",
        "2026-01-05T08:00:01.00000Z",
        "2026-01-05T08:00:01.0000000Z",
        "2026-01-05T08:00:01.000000+00:00",
        "2026-01-05T08:00:01.000000z",
        "2026-01-05t08:00:01.000000Z",
        "2026-01-05 08:00:01.000000Z",
        "2026-01-05T08:00:01,000000Z",
        "2026-01-05T08:00:60.000000Z",
        "2026-01-05T24:00:00.000000Z",
        "2026-02-29T08:00:01.000000Z",
        "2026-13-01T08:00:01.000000Z",
        "2026-00-01T08:00:01.000000Z",
        "0000-01-01T00:00:00.000000Z",
        "2026-W01-5T08:00:01.000000Z",
        "2026-01-05T08:00:01.000000Z\n",
        "２０２６-01-05T08:00:01.000000Z",
        "",
    ],
)
def test_instant_of_another_form_is_refused(text: str) -> None:
    """Every other way to write a time, and every time that no calendar has, is refused."""
    with pytest.raises(FormatError) as refused:
        parse_instant(text)
    assert refused.value.code == "TIME"


def test_instant_beyond_four_digit_years_has_no_text() -> None:
    """An integer outside the years 1 to 9999 is a format error."""
    for us in (10**18, -(10**18), 10**30):
        with pytest.raises(FormatError):
            format_instant(us)


# Clinical times


@pytest.mark.parametrize(
    "text",
    [
        "2026",
        "2026-02",
        "2024-02-29",
        "2026-01-05T08:00:01Z",
        "2026-01-05T08:00:01.5-08:00",
        "2026-01-05T08:00:01.123456+05:45",
        "2026-01-05T08:00:01+00:00",
        "2026-01-05T08:00:01.000000Z",
    ],
)
def test_clinical_time_is_taken(text: str) -> None:
    """Years, months, days, and moments with an offset are clinical times."""
    check_clinical(text)


@pytest.mark.parametrize(
    "text",
    [
        "26",
        "2026-1",
        "2026-00",
        "2026-13",
        "2026-02-29",
        "2026-02-",
        "2026-01-05T08:00",
        "2026-01-05T08:00Z",
        "2026-01-05T08:00:01",
        "2026-01-05T08:00:01.Z",
        "2026-01-05T08:00:01.1234567Z",
        "2026-01-05T08:00:60Z",
        "2026-01-05T24:00:00Z",
        "2026-01-05T08:00:01-00:00",
        "2026-01-05T08:00:01+24:00",
        "2026-01-05T08:00:01+05:60",
        "2026-01-05T08:00:01+0545",
        "2026-01-05t08:00:01Z",
        "2026-01-05T08:00:01z",
        "2026-01T08:00:01Z",
        "0000",
        "2026\n",
        "٢٠٢٦",
        "",
    ],
)
def test_clinical_time_of_another_form_is_refused(text: str) -> None:
    """Missing parts, unreal dates, second 60, lower case and minus zero are refused."""
    for reader in (check_clinical, lambda text: interval(text, "UTC")):
        with pytest.raises(FormatError) as refused:
            reader(text)
        assert refused.value.code == "TIME"


def test_moment_is_one_instant_whatever_its_offset() -> None:
    """A full time means one instant, and its zone plays no part."""
    there = interval("2026-01-05T00:00:01.5-08:00", "Asia/Tokyo")
    assert there == interval("2026-01-05T08:00:01.500000Z", SAN_DIEGO)
    assert there.earliest_us == there.latest_us == parse_instant("2026-01-05T08:00:01.500000Z")


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026", "2026-01-01T08:00:00.000000Z", "2027-01-01T07:59:59.999999Z"),
        ("2026-02", "2026-02-01T08:00:00.000000Z", "2026-03-01T07:59:59.999999Z"),
        ("2024-02", "2024-02-01T08:00:00.000000Z", "2024-03-01T07:59:59.999999Z"),
        ("2026-04", "2026-04-01T07:00:00.000000Z", "2026-05-01T06:59:59.999999Z"),
        ("2026-01-05", "2026-01-05T08:00:00.000000Z", "2026-01-06T07:59:59.999999Z"),
        ("2026-03-08", "2026-03-08T08:00:00.000000Z", "2026-03-09T06:59:59.999999Z"),
        ("2026-11-01", "2026-11-01T07:00:00.000000Z", "2026-11-02T07:59:59.999999Z"),
    ],
)
def test_partial_date_is_its_interval_in_the_zone(text: str, first: str, last: str) -> None:
    """A partial date reaches from its first local midnight to the microsecond before the next one."""
    assert texts(interval(text, SAN_DIEGO)) == (first, last)


@pytest.mark.parametrize(
    ("text", "zone", "first", "last"),
    [
        # The clocks went from 24:00 to 01:00: the day began at one o'clock.
        ("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00.000000Z", "2018-11-05T01:59:59.999999Z"),
        # They went from 23:30 to 00:30: the day before ended early, this one began late.
        ("1919-03-30", "America/Toronto", "1919-03-30T05:00:00.000000Z", "1919-03-31T04:29:59.999999Z"),
        ("1919-03-31", "America/Toronto", "1919-03-31T04:30:00.000000Z", "1919-04-01T03:59:59.999999Z"),
        # They went back from 01:00 to 00:00: midnight came twice.
        ("2026-11-01", "America/Havana", "2026-11-01T04:00:00.000000Z", "2026-11-02T04:59:59.999999Z"),
        # The day after was left out of the calendar.
        ("2011-12-29", "Pacific/Apia", "2011-12-29T10:00:00.000000Z", "2011-12-30T09:59:59.999999Z"),
        ("2011-12", "Pacific/Apia", "2011-12-01T10:00:00.000000Z", "2011-12-31T09:59:59.999999Z"),
    ],
)
def test_interval_keeps_to_clocks_that_change_at_midnight(
    text: str, zone: str, first: str, last: str
) -> None:
    """Where the clocks change around midnight, a day is what the clocks showed of it."""
    assert texts(interval(text, zone)) == (first, last)


@given(
    st.dates(date(1990, 1, 1), date(2037, 12, 30)),
    st.sampled_from([SAN_DIEGO, "Europe/London", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"]),
)
def test_days_follow_each_other_without_a_gap(day: date, zone: str) -> None:
    """A day ends where the next begins, and both of its ends have that date on the local calendar."""
    today = interval(day.isoformat(), zone)
    tomorrow = interval((day + timedelta(days=1)).isoformat(), zone)
    assert today.latest_us + 1 == tomorrow.earliest_us
    assert local_date(today.earliest_us, zone) == local_date(today.latest_us, zone) == day


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_intervals_at_the_ends_of_the_calendar_are_intervals(year: str) -> None:
    """The first and the last year have their intervals in zones on either side of UTC."""
    for zone in ("UTC", SAN_DIEGO, "Asia/Tokyo"):
        found = interval(year, zone)
        assert 364 * DAY_US < found.latest_us - found.earliest_us < 366 * DAY_US


@pytest.mark.parametrize("zone", ["", "Nowhere/City", "America", "../UTC", "/etc/localtime", "UTC\n", "a b"])
def test_unknown_zone_is_refused(zone: str) -> None:
    """A zone that the IANA database doesn't have is a format error, however it is written."""
    for reader in (lambda: interval("2026", zone), lambda: local_date(0, zone)):
        with pytest.raises(FormatError) as refused:
            reader()
        assert (refused.value.code, refused.value.field) == ("TIME", "zone")


def test_local_date_is_the_day_at_the_site() -> None:
    """An instant has the date that the calendar on the site's wall shows."""
    instant = parse_instant("2026-01-05T07:59:59.999999Z")
    assert local_date(instant, SAN_DIEGO) == date(2026, 1, 4)
    assert local_date(instant + 1, SAN_DIEGO) == date(2026, 1, 5)
    with pytest.raises(FormatError):
        local_date(10**19, SAN_DIEGO)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("0001-01-01T00:00:00+14:00", date.min),
        ("0001-01-01T00:00:00Z", date.min),
        ("0001-01-01", date.min),
        ("9999-12-31T23:59:59-14:00", date.max),
        ("9999-12-31T23:59:59Z", date.max),
        ("9999-12-31", date.max),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", SAN_DIEGO, "Asia/Tokyo"])
def test_every_clinical_time_has_a_local_date(text: str, day: date, zone: str) -> None:
    """What an offset carries a few hours beyond the calendar counts as its first or its last day."""
    found = interval(text, zone)
    for us in (found.earliest_us, found.latest_us):
        assert abs(local_date(us, zone) - day) <= timedelta(days=1)


# Local times that never were


@pytest.mark.parametrize(
    "text", ["2026-03-08T02:00:00-08:00", "2026-03-08T02:30:00-07:00", "2026-03-08T02:59:59.9-08:00"]
)
def test_time_that_the_clocks_jumped_over_is_refused_with_a_hint(text: str) -> None:
    """In the hour that summer time skips there is no local time, whichever offset was written to it."""
    with pytest.raises(FormatError) as refused:
        check_local_time(text, SAN_DIEGO)
    assert refused.value.code == "LOCAL_TIME_NONEXISTENT"
    assert "from 02:00 to 03:00 on that day" in refused.value.message
    assert text not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-08T01:59:59.999999-08:00",
        "2026-03-08T03:00:00-07:00",
        "2026-03-08T02:30:00Z",
        "2026-03-08T02:30:00-05:00",
        "2026-11-01T01:30:00-07:00",
        "2026-11-01T01:30:00-08:00",
        "2026-03-08",
        "2026-03",
        "2026",
    ],
)
def test_time_that_the_clocks_showed_is_taken(text: str) -> None:
    """Times before and after the jump, both readings of a repeated hour and other clocks' times exist."""
    check_local_time(text, SAN_DIEGO)


def test_universal_time_is_no_local_time() -> None:
    """`Z` is read from no clock on a wall: in London it exists where `+00:00` would have been jumped over."""
    check_local_time("2026-03-29T01:30:00Z", "Europe/London")
    with pytest.raises(FormatError, match="from 01:00 to 02:00"):
        check_local_time("2026-03-29T01:30:00+00:00", "Europe/London")


def test_half_hour_jump_is_told_as_it_was() -> None:
    """The hint follows the zone, also where the clocks change by thirty minutes."""
    with pytest.raises(FormatError, match="from 02:00 to 02:30"):
        check_local_time("2026-10-04T02:15:00+10:30", "Australia/Lord_Howe")


def test_date_that_the_calendar_left_out_is_refused() -> None:
    """Samoa had no 30 December 2011, so it names no interval."""
    for reader in (check_local_time, interval):
        with pytest.raises(FormatError) as refused:
            reader("2011-12-30", "Pacific/Apia")
        assert refused.value.code == "LOCAL_TIME_NONEXISTENT"


@given(
    st.datetimes(datetime(1975, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from([SAN_DIEGO, "Europe/London", "America/Sao_Paulo", "Pacific/Apia"]),
)
def test_every_instant_has_a_local_time_that_is_taken(moment: datetime, zone: str) -> None:
    """Whatever a clock at the site shows is a local time that exists, and it means that instant."""
    shown = moment.astimezone(ZoneInfo(zone)).isoformat(timespec="microseconds")
    check_local_time(shown, zone)
    assert interval(shown, zone).earliest_us == (moment - EPOCH) // timedelta(microseconds=1)
