"""The study definition: its form, its coherence, its windows and scores, and the reference study itself."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import canonical
from ledger.errors import FormatError
from ledger.study import schedule
from ledger.study.definition import StudyDefinition, load, published, score, sources, visit_window
from tests.shared import ROOT, SHARED, needs_shared

DATA = (files("ledger.study") / "definitions" / "nct06414356.json").read_bytes()
STUDY = load(DATA)
DAY_1 = date(2023, 5, 1)  # a Monday


def document() -> Any:
    return json.loads(DATA)


def changed(path: str, value: Any) -> bytes:
    """Return the reference study with one value replaced, or taken out where `value` is None."""
    root = document()
    *parents, last = [int(part) if part.isdigit() else part for part in path.strip("/").split("/")]
    node = root
    for part in parents:
        node = node[part]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return json.dumps(root).encode()


def x(value: Any) -> dict[str, Any]:
    return {"value": value, "source": "X"}


def test_layout_does_not_matter() -> None:
    """The file as people read it and its canonical bytes are one definition."""
    assert load(canonical.encode(document())) == STUDY


def test_attachment_hides_the_block_sizes() -> None:
    """What is published is canonical and the same definition, but for the block sizes of both lists."""
    attached = published(DATA)
    assert canonical.encode(canonical.decode(attached)) == attached
    assert b"block_sizes" not in attached
    assert STUDY.randomization.block_sizes == (6, 9)
    assert load(attached).randomization.block_sizes is None
    assert load(attached).visits == STUDY.visits
    assert published(attached) == attached


def test_every_value_names_its_source() -> None:
    """No text, number or boolean of the file stands outside a value with a source S, R or X."""

    def leaves(value: Any, pointer: str) -> list[str]:
        if isinstance(value, dict) and "source" in value:
            return [pointer]
        members = value.items() if isinstance(value, dict) else enumerate(value)
        return [leaf for name, member in members for leaf in leaves(member, f"{pointer}/{name}")]

    found = sources(DATA)
    assert sorted(found) == sorted(leaves(document(), ""))
    assert set(found.values()) == {"S", "R", "X"}


@pytest.mark.parametrize(
    ("pointer", "source", "also"),
    [
        ("/title", "S", "R"),
        ("/registry_id", "R", "S"),
        ("/planned_enrolment", "R", "S"),
        ("/sponsor", "S", "R"),
        ("/arms/0/name", "S", None),
        ("/arms/0/doses/0/amount", "X", None),
        ("/masking/description", "X", None),
        ("/screening_min_days", "S", None),
        ("/criteria/0/text", "S", "R"),
        ("/criteria/2/reading", "X", None),
        ("/criteria/19/text", "R", None),
        ("/prohibited_medication/4/medication_class", "S", None),
        ("/prohibited_medication/4/washout_days", "X", None),
        ("/sites/0/id", "X", None),
        ("/randomization/second/from_arms", "R", None),
        ("/randomization/block_sizes", "X", None),
        ("/instruments/1/baseline_noted_above", "R", None),
        ("/extension/own_consent", "S", None),
    ],
)
def test_sources_are_the_reference_pages(pointer: str, source: str, also: str | None) -> None:
    """Values carry the label that the page of the reference study gives them."""
    node = document()
    for part in pointer.strip("/").split("/"):
        node = node[int(part)] if part.isdigit() else node[part]
    assert sources(DATA)[pointer] == source
    assert node.get("also") == also


def test_nothing_of_the_study_is_in_the_code() -> None:
    """The code that reads definitions names no drug, instrument, site or number of the reference study."""
    words = re.compile(r"ketamine|magnesium|pcl|nct0|SA-01|SD-02|chicago", re.IGNORECASE)
    for module in sorted((ROOT / "ledger" / "study").glob("*.py")):
        assert not words.search(module.read_text(encoding="utf-8")), module.name


def test_arms_and_randomization_are_the_reference_studys() -> None:
    """Three arms 1:1:1 by site, no placebo, and a second stage over two of them for the third."""
    assert [(arm.label, arm.id, arm.kind) for arm in STUDY.arms] == [
        ("I", "ketamine+magnesium", "experimental"),
        ("II", "ketamine", "experimental"),
        ("III", "magnesium", "active_control"),
    ]
    plan = STUDY.randomization
    assert [(row.arm, row.ratio) for row in plan.arms] == [
        ("ketamine", 1),
        ("ketamine+magnesium", 1),
        ("magnesium", 1),
    ]
    assert (plan.strata, plan.slots, plan.first_day, plan.last_day) == (("SA-01", "SD-02"), 30, -3, 1)
    assert plan.second is not None
    assert plan.second.from_arms == ("magnesium",)
    assert [row.arm for row in plan.second.arms] == ["ketamine", "ketamine+magnesium"]
    assert plan.second.week == 3


def test_calendar_has_sixteen_visits() -> None:
    """One screening, fourteen infusions on their days and one follow-up count; contacts and home do not."""
    required = [visit for visit in STUDY.visits if visit.required]
    assert len(required) == 16
    infusions = [visit for visit in required if visit.kind == "infusion"]
    assert [visit.day for visit in infusions] == [1, 3, 5, 8, 10, 12, 15, 18, 22, 25, 29, 36, 64, 162]
    assert [visit.infusion for visit in infusions] == list(range(1, 15))
    assert [visit.kind for visit in required if visit not in infusions] == ["screening", "follow_up"]
    contacts = [visit.week for visit in STUDY.visits if visit.kind == "contact"]
    assert contacts == [8, 14, 18, 21]
    stopped = [visit.week for visit in STUDY.visits if visit.applies == "treatment_stopped"]
    assert stopped == [10, 24]


def test_instruments_stand_where_the_calendar_has_them() -> None:
    """Pain every week, PCL-5 at seven points, C-SSRS at six, a guess before stage 2 and at the end."""

    def weeks(instrument: str) -> list[int | str]:
        return [
            visit.week or visit.id
            for visit in STUDY.visits
            if instrument in visit.instruments and visit.applies == "everyone"
        ]

    assert weeks("pain_nrs") == ["screening", *range(1, 25), "follow_up"]
    assert weeks("pcl5") == ["screening", 2, 6, 10, 16, 24, "follow_up"]
    assert weeks("cssrs") == ["screening", 2, 6, 10, 24, "follow_up"]
    assert weeks("blind_guess") == [2, 24]


@pytest.mark.parametrize(
    ("visit", "first", "last"),
    [
        ("screening", DAY_1 - timedelta(28), DAY_1 - timedelta(14)),
        ("w1d1", DAY_1, DAY_1),
        ("w1d3", date(2023, 5, 2), date(2023, 5, 4)),
        ("w6d36", date(2023, 6, 4), date(2023, 6, 6)),
        ("w10d64", date(2023, 6, 30), date(2023, 7, 6)),
        ("w24d162", date(2023, 10, 2), date(2023, 10, 15)),
        ("w24_outcome", date(2023, 10, 2), date(2023, 10, 15)),
    ],
)
def test_visit_windows(visit: str, first: date, last: date) -> None:
    """Windows are ±1 day in weeks 1-6, none on day 1, ±3 in week 10, -7/+6 in week 24."""
    assert visit_window(STUDY, visit, DAY_1) == (first, last)


def test_follow_up_counts_from_the_last_infusion() -> None:
    """Follow-up is the last infusion + 28 days ±7; before there is one, the planned last infusion counts."""
    stopped = date(2023, 6, 1)
    assert visit_window(STUDY, "follow_up", DAY_1, last_infusion=stopped) == (
        stopped + timedelta(21),
        stopped + timedelta(35),
    )
    planned = DAY_1 + timedelta(161 + 28)
    assert visit_window(STUDY, "follow_up", DAY_1) == (planned - timedelta(7), planned + timedelta(7))


def test_an_unknown_visit_has_no_window() -> None:
    """A visit that the calendar lacks is refused by code."""
    with pytest.raises(FormatError) as caught:
        visit_window(STUDY, "w99", DAY_1)
    assert (caught.value.code, caught.value.field) == ("VISIT", "visit")


def test_a_window_beyond_the_calendar_is_refused() -> None:
    """Dates past the last year are an error of the project, not of the language."""
    with pytest.raises(FormatError):
        visit_window(STUDY, "w24d162", date.max)


@given(st.integers(-2000, 2000).filter(bool))
def test_study_days_have_no_zero(day: int) -> None:
    """Day to date and back is the same day, and the day before day 1 is day -1."""
    assert schedule.study_day(DAY_1, schedule.day_date(DAY_1, day)) == day
    assert schedule.study_day(DAY_1, DAY_1 - timedelta(1)) == -1
    with pytest.raises(FormatError):
        schedule.day_date(DAY_1, 0)


def test_scores_follow_the_instrument() -> None:
    """A sum of twenty items, a single item, and a level, each by its rule and in any order of answers."""
    pcl = STUDY.instruments["pcl5"]
    answers = [(item, number % 5) for number, item in enumerate(pcl.items)]
    assert score(pcl, reversed(answers)) == Decimal(40)
    assert score(pcl, [(item, 4) for item in pcl.items]) == Decimal(80)
    assert score(STUDY.instruments["pain_nrs"], [("pain", 7)]) == Decimal(7)
    level = STUDY.instruments["cssrs"]
    assert score(level, [(item, int(number in (1, 4))) for number, item in enumerate(level.items, 1)]) == 4
    assert score(level, [(item, 0) for item in level.items]) == 0


def test_highest_is_the_largest_answer() -> None:
    """An instrument scored by its highest answer takes that one."""
    data = changed("/instruments/1/scoring", x("highest"))
    pcl = load(data).instruments["pcl5"]
    assert score(pcl, [(item, int(item == "pcl5_07") * 3) for item in pcl.items]) == 3


@pytest.mark.parametrize(
    "spoil",
    [
        lambda items: items[:-1],
        lambda items: [*items, items[0]],
        lambda items: [*items[:-1], ("pcl5_21", 0)],
        lambda items: [*items[:-1], (items[-1][0], 5)],
        lambda items: [*items[:-1], (items[-1][0], -1)],
    ],
    ids=["missing", "twice", "unknown", "above", "below"],
)
def test_incomplete_answers_have_no_score(spoil: Callable[[list[Any]], list[Any]]) -> None:
    """A set of answers that is not exactly the instrument's has no total."""
    pcl = STUDY.instruments["pcl5"]
    with pytest.raises(FormatError) as caught:
        score(pcl, spoil([(item, 1) for item in pcl.items]))
    assert caught.value.code == "OUTCOME_ITEMS"


