"""Offline verification of export bundles (record-format.md §9, §10).

Imports the standard library, cryptography, pynacl, orjson and pure modules of the ledger, nothing else.
"""
