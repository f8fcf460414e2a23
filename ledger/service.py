"""The service as a signer: its own key, the log's keys, and the statements that it adds inside a commit.

`attestation` is the service's alone, and it signs nothing but what record-format.md §6 lists. Its statements
are built from the heads that hold inside the write lock, so they are never stale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ledger.actions.registry import spec
from ledger.authority import SERVICE, Authority
from ledger.chain import StreamHead
from ledger.envelope import pae
from ledger.errors import RefusedError
from ledger.keys import KeySignature, SigningKey
from ledger.leaf import ZERO_SALT, is_salted, stream_tag
from ledger.lines import encode_base64
from ledger.note import CosignatureSigner, NoteSigner, VerifierKey
from ledger.sealing import digest, make_disclosure
from ledger.sources import Sources, new_statement_id
from ledger.statement import Seen, class_of, make_statement
from ledger.store.port import NewStream
from ledger.submission import Submission


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSigners:
    """The log's own keys: Ed25519 for every head, ML-DSA-44 for published checkpoints."""

    head: NoteSigner
    published: tuple[CosignatureSigner, ...]

    @property
    def verifier_keys(self) -> tuple[VerifierKey, ...]:
        """The public keys in the order of `ledger.opened`."""
        return (self.head.key, *(signer.key for signer in self.published))


def new_stream(name: str, sources: Sources) -> NewStream:
    """Make tag and salt of a stream: a fresh salt where it is salted, 32 zero bytes elsewhere (§4)."""
    salt = sources.random_bytes(32) if is_salted(name) else ZERO_SALT
    return NewStream(stream=name, tag=stream_tag(name, salt), salt=salt)


def seal_values(
    sources: Sources, statement_id: str, values: Mapping[str, Any]
) -> tuple[dict[str, str], dict[str, str]]:
    """Make disclosures of values by path; return digests for `sealed`, and the disclosures D."""
    disclosures = {
        path: make_disclosure(sources.random_bytes(32), statement_id, path, value)
        for path, value in values.items()
    }
    return {path: digest(disclosure) for path, disclosure in disclosures.items()}, disclosures


def sign_body(body: bytes, *keys: SigningKey) -> tuple[KeySignature, ...]:
    """Sign a statement's exact bytes with each key in turn."""
    message = pae(body)
    return tuple(KeySignature(alg=key.alg, key=key.id, sig=key.sign(message)) for key in keys)


class Service:
    """The ledger service's signing key, and how it attests."""

    def __init__(self, key: SigningKey, secret: bytes) -> None:
        self._key = key
        self.key_id = key.id
        self.secret = secret

    def attest(
        self,
        *,
        sources: Sources,
        authority: Authority,
        origin: str,
        at: str,
        seen: Seen,
        head: StreamHead,
        row: NewStream,
        type_: str,
        data: Mapping[str, Any],
        schema: int = 1,
        sealed: Mapping[str, Any] | None = None,
        site: str | None = None,
        protocol: str | None = None,
    ) -> Submission:
        """Build and sign one statement of the service after `head` in the stream of `row`.

        Raises:
            RefusedError: `ACCOUNT_INACTIVE` while the log has no service.
        """
        person = authority.persons.get(SERVICE)
        if person is None:
            raise RefusedError("ACCOUNT_INACTIVE", "the log has no service yet")
        spec(type_, schema)
        statement_id = new_statement_id(sources)
        digests, disclosures = seal_values(sources, statement_id, sealed or {})
        value: dict[str, Any] = {
            "v": 1,
            "log": origin,
            "id": statement_id,
            "type": type_,
            "schema": schema,
            "class": class_of(type_, row.stream),
            "stream": row.stream,
            "tag": row.tag,
            "seq": head.seq + 1,
            "prev": head.event,
            "occurred_at": at,
            "signed_at": at,
            "actor": {
                "id": SERVICE,
                "name": person.name,
                "organisation": person.organisation,
                "role": SERVICE,
            },
            "key": {"alg": self._key.alg, "id": self._key.id},
            "meaning": "attestation",
            "seen": {"root": encode_base64(seen.root), "size": seen.size},
            "data": dict(data),
        }
        if site is not None:
            value["site"] = site
        if protocol is not None:
            value["protocol"] = protocol
        if digests:
            value["sealed"] = digests
        statement = make_statement(value)
        return Submission(
            statement=statement, sigs=sign_body(statement.body, self._key), disclosures=disclosures
        )
