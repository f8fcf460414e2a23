"""Certified copies of a log that goes on from an older one: no file of it passes for the whole history."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import odmlib
import pytest
from lxml import etree

from ledger.cli.app import run
from ledger.errors import RefusedError
from ledger.exports import export_ledger
from ledger.verify.options import Scope
from projections.copies.bundled import open_copy
from projections.copies.checking import check_copy
from projections.copies.issuing import Issued, Wanted, issue_copy
from projections.copies.signing import DocumentSigner
from tests.ledger.epoch_story import Epochs, go_on, make_old
from tests.ledger.small_ledger import ORIGIN, SITE, SmallLedger
from tests.ledger.write_path import VITALS
from tests.projections.copying import document_key, squeezed, words_of

ONE, TWO = f"{SITE}-001", f"{SITE}-002"
BEDSIDE = ("bchan", "coordinator", "authorship")
PULSE = "/data/measurements/0/quantity/value"


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Two epochs, a copy of one participant from each, and what is in the newer one's."""

    epochs: Epochs
    key: DocumentSigner
    before: Issued
    after: Issued
    corrected: str
    parts: dict[str, bytes]
    place: Path

    @property
    def sentence(self) -> str:
        """What every form says, without spaces."""
        said = self.epochs.handover.continues
        return squeezed(f"goes on from {said.size} entries of {ORIGIN}, ledger id {said.ledger_id}.")


def issue(made: SmallLedger, key: DocumentSigner, name: str) -> Issued:
    """Issue the investigator's copy of a participant, with every form."""
    scope = Scope(kind="participant", id=name)
    asked = {"role": "investigator", "held": "investigator", "who": "aruiz", "purpose": "own_copy"}
    return issue_copy(made.ledger, key, Wanted(scope=scope, format="zip", study="NCT06414356", **asked))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copies]:
    """Vital signs of the older log, copied there; the newer one corrects them, has its own, is copied too."""
    place = tmp_path_factory.mktemp("epochs")
    old, key, stream = make_old(place / "old"), document_key(place / "keys"), f"participant/{ONE}"
    said = old.say("v1", *BEDSIDE, "vital_signs.recorded", stream, VITALS, occurred_at=old.now())
    before = issue(old, key, ONE)
    two = go_on(old, place)
    data = {"statement": said.event, "path": PULSE, "old": "72", "new": "71"}
    why = {"reason": {"code": "transcription"}, "opened": {"/reason/text": "misread"}}
    two.new.say("c", *BEDSIDE, "correction.made", stream, data, **why)
    two.new.say("v2", *BEDSIDE, "vital_signs.recorded", stream, VITALS, occurred_at=two.new.now())
    after = issue(two.new, key, ONE)
    with zipfile.ZipFile(io.BytesIO(after.data)) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    yield Copies(
        epochs=two, key=key, before=before, after=after, corrected=said.event, parts=parts, place=place
    )
    two.close()


def listing(copies: Copies) -> list[dict[str, str]]:
    """Return the rows of the listing."""
    return list(csv.DictReader(io.StringIO(copies.parts["audit-trail.csv"].decode())))


def test_the_cover_and_every_page_say_what_is_not_there(copies: Copies) -> None:
    """In so many words on the cover, and in the head of each page after it."""
    from pypdf import PdfReader

    path = copies.place / "copy.pdf"
    path.write_bytes(copies.parts["certified-copy.pdf"])
    first, *others = (squeezed(page.extract_text()) for page in PdfReader(path).pages)
    assert "NOTTHEWHOLEHISTORY" in first
    assert copies.sentence in first
    assert others
    assert all(f"withouttherecordsof{ORIGIN}" in page for page in others)
    assert squeezed("its time zone is not in this copy") in squeezed(words_of(path))


def test_the_listing_begins_with_what_is_not_there(copies: Copies) -> None:
    """Its first row stands below 0 under the older log's name; every record stands under its own."""
    first, *rows = listing(copies)
    size = copies.epochs.handover.continues.size
    assert (first["index"], first["log"], first["event"]) == (str(-size), ORIGIN, "")
    assert first["what"].startswith("NOT THE WHOLE HISTORY.")
    assert copies.sentence in squeezed(first["what"])
    assert rows
    assert {(row["log"], int(row["index"]) >= 0) for row in rows} == {(f"{ORIGIN}/e2", True)}


def test_the_workbook_has_the_rows_of_the_listing(copies: Copies) -> None:
    """The one below 0 as well."""
    first = listing(copies)[0]
    with zipfile.ZipFile(io.BytesIO(copies.parts["audit-trail.xlsx"])) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        texts = etree.fromstring(book.read("xl/sharedStrings.xml")).xpath("//*[local-name()='t']/text()")
    assert f'<c r="A2"><v>{first["index"]}</v></c>' in sheet
    assert {first["what"], ORIGIN, f"{ORIGIN}/e2"} <= set(texts)


