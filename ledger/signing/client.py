"""Sign with a key of one's own over HTTP, trusting nothing that the service says: importable, no framework.

    keep = Keep(Path("outbox"))
    with Client(url, policy, keep, token=…) as client:
        recorded = client.record(signer, action, opened)         # Receipt(index, event, leaf, receipt)

`prepare → check → keep → sign → hand in → check → keep`. Before it signs, the client checks that the prepared
bytes are canonical and hold exactly the members that were asked for beside those that the log fills in, that
each sealed value is the one asked for, that the head is signed by the log's keys of the policy, that it
continues the head kept from earlier, and that `seen` names it. After, that the receipt proves the leaf under
a signed head and that the leaf's labels and signatures are those that were handed in.

The directory keeps, for `verify --outbox` and for the next signature (interfaces.md, `statements:prepare`):

    <event>.json          exact bytes of a statement, written before it is handed in
    <event>.submission    the same with signatures and disclosures, until its receipt was checked
    <event>.refused       the same, once the service has refused it: it is not expected in the log
    <event>.leaf          the leaf that the service answered
    <event>.tlog-proof    its receipt
    head                  the newest head that was checked

Left out on purpose: which statements a person should sign, and keys (`keyfile`, `ledger.signing.port`).
"""

from __future__ import annotations

import http.client
import os
import ssl
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from ledger import canonical
from ledger.checkpoint import Checkpoint, check_head
from ledger.errors import FormatError, LedgerError, ProofError, StoreError
from ledger.keys import SigningKey
from ledger.leaf import ZERO_SALT, is_salted, stream_tag
from ledger.lines import encode_base64, parse_base64
from ledger.merkle import check_consistency
from ledger.policy import TrustPolicy
from ledger.prepare import FILLED_IN, Signer
from ledger.proof import check_receipt, parse_receipt
from ledger.sealing import check_disclosure
from ledger.service import sign_body
from ledger.sources import Sources, SystemSources
from ledger.statement import Statement, parse_statement
from ledger.submission import Submission, format_submission, parse_body
from ledger.subscriber.connection import Source
from ledger.subscriber.events import Wanted

MAX_ANSWER_BYTES: Final = 1 << 20
TIMEOUT_S: Final = 30.0
HEAD: Final = "head"
JSON: Final = "application/json"
EMERGENCY: Final = "unblinding.performed"
NOT_FINAL: Final = frozenset({408, 429})
"""Answers below 500 after which the same bytes may still be recorded."""


class AnsweredError(LedgerError):
    """A refusal by the service, with its status and code."""

    def __init__(self, code: str, status: int, title: str, field: str | None) -> None:
        super().__init__(code, title, field=field)
        self.status = status


