"""`VERIFY.md` of a bundle: one event, its leaf and the checkpoint by openssl, sha256sum and sed alone.

The commands are written for one concrete event of that bundle, the last that a person signed with Ed25519.
They lead from the person's signature to the leaf, from the leaf to the root, and from the root to the log's
signature and the ledger id. What they compare with, the auditor brings: the trust policy is his.

The file is a convenience, never evidence (record-format.md §9). Ed25519 lines alone are checked: the
post-quantum line and everything else is the verifier's.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Final

from ledger.authority import SERVICE
from ledger.checkpoint import Checkpoint
from ledger.continued import continued
from ledger.envelope import PAYLOAD_TYPE
from ledger.merkle import prove_inclusion
from ledger.note import ED25519, parse_vkey
from ledger.statement import Statement, parse_statement
from ledger.store.port import Reads
from ledger.tiles import TILE_WIDTH, TileHashes, entries_path, payload_path, tile_path

ENROLLING: Final = ("key.enrolled", "key.rotated", "ledger.opened", "policy.changed")
HASH_BYTES: Final = 32
PAGE: Final = 1_000

_TEXT: Final = """\
# Check this bundle by hand

Origin `@ORIGIN@`, @SIZE@ events, root `@ROOT@`.@CONTINUES@

The verdict on the whole bundle comes from the project's release, which you got apart from this bundle:

    trial-ledger verify BUNDLE --policy POLICY

This page shows, with `bash`, `openssl` (3.0 or newer), `sha256sum` and `sed` alone, that event @INDEX@
(`@TYPE@`) is what its author signed, that the log commits to it, and that the log's key signed that log.
This page is a convenience and no evidence: read the commands before you run them. They write only to `WORK`.

Bring your own trust policy. In the directory of the bundle:

    export POLICY=/path/to/policy WORK=/path/to/an/empty/directory

## 1. The checkpoint is signed by the log

```bash
set -euo pipefail
trap '[ $? -eq 0 ] || echo "NOT VERIFIED: the step after the last line above does not hold" >&2' EXIT
export LC_ALL=C
: "${POLICY:?the trust policy that you brought}" "${WORK:?an empty directory to write in}"
origin='@ORIGIN@'
# Turn 32 bytes of an Ed25519 key into DER: the policy has them after one byte of type.
vkey=$(sed -n "s|^log $origin+@KEYID@+||p" "$POLICY")
{ printf 'MCowBQYDK2VwAyEA'
  { printf 'xx'; printf '%s' "$vkey" | openssl base64 -d -A; } | openssl base64 -A | sed 's/^....//'
} | openssl base64 -d -A > "$WORK/log.der"
# The signature stands after four bytes of key id.
sed -n '1,3p' checkpoint > "$WORK/note"
line=$(sed -n "s|^— $origin \\(@KEYHINT@.*\\)|\\1|p" checkpoint)
{ printf 'xx'; printf '%s' "$line" | openssl base64 -d -A; } | openssl base64 -A \\
  | sed 's/^.\\{8\\}//' | openssl base64 -d -A > "$WORK/note.sig"
openssl pkeyutl -verify -pubin -keyform DER -inkey "$WORK/log.der" -rawin -in "$WORK/note" \\
  -sigfile "$WORK/note.sig"
```

## 2. Event @INDEX@ is signed by its author

The bytes that were signed are `DSSEv1`, the length and text of the payload type, the length and text of the
statement. Their SHA-256 is the event hash.

