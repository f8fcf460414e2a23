"""Follow a study's stream from another system, and verify every entry on the way (interfaces.md, "Stream").

    position = Position.open(Path("position.db"), Wanted())
    source = Source(url="https://ledger.example/v1/studies/small", wanted=Wanted(), token=token)
    with position, Subscriber(source, position, policy) as subscriber:
        for entry in subscriber.entries():
            ...                                   # an `Entry` that was verified, each index once

Nothing of the server is believed: bytes are encoded again, leaves are hashed into a tree of the subscriber's
own, signatures and authority are judged by the same folds as in `verify`, and each published checkpoint has
to be signed by the log keys of the subscriber's policy over the root of that tree. What does not hold ends
the subscription with a `FindingError`; its code is one of the verifier's, or of the few that `judging` names.
Position, tree and folds are kept in one file, so that a restart goes on at the next index.

Left out on purpose: the catalogue's rules, that references name earlier statements, and sealed values; those
need all the past, which `verify` has. Imports what `verify` imports, and no service.
"""

from __future__ import annotations

from ledger.subscriber.connection import Source as Source
from ledger.subscriber.connection import UnreachableError as UnreachableError
from ledger.subscriber.events import FindingError as FindingError
from ledger.subscriber.events import Notice as Notice
from ledger.subscriber.events import Verified as Verified
from ledger.subscriber.events import Wanted as Wanted
from ledger.subscriber.following import Subscriber as Subscriber
from ledger.subscriber.position import Position as Position
