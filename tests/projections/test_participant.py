"""A participant as known now, as known then, and as it truly was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ledger.errors import FormatError
from ledger.roles import ROLES
from projections.participant import participant_view
from projections.projection import encode_state
from projections.reader import Reader
from tests import scenario
from tests.ledger import small_ledger
from tests.projections.conftest import Told
from tests.projections.ledgers import opener_of, store_of
from tests.scenario import PARTICIPANT


def view_of(told: Told, reader: Reader, **asked: Any) -> dict[str, Any]:
    found = participant_view(told.store, PARTICIPANT, reader=reader, conduct=told.story.conduct, **asked)
    assert found is not None
    return found


def index_of(told: Told, type_: str, number: int = 0) -> int:
    found = [e.index for e in told.story.log if e.statement is not None and e.statement.type == type_]
    return found[number]


def test_known_then_does_not_have_what_was_recorded_later(told: Told, auditor: Reader) -> None:
    """A late entry is absent as known on the day, and there as true on the day."""
    late = index_of(told, "vital_signs.recorded", 1)
    then = view_of(told, auditor, known="2025-02-04")
    assert [each["index"] for each in then["vital_signs"]] == [late - 6]
    truly = view_of(told, auditor, true="2025-02-04")
    assert {each["index"] for each in truly["vital_signs"]} == {late - 6, late}
    assert then["known"] < late < truly["known"]


def test_a_corrected_time_moves_the_event_in_true_only(told: Told, auditor: Reader) -> None:
    """The adverse event moves to the day before; as known it stays where the log has it."""
    before = view_of(told, auditor, true="2025-02-02")
    assert list(before["adverse_events"]) == ["AE-1"]
    correction = index_of(told, "correction.made", 2)
    assert view_of(told, auditor, true="2025-02-02", known=correction - 1)["adverse_events"] == {}
    known = view_of(told, auditor)["adverse_events"]["AE-1"]["versions"]
    assert [each["index"] for each in known] == sorted(each["index"] for each in known)
    assert known[0]["occurred_at"] == "2025-02-02"
    assert known[0]["corrected_by"] == [correction]


def test_a_partial_date_that_overlaps_may_have_been(told: Told, auditor: Reader) -> None:
    """A withdrawal known by its day alone may have been by noon, and had been by the day's end."""
    noon = view_of(told, auditor, true="2025-02-08T12:00:00-06:00")
    assert [each.get("may_have") for each in noon["dispositions"]] == [True]
    assert (noon["status"], noon["status_may_be"]) == ("on treatment", "withdrawn")
    evening = view_of(told, auditor, true="2025-02-08")
    assert (evening["status"], "status_may_be" in evening) == ("withdrawn", False)


def test_a_voided_correction_gives_the_value_before_it_back(told: Told, auditor: Reader) -> None:
    """Of 72, 82 and a voided 28, 82 reads; each stage reads as it did as known then."""
    vitals = index_of(told, "vital_signs.recorded")
    read = {}
    for known in range(vitals, vitals + 5):
        shown = view_of(told, auditor, known=known)["vital_signs"][0]
        read[known - vitals] = shown["data"]["measurements"][0]["quantity"]["value"]
    assert read == {0: "72", 1: "72", 2: "82", 3: "28", 4: "82"}


def test_what_is_voided_is_struck_through_with_the_index_that_did_it(told: Told, auditor: Reader) -> None:
    """A voided record is in no part of the view and is listed with its voiding."""
    view = view_of(told, auditor)
    assert view["unscheduled_visits"] == []
    struck = {each["type"]: each["voided_by"] for each in view["voided"]}
    assert struck["visit.started"]["code"] == "duplicate"
    assert struck["visit.started"]["index"] == index_of(told, "record.voided", 1)
    assert struck["visit.started"]["reason"]["code"] == "entered_twice"


def test_a_voiding_of_dosing_waits_for_a_physician(told: Told, auditor: Reader) -> None:
    """Until it is cosigned the held dose stands and the voiding is pending."""
    voiding = index_of(told, "record.voided", 2)
    waiting = view_of(told, auditor, known=voiding)
    assert [each["index"] for each in waiting["pending"]] == [voiding]
    assert waiting["flags"]["pending_cosignature"] == 1
    assert [len(each["held"]) for each in waiting["infusions"]] == [0, 1]
    done = view_of(told, auditor, known=index_of(told, "record.cosigned"))
    assert done["pending"] == []
    assert [len(each["held"]) for each in done["infusions"]] == [0]


