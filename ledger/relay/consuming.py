"""The other side of a relay: read the whole stream from JetStream, and verify every entry of it.

The judge is the subscriber's (`ledger.subscriber.judging`), so what holds here is what holds on the ledger's
own stream: bytes, tree, order, signatures, authority, and the newest checkpoint over the consumer's own tree.
That each entry is there once and in order follows from the sequence of its message, which is checked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

import orjson
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, RawStreamMsg
from nats.js.errors import NotFoundError

from ledger.errors import ProofError
from ledger.policy import TrustPolicy
from ledger.relay.jetstream import CONNECT_S, Address, AwayError, connect
from ledger.relay.messages import MESSAGE_ID, event, foreign
from ledger.subscriber.events import Verified, received
from ledger.subscriber.judging import WholeJudge

PAGE: Final = 500
FETCH_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumed:
    """What was read: how many entries, the root over them, and the size that a checkpoint confirms."""

    size: int
    root: bytes
    confirmed: int
    pinned: bool


async def consume(
    address: Address, policy: TrustPolicy | None, each: Callable[[Verified], None] = lambda _: None
) -> Consumed:
    """Read everything that the stream holds now; call `each` with every entry that was verified.

    Raises:
        FindingError: an entry or the checkpoint does not hold.
        ProofError: `STREAM_OTHER` where a message is not the entry that its sequence says.
        AwayError: JetStream is not there.
    """
    client = await connect(address)
    try:
        js = client.jetstream(timeout=CONNECT_S)
        judge = WholeJudge(policy)
        size = (await js.stream_info(address.stream)).state.last_seq
        if size:
            async for sequence, headers, body in _messages(js, address.stream, size):
                each(_judged(judge, sequence, headers, body))
        checkpoint = await _checkpoint(js, address.stream)
        if checkpoint is not None:
            judge.checkpoint(orjson.loads(checkpoint.data or b"{}"))
    except (NatsError, OSError, TimeoutError) as error:
        raise AwayError from error
    finally:
        await client.close()
    return Consumed(
        size=judge.frontier.size, root=judge.frontier.root(), confirmed=judge.confirmed, pinned=judge.pinned
    )


def _judged(judge: WholeJudge, sequence: int, headers: dict[str, str], body: bytes) -> Verified:
    at = judge.frontier.size
    if sequence != at + 1:
        raise ProofError("STREAM_OTHER", f"expected the message of sequence {at + 1}, got {sequence}")
    got = received(event(body, sequence), at)
    if headers.get(MESSAGE_ID) != got.outside["id"]:
        raise foreign(sequence)
    return judge.take(got)


async def _messages(
    js: JetStreamContext, stream: str, size: int
) -> AsyncIterator[tuple[int, dict[str, str], bytes]]:
    """Yield sequence, headers and body of the first `size` messages."""
    config = ConsumerConfig(ack_policy=AckPolicy.NONE, deliver_policy=DeliverPolicy.ALL)
    subject = (await js.stream_info(stream)).config.subjects or [""]
    pulled = await js.pull_subscribe(subject[0], stream=stream, config=config)
    try:
        sequence = 0
        while sequence < size:
            for each in await pulled.fetch(min(PAGE, size - sequence), timeout=FETCH_S):
                sequence = each.metadata.sequence.stream
                yield sequence, dict(each.headers or {}), each.data
    finally:
        await pulled.unsubscribe()


async def _checkpoint(js: JetStreamContext, stream: str) -> RawStreamMsg | None:
    name = f"{stream}-checkpoint"
    try:
        info = await js.stream_info(name)
        return await js.get_msg(name, info.state.last_seq) if info.state.last_seq else None
    except NotFoundError:
        return None
