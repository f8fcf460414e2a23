"""What a reader of one participant judges of study and sites whose open statements are withheld (§9, §10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ledger.conduct import Conduct, Effect
from ledger.entry import Entry
from ledger.leaf import ZERO_SALT, is_salted, stream_tag
from tests import given_pharmacy as drug
from tests.given_people import reaffirm
from tests.given_quality import PULSE, given_database_locked, query
from tests.given_sites import (
    AT_SITE,
    amendment,
    approve,
    closing,
    cosign,
    hand_over,
    measure,
    receive_copy,
    suspended,
)
from tests.scenario import (
    PARTICIPANT,
    SITE,
    SOURCE,
    VITALS,
    Story,
    given_consented,
    given_registered,
    train,
)


class Bundle:
    """A story as a bundle of one participant shows it: control statements, and the participant's own.

    `of_study` is the whole study as a blinded auditor sees it: all but what is restricted.
    """

    def __init__(self, story: Story, *, of_study: bool = False) -> None:
        self.story = story
        self.of_study = of_study
        self.log = [self._shown(entry) for entry in story.log]
        self.conduct = Conduct(self)

    def _shown(self, entry: Entry) -> Entry:
        statement = entry.statement
        assert statement is not None
        shown = self.of_study and statement.cls != "restricted"
        if shown or statement.cls == "control" or statement.stream == f"participant/{PARTICIPANT}":
            return entry
        tag = statement.tag if is_salted(statement.stream) else stream_tag(statement.stream, ZERO_SALT)
        return replace(entry, statement=None, leaf=replace(entry.leaf, stream=tag))

    def entries_of(self, stream: str) -> Sequence[Entry]:
        """Return the entries of a stream that are shown."""
        return [e for e in self.log if e.statement is not None and e.statement.stream == stream]

    def index_of(self, event: str) -> int | None:
        """Return the index of an event hash, shown or not."""
        return next((entry.index for entry in self.log if entry.event == event), None)

    def entry_at(self, index: int) -> Entry | None:
        """Return the entry of an index."""
        return self.log[index] if 0 <= index < len(self.log) else None

    def attachment(self, sha256: str) -> bytes | None:
        """Return an attachment's bytes."""
        return self.story.attachment(sha256)

    def opened(self, _: str) -> Mapping[str, Any] | None:
        """Open nothing."""
        return None

    def judge(self) -> list[tuple[str, str]]:
        """Judge the log again; return what would be a finding: type and rule."""
        found = []
        for entry in self.log:
            violations = self.conduct.judge(entry, self.story.authority)
            for violation in violations:
                if violation.effect is not Effect.FLAG and entry.statement is not None:
                    found.append((entry.statement.type, violation.rule))
            self.conduct.evolve(entry, self.story.authority)
        unrecorded = self.conduct.unrecorded()
        return found + [("unrecorded", breach.rule) for breach in unrecorded]


def test_a_hand_over_whose_signature_is_withheld_is_believed() -> None:
    """The successor delegates and performs: nobody can say that the co-signature is not there."""
    story = given_consented()
    train(story, "iris")
    told = story.given("investigator.handed_over", hand_over(story), by="sponsor", stream=AT_SITE)
    assert cosign(story, told, "iris").codes == ()
    data = {"site": SITE, "person": "new", "from": story.ago(hours=-1), "tasks": ["visit.started"]}
    story.given("delegation.granted", data, by="iris", stream=AT_SITE)
    story.given("vital_signs.recorded", VITALS, by="iris")
    back = story.given("investigator.handed_over", hand_over(story, "ines"), by="iris", stream=AT_SITE)
    assert cosign(story, back, "ines").codes == ()
    story.given("vital_signs.recorded", VITALS, by="ines")
    assert Bundle(story).judge() == []


def test_a_suspension_whose_voiding_is_withheld_is_not_judged() -> None:
    """Gates after it stand in the log: what opened them may be what is withheld."""
    story = given_registered()
    told = story.given("irb_approval.suspended", suspended(story), by="ines", stream=AT_SITE)
    data = {"statement": told.event, "code": "error", "source": SOURCE}
    assert story.when("record.voided", data, by="ines", stream=AT_SITE, reason="error").refused is None
    data = {"site": SITE, "person": "new", "from": story.ago(hours=-1), "tasks": ["visit.started"]}
    story.given("delegation.granted", data, by="ines", stream=AT_SITE)
    assert Bundle(story).judge() == []


def test_an_urgent_measure_and_a_copy_that_are_withheld_are_believed() -> None:
    """An amendment that names the measure, and the closing that the copy permits, are no findings."""
    story = given_registered()
    approve(story, reconsent=True)
    taken = story.given("urgent_safety_measure.taken", measure(story), by="ines", stream=AT_SITE)
    data = amendment(story, statement=taken.event)
    story.given("amendment.activated", data, by="sponsor", stream=AT_SITE)
    assert receive_copy(story).codes == ()
    story.given("site.closed", closing(story), by="sponsor", stream=AT_SITE)
    assert Bundle(story).judge() == []


def test_a_breach_from_before_what_is_withheld_stays() -> None:
    """What is withheld later in a person's stream does not make an earlier breach vanish in a refold."""
    story = given_consented()
    told = story.when("vital_signs.recorded", VITALS, by="new")
    assert told.codes == ("NOT_DELEGATED", "NOT_TRAINED")
    trained = train(story, "new")
    asked = query(trained, source=SOURCE)
    story.given("query.opened", asked, by="coder", stream="person/new")
    corrected = {"statement": told.event, "path": PULSE, "old": "72", "new": "74"}
    assert story.when("correction.made", corrected, reason="transcription").refused is None
    story.wait(hours=25)
    story.given("vital_signs.recorded", VITALS)
    assert Bundle(story).judge() == []


def test_a_list_is_opened_although_the_lock_is_withheld() -> None:
    """A bundle of one participant does not show the lock of the database."""
    story = given_database_locked()
    data = {"block_sizes": [6, 9], "list": "main", "seeds": ["A" * 43 + "=", "B" * 42 + "A="]}
    story.given("randomization.list_opened", data, by="sponsor", stream="randomization/main")
    assert Bundle(story).judge() == []


def test_a_backup_is_none_of_what_blinded_readers_are_not_shown() -> None:
    """That a record of a pharmacy is no backup is as plain to them as to who sees it."""
    story = given_registered()
    taken = drug.when(story, "shipment.received", drug.shipment())
    changed = {"changes": [{"setting": "media", "new": "shredded"}], "destroyed": [taken.event],
               "reference": "CR-1", "source": SOURCE}  # fmt: skip
    told = story.when("configuration.changed", changed, by="sponsor", stream="study")
    assert told.codes == ("BACKUP_UNKNOWN",)
    assert Bundle(story, of_study=True).judge() == []


def test_a_reaffirmed_record_that_is_withheld_is_judged_by_its_leaf() -> None:
    """The keys that signed it stand there: whether these are suspect is plain to everybody."""
    story = given_registered()
    taken = drug.when(story, "shipment.received", drug.shipment())
    assert reaffirm(story, taken.event, "pharma").codes == ("NOT_SUSPECT",)
    assert Bundle(story, of_study=True).judge() == []
