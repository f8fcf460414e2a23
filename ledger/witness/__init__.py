"""Witnesses: somebody else who vouches that everybody is shown one history (c2sp.org/tlog-witness).

`witness` is what a witness does, `store` what it remembers, `asking` how a ledger asks for cosignatures, and
`keeping` where it keeps them and what it knows of forks.
"""
