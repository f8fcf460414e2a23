"""One JetStream stream that mirrors a log: made once, asked where it stands, and published to under a guard.

A second stream, `<name>-checkpoint`, holds the newest published checkpoint alone, so that a consumer can
compare its tree with the log's keys without asking the ledger.

    trial.small.>                 stream NAME               every entry; nothing is deleted or purged
    trial-checkpoint.small        stream NAME-checkpoint    {"size":…,"root":…,"note":…}, the newest one

Durable is what JetStream has acknowledged, as durable as its own `sync_interval` makes it. Should it lose its
end in a power failure, it says so by its last sequence, and the relay publishes that end again.

Needs the extra `nats`; `ledger.cli.relaying` says so where it is missing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import nats
import orjson
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

from ledger.errors import FormatError, ProofError, StoreError
from ledger.relay.messages import Last, Message, foreign, last, subjects

CONNECT_S: Final = 5
RETRY_S: Final = 0.1
ACKNOWLEDGE_S: Final = 10.0
WINDOW: Final = 256
"""So many messages are on their way at once; the guard keeps their order."""

WRONG_SEQUENCE: Final = 10_071
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
MAPPING: Final = "sequence = index + 1"
_REFUSAL: Final = re.compile(r"authorization violation|authentication (expired|revoked)", re.IGNORECASE)
"""The client has no type for what a server says to whom it does not let in, only its words."""

_USER_JWT: Final = re.compile(rb"-BEGIN NATS USER JWT-+\n[\w-]+\.[\w-]+\.[\w-]+\n-")
_SEED: Final = re.compile(rb"-BEGIN USER NKEY SEED-+\n(SU[A-Z2-7]{56})\n-")
_CREDENTIALS_BYTES: Final = 65_536
_METADATA: Final = "trial-ledger-mapping"


class AwayError(Exception):
    """JetStream is not there, or does not take messages for now."""


class OutOfStepError(Exception):
    """JetStream stands elsewhere than was thought: ask it, and go on from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A NATS server, and the stream that is meant; `credentials` is a file of the server's own form."""

    server: str
    stream: str
    prefix: str
    credentials: Path | None = None


def check_address(address: Address) -> None:
    """Check the form of an address before anything is asked of it: what is out of form never answers.

    Raises:
        FormatError: `SERVER`, `SUBJECT`.
        StoreError: `CREDENTIALS` for a file that cannot be read or has another form, `EXTRA_MISSING` without
            what signs with it.
    """
    _check_server(address.server)
    if _NAME.fullmatch(address.stream) is None:
        raise FormatError("SUBJECT", "expected a name of letters, digits, _ and -", field="--stream")
    subjects(address.prefix, "study")
    if address.credentials is None:
        return
    if find_spec("nkeys") is None:
        raise StoreError("EXTRA_MISSING", "expected the package nkeys to be installed, which signs with them")
    _check_credentials(address.credentials)


def _check_credentials(file: Path) -> None:
    """Check that a file has what the client looks for, which searches one without a JWT for ever."""
    import nkeys  # type: ignore[import-untyped]

    if not file.is_file() or not os.access(file, os.R_OK):
        raise StoreError("CREDENTIALS", "expected a NATS credentials file that can be read")
    with file.open("rb") as opened:
        held = opened.read(_CREDENTIALS_BYTES)
    seed = _SEED.search(held)
    try:
        formed = _USER_JWT.search(held) is not None and seed is not None
        if seed is not None:
            nkeys.from_seed(bytearray(seed[1])).wipe()
    except (nkeys.NkeysError, ValueError):
        formed = False
    if not formed:
        raise StoreError("CREDENTIALS", "expected a NATS credentials file: a user JWT and the user's seed")


def _check_server(server: str) -> None:
    try:
        parts = urlsplit(server)
        formed = parts.scheme in ("nats", "tls") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        formed = False
    if not formed:
        raise FormatError("SERVER", "expected nats://HOST:PORT or tls://HOST:PORT", field="--server")


