"""The readable copy as a tagged PDF/A-3a, by typst: the same bytes for the same document.

Fonts are those that typst carries: Latin with every accent, Greek, Cyrillic. Only a document that needs more,
such as a name in Chinese characters, is set with the fonts of the machine too; where these lack a glyph as
well, the copy is refused. A box in the place of a name would be no certified copy.

A private-use character means nothing by itself, no font can be right for it, and PDF/A-3a forbids it as text:
it is set as its code point, `[U+E000]`. The bundle, ODM and listing have it as it was recorded.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import typst

from ledger.errors import LedgerError, RefusedError
from projections.copies.document import Attached

STANDARD: Final = "a-3a"
TEMPLATE: Final = "copy.typ"
_NO_GLYPH: Final = "could not be displayed"
_PRIVATE_USE: Final = re.compile("[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]")


def print_copy(document: Mapping[str, Any], attached: Iterable[Attached], at_us: int) -> bytes:
    """Set a document; `at_us` is the moment that it is as of, and the date in its metadata.

    Raises:
        RefusedError: `GLYPH_MISSING` where no font at hand has a character of it.
        LedgerError: `PRINTING` where typst fails otherwise.
    """
    with tempfile.TemporaryDirectory(prefix="trial-ledger-") as name:
        directory = Path(name)
        _lay_out(directory, document, list(attached))
        with suppress(_MissingGlyphError):
            return _compile(directory, at_us, system_fonts=False)
        try:
            return _compile(directory, at_us, system_fonts=True)
        except _MissingGlyphError:
            raise RefusedError(
                "GLYPH_MISSING", "no font on this machine has every character of these records: install one"
            ) from None


class _MissingGlyphError(Exception):
    pass


def _lay_out(directory: Path, document: Mapping[str, Any], attached: list[Attached]) -> None:
    """Write template, text and attachments where typst, which sees nothing outside of it, reads them."""
    template = files("projections.copies").joinpath(TEMPLATE).read_text(encoding="utf-8")
    lines = [template]
    for n, each in enumerate(attached):
        (directory / f"attached-{n}").write_bytes(each.data)
        lines.append(
            f'#pdf.attach("{_quoted(each.name)}", read("attached-{n}", encoding: none), '
            f'relationship: "source", mime-type: "{each.media_type}", description: "{_quoted(each.text)}")'
        )
    (directory / TEMPLATE).write_text("\n".join(lines), encoding="utf-8")
    text = _PRIVATE_USE.sub(_code_point, json.dumps(document, ensure_ascii=False))
    (directory / "copy.json").write_text(text, encoding="utf-8")


def _code_point(match: re.Match[str]) -> str:
    return f"[U+{ord(match[0]):04X}]"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _compile(directory: Path, at_us: int, *, system_fonts: bool) -> bytes:
    try:
        made = typst.compile(
            str(directory / TEMPLATE),
            root=str(directory),
            format="pdf",
            ignore_system_fonts=not system_fonts,
            pdf_standards=[STANDARD],
            timestamp=at_us // 1_000_000,
        )
    except typst.TypstError as error:
        # Its text may hold what stands in the records, so that only the kind of the failure leaves here.
        if _NO_GLYPH in str(error):
            raise _MissingGlyphError from None
        raise LedgerError("PRINTING", "the copy could not be set as a page") from None
    return bytes(made)
