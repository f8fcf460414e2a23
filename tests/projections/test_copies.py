"""Certified copies: what is printed is what the bundle holds, looked at as text and as pictures."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import odmlib
import pytest
from lxml import etree
from pypdf import PdfReader

from ledger.errors import RefusedError
from ledger.export import export_bundle
from ledger.statement import parse_statement
from ledger.verify.options import Scope
from projections.copies.bundled import open_copy
from projections.copies.document import lines_of
from projections.copies.issuing import Issued, Made, Wanted, issue_copy, judge, make_copy, require_recipient
from projections.copies.printing import print_copy
from projections.copies.signing import DocumentSigner
from tests.ledger.small_ledger import SmallLedger
from tests.projections.copying import (
    FORMULA,
    NAME,
    OF_PARTICIPANT,
    PARTICIPANT,
    STREAM,
    document_key,
    make,
    squeezed,
    words_of,
)
from tests.projections.nss import trust

ODM = "{http://www.cdisc.org/ns/odm/v1.3}"
poppler = pytest.mark.skipif(shutil.which("pdfsig") is None, reason="poppler is not installed here")


def wanted(scope: Scope = OF_PARTICIPANT, **members: Any) -> Wanted:
    """Ask for a copy as the investigator does."""
    asked = {
        "role": "investigator",
        "held": "investigator",
        "who": "aruiz",
        "purpose": "own_copy",
        "format": "pdf",
        "study": "NCT06414356",
    }
    return Wanted(scope=scope, **{**asked, **members})


@dataclass(frozen=True, kw_only=True)
class Copies:
    """A ledger, the key of documents, one copy that was issued, and the same copy unsigned."""

    made: SmallLedger
    key: DocumentSigner
    issued: Issued
    unsigned: Made
    bundle: Path
    pdf: Path
    keys: Path


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copies]:
    """The investigator's copy of one participant, whose coordinator has a Chinese name."""
    place = tmp_path_factory.mktemp("copies")
    made = make(place / "ledger")
    key = document_key(place / "keys")
    bundle = place / "bundle.zip"
    note = made.publish()
    members = {"scope": OF_PARTICIPANT, "role": "investigator"}
    export_bundle(made.ledger.store, made.ledger.data_keys, note, bundle, **members)
    with open_copy(bundle) as source:
        unsigned = make_copy(
            source, judge(made.ledger, bundle, source), bundle.read_bytes(), study="NCT06414356"
        )
    issued = issue_copy(made.ledger, key, wanted())
    pdf = place / "copy.pdf"
    pdf.write_bytes(issued.data)
    yield Copies(
        made=made, key=key, issued=issued, unsigned=unsigned, bundle=bundle, pdf=pdf, keys=place / "keys"
    )
    made.ledger.close()


def test_every_record_is_printed_with_name_time_and_meaning(copies: Copies) -> None:
    """The text of the PDF holds each record of the bundle: index, hash, printed name, time, meaning."""
    text = squeezed(words_of(copies.pdf))
    entries = copies.made.ledger.store.stream_entries(STREAM)
    entries = [each for each in entries if each.index < copies.issued.size]
    assert len(entries) == copies.issued.records > 3
    for entry in entries:
        statement = parse_statement(entry.statement)
        assert entry.event in text
        at = statement.signed_at[:19].replace("T", "")
        signed = f"{statement.actor.name}, {statement.actor.role.replace('_', ' ')}"
        assert squeezed(signed) in text
        assert f"{statement.meaning}—{at}UTC" in text


def test_the_cover_counts_what_the_bundle_holds(copies: Copies) -> None:
    """Counts, root, ledger id and verdicts on the cover are those of the bundle (21 CFR 11.10(b))."""
    cover = PdfReader(copies.pdf).pages[0].extract_text()
    with open_copy(copies.bundle) as source:
        assert source.checkpoint.root.hex() in squeezed(cover)
        assert source.ledger_id == copies.made.ledger_id
        assert source.ledger_id in squeezed(cover)
        shown = source.bundled.count
    squeezed_cover = squeezed(cover)
    assert f"eachprintedhere{copies.issued.records}" in squeezed_cover
    assert f"statementsshownintheattachedbundle{shown}" in squeezed_cover
    assert copies.issued.verdicts == {"integrity": "holds", "completeness": "holds", "conduct": "holds"}


def test_names_in_every_script_are_printed(copies: Copies) -> None:
    """A name in Chinese characters and with accents is there as text, in embedded fonts."""
    if "CJK" not in subprocess.run(["fc-list"], capture_output=True, text=True, check=False).stdout:
        pytest.skip("no font with Chinese characters is installed here")
    assert squeezed(NAME) in squeezed(words_of(copies.pdf))


def test_a_character_without_a_glyph_is_refused(copies: Copies) -> None:
    """A character that no font has is no box on the page: GLYPH_MISSING."""
    with pytest.raises(RefusedError) as caught:
        print_copy(_minimal("\U000e0fff \U00013460\U0001b170"), [], 0)
    assert caught.value.code == "GLYPH_MISSING"


