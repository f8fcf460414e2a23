"""Times: instants that software sets, and clinical times that people write.

An instant is `2026-01-05T08:00:01.000000Z`: fixed width, so that text order is time order. Here it is an
integer, microseconds since 1970-01-01T00:00:00Z, which has no leap seconds.

A clinical time is as exact as its source: `2026`, `2026-01`, `2026-01-05`, or a date and time with seconds
and an offset from UTC. A partial date is data, never padded: it stands for the interval that it names in the
site's IANA zone (record format, §1; catalogue, R1).

Left out on purpose: clocks. What time it is now comes in as an argument.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from ledger.errors import FormatError

CODE: Final = "TIME"
LOCAL_TIME_NONEXISTENT: Final = "LOCAL_TIME_NONEXISTENT"

_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_INSTANT = re.compile(f"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_CLOCK}:[0-5][0-9]\\.[0-9]{{6}}Z")
_CLINICAL = re.compile(
    "(?P<year>[0-9]{4})(?:-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2})"
    f"(?:(?P<time>T{_CLOCK}:[0-5][0-9])(?:\\.(?P<fraction>[0-9]{{1,6}}))?(?P<offset>Z|[+-]{_CLOCK}))?)?)?"
)
_ZONE = re.compile("[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z][A-Za-z0-9_+-]*)*")

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # naive on purpose: differences of UTC times
_MICROSECOND = timedelta(microseconds=1)
_SECOND_US = 1_000_000
_DAY_US = 86_400 * _SECOND_US
_FIRST = datetime(1, 1, 1)  # noqa: DTZ001
_LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999)  # noqa: DTZ001
_FIRST_US = (_FIRST - _EPOCH) // _MICROSECOND
_LAST_US = (_LAST - _EPOCH) // _MICROSECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """What a clinical time can mean: from the earliest to the latest microsecond, both included."""

    earliest_us: int
    latest_us: int


@lru_cache(maxsize=1024)  # a time is asked for again and again while its statement is judged
def parse_instant(text: str) -> int:
    """Return microseconds since the epoch.

    Raises:
        FormatError: TIME, when `text` isn't a real time of fixed width.

    Record format, §1.
    """
    if _INSTANT.fullmatch(text) is None:
        raise FormatError(CODE, "expected YYYY-MM-DDThh:mm:ss.ffffffZ")
    return _microseconds(_naive(text[:-1]))


@lru_cache(maxsize=1024)  # many times are of one day
def check_day(text: str) -> None:
    """Refuse a day `YYYY-MM-DD` that the calendar does not have; its digits are the caller's to match.

    Raises:
        FormatError: TIME.
    """
    try:
        date.fromisoformat(text)
    except ValueError:
        raise FormatError(CODE, "expected a date that the calendar has") from None


def format_instant(us: int) -> str:
    """Return the text of an instant.

    Raises:
        FormatError: TIME, outside the years 1 to 9999.
    """
    try:
        return (_EPOCH + timedelta(microseconds=us)).isoformat(timespec="microseconds") + "Z"
    except OverflowError:
        raise FormatError(CODE, "expected a time in the years 1 to 9999") from None


@lru_cache(maxsize=1024)  # what is measured together has one time, and is judged more than once
def check_clinical(text: str) -> None:
    """Refuse what isn't a clinical time.

    Raises:
        FormatError: TIME.

    Record format, §1.
    """
    _parse_clinical(text)


def interval(text: str, zone: str) -> Interval:
    """Return the instants that a clinical time can mean: one, or those of its day, month or year in `zone`.

    Raises:
        FormatError: TIME; LOCAL_TIME_NONEXISTENT for a day that the zone's calendar skipped.
    """
    time = _parse_clinical(text)
    if time.offset is not None:
        moment = _microseconds(time.first) - time.offset // _MICROSECOND
        return Interval(earliest_us=moment, latest_us=moment)
    rules = _zone(zone)
    earliest = _first_instant_from(time.first, rules)
    latest = _last_instant_until(time.last, rules)
    if earliest > latest:
        raise FormatError(LOCAL_TIME_NONEXISTENT, "expected a date that the calendar of the site's zone has")
    return Interval(earliest_us=earliest, latest_us=latest)


def local_date(us: int, zone: str) -> date:
    """Return the calendar day of an instant in `zone`: visit windows are days at the site.

    Raises:
        FormatError: TIME.
    """
    return local_time(us, zone).date()


def local_time(us: int, zone: str) -> datetime:
    """Return what the clocks of `zone` show at an instant; the calendar's first or last moment beyond it.

    Raises:
        FormatError: TIME, more than a day before the year 1 or after the year 9999.
    """
    rules = _zone(zone)
    try:
        return (_EPOCH.replace(tzinfo=UTC) + timedelta(microseconds=within_calendar(us))).astimezone(rules)
    except OverflowError:  # the zone's own clocks are beyond it
        return (_FIRST if us < 0 else _LAST).replace(tzinfo=rules)


def within_calendar(us: int) -> int:
    """Return an instant, or the calendar's first or last where a clinical time's offset leads beyond it.

    Raises:
        FormatError: TIME, more than a day before the year 1 or after the year 9999.
    """
    if not _FIRST_US - _DAY_US < us < _LAST_US + _DAY_US:
        raise FormatError(CODE, "expected a time in the years 1 to 9999")
    return min(max(us, _FIRST_US), _LAST_US)


def check_local_time(text: str, zone: str) -> None:
    """Refuse a wall-clock time that the clocks at the site never showed, and a date that they skipped.

    A time with `Z`, or with an offset that the zone has neither before nor after the jump, was read from
    another clock and names an instant well enough.

    Raises:
        FormatError: LOCAL_TIME_NONEXISTENT, which says how the clocks went; TIME.

    Catalogue, R1.
    """
    time = _parse_clinical(text)
    if time.offset is None:
        interval(text, zone)
        return
    rules = _zone(zone)
    before, after = _offsets(time.first, rules)
    if after <= before or text.endswith("Z") or time.offset not in (before, after):
        return
    jump = _jump(time.first, rules)
    start, end = (_clock(jump + offset // _MICROSECOND) for offset in (before, after))
    raise FormatError(
        LOCAL_TIME_NONEXISTENT,
        f"expected a time that exists: the clocks go from {start} to {end} on that day in the site's zone",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clinical:
    """First and last wall-clock time that a clinical time names; `offset` only where it names a moment."""

    first: datetime
    last: datetime
    offset: timedelta | None


def _parse_clinical(text: str) -> _Clinical:
    match = _CLINICAL.fullmatch(text)
    if match is None or match["offset"] == "-00:00":
        raise FormatError(
            CODE, "expected YYYY[-MM[-DD[Thh:mm:ss[.ffffff](Z|±hh:mm)]]], upper case, no -00:00"
        )
    year, month, day, time, fraction, offset = match.groups()
    start = f"{year}-{month or '01'}-{day or '01'}"
    if offset is not None:
        moment = _naive(f"{start}{time}.{(fraction or '').ljust(6, '0')}")
        return _Clinical(first=moment, last=moment, offset=_parse_offset(offset))
    first = _naive(start + "T00:00:00.000000")
    last = _end(first, has_month=month is not None, has_day=day is not None)
    return _Clinical(first=first, last=last, offset=None)


def _end(first: datetime, *, has_month: bool, has_day: bool) -> datetime:
    last = first.replace(hour=23, minute=59, second=59, microsecond=999_999)
    if has_day:
        return last
    if not has_month:
        last = last.replace(month=12)
    for days in (31, 30, 29):
        try:
            return last.replace(day=days)
        except ValueError:  # a shorter month
            continue
    return last.replace(day=28)


def _parse_offset(text: str) -> timedelta:
    if text == "Z":
        return timedelta(0)
    size = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return -size if text[0] == "-" else size


def _naive(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise FormatError(CODE, "expected a date and time that the calendar has") from None


def _microseconds(utc: datetime) -> int:
    return (utc - _EPOCH) // _MICROSECOND


def _zone(name: str) -> ZoneInfo:
    if _ZONE.fullmatch(name) is None:
        raise FormatError(CODE, "expected the name of an iana time zone", field="zone")
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; a directory of zones; a file that is no zone
        raise FormatError(CODE, "expected the name of an iana time zone", field="zone") from None


def _offsets(wall: datetime, rules: ZoneInfo) -> tuple[timedelta, timedelta]:
    """Return the offsets for a wall-clock time: in a gap the second is greater, in an overlap it is less."""
    first, second = (wall.replace(tzinfo=rules, fold=fold).utcoffset() for fold in (0, 1))
    if first is None or second is None:
        raise FormatError(CODE, "expected a zone with offsets", field="zone")
    return first, second


def _first_instant_from(wall: datetime, rules: ZoneInfo) -> int:
    """Return the first instant at which the clocks show `wall`, or jump over it."""
    before, after = _offsets(wall, rules)
    return _jump(wall, rules) if after > before else _microseconds(wall) - before // _MICROSECOND


def _last_instant_until(wall: datetime, rules: ZoneInfo) -> int:
    """Return the last instant at which the clocks show `wall`, or the one before they jump over it."""
    before, after = _offsets(wall, rules)
    return _jump(wall, rules) - 1 if after > before else _microseconds(wall) - after // _MICROSECOND


def _jump(wall: datetime, rules: ZoneInfo) -> int:
    """Return the instant, a full second, at which the clocks jump over `wall`, which lies in a gap."""
    before, after = _offsets(wall, rules)
    low = _microseconds(wall) - after // _MICROSECOND  # the clocks still have the first offset
    high = _microseconds(wall) - before // _MICROSECOND  # they have the second
    low, high = low // _SECOND_US, -(-high // _SECOND_US)
    while high - low > 1:
        middle = (low + high) // 2
        moment = (_EPOCH.replace(tzinfo=UTC) + timedelta(seconds=middle)).astimezone(rules)
        low, high = (low, middle) if moment.utcoffset() == after else (middle, high)
    return high * _SECOND_US


def _clock(local_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=local_us)).strftime("%H:%M")