```bash
type='@PAYLOAD_TYPE@'
body=$(sed -n '@LINE@p' @PAYLOADS@)
printf 'DSSEv1 %s %s %s %s' "${#type}" "$type" "${#body}" "$body" > "$WORK/signed"
event=$(sha256sum "$WORK/signed" | sed 's/ .*//')
echo "event $event"
# The leaves stand one after the other, each after two bytes of length.
leaf_of() {
  sed -n -e ':a' -e '$!{N;ba' -e '}' -e 's/"v":1}..{"at":/"v":1}\\n{"at":/g' -e 'p' "$1" \\
    | sed -n "/\\"index\\":$2,\\"payload_type\\":/{s/.*{\\"at\\":/{\\"at\\":/;p;}"
}
leaf=$(leaf_of @ENTRIES@ @INDEX@)
case $leaf in *"\\"statement\\":\\"$event\\","*) echo "the leaf commits to it" ;; *) exit 1 ;; esac
# The author's key, from the statement of index @KEY_INDEX@ that brought it in, and its id in this statement.
# That the key is this person's is what that statement says; the release checks who signed it, and so on.
sed -n '@KEY_LINE@p' @KEY_PAYLOADS@ \\
  | sed -n 's/.*"id":"@KEY@","person":"[^"]*","spki":"\\([^"]*\\)".*/\\1/p' \\
  | openssl base64 -d -A > "$WORK/author.der"
key=$(sha256sum "$WORK/author.der" | sed 's/ .*//')
named="\\"key\\":{\\"alg\\":\\"ed25519\\",\\"id\\":\\"sha256:$key\\"},\\"log\\":\\"$origin\\","
case $body in *"$named"*) ;; *) exit 1 ;; esac
printf '%s' "$leaf" | sed 's/.*"sigs":\\[{"alg":"ed25519","key":"[^"]*","sig":"\\([^"]*\\)".*/\\1/' \\
  | openssl base64 -d -A > "$WORK/author.sig"
openssl pkeyutl -verify -pubin -keyform DER -inkey "$WORK/author.der" -rawin -in "$WORK/signed" \\
  -sigfile "$WORK/author.sig"
```

## 3. The leaf is in the tree that the checkpoint signs

```bash
leaf_hash() { { printf '\\000'; printf '%s' "$1"; } | sha256sum | sed 's/ .*//'; }
node() { printf "$(printf '01%s%s' "$1" "$2" | sed 's/../\\\\x&/g')" | sha256sum | sed 's/ .*//'; }
base64_of() { printf "$(printf '%s' "$1" | sed 's/../\\\\x&/g')" | openssl base64 -A; }
h=$(leaf_hash "$leaf")
echo "leaf $h"
# It stands at its place in the tile of leaf hashes (the first 42 of 43 digits are compared).
there=$({ printf '@PAD@'; sed '' @TILE@; } | openssl base64 -A | sed 's/^.\\{@SKIP@\\}\\(.\\{42\\}\\).*/\\1/')
case $(base64_of "$h") in "$there"*) echo "the tile has it" ;; *) exit 1 ;; esac
# And it hashes up to the root, with these neighbours.
@CLIMB@
[ "$(base64_of "$h")" = "$(sed -n '3p' checkpoint)" ]
echo "the root is the checkpoint's"
```

## 4. It is the ledger that you named

The ledger id is the hash of leaf 0, and leaf 0 is in the same tree.

```bash
h=$(leaf_hash "$(leaf_of @FIRST_ENTRIES@ 0)")
[ "$h" = "$(sed -n '1s/^# ledger-id //p' "$POLICY")" ]
@FIRST_CLIMB@
[ "$(base64_of "$h")" = "$(sed -n '3p' checkpoint)" ]
echo "event @INDEX@ is signed by @KEY@, and in the log of this ledger id"
```
"""

_NOTHING: Final = """\
# Check this bundle by hand