class Target:
    """The stream of one study; a connection that breaks stays broken, and another target is opened."""

    def __init__(self, client: Client, address: Address, study: str) -> None:
        self._client = client
        self._js: JetStreamContext = client.jetstream(timeout=CONNECT_S)
        self._name = address.stream
        self.base = subjects(address.prefix, study)
        self._checkpoint = f"{address.prefix}-checkpoint.{self.base.rpartition('.')[2]}"

    @classmethod
    async def open(cls, address: Address, study: str, *, create: bool) -> Self:
        """Connect, and require that the stream is there and has its form.

        Raises:
            AwayError: no connection, or no JetStream.
            StoreError: `STREAM_MISSING`, `STREAM_FORM`.
            FormatError: `SUBJECT`, or `SERVER` for what is no address of a server.
        """
        subjects(address.prefix, study)
        target = cls(await connect(address), address, study)
        try:
            await target._require(create=create)
        except BaseException:
            await target.close()
            raise
        return target

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()

    async def last(self) -> Last | None:
        """Return the last entry that the stream holds; None where it holds nothing.

        Raises:
            AwayError: JetStream is not there.
            ProofError: `STREAM_OTHER` where the last message is not an entry with its index.
        """
        try:
            size = (await self._js.stream_info(self._name)).state.last_seq
            if size == 0:
                return None
            found = await self._js.get_msg(self._name, size)
        except NotFoundError:
            return Last(index=size - 1, event=None)
        except (NatsError, OSError, TimeoutError) as error:
            raise AwayError from error
        return last(found.data or b"", size)

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish entries that follow each other; return when all are acknowledged.

        Raises:
            AwayError, OutOfStepError: some may have been taken, in order; `last` tells which.
            ProofError: `STREAM_OTHER` where an acknowledgement names another sequence.
        """
        for start in range(0, len(messages), WINDOW):
            await self._window(messages[start : start + WINDOW])

    async def checkpoint(self, data: str) -> None:
        """Publish the newest checkpoint in the place of the one before.

        Raises:
            AwayError: JetStream is not there.
        """
        try:
            await self._js.publish(self._checkpoint, data.encode(), stream=f"{self._name}-checkpoint")
        except (NatsError, OSError, TimeoutError) as error:
            raise AwayError from error

    async def _window(self, messages: Sequence[Message]) -> None:
        """Send some without waiting in between, then take their acknowledgements, in any order."""
        inbox = self._client.new_inbox()
        try:
            answers = await self._client.subscribe(f"{inbox}.*", max_msgs=len(messages))
            for each in messages:
                headers = each.headers(self._name)
                await self._client.publish(each.subject, each.body, f"{inbox}.{each.index}", headers=headers)
            for _ in messages:
                answer = await answers.next_msg(ACKNOWLEDGE_S)
                _acknowledged(answer.data, int(answer.subject.rpartition(".")[2]))
        except (NatsError, OSError, TimeoutError) as error:
            raise AwayError from error

    async def _require(self, *, create: bool) -> None:
        await self._require_stream(self._config(), create=create)
        await self._require_stream(self._checkpoint_config(), create=create)

    async def _require_stream(self, config: StreamConfig, *, create: bool) -> None:
        name = config.name or ""
        try:
            try:
                info = await self._js.stream_info(name)
            except NotFoundError:
                if not create:
                    raise StoreError("STREAM_MISSING", f"no stream {name} there; --create makes it") from None
                info = await self._js.add_stream(config)
        except APIError as error:
            if error.code == 503:
                raise AwayError from error
            raise StoreError("STREAM_FORM", f"no stream {name} to be had: {error.err_code}") from error
        except (NatsError, OSError, TimeoutError) as error:
            raise AwayError from error
        _check(info.config, config)

    def _config(self) -> StreamConfig:
        return StreamConfig(
            name=self._name,
            description=f"a log of trial-ledger, entry by entry; {MAPPING}",
            subjects=[f"{self.base}.>"],
            storage=StorageType.FILE,
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.NEW,
            deny_delete=True,
            deny_purge=True,
            allow_direct=False,
            metadata={_METADATA: MAPPING},
        )

    def _checkpoint_config(self) -> StreamConfig:
        return StreamConfig(
            name=f"{self._name}-checkpoint",
            description="the newest published checkpoint of that log",
            subjects=[self._checkpoint],
            storage=StorageType.FILE,
            retention=RetentionPolicy.LIMITS,
            max_msgs_per_subject=1,
            metadata={_METADATA: "the newest alone"},
        )


async def connect(address: Address) -> Client:
    """Connect once; reconnecting is the relay's own affair, because then it asks where the stream stands.

    Raises:
        AwayError: nobody is there.
        FormatError: `SERVER`, `SUBJECT`.
        StoreError: `SERVER_REFUSED` for credentials that the server does not take; as `check_address`.
    """
    check_address(address)
    options: dict[str, Any] = {}
    if address.credentials is not None:
        options["user_credentials"] = str(address.credentials)
    try:
        return await nats.connect(
            address.server,
            name="trial-ledger relay",
            allow_reconnect=False,
            max_reconnect_attempts=1,  # else a first connection is tried for ever
            reconnect_time_wait=RETRY_S,
            connect_timeout=CONNECT_S,
            error_cb=_silent,
            **options,
        )
    except (ValueError, TypeError) as error:
        raise FormatError("SERVER", "expected nats://HOST:PORT or tls://HOST:PORT") from error
    except (NatsError, OSError, TimeoutError) as error:
        if _REFUSAL.search(str(error)) is not None:
            raise StoreError("SERVER_REFUSED", "the NATS server does not take these credentials") from error
        raise AwayError from error


async def _silent(_: Exception) -> None:
    """Print nothing: what fails is told where it is awaited."""


def _acknowledged(data: bytes, index: int) -> None:
    """Take JetStream's answer for one message; one that it has already is named by its sequence just so.

    Read here because nats-py's `publish_async` never ends for a message that is refused.
    """
    answer = orjson.loads(data) if data else {"error": {}}
    if "error" in answer:
        raise OutOfStepError if answer["error"].get("err_code") == WRONG_SEQUENCE else AwayError
    if answer.get("seq") != index + 1:
        raise foreign(int(answer.get("seq", 0)))


def _check(found: StreamConfig, wanted: StreamConfig) -> None:
    """Require of a stream what the mapping rests on: its subjects alone, and nothing taken away."""
    if found.subjects != wanted.subjects:
        raise StoreError("STREAM_FORM", f"expected a stream of the subjects {wanted.subjects}")
    if (found.metadata or {}).get(_METADATA) != (wanted.metadata or {})[_METADATA]:
        raise StoreError("STREAM_FORM", f"the stream {wanted.name} was not made by a relay")
    if found.mirror or found.sources or found.subject_transform:
        raise StoreError("STREAM_FORM", f"the stream {wanted.name} takes messages from elsewhere")


def other_log(index: int) -> ProofError:
    """Return what is to be said where the stream holds an entry that the log does not have there."""
    return ProofError("STREAM_OTHER", f"the stream holds another entry of index {index} than the log")
