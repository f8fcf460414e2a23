"""Monitoring visits, corrective action, imports, archives, retention, custody and copies (catalogue H)."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.rules.custody import retained
from tests.given_quality import AT_SITE, assured, cosign
from tests.scenario import SITE, SOURCE, Story, Told, breaks, given_active_site, keeps


def say(story: Story, type_: str, data: dict[str, Any], **said: Any) -> Told:
    """Record a statement of the study or a site."""
    said.setdefault("by", "sponsor")
    said.setdefault("stream", "study")
    return story.when(type_, {**data, "source": SOURCE}, **said)


def visit(last: int, **more: Any) -> dict[str, Any]:
    """Return the data of a monitoring visit."""
    return {"kind": "interim", "from": "2025-01-06", "to": "2025-01-07", "first": 0, "last": last,
            "findings": 0, **more}  # fmt: skip


@keeps("monitoring_visit.recorded")
@breaks("monitoring_visit.recorded", "REVIEW_RANGE")
def test_a_monitoring_visit_looked_at_what_is_there() -> None:
    """The monitor names the entries that were looked at; those to come are none."""
    story = given_active_site()
    at: dict[str, Any] = {"by": "monitor", "stream": AT_SITE}
    assert say(story, "monitoring_visit.recorded", visit(len(story.log) - 1), **at).codes == ()
    told = say(story, "monitoring_visit.recorded", visit(len(story.log)), **at)
    assert told.refused == "REVIEW_RANGE"


@keeps("capa.opened", "capa.closed")
@breaks("capa.closed", "CAPA_STATE")
def test_a_corrective_action_is_closed_once() -> None:
    """What is closed names an open action of its stream."""
    story = given_active_site()
    data = {"statements": [], "cause": "training", "owner": "cora", "due": "2025-02-01"}
    opened = say(story, "capa.opened", data, by="ines", stream=AT_SITE)
    assert opened.codes == ()
    closing = {"statement": opened.event, "effective": True}
    assert say(story, "capa.closed", closing, by="medmon").refused == "CAPA_STATE"
    closed = say(story, "capa.closed", closing, by="medmon", stream=AT_SITE)
    assert (closed.codes, [c.closed for c in assured(story, AT_SITE).capas]) == ((), [closed.index])
    assert say(story, "capa.closed", closing, by="medmon", stream=AT_SITE).refused == "CAPA_STATE"


@keeps("data.imported")
def test_an_import_names_its_file_and_mapping() -> None:
    """Rows read and statements made are told with the hash of the file and the version of the mapping."""
    story = given_active_site()
    data = {"file": "dm.parquet", "sha256": "a" * 64, "mapping": "sdtm", "mapping_version": "1", "rows": 306,
            "statements": 612, "left": 0}  # fmt: skip
    assert say(story, "data.imported", data, by="coder").codes == ()


def archive(story: Story) -> Told:
    """Seal an archive."""
    data = {"sha256": "a" * 64, "size": len(story.log), "root": "A" * 43 + "=", "medium": "tape",
            "place": "Archive"}  # fmt: skip
    return say(story, "archive.sealed", data)


@keeps("archive.sealed", "archive.restored_and_read")
@breaks("archive.restored_and_read", "ARCHIVE_DIFFERS", "REFERENCE")
def test_an_archive_gives_back_what_was_sealed() -> None:
    """Readable and equal, or a breach; and it names an archive that was sealed."""
    story = given_active_site()
    sealed = archive(story)
    back = {"statement": sealed.event, "sha256": "b" * 64, "readable": True}
    assert say(story, "archive.restored_and_read", back).codes == ("ARCHIVE_DIFFERS",)
    back["sha256"] = "a" * 64
    unreadable = {**back, "readable": False}
    assert say(story, "archive.restored_and_read", unreadable).codes == ("ARCHIVE_DIFFERS",)
    assert [a.read for a in assured(story, "study").archives] == [None]
    read = say(story, "archive.restored_and_read", back)
    assert (read.codes, [a.read for a in assured(story, "study").archives]) == ((), [read.index])
    wrong = {**back, "statement": story.log[0].event}
    assert say(story, "archive.restored_and_read", wrong).refused == "REFERENCE"


@keeps("retention.rule_set")
@breaks("retention.rule_set", "RETENTION_SHORTER")
def test_the_longest_retention_wins() -> None:
    """A shorter rule is recorded and changes nothing; a rule without end outlasts every date."""
    story = given_active_site()

    def rule(until: str | None, **said: Any) -> tuple[str, ...]:
        data = {"basis": "ich_e6"} if until is None else {"basis": "ich_e6", "until": until}
        return say(story, "retention.rule_set", data, **said).codes

    assert retained(story.conduct.study, SITE, len(story.log)) is False
    assert rule("2050-12-31") == ()
    before = len(story.log)
    assert rule("2040-12-31") == ("RETENTION_SHORTER",)
    assert retained(story.conduct.study, SITE, len(story.log)) == "2050-12-31"
    assert rule("2060-01-01", by="ines", stream=AT_SITE) == ()
    assert retained(story.conduct.study, SITE, len(story.log)) == "2060-01-01"
    assert retained(story.conduct.study, SITE, before) == "2050-12-31"
    assert rule(None) == ()
    assert retained(story.conduct.study, SITE, len(story.log)) is None
    assert rule("2070-01-01") == ("RETENTION_SHORTER",)


@keeps("custody.transferred", "record.cosigned")
@breaks("custody.transferred", "COSIGNATURE_OVERDUE")
def test_who_takes_custody_cosigns() -> None:
    """It is pending until then, and overdue after 24 hours."""
    story = given_active_site()
    data = {"what": "ledger", "from": "Sponsor", "to": "Archive", "date": "2025-01-06"}
    told = say(story, "custody.transferred", data)
    assert [w.event for w in assured(story, "study").pending] == [told.event]
    signed = cosign(story, told, by="coder", stream="study")
    assert (signed.codes, assured(story, "study").pending) == ((), ())
    late = say(story, "custody.transferred", data)
    story.wait(hours=25)
    assert ("COSIGNATURE_OVERDUE", late.event) in archive(story).caused
    assert archive(story).caused == ()


@keeps("certified_copy.received")
@breaks("certified_copy.received", "COPY_DIFFERS")
@pytest.mark.parametrize("stream", ["study", AT_SITE])
def test_a_copy_equals_what_was_issued(stream: str) -> None:
    """A copy that differs is recorded and flagged."""
    story = given_active_site()
    data = {"sha256": "a" * 64, "size": 10, "equal": True}
    assert say(story, "certified_copy.received", data, by="ines", stream=stream).codes == ()
    told = say(story, "certified_copy.received", {**data, "equal": False}, by="ines", stream=stream)
    assert (told.refused, told.codes) == (None, ("COPY_DIFFERS",))
    assert [copy.equal for copy in assured(story, stream).copies] == [True, False]
