"""A certified copy in one zip: the readable copy, bundle, ODM, listing, workbook, a readme, and their hashes.

Stored, in byte order of names, time 1980-01-01, mode 0644, as bundles are: the same bytes for the same parts.
"""

from __future__ import annotations

import hashlib
import io
import stat
import zipfile
from collections.abc import Iterable
from typing import Final

from ledger.export import FILE_MODE, ZIP_DATE
from projections.copies.alone import which_logs
from projections.copies.bundled import CopySource
from projections.copies.document import Attached

PDF: Final = "certified-copy.pdf"
WORKBOOK: Final = "audit-trail.xlsx"
README: Final = "README.txt"
SUMS: Final = "SHA256SUMS"


def readme(source: CopySource, title: str, attached: Iterable[Attached]) -> bytes:
    """Return what stands beside the parts: what the copy is of, which logs it has, what each part is."""
    checkpoint = source.checkpoint
    parts = (
        (PDF, "the readable copy, signed, with the parts below attached but the workbook"),
        *((each.name, each.text) for each in attached),
        (WORKBOOK, "the audit trail as a workbook"),
        (SUMS, "the hashes of the parts: sha256sum -c SHA256SUMS"),
    )
    return "\n".join(
        (
            f"Certified copy. {title}, as the role {source.role} sees it.",
            f"Ledger {checkpoint.origin}, ledger id {source.ledger_id}, entries 0 to {checkpoint.size - 1}.",
            "",
            which_logs(source),
            "",
            *(f"{name}: {text}" for name, text in parts),
            "",
        )
    ).encode()


def pack(pdf: bytes, attached: Iterable[Attached], workbook: bytes, about: bytes) -> bytes:
    """Return the zip, with a list of hashes as `sha256sum -c` reads it."""
    parts = {PDF: pdf, WORKBOOK: workbook, README: about, **{each.name: each.data for each in attached}}
    sums = "".join(f"{hashlib.sha256(parts[name]).hexdigest()}  {name}\n" for name in sorted(parts))
    parts[SUMS] = sums.encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(parts):
            info = zipfile.ZipInfo(name, ZIP_DATE)
            info.create_system = 3
            info.external_attr = (stat.S_IFREG | FILE_MODE) << 16
            archive.writestr(info, parts[name])
    return out.getvalue()
