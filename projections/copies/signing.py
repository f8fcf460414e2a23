"""The key of documents, P-256, which signs readable copies (`projections.copies.pades`), and its certificate.

    keys/document.json   the key, encrypted as every key file, or the address of a token in `[signers]`
    keys/document.crt    its certificate, PEM, and after it those above, the anchor last

Readers of PDF know no Ed25519, so that this key is apart from the log's, and its signature says one thing
only: these are the bytes that the ledger's operator issued. What the records are worth rests on the people's
signatures in the attached bundle. An organisation that has an authority of its own puts the certificate
that it issued for the same key in the place of the one that was made here.

Readers of PDF take no certificate for an anchor that is not an authority's. So the one made here is issued by
an authority that exists for this one signature: its key is forgotten at once, and trusting it is trusting the
key of documents and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from asn1crypto import algos, core, keys, pem, x509  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from ledger.errors import FormatError, StoreError
from ledger.keyfile import Holder, KeyMaterial, write_key
from ledger.keys import ES256
from ledger.new_file import new_file
from ledger.signing.holding import DOCUMENT, open_signer
from ledger.signing.port import FileSigner, Signer, spki_of
from ledger.sources import Sources

CERTIFICATE: Final = "document.crt"
YEARS: Final = 10
ALGORITHM: Final = "sha256_ecdsa"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentSigner:
    """The key of documents with its certificate and those above it, the anchor last."""

    signer: Signer
    certificate: x509.Certificate
    above: tuple[x509.Certificate, ...]

    @property
    def anchor(self) -> x509.Certificate:
        """Return the certificate that a reader of PDF is told to trust."""
        return self.above[-1] if self.above else self.certificate

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 of the anchor, hex."""
        return hashlib.sha256(self.anchor.dump()).hexdigest()


def open_document_signer(
    keys_directory: Path, held: Mapping[str, str], passphrase: str | None
) -> DocumentSigner:
    """Open the key of documents where it is held, and its certificate.

    Raises:
        StoreError: `DOCUMENT_KEY` where none was made; what the key raises.
        FormatError: `CERTIFICATE` for one that is not of this key.
    """
    path = keys_directory / CERTIFICATE
    if not path.exists():
        raise StoreError("DOCUMENT_KEY", "no key of documents yet: make one with `trial-ledger copy-key`")
    signer = open_signer(DOCUMENT, held, keys_directory, passphrase)
    certificate, *above = _parse(path.read_bytes())
    if certificate.public_key.dump() != spki_of(signer.alg, signer.public):
        raise FormatError("CERTIFICATE", "expected a certificate of the key of documents", field=CERTIFICATE)
    return DocumentSigner(signer=signer, certificate=certificate, above=tuple(above))


def make_document_key(
    keys_directory: Path,
    held: Mapping[str, str],
    passphrase: str | None,
    sources: Sources,
    *,
    organisation: str,
    origin: str,
) -> DocumentSigner:
    """Make the key of documents, unless a token holds it, and its certificate, good for ten years.

    Raises:
        StoreError: `KEY_FILE_EXISTS`; what the token raises.
    """
    if (keys_directory / CERTIFICATE).exists():
        raise StoreError("KEY_FILE_EXISTS", "the key of documents has a certificate already")
    if DOCUMENT not in held:
        holder = Holder(organisation=organisation, origin=origin, label="documents")
        key = KeyMaterial(alg=ES256, secret=_scalar(sources), holder=holder)
        write_key(keys_directory / f"{DOCUMENT}.json", key, passphrase, random_bytes=sources.random_bytes)
    try:
        return _certified(keys_directory, held, passphrase, sources, organisation, origin)
    except BaseException:
        if DOCUMENT not in held:  # a key without its certificate would be in the way of the next try
            (keys_directory / f"{DOCUMENT}.json").unlink(missing_ok=True)
        raise