def test_a_private_use_character_is_set_as_its_code_point(tmp_path: Path) -> None:
    """No font can be right for it and PDF/A-3a forbids it: one such record would close every copy."""
    page = tmp_path / "copy.pdf"
    page.write_bytes(print_copy(_minimal("a\ue000b \U0010fffd"), [], 0))
    text = squeezed(words_of(page))
    assert "a[U+E000]b[U+10FFFD]" in text


def test_a_correction_shows_old_new_and_why(copies: Copies) -> None:
    """Old and new value and the reason stand with the correction (11.10(e))."""
    text = squeezed(words_of(copies.pdf))
    assert "7374" in text
    assert squeezed(f"Reason transcription: {FORMULA}") in text


def test_the_same_bundle_is_the_same_document(copies: Copies) -> None:
    """Before it is signed, a copy made twice of one bundle is the same bytes."""
    with open_copy(copies.bundle) as source:
        again = make_copy(
            source,
            judge(copies.made.ledger, copies.bundle, source),
            copies.bundle.read_bytes(),
            study="NCT06414356",
        )
    assert again == copies.unsigned


def test_the_bundle_is_in_the_document(copies: Copies) -> None:
    """The PDF is a tagged PDF/A-3a with the bundle, the ODM and the listing in it."""
    reader = PdfReader(copies.pdf)
    assert {name: data for name, (data, *_) in reader.attachments.items()} == {
        each.name: each.data for each in _attached_of(copies)
    }
    metadata = reader.trailer["/Root"]["/Metadata"].get_object().get_data()
    assert b'pdfaid:part="3" pdfaid:conformance="A"' in metadata
    assert reader.trailer["/Root"]["/MarkInfo"]["/Marked"]


@poppler
def test_pdfsig_calls_the_signature_valid(copies: Copies, tmp_path: Path) -> None:
    """Another program calls the signature valid over the whole file, and not after one byte changed."""
    said = _pdfsig(copies.pdf)
    assert "Signature is Valid" in said
    assert "Total document signed" in said
    assert "ETSI.CAdES.detached" in said
    changed = bytearray(copies.issued.data)
    changed[len(changed) // 3] ^= 1
    forged = tmp_path / "forged.pdf"
    forged.write_bytes(changed)
    assert "Signature is Valid" not in _pdfsig(forged)


@poppler
def test_pdfsig_trusts_who_issued_it(copies: Copies, tmp_path: Path) -> None:
    """With the anchor of `document.crt` trusted, and nothing else, the certificate is trusted."""
    if not trust(tmp_path, copies.key.anchor.dump()):
        pytest.skip("the library of NSS is not installed here")
    assert "Certificate is Trusted" in _pdfsig(copies.pdf, "-nssdir", str(tmp_path))
    assert "Certificate is Trusted" not in _pdfsig(copies.pdf)


@poppler
def test_no_page_is_cut_off(copies: Copies, tmp_path: Path) -> None:
    """No page of the copy, looked at as a picture, has ink in its margins."""
    command = ["pdftoppm", "-r", "36", "-gray", copies.pdf, tmp_path / "page"]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    pages = sorted(tmp_path.glob("page*.pgm"))
    assert len(pages) == len(PdfReader(copies.pdf).pages)
    for page in pages:
        width, height, grey = _picture(page)
        edge = 17  # of 18 mm at 36 dots an inch are 25
        for row in range(height):
            line = grey[row * width : (row + 1) * width]
            assert set(line[:edge]) == set(line[-edge:]) == {255}
        assert min(grey) < 128


def test_the_event_says_what_was_issued(copies: Copies) -> None:
    """`certified_copy.issued` is recorded with the hash of exactly the bytes that were handed out."""
    entry = copies.made.ledger.store.entry(copies.issued.index)
    assert entry is not None
    data = parse_statement(entry.statement).data
    assert entry.type == "certified_copy.issued"
    assert data["bundle_sha256"] == hashlib.sha256(copies.issued.data).hexdigest() == copies.issued.sha256
    assert (data["kind"], data["id"], data["who"]) == ("participant", PARTICIPANT, "aruiz")
    assert data["size"] == copies.issued.size


def test_opened_identity_is_recorded_before(copies: Copies) -> None:
    """A copy that opens values of identity is preceded by `record.viewed` with who, scope and purpose."""
    before = copies.made.ledger.store.entry(copies.issued.index - 1)
    assert before is not None
    data = parse_statement(before.statement).data
    assert before.type == "record.viewed"
    assert "identity" in data["view"]["opened"]
    assert (data["who"], data["purpose"]) == ("aruiz", "own_copy")


def test_what_the_role_may_not_see_stays_sealed(copies: Copies) -> None:
    """In the sponsor's copy no form has the identity: neither text, ODM nor listing, and each says sealed."""
    asked = wanted(role="sponsor_administrator", held="sponsor_administrator", who="admin", format="zip")
    issued = issue_copy(copies.made.ledger, copies.key, asked)
    with zipfile.ZipFile(io.BytesIO(issued.data)) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    secret = f"the person behind {PARTICIPANT}"
    readable = Path(copies.pdf.parent / "sponsor.pdf")
    readable.write_bytes(parts["certified-copy.pdf"])
    for text in (words_of(readable), parts["odm.xml"].decode(), parts["audit-trail.csv"].decode()):
        assert squeezed(secret) not in squeezed(text)
        assert "sealed: identity" in text
    assert secret.encode() not in b"".join(parts.values())


def test_the_package_names_its_parts(copies: Copies) -> None:
    """The zip has every form and their hashes, as `sha256sum -c` reads them; a formula is text in it."""
    issued = issue_copy(copies.made.ledger, copies.key, wanted(format="zip"))
    with zipfile.ZipFile(io.BytesIO(issued.data)) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    sums = dict(reversed(line.split("  ")) for line in parts.pop("SHA256SUMS").decode().splitlines())
    assert sums == {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()}
    assert set(parts) == {
        "README.txt",
        "audit-trail.csv",
        "audit-trail.xlsx",
        "bundle.zip",
        "certified-copy.pdf",
        "odm.xml",
    }
    assert f"'{FORMULA}" in parts["audit-trail.csv"].decode()


def test_odm_is_valid_and_complete(copies: Copies) -> None:
    """ODM validates against the schema, is archival, and has each record with audit record and signature."""
    schema = Path(odmlib.__file__).parent / "schemas" / "odm" / "1.3.2" / "ODM1-3-2.xsd"
    odm = next(each for each in copies.unsigned.attached if each.name == "odm.xml")
    root = etree.fromstring(odm.data)
    etree.XMLSchema(etree.parse(schema)).assertValid(root)
    assert (root.get("FileType"), root.get("Archival")) == ("Transactional", "Yes")
    forms = root.findall(f".//{ODM}FormData[@TransactionType='Insert']")
    with open_copy(copies.bundle) as source:
        lines = lines_of(source)
    assert [form.get("FormRepeatKey") for form in forms] == [str(line["index"]) for line in lines]
    items = root.findall(f".//{ODM}ItemData")
    assert items
    assert all(item.find(f"{ODM}AuditRecord") is not None for item in items)
    assert all(item.find(f"{ODM}Signature/{ODM}SignatureRef") is not None for item in items)
    updates = [item.get("Value") for item in items if item.get("TransactionType") == "Update"]
    assert updates == ["73", "74"]


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"who": "nobody"}, "PERSON_UNKNOWN"),
        ({"who": "bchan"}, "ROLE_NOT_HELD"),
        ({"role": "blinded_rater"}, "EXPORT_ROLE"),
    ],
)
def test_a_copy_goes_to_whom_the_log_has_in_the_role(
    copies: Copies, members: dict[str, str], code: str
) -> None:
    """Nobody gets a copy but a person of the log, in a role that they hold and that bundles are made for."""
    before = copies.made.ledger.store.head().size
    with pytest.raises(RefusedError) as caught:
        issue_copy(copies.made.ledger, copies.key, wanted(**members))
    assert caught.value.code == code
    assert copies.made.ledger.store.head().size == before