def test_an_infusion_has_its_order_dose_and_segments(told: Told, auditor: Reader) -> None:
    """One infusion from its order to its end, in the order of the log."""
    (infusion,) = view_of(told, auditor)["infusions"]
    assert (infusion["infusion"], infusion["state"], infusion["label"]) == (1, "completed", "L1")
    assert [each["type"] for each in infusion["segments"]] == ["infusion.started", "infusion.completed"]
    assert (len(infusion["orders"]), len(infusion["received"])) == (1, 1)


def test_an_adverse_event_carries_its_newest_members(told: Told, auditor: Reader) -> None:
    """Grade from the follow-up, outcome from the resolution, seriousness from the report."""
    event = view_of(told, auditor)["adverse_events"]["AE-1"]
    assert (event["version"], event["grade"], event["outcome"], event["serious"]) == (
        3,
        2,
        "recovered",
        False,
    )
    assert len(event["versions"]) == 3


def test_breaches_are_open_or_closed_by_an_index(tmp_path: Path, auditor: Reader) -> None:
    """A late entry's breach is open until a cosigned correction with a source makes it vanish."""
    story = scenario.given_infused()
    story.wait(days=5)
    late = story.when("vital_signs.recorded", scenario.VITALS, by="nurse", occurred=story.ago(days=5))
    assert late.codes == ("LATE_ENTRY",)
    correction = story.given(
        "correction.made",
        {"statement": late.event, "path": "/occurred_at", "old": story.ago(days=5, minutes=1),
         "new": story.ago(minutes=3)},
        reason="transcription",
        originator={"id": "nurse", "kind": "person", "source": "paper"},
    )  # fmt: skip
    cosigned = story.given("record.cosigned", {"statement": correction.event, "as": "supervisor"}, by="ines")
    store = store_of(story, tmp_path / "ledger.db")

    def breaches(known: int) -> list[tuple[Any, ...]]:
        view = participant_view(store, PARTICIPANT, reader=auditor, known=known, conduct=story.conduct)
        assert view is not None
        return [(each["rule"], each["open"], each["closed_by"]) for each in view["breaches"]]

    assert breaches(late.index - 1) == []
    assert breaches(late.index) == [("LATE_ENTRY", True, None)]
    assert breaches(correction.index) == [("LATE_ENTRY", True, None)]
    assert breaches(cosigned.index) == [("LATE_ENTRY", False, cosigned.index)]
    store.close()


def test_what_explains_a_breach_from_another_stream_moves_the_last_index(
    tmp_path: Path, auditor: Reader
) -> None:
    """A delegation accepted too late changes the view of the participant whose breach it explains."""
    story = scenario.given_infused()
    broken = story.when("vital_signs.recorded", {**scenario.VITALS, "performer": "new"}, by="cora")
    assert "NOT_DELEGATED" in broken.codes
    at = f"site/{scenario.SITE}"
    granted = story.when("delegation.granted", scenario.delegation("new"), by="ines", stream=at)
    accepted = story.given("delegation.accepted", {"delegation": granted.event}, by="new", stream=at)
    store = store_of(story, tmp_path / "ledger.db")
    for known, explained in ((granted.index, None), (accepted.index, accepted.index)):
        view = participant_view(store, PARTICIPANT, reader=auditor, known=known, conduct=story.conduct)
        assert view is not None
        (breach,) = [each for each in view["breaches"] if each["rule"] == "NOT_DELEGATED"]
        assert (breach["open"], breach["explained_by"]) == (True, explained)
        assert view["last_index"] == (explained or breach["statement"]["index"] + 2)
    store.close()


def test_without_conduct_breaches_are_as_recorded(told: Told, auditor: Reader) -> None:
    """Nothing is claimed about a breach that the rules were not asked about."""
    view = participant_view(told.store, PARTICIPANT, reader=auditor)
    assert view is not None
    assert {each["rule"] for each in view["breaches"]} >= {"LATE_ENTRY", "PROHIBITED_MEDICATION"}
    assert {each["open"] for each in view["breaches"]} == {None}


