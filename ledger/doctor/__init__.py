"""Is a ledger in good health: what an operator looks at first (`trial-ledger doctor`).

Stores and files are opened for reading. Nothing is published, settled or recorded, and no key is needed: with
the passphrase at hand the keys are tried too. Nothing here replaces `fsck`, which reads every byte, or
`verify`, which trusts nobody.

Each answer is a `Finding`: good, watch (look at it when there is time), bad (act now), or unknown.
"""
