"""Webhooks: a study's stream, sent to endpoints by HTTP, signed (Standard Webhooks 1.0, Ed25519).

    endpoints    what an endpoint is, and the words by which a signed `configuration.changed` puts it in force
    standing     which endpoints are in force at an index: a fold of those statements, nothing else
    addresses    where a request may go at all, and which address is connected to
    signing      keys, and the headers of a delivery
    schedule     when to try again, and when to park
    book         where each endpoint is, durably; what is parked; signing keys under the key-encryption key
    sending      one attempt
    delivering   the loop, one process for each ledger

A delivery is one entry to one endpoint, in index order, at least once: the place is kept after a 2xx. Nothing
is sent to where no administrator has signed for, and a reader who loses the role gets nothing more.

Left out on purpose: what a reader sees of an entry; it comes in as a function (`api.webhooks`).
"""