def test_an_instrument_without_a_total_has_no_score() -> None:
    """A guess of the allocation is recorded, never added up."""
    with pytest.raises(FormatError):
        score(STUDY.instruments["blind_guess"], [("guess", 2)])


def test_lookups_answer_none_for_what_is_not_there() -> None:
    """Visits, infusions, arms, criteria and medication are found by id or not at all."""
    visit = STUDY.infusion(14)
    assert visit is not None
    assert STUDY.visit("w24d162") == visit
    assert STUDY.infusion(15) is None
    assert STUDY.visit("w0") is None
    assert STUDY.arm("placebo") is None
    assert STUDY.criterion("Z01") is None
    tapered = STUDY.prohibited("benzodiazepines")
    assert tapered is not None
    assert tapered.washout_days == 14
    assert STUDY.prohibited("antibiotics") is None


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("/title", None, "/title"),
        ("/titel", x("a"), "/titel"),
        ("/visits/3/day", None, "/visits/3/day"),
        ("/visits/3/days", x(1), "/visits/3/days"),
        ("/title", "bare", "/title"),
        ("/title", {"value": "a"}, "/title/source"),
        ("/title", {"source": "X"}, "/title/value"),
        ("/title", {"value": "a", "source": "Q"}, "/title/source"),
        ("/title", {"value": "a", "source": "X", "why": "b"}, "/title/why"),
        ("/title", {"value": "a", "source": "X", "also": "X"}, "/title/also"),
        ("/title", {"value": "a", "source": ["X"]}, "/title/source"),
        ("/title", x(""), "/title"),
        ("/title", x(1), "/title"),
        ("/title", [x("a")], "/title"),
        ("/planned_enrolment", x(True), "/planned_enrolment"),
        ("/planned_enrolment", x("30"), "/planned_enrolment"),
        ("/planned_enrolment", x(0), "/planned_enrolment"),
        ("/infusion_volume_ml", x(250), "/infusion_volume_ml"),
        ("/infusion_volume_ml", x("2.5e2"), "/infusion_volume_ml"),
        ("/infusion_volume_ml", x("-1"), "/infusion_volume_ml"),
        ("/masking", x("open"), "/masking/value"),
        ("/masking/blinded", x("yes"), "/masking/blinded"),
        ("/visits", {}, "/visits"),
        ("/visits", [], "/visits"),
        ("/visits/0", [], "/visits/0"),
        ("/visits/0/kind", x("party"), "/visits/0/kind"),
        ("/visits/0/kind", x(["screening"]), "/visits/0/kind"),
        ("/visits/0/instruments", x("pcl5"), "/visits/0/instruments"),
        ("/visits/0/instruments", x(["pcl5", 1]), "/visits/0/instruments"),
        ("/visits/0/instruments", x(["pcl5", "pcl5"]), "/visits/0/instruments"),
        ("/visits/2/id", x("w1d1"), "/visits/2/id"),
        ("/sites", [], "/sites"),
        ("/criteria/1/id", x("I01"), "/criteria/1/id"),
        ("/format", x("trial-ledger-study-v2"), "/format"),
    ],
)
def test_a_malformed_value_is_named(path: str, value: Any, field: str) -> None:
    """What is unknown, missing or wrongly typed is refused with the JSON Pointer of the value."""
    with pytest.raises(FormatError) as caught:
        load(changed(path, value))
    assert (caught.value.code, caught.value.field) == ("DEFINITION", field)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("/sites/0/zone", x("America/Atlantis"), "/sites/0/zone"),
        ("/sites/0/zone", x("../etc/passwd"), "/sites/0/zone"),
        ("/arms/0/doses/0/product", x("aspirin"), "/arms/0/doses/0/product"),
        ("/visits/0/epoch", x("nowhere"), "/visits/0/epoch"),
        ("/visits/0/day", x(0), "/visits/0/day"),
        ("/visits/0/instruments", x(["unknown"]), "/visits/0/instruments"),
        ("/visits/0/infusion", x(1), "/visits/0/infusion"),
        ("/visits/2/infusion", None, "/visits/2/infusion"),
        ("/visits/2/infusion", x(3), "/visits/2/infusion"),
        ("/visits/1/day", x(2), "/visits/1/day"),
        ("/screening_min_days", x(29), "/screening_min_days"),
        ("/instruments/0/maximum", x(-1), "/instruments/0/maximum"),
        ("/instruments/0/items", x(["pain", "more"]), "/instruments/0/items"),
        ("/outcomes/0/instrument", x("unknown"), "/outcomes/0/instrument"),
        ("/infusion_rate_ml_h", x("250"), "/infusion_rate_ml_h"),
        ("/randomization/strata", x(["SA-01", "XX-09"]), "/randomization/strata"),
        ("/randomization/slots", x(1 << 20), "/randomization/slots"),
        ("/randomization/block_sizes", x([6, 8]), "/randomization/block_sizes"),
        ("/randomization/first_day", x(0), "/randomization/first_day"),
        ("/randomization/last_day", x(-4), "/randomization/last_day"),
        ("/randomization/arms/0/arm", x("placebo"), "/randomization/arms"),
        ("/randomization/arms/0/arm", x("magnesium"), "/randomization/arms"),
        ("/randomization/second/list", x("main"), "/randomization/second/list"),
        ("/randomization/second/from_arms", x(["placebo"]), "/randomization/second/from_arms"),
        ("/randomization/second/block_sizes", x([3]), "/randomization/second/block_sizes"),
        ("/randomization/second/visit", x("w0"), "/randomization/second/visit"),
        ("/extension/product", x("aspirin"), "/extension/product"),
        ("/extension/epoch", x("nowhere"), "/extension/epoch"),
    ],
)
def test_values_that_do_not_fit_one_another_are_named(path: str, value: Any, field: str) -> None:
    """A definition that contradicts itself is refused where it does."""
    with pytest.raises(FormatError) as caught:
        load(changed(path, value))
    assert (caught.value.code, caught.value.field) == ("DEFINITION", field)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b'{"title":{"value":1.5,"source":"X"}}',
        b'{"title":{"value":1e5,"source":"X"}}',
        b'{"title":{"value":NaN,"source":"X"}}',
        b'{"title":1,"title":2}',
        b'{"Title":1}',
        b'{"title":{"value":"\\ud800","source":"X"}}',
        b'{"title":{"value":"e\\u0301","source":"X"}}',
        b'{"title":{"value":9007199254740992,"source":"X"}}',
        b'{"title":{"value":' + b"9" * 5000 + b',"source":"X"}}',
        b"[" * 100_000,
        b'{"title":' + b"[" * 20 + b"]" * 20 + b"}",
        b" " * (8 * 1024 * 1024 + 1),
    ],
    ids=lambda data: data[:40].decode("latin-1"),
)
def test_bytes_that_are_no_definition_are_refused(data: bytes) -> None:
    """Whatever the bytes, `load` and `sources` answer with an error of the format."""
    for function in (load, published):
        with pytest.raises(FormatError):
            function(data)


@given(st.data())
def test_no_missing_member_escapes(data: st.DataObject) -> None:
    """Taking any member out at any depth gives a definition or a format error, and nothing else."""
    root = copy.deepcopy(document())
    node = root
    while True:
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        if not isinstance(node[key], dict | list) or not node[key] or data.draw(st.booleans()):
            break
        node = node[key]
    del node[key]
    with suppress(FormatError):
        assert isinstance(load(json.dumps(root).encode()), StudyDefinition)


@needs_shared
def test_texts_are_the_reference_pages() -> None:
    """Title, sponsor, arms and criteria stand on the page of the reference study, word for word."""
    page = (SHARED / "spec" / "reference-study.md").read_text(encoding="utf-8")
    texts = [
        STUDY.title,
        STUDY.official_title,
        STUDY.sponsor,
        STUDY.registry_id,
        *(arm.name for arm in STUDY.arms),
    ]
    for text in texts:
        assert text in page
    for row in STUDY.prohibited_medication:
        assert row.medication_class in page
    for omitted in ("dependent", "Pediatric", "Oral Facial", "healthy volunteer", "catastroph"):
        assert omitted.encode() not in DATA