def test_a_root_person_is_somebody_whom_the_log_knows(copies: Copies) -> None:
    """They hold their role without an account (record-format.md §6)."""
    authority = copies.made.ledger.refresh().authority
    require_recipient(authority, "root1", "root")
    with pytest.raises(RefusedError, match="ROLE_NOT_HELD"):
        require_recipient(authority, "root1", "auditor")


def _attached_of(copies: Copies) -> list[Any]:
    """Return what the issued copy has attached; its bundle is of a later checkpoint than the unsigned one."""
    reader = PdfReader(copies.pdf)
    cover = squeezed(words_of(copies.pdf))
    found = []
    for each in copies.unsigned.attached:
        data = reader.attachments[each.name][0]
        assert hashlib.sha256(data).hexdigest() in cover
        found.append(type(each)(name=each.name, media_type=each.media_type, text=each.text, data=data))
    return found


def _pdfsig(path: Path, *options: str) -> str:
    done = subprocess.run(["pdfsig", *options, path], capture_output=True, text=True, check=False)
    return done.stdout


def _picture(path: Path) -> tuple[int, int, bytes]:
    """Read a PGM: width, height, and a byte of grey for each point."""
    data = path.read_bytes()
    magic, size, top, grey = data.split(b"\n", 3)
    assert (magic, top) == (b"P5", b"255")
    width, height = map(int, size.split())
    return width, height, grey


def _minimal(text: str) -> dict[str, Any]:
    """Return the smallest document of the template, with a text on its cover."""
    cover = dict.fromkeys(
        ("title", "of", "scope", "role", "origin", "ledger_id", "size", "root_base64", "as_of"), text
    )
    verdicts = [[name, "holds"] for name in ("integrity", "completeness", "conduct")]
    lists = {name: [] for name in ("counts", "findings", "notes", "attached")}
    return {
        "cover": {**cover, **lists, "root": "0" * 64, "verdicts": verdicts, "findings_more": 0},
        "chapters": [],
        "keys": [],
    }
