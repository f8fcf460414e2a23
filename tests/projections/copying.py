"""A small ledger with names in other scripts, and copies made of it, for the tests of copies."""

from __future__ import annotations

import re
from pathlib import Path

from ledger.prepare import Signer
from ledger.sources import SeededSources
from ledger.verify.options import Scope
from projections.copies.signing import DocumentSigner, make_document_key
from tests.ledger import small_ledger
from tests.ledger.small_ledger import SmallLedger

PARTICIPANT = "SA-01-001"
STREAM = f"participant/{PARTICIPANT}"
OF_PARTICIPANT = Scope(kind="participant", id=PARTICIPANT)
NAME = "陳大文 (B. Chan), Łódź–Ñandú"
FORMULA = "=HYPERLINK(1)"


def make(directory: Path) -> SmallLedger:
    """Make the ledger: a coordinator with a Chinese name and accents, a formula as a reason."""
    made = small_ledger.make(directory, participants=2)
    changed = {"name": NAME, "organisation": "Site SA-01", "person": "bchan"}
    made.say("renamed", "root", "root", "approval", "account.renamed", "person/bchan", changed)
    made.people["bchan"] = Signer(made.people["bchan"].key, "bchan", NAME, "Site SA-01")
    correct(made, "73", "74", FORMULA)
    return made


def correct(made: SmallLedger, old: str, new: str, why: str) -> None:
    """Correct the participant's heart rate."""
    vitals = made.ledger.store.entry(made.at[f"vitals {PARTICIPANT}"])
    assert vitals is not None
    data = {
        "statement": vitals.event,
        "path": "/data/measurements/0/quantity/value",
        "old": old,
        "new": new,
    }
    signed = ("bchan", "coordinator", "authorship", "correction.made", STREAM, data)
    made.say(f"to {new}", *signed, opened={"/reason/text": why}, reason={"code": "transcription"})


def document_key(directory: Path, label: str = "documents") -> DocumentSigner:
    """Make a key of documents that follows from a label."""
    directory.mkdir(parents=True, exist_ok=True)
    sources = SeededSources(label, small_ledger.START)
    return make_document_key(directory, {}, None, sources, organisation="Sponsor", origin=small_ledger.ORIGIN)


def words_of(path: Path) -> str:
    """Return the text of a PDF, without the places where long words may break."""
    from pypdf import PdfReader

    text = "\n".join(page.extract_text() for page in PdfReader(path).pages)
    return text.replace("\u200b", "")


def squeezed(text: str) -> str:
    """Return a text without any space, as line breaks fall where they may."""
    return re.sub(r"\s+", "", text)
