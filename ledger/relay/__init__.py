"""Hand a study's stream on to NATS JetStream: each event once, in order, whatever restarts.

    sequence of the message = index of the entry + 1

That is the whole bookkeeping. Every message is published with the sequence that the one before it must have
(`Nats-Expected-Last-Sequence`), so JetStream takes the entry of index n only directly after that of n - 1,
and only once, however often and by however many relays it is offered. Where to go on is asked of JetStream:
its last message names the last entry, whose event hash must be the log's. The relay keeps no file
(interfaces.md, "Stream").

The window in which JetStream knows a `Nats-Msg-Id` again is no part of this; the id is sent for consumers.
"""
