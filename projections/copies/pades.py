"""Sign the readable copy: PAdES baseline B-B, by the key of documents (ETSI EN 319 142-1).

Imported where a copy is signed: the package that writes the signature takes a third of a second to load, and
no other command and no start of a server has to wait for that.
"""

from __future__ import annotations

import io
from typing import Final

from asn1crypto import algos  # type: ignore[import-untyped]
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko_certvalidator.registry import SimpleCertificateStore

from ledger.errors import FormatError
from projections.copies.signing import ALGORITHM, DocumentSigner, der_of

FIELD: Final = "CertifiedCopy"
_RESERVED_BYTES: Final = 16_384  # for the signature in the file, certificate included


def sign_copy(pdf: bytes, document: DocumentSigner, *, reason: str) -> bytes:
    """Return the PDF with the signature over every byte of it; any later change breaks it."""
    out = io.BytesIO()
    metadata = signers.PdfSignatureMetadata(
        field_name=FIELD,
        md_algorithm="sha256",
        subfilter=fields.SigSeedSubFilter.PADES,
        reason=reason,
        certify=True,
        docmdp_permissions=fields.MDPPerm.NO_CHANGES,
    )
    made = signers.PdfSigner(metadata, signer=_PortSigner(document))
    made.sign_pdf(
        IncrementalPdfFileWriter(io.BytesIO(pdf)),
        output=out,
        bytes_reserved=_RESERVED_BYTES,
    )
    return out.getvalue()


class _PortSigner(signers.Signer):
    """The port `Signer` as the package wants a signer."""

    def __init__(self, document: DocumentSigner) -> None:
        self._port = document.signer
        chain = SimpleCertificateStore()  # type: ignore[no-untyped-call]
        chain.register_multiple(document.above)
        super().__init__(
            signing_cert=document.certificate,
            cert_registry=chain,
            signature_mechanism=algos.SignedDigestAlgorithm({"algorithm": ALGORITHM}),
        )

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
        """Return the DER of an ECDSA signature over SHA-256 of the data."""
        if digest_algorithm != "sha256":
            raise FormatError("CERTIFICATE", "expected sha256", field="md_algorithm")
        return bytes(72) if dry_run else der_of(self._port.sign(data))