def _certified(
    keys_directory: Path,
    held: Mapping[str, str],
    passphrase: str | None,
    sources: Sources,
    organisation: str,
    origin: str,
) -> DocumentSigner:
    """Write the certificate of the key of documents, and its anchor's."""
    signer = open_signer(DOCUMENT, held, keys_directory, passphrase)
    authority = FileSigner(KeyMaterial(alg=ES256, secret=_scalar(sources)))  # forgotten when this returns
    above = x509.Name.build({"organization_name": organisation, "common_name": f"Authority of {origin}"})
    name = x509.Name.build(
        {"organization_name": organisation, "common_name": f"Certified copies of {origin}"}
    )
    certificate = _certificate(authority, above, signer, name, sources, authority=False)
    anchor = _certificate(authority, above, authority, above, sources, authority=True)
    chain = b"".join(pem.armor("CERTIFICATE", each.dump()) for each in (certificate, anchor))
    with new_file(keys_directory / CERTIFICATE) as file:
        file.write(chain)
    return DocumentSigner(signer=signer, certificate=certificate, above=(anchor,))


def _certificate(
    issuer: Signer, issuer_name: x509.Name, of: Signer, name: x509.Name, sources: Sources, *, authority: bool
) -> x509.Certificate:
    """Return a certificate of a key (RFC 5280 §4.1)."""
    begins = datetime.fromtimestamp(sources.now_us() // 1_000_000, UTC)
    spki, issuing = _key_info(of), _key_info(issuer)
    usage = {"key_cert_sign"} if authority else {"digital_signature", "non_repudiation"}
    constraints = {"ca": True, "path_len_constraint": 0} if authority else {"ca": False}
    algorithm = algos.SignedDigestAlgorithm({"algorithm": ALGORITHM})
    above = x509.AuthorityKeyIdentifier({"key_identifier": issuing.sha1})
    body = x509.TbsCertificate(
        {
            "version": "v3",
            "serial_number": int.from_bytes(sources.random_bytes(16), "big") >> 1,
            "signature": algorithm,
            "issuer": issuer_name,
            "validity": {
                "not_before": _time(begins - timedelta(minutes=5)),
                "not_after": _time(begins + timedelta(days=365 * YEARS)),
            },
            "subject": name,
            "subject_public_key_info": spki,
            "extensions": [
                _extension("basic_constraints", x509.BasicConstraints(constraints), critical=True),
                _extension("key_usage", x509.KeyUsage(usage), critical=True),
                _extension("key_identifier", core.OctetString(spki.sha1)),
                _extension("authority_key_identifier", above),
            ],
        }
    )
    value = der_of(issuer.sign(body.dump()))
    return x509.Certificate(
        {"tbs_certificate": body, "signature_algorithm": algorithm, "signature_value": value}
    )


def _key_info(signer: Signer) -> keys.PublicKeyInfo:
    return keys.PublicKeyInfo.load(spki_of(signer.alg, signer.public))


def der_of(raw: bytes) -> bytes:
    """Return an ECDSA signature, r and s of 32 bytes, as DER (RFC 3279 §2.2.3)."""
    return encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))


def _time(at: datetime) -> x509.Time:
    """Return a time as RFC 5280 §4.1.2.5 writes it: of two digits' years up to 2049."""
    return x509.Time({"utc_time" if at.year < 2050 else "general_time": at})


def _extension(name: str, value: Any, *, critical: bool = False) -> dict[str, Any]:
    return {"extn_id": name, "critical": critical, "extn_value": value}


def _scalar(sources: Sources) -> bytes:
    """Return a private scalar; one in 2^32 is past the order, and then another is drawn."""
    while True:
        secret = sources.random_bytes(32)
        if 0 < int.from_bytes(secret, "big") < _ORDER:
            return secret


_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256, FIPS 186-5


def _parse(data: bytes) -> list[x509.Certificate]:
    """Read certificates, the key's own first; at least one."""
    try:
        found = [x509.Certificate.load(der, strict=True) for _, _, der in pem.unarmor(data, multiple=True)]
        for each in found:
            each.public_key.dump()
    except (ValueError, TypeError) as error:
        raise FormatError("CERTIFICATE", "expected certificates, PEM", field=CERTIFICATE) from error
    return found