class QueuedError(LedgerError):
    """An emergency unblinding that the service keeps durably and has not recorded yet; no receipt so far."""

    def __init__(self, event: str) -> None:
        super().__init__("QUEUED", "it waits to be recorded first: hand it in again for its receipt")
        self.event = event


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What was recorded, checked: the exact leaf, and the receipt as it came."""

    index: int
    event: str
    leaf: bytes
    receipt: bytes
    breaches: tuple[str, ...]


class Keep:
    """The directory of a signer's own copies."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory

    def head(self) -> bytes | None:
        """Return the newest head that was checked."""
        path = self.directory / HEAD
        return path.read_bytes() if path.exists() else None

    def put(self, name: str, data: bytes) -> None:
        """Write a copy, whole or not at all."""
        descriptor, temporary = tempfile.mkstemp(dir=self.directory, prefix=".copy-")
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(self.directory / name)

    def refused(self, event: str) -> None:
        """Set a statement apart that was refused, so that nobody looks for it in the log."""
        (self.directory / f"{event}.json").replace(self.directory / f"{event}.refused")
        self.settled(event)

    def settled(self, event: str) -> None:
        """Forget what is handed in of a statement: its fate is known, and nothing sealed stays in plain."""
        (self.directory / f"{event}.submission").unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What an action is completed from: the log's name and this machine's clock (`Signer.complete`)."""

    origin: str
    sources: Sources


class Client:
    """A signer's side of one study's interface. Use it from one thread."""

    def __init__(
        self,
        url: str,
        policy: TrustPolicy,
        keep: Keep,
        *,
        token: str | None = None,
        sources: Sources | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        """Take the study's address; a token goes in plain to this machine alone.

        Raises:
            FormatError: `URL`.
        """
        Source(url=url, wanted=Wanted(), token=token)  # the same rules for addresses and tokens
        parts = urlsplit(url)
        self._base = parts.path.rstrip("/")
        self._policy = policy
        self._keep = keep
        self._token = token
        self._sources = sources or SystemSources()
        host = parts.hostname or ""
        self._connection = (
            http.client.HTTPSConnection(host, parts.port, timeout=TIMEOUT_S, context=context)
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT_S)
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._connection.close()

    def record(
        self,
        signer: Signer,
        action: Mapping[str, Any],
        opened: Mapping[str, Any],
        further: Sequence[SigningKey] = (),
    ) -> Receipt:
        """Have an action prepared, sign it with every key that it names, hand it in, and check the receipt.

        What follows from who signs, where and now is filled in, as `Signer.complete` does.

        Raises:
            AnsweredError: what the service refused.
            ProofError, SignatureError, FormatError: what it answered does not hold; nothing is signed where
                that is found before.
            StoreError: `UNREACHABLE`.
        """
        value = signer.complete(self.place, action)
        if further:
            value["with"] = [{"alg": key.alg, "id": key.id} for key in further]
        statement, disclosures = self.prepare(value, opened)
        sigs = sign_body(statement.body, signer.key, *further)
        return self.hand_in(Submission(statement=statement, sigs=sigs, disclosures=disclosures))

    @property
    def place(self) -> Place:
        """The log that the policy names, and the clock of this machine."""
        return Place(origin=self._policy.log_keys[0].name, sources=self._sources)

    def prepare(
        self, action: Mapping[str, Any], opened: Mapping[str, Any]
    ) -> tuple[Statement, Mapping[str, str]]:
        """Have an action prepared; return the checked statement and its disclosures."""
        kept = self._keep.head()
        had = check_head(kept, self._policy.log_keys) if kept is not None else None
        body: dict[str, Any] = {"action": dict(action), "open": dict(opened)}
        if had is not None:
            body["have"] = {"root": encode_base64(had.root), "size": had.size}
        try:
            answer = self._post("/statements:prepare", body)
        except AnsweredError as error:
            # A log behind the head that is kept here can't prove to continue it, and a bedside can't wait.
            if error.code != "TREE_RANGE" or action.get("type") != EMERGENCY:
                raise
            del body["have"]
            answer, had = self._post("/statements:prepare", body), None
        note = _text(answer, "head").encode()
        head = check_head(note, self._policy.log_keys)
        if had is not None:
            _check_continues(had, head, answer)
        statement = parse_statement(_bytes(answer, "statement"))
        disclosures = answer.get("disclosures", {})
        check_prepared(statement, disclosures, action, opened, head)
        if kept is None or head.size >= check_head(kept, self._policy.log_keys).size:
            self._keep.put(HEAD, note)
        return statement, disclosures

    def hand_in(self, submission: Submission) -> Receipt:
        """Hand a signed statement in and check its receipt; the same bytes again are recorded once.

        Raises:
            AnsweredError, ProofError, SignatureError, FormatError, StoreError: as `record`.
            QueuedError: an emergency unblinding, while nothing can be recorded.
        """
        statement, body = submission.statement, format_submission(submission)
        self._keep.put(f"{statement.event}.json", statement.body)
        self._keep.put(f"{statement.event}.submission", body)
        try:
            answer = self._post("/statements", body)
        except AnsweredError as error:
            if error.status < 500 and error.status not in NOT_FINAL:
                self._keep.refused(statement.event)
            raise
        if answer.get("state") == "waiting":
            raise QueuedError(statement.event)
        leaf, receipt = _bytes(answer, "leaf"), _text(answer, "receipt").encode()
        index = check_recorded(submission, leaf, receipt, self._policy)
        self._keep.put(f"{statement.event}.leaf", leaf)
        self._keep.put(f"{statement.event}.tlog-proof", receipt)
        self._keep.settled(statement.event)
        breaches = answer.get("breaches", [])
        return Receipt(
            index=index,
            event=statement.event,
            leaf=leaf,
            receipt=receipt,
            breaches=tuple(map(str, breaches)) if isinstance(breaches, list) else (),
        )

    def leave(self, submission: Submission, missing: str) -> str:
        """Leave a statement that waits for the signature of one more key; return its event.

        Raises:
            AnsweredError, StoreError: as `record`.
        """
        body = orjson.loads(format_submission(submission))
        body["signatures"] = [each for each in body["signatures"] if each["keyid"] != missing]
        self._keep.put(f"{submission.statement.event}.waiting", submission.statement.body)
        return _text(self._post("/signatures", body), "event")

    def attach(self, name: Mapping[str, Any], content: bytes) -> None:
        """Have the service keep the bytes of an attachment, before a statement names them.

        Args:
            name: `media_type`, `sha256` and `size`, as the statement will have them.

        Raises:
            AnsweredError: `ATTACHMENT` where it keeps the same bytes under another media type.
            StoreError: as `record`.
        """
        self._send("PUT", f"/attachments/{name['sha256']}", content, name["media_type"])

    def get(self, path: str) -> dict[str, Any]:
        """Ask for an address of the study.

        Raises:
            AnsweredError, StoreError: as `record`.
        """
        return self._send("GET", path, None)

    def _post(self, path: str, body: bytes | Mapping[str, Any]) -> dict[str, Any]:
        return self._send("POST", path, body if isinstance(body, bytes) else orjson.dumps(body))

    def _send(self, method: str, path: str, body: bytes | None, media_type: str = JSON) -> dict[str, Any]:
        headers = {"Accept": JSON}
        if body is not None:
            headers["Content-Type"] = media_type
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            self._connection.request(method, self._base + path, body, headers)
            answer = self._connection.getresponse()
            data = answer.read(MAX_ANSWER_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            kind = type(error).__name__
            raise StoreError("UNREACHABLE", f"the service does not answer: {kind}") from None
        if len(data) > MAX_ANSWER_BYTES:
            self._connection.close()
            raise FormatError("SIZE", "the service answers more than it should")
        value = parse_body(data)
        if answer.status >= 300:
            code, title, field = (value.get(name) for name in ("code", "title", "field"))
            raise AnsweredError(
                str(code), answer.status, str(title), str(field) if field is not None else None
            )
        return value


def check_prepared(
    statement: Statement,
    disclosures: Mapping[str, Any],
    action: Mapping[str, Any],
    opened: Mapping[str, Any],
    head: Checkpoint,
) -> None:
    """Check a prepared statement against what was asked for: every member, every sealed value, the head.

    Raises:
        FormatError: `PREPARED` with the member that differs; `DISCLOSURE`.
    """
    value: Any = canonical.decode(statement.body)
    given = {name: each for name, each in value.items() if name not in FILLED_IN}
    for name in sorted(given.keys() | action.keys()):
        if name not in given or name not in action or not _same(given[name], action[name]):
            raise FormatError("PREPARED", "expected the member that was asked for", field=f"/{name}")
    if not disclosures.keys() == statement.sealed.keys() == opened.keys():
        raise FormatError("PREPARED", "expected exactly the sealed values asked for", field="/sealed")
    for path, disclosure in disclosures.items():
        told = check_disclosure(
            str(disclosure), statement_id=statement.id, path=path, expected=statement.sealed[path]
        )
        if not _same(told, opened[path]):
            raise FormatError("PREPARED", "expected the sealed value asked for", field=path)
    if statement.log != head.origin:
        raise FormatError("PREPARED", "expected a head of the statement's log", field="/log")
    if (statement.seen.size, statement.seen.root) != (head.size, head.root):
        raise FormatError("PREPARED", "expected seen to name the head", field="/seen")
    if not is_salted(statement.stream) and statement.tag != stream_tag(statement.stream, ZERO_SALT):
        raise FormatError("PREPARED", "expected the tag of the stream", field="/tag")


def check_recorded(submission: Submission, leaf: bytes, receipt: bytes, policy: TrustPolicy) -> int:
    """Check a receipt and that its leaf is what was signed (record-format.md §4); return the index.

    Raises:
        ProofError: `RECEIPT`, or what `check_receipt` raises; SignatureError, FormatError.
    """
    proven, head = check_receipt(receipt, policy.log_keys)
    statement = submission.statement
    labels = (statement.event, statement.cls, statement.site or "", statement.tag)
    if (proven.statement, proven.cls, proven.site, proven.stream) != labels:
        raise ProofError("RECEIPT", "expected a leaf with the labels of what was signed")
    if proven.sigs != submission.sigs:
        raise ProofError("RECEIPT", "expected a leaf with the signatures that were handed in")
    if head.size <= statement.seen.size or proven.index < statement.seen.size:
        raise ProofError("RECEIPT", "expected an entry behind the head that was signed")
    if head.origin != statement.log:
        raise ProofError("RECEIPT", "expected a receipt of the statement's log")
    if parse_receipt(receipt).leaf != leaf:
        raise ProofError("RECEIPT", "expected the receipt of this leaf")
    return proven.index


def _check_continues(had: Checkpoint, head: Checkpoint, answer: Mapping[str, Any]) -> None:
    proof = answer.get("consistency", [])
    if not isinstance(proof, list):
        raise FormatError("BODY", "expected a list", field="/consistency")
    hashes = [parse_base64(str(each), what="a hash", code="BODY") for each in proof]
    check_consistency(had.size, had.root, head.size, head.root, hashes)


def _same(one: Any, other: Any) -> bool:
    return canonical.encode({"value": one}) == canonical.encode({"value": other})


def _text(value: Mapping[str, Any], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str):
        raise FormatError("BODY", "expected a text", field=f"/{name}")
    return text


def _bytes(value: Mapping[str, Any], name: str) -> bytes:
    return parse_base64(_text(value, name), what=name, code="BODY")