def test_odm_says_it_in_its_description(copies: Copies) -> None:
    """The file stays valid against the schema."""
    odm = copies.parts["odm.xml"]
    root = etree.fromstring(odm)
    assert copies.sentence in squeezed(root.get("Description"))
    schema = Path(odmlib.__file__).parent / "schemas" / "odm" / "1.3.2" / "ODM1-3-2.xsd"
    etree.XMLSchema(etree.parse(schema)).assertValid(root)


def test_the_readme_says_which_logs_a_copy_has(copies: Copies) -> None:
    """Of a later log that it is not the whole history, of a first one that none is before it."""
    readme = squeezed(copies.parts["README.txt"].decode())
    assert "NOTTHEWHOLEHISTORY" in readme
    assert copies.sentence in readme
    with zipfile.ZipFile(io.BytesIO(copies.before.data)) as package:
        parts = {name: package.read(name).decode(errors="ignore") for name in package.namelist()}
    assert "the study's first log: none is before it" in parts["README.txt"]
    assert not any("NOT THE WHOLE HISTORY" in text for text in parts.values())


def test_a_correction_names_the_record_that_is_not_there(copies: Copies) -> None:
    """By its event hash, which the older log's copy prints with that record."""
    made = next(row for row in listing(copies) if row["type"] == "correction.made")
    assert f"It is about event {copies.corrected}, not in this copy." in made["what"]
    with zipfile.ZipFile(io.BytesIO(copies.before.data)) as package:
        assert copies.corrected in package.read("audit-trail.csv").decode()


def test_a_participant_with_nothing_here_is_not_shown_as_if_without_history(copies: Copies) -> None:
    """The copy has no record of them, and says where they are."""
    issued = issue(copies.epochs.new, copies.key, TWO)
    assert issued.records == 0
    with zipfile.ZipFile(io.BytesIO(issued.data)) as package:
        rows = list(csv.DictReader(io.StringIO(package.read("audit-trail.csv").decode())))
    assert [row["log"] for row in rows] == [ORIGIN]


def test_a_copy_of_the_older_log_is_compared_with_what_came_after(copies: Copies) -> None:
    """The log that goes on knows the copy, and names its own correction of what that copy shows."""
    size = copies.epochs.handover.continues.size
    checked = check_copy(copies.before.data, copies.epochs.new.ledger.store)
    assert (checked.log, checked.index) == (ORIGIN, copies.before.index - size)
    assert not checked.matches
    changed = [(each.type, each.index >= 0) for each in checked.changed]
    assert changed == [("correction.made", True)]
    assert check_copy(copies.before.data, copies.epochs.old.ledger.store).matches


def test_a_correction_of_what_a_copy_lacks_does_not_change_it(copies: Copies) -> None:
    """A copy of the newer log shows no record of the older one."""
    checked = check_copy(copies.after.data, copies.epochs.new.ledger.store)
    assert (checked.log, checked.matches) == (None, True)


def test_who_asks_a_log_that_has_ended_is_sent_on(
    copies: Copies, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """`copy-check` on the frozen directory says that a later log may have more; there it is told."""
    path = copies.place / "old.zip"
    path.write_bytes(copies.before.data)
    assert run(["copy-check", str(path), "--dir", str(copies.place / "old"), "--json"]) == 0
    assert b"this log has ended: ask the one that goes on from it" in capfdbinary.readouterr().err
    assert run(["copy-check", str(path), "--dir", str(copies.place / "e2"), "--json"]) == 1
    said = json.loads(capfdbinary.readouterr().out)
    assert (said["log"], len(said["changed_since"])) == (ORIGIN, 1)


def test_a_bundle_of_one_log_says_that_the_older_one_is_not_at_hand(copies: Copies, tmp_path: Path) -> None:
    """COPY_UNKNOWN tells that the copy may be of the log before."""
    path = tmp_path / "bundle.zip"
    export_ledger(copies.epochs.new.ledger, path, scope=Scope(kind="study"), role="auditor")
    with open_copy(path) as source, pytest.raises(RefusedError, match="older one is not at hand") as caught:
        check_copy(copies.before.data, source.reads)
    assert caught.value.code == "COPY_UNKNOWN"


def test_the_command_says_what_the_copy_lacks(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Who issues one is told too."""
    made: Any = make_old(tmp_path / "old")
    two = go_on(made, tmp_path)
    two.close()
    assert run(["copy-key", str(tmp_path / "e2"), "--organisation", "Sponsor"]) == 0
    capfdbinary.readouterr()
    asked = ["--to", "aruiz", "--role", "investigator", "--participant", ONE, "--json"]
    assert run(["copy", str(tmp_path / "e2"), str(tmp_path / "one.pdf"), *asked]) == 0
    assert ORIGIN in json.loads(capfdbinary.readouterr().out)["not_whole"]