@pytest.mark.parametrize("role", sorted(ROLES))
def test_the_arm_is_sealed_for_every_role_without_an_opener(told: Told, role: str) -> None:
    """Nobody sees an arm by reading alone, and who may not read the stream gets nothing."""
    view = participant_view(told.store, PARTICIPANT, reader=Reader(role=role))
    if role in ("participant", "service", "device", "list_holder"):
        assert view is None
        return
    assert view is not None
    assert view["randomizations"][0]["arm"] == {"sealed": "treatment"}
    assert view["randomizations"][0]["list_index"] == 0


def test_hidden_types_leave_no_trace(tmp_path: Path) -> None:
    """An unblinded monitor sees no outcome, no correction of one and no index of either."""
    story = scenario.given_consented()
    seen = len(story.log)
    items = [{"item": item, "value": 5} for item in scenario.STUDY.instruments["pain_nrs"].items]
    outcome = story.when(
        "outcome.recorded",
        {"instrument": "pain_nrs", "version": scenario.STUDY.instruments["pain_nrs"].version,
         "visit": "screening", "language": "en", "items": items, "total": "5"},
        by="rater",
    )  # fmt: skip
    story.given(
        "correction.made",
        {"statement": outcome.event, "path": "/data/language", "old": "en", "new": "es"},
        reason="transcription",
    )
    store = store_of(story, tmp_path / "ledger.db")
    before = participant_view(store, PARTICIPANT, reader=Reader(role="unblinded_monitor"), known=seen - 1)
    after = participant_view(store, PARTICIPANT, reader=Reader(role="unblinded_monitor"))
    assert before is not None
    assert after is not None
    assert {**after, "known": before["known"]} == before
    shown = participant_view(store, PARTICIPANT, reader=Reader(role="auditor"))
    assert shown is not None
    assert shown["outcomes"][0]["data"]["language"] == "es"
    store.close()


def test_sealed_values_open_for_who_sees_them_and_say_when_they_are_erased(tmp_path: Path) -> None:
    """Marker, value, or erased: by scope of the role and by what is left of the disclosure."""
    small = small_ledger.make(tmp_path)
    store, opener = small.ledger.store, opener_of(small.ledger)

    def age(role: str) -> Any:
        reader = Reader(role=role, opener=opener)
        view = participant_view(store, "SA-01-002", reader=reader)
        assert view is not None
        return view["demographics"][0]["data"]["age_years"], view["corrections"][0]["reason"]["text"]

    assert age("investigator") == (44, "misread")
    assert age("auditor") == ({"sealed": "identity"}, "misread")
    assert age("blinded_rater") == ({"sealed": "identity"}, {"sealed": "freetext"})
    entry = store.entry(small.at["demographics SA-01-002"])
    assert entry is not None
    store.delete_disclosures(entry.event, ["/data/age_years"])
    assert age("investigator") == ({"erased": True}, "misread")
    assert age("auditor") == ({"sealed": "identity"}, "misread")
    small.ledger.close()


def test_a_reader_of_another_site_gets_nothing(told: Told) -> None:
    """Sites bound a reader."""
    reader = Reader(role="investigator", sites=frozenset({"SD-02"}))
    assert participant_view(told.store, PARTICIPANT, reader=reader) is None
    own = Reader(role="participant", person=PARTICIPANT)
    assert participant_view(told.store, PARTICIPANT, reader=own) is not None
    assert participant_view(told.store, "SA-01-999", reader=Reader(role="auditor")) is None


def test_a_view_is_a_function_of_the_log_alone(told: Told, auditor: Reader) -> None:
    """As known at an index, the view is the same whatever was recorded since."""
    index = index_of(told, "infusion.started")
    shown = participant_view(told.store, PARTICIPANT, reader=auditor, known=index)
    again = participant_view(told.store, PARTICIPANT, reader=auditor, known=str(index))
    assert shown is not None
    assert again is not None
    assert encode_state(shown) == encode_state(again)
    assert shown["last_index"] == index


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"known": 10**6}, "KNOWN"),
        ({"known": -1}, "KNOWN"),
        ({"known": "soon"}, "KNOWN"),
        ({"true": "soon"}, "TRUE"),
    ],
)
def test_moments_that_are_none_are_refused(
    told: Told, auditor: Reader, asked: dict[str, Any], code: str
) -> None:
    """An index beyond the log and a text that is no time are refused by their code."""
    with pytest.raises(FormatError) as refused:
        view_of(told, auditor, **asked)
    assert refused.value.code == code