Nothing shown in this bundle is signed with Ed25519, which is what `openssl` can check here.
Use the project's release: `trial-ledger verify BUNDLE --policy POLICY`.
"""


def verify_md(reads: Reads, checkpoint: Checkpoint, shows: Callable[[Statement], bool]) -> str:
    """Write the page for a bundle of this checkpoint; `shows` tells which statements the bundle shows."""
    chosen = _choose(reads, checkpoint.size, shows)
    if chosen is None:
        return _NOTHING
    index, statement = chosen
    key_index = _find_key(reads, index, statement.key.id)
    log_key = _log_key(reads)
    if key_index is None or log_key is None:
        return _NOTHING
    hashes = TileHashes(reads.tile_hashes)
    tile, at = divmod(index, TILE_WIDTH)
    pad = -at * HASH_BYTES % 3
    values = {
        "CONTINUES": _continues(reads),
        "ORIGIN": checkpoint.origin,
        "SIZE": str(checkpoint.size),
        "ROOT": checkpoint.root.hex(),
        "INDEX": str(index),
        "TYPE": statement.type,
        "KEYID": log_key.hex(),
        "KEYHINT": base64.b64encode(log_key).decode()[:5],
        "PAYLOAD_TYPE": PAYLOAD_TYPE,
        "LINE": str(at + 1),
        "PAYLOADS": _path(payload_path, index, checkpoint.size),
        "ENTRIES": _path(entries_path, index, checkpoint.size),
        "KEY": statement.key.id,
        "KEY_INDEX": str(key_index),
        "KEY_LINE": str(key_index % TILE_WIDTH + 1),
        "KEY_PAYLOADS": _path(payload_path, key_index, checkpoint.size),
        "PAD": "x" * pad,
        "SKIP": str((at * HASH_BYTES + pad) // 3 * 4),
        "TILE": tile_path(0, tile, _width(tile, checkpoint.size)),
        "CLIMB": _climb(index, checkpoint.size, prove_inclusion(index, checkpoint.size, hashes)),
        "FIRST_ENTRIES": _path(entries_path, 0, checkpoint.size),
        "FIRST_CLIMB": _climb(0, checkpoint.size, prove_inclusion(0, checkpoint.size, hashes)),
    }
    text = _TEXT
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def _continues(reads: Reads) -> str:
    older = continued(reads)
    if older is None:
        return ""
    return f"""

This log goes on from another, which is not in this bundle: {older}.
Ask for the bundle of that one too, and verify both: `trial-ledger verify BUNDLE --continues OLDER …`."""


def _width(number: int, size: int) -> int:
    return min(TILE_WIDTH, size - number * TILE_WIDTH)


def _path(make: Callable[[int, int], str], index: int, size: int) -> str:
    number = index // TILE_WIDTH
    return make(number, _width(number, size))


def _choose(reads: Reads, size: int, shows: Callable[[Statement], bool]) -> tuple[int, Statement] | None:
    """Find the last shown statement of a person whose key is Ed25519, else the service's last."""
    fallback = None
    for stop in range(size, 0, -PAGE):
        for entry in reversed(reads.entries(max(0, stop - PAGE), stop)):
            statement = parse_statement(entry.statement)
            if statement.key.alg != "ed25519" or not shows(statement):
                continue
            if statement.actor.role != SERVICE:
                return entry.index, statement
            fallback = fallback or (entry.index, statement)
    return fallback


def _find_key(reads: Reads, below: int, key_id: str) -> int | None:
    """Find the statement that brought a key in: by its type, and by the key's id in its data."""
    wanted = f'"id":"{key_id}","person":'.encode()
    for start in range(0, below + 1, PAGE):
        for entry in reads.entries(start, min(below + 1, start + PAGE)):
            if entry.type in ENROLLING and wanted in entry.statement:
                return entry.index
    return None


def _log_key(reads: Reads) -> bytes | None:
    """Return the key id of the log's first Ed25519 key, as leaf 0 names it."""
    first = reads.entry(0)
    if first is None:
        return None
    keys = [parse_vkey(text) for text in parse_statement(first.statement).data["log_keys"]]
    return next((key.id for key in keys if key.algorithm == ED25519), None)


def _climb(index: int, size: int, proof: list[bytes]) -> str:
    """Write the walk from leaf to root as commands, by RFC 9162 §2.1.3.2."""
    lines = []
    fn, sn = index, size - 1
    for neighbour in proof:
        if fn & 1 or fn == sn:
            lines.append(f'h=$(node {neighbour.hex()} "$h")')
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            lines.append(f'h=$(node "$h" {neighbour.hex()})')
        fn, sn = fn >> 1, sn >> 1
    return "\n".join(lines) or ": # a tree of one leaf"
