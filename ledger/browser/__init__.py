"""`verify.html`: one file that checks an export in a browser, without a network (record-format.md §9).

The page is put together of the parts beside this module, in the order of `SCRIPTS`, and of tables that the
verifier goes by too, so that neither can come to differ. Its content security policy names the hash of its
one script and of its one style and lets nothing else run, load or be sent.

It checks what WebCrypto can, and says on the page what it leaves to `trial-ledger verify`: the rules of the
catalogue, the table of who may sign what, and randomization among them. Like `VERIFY.md` it is a convenience
in a bundle, never evidence: an auditor takes it from the release.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib import metadata, resources
from typing import Any, Final

from ledger.actions import all_specs
from ledger.actions.declared import ActionSpec
from ledger.actions.registry import json_schema
from ledger.canonical import forbidden_ranges
from ledger.envelope import PAYLOAD_TYPE
from ledger.roles import INCOMPATIBLE, SIGHTS
from ledger.verify.findings import CODES
from ledger.verify.hidden import signing_roles
from ledger.verify.references import reference_members

JUDGE: Final = (
    "encoding", "bytes", "canonical", "container", "note", "keys", "tree", "statement", "data", "people",
    "chain", "shown", "judge",
)  # fmt: skip
SCRIPTS: Final = (*JUDGE, "event", "page")

ENCODING_FILE: Final = "encoding.js"
ENCODING: Final = (
    "authenticated", "base64", "base64url", "canonical", "concat", "fromUtf8", "hex", "nodeHash", "same",
    "sha256", "unbase64", "unbase64url", "utf8",
)  # fmt: skip
"""What that file has for the signing pages as well, so that both mean the same bytes."""

UNCHECKED: Final = (
    "Conduct: whether the rules of the catalogue were kept, and each breach recorded.",
    "What the parts of an event's data ask of each other, and clinical times in them; their form is checked.",
    "Randomization: seeds, lists, and whether each arm is its slot's.",
    "Time stamps, an outbox, an older epoch of the log, and logs that may rival this one.",
    "Statements since a key was compromised, and persons endorsed by one organisation alone.",
)
"""What the page leaves to `trial-ledger verify`, in the page's words."""


@cache
def verify_html() -> bytes:
    """Return the page, the same bytes for the same release."""
    script = "\n".join(
        ['"use strict";', f"const TABLES = {_tables()};", *(_part(f"{name}.js") for name in SCRIPTS)]
    )
    style = _part("page.css")
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    page = _part("page.html")
    parts = {"csp": policy, "css": style, "version": metadata.version("trial-ledger"), "js": script}
    for name, text in parts.items():
        page = page.replace("{{" + name + "}}", text)
    return page.encode()


def javascript(names: Sequence[str]) -> str:
    """Return these parts as one script, after the tables that they go by."""
    return "\n".join(
        ['"use strict";', f"const TABLES = {_tables()};", *(_part(f"{name}.js") for name in names)]
    )


def encoding_module() -> bytes:
    """Return `encoding.js` as a module of the signing pages: the text of verify.html, and its names."""
    return f"{_part(ENCODING_FILE)}\nexport {{ {', '.join(ENCODING)} }};\n".encode()


def _part(name: str) -> str:
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _tables() -> str:
    kinds, rights = _Once(), _Once()
    tables: dict[str, Any] = {
        "authority": {f"{each.type} {each.schema}": _row(each, kinds, rights) for each in all_specs()},
        "findings": {code: [each.verdict.value, each.meaning] for code, each in CODES.items()},
        "kinds": kinds.values,
        "forbidden": [list(bounds) for bounds in forbidden_ranges()],
        "payloadType": PAYLOAD_TYPE,
        "rights": rights.values,
        "incompatible": {role: sorted(others) for role, others in INCOMPATIBLE.items()},
        "sights": {
            role: {
                "access": sight.access == "all",
                "freetext": sight.freetext,
                "identity": sight.identity,
                "others": sight.others,
                "ownAccess": sight.access == "own",
                "pharmacy": sight.pharmacy,
                "safety": sight.safety,
                "treatment": sight.treatment,
            }
            for role, sight in SIGHTS.items()
        },
        "signing": {
            f"{cls}{' site' if has_site else ''}": sorted(signing_roles(cls, has_site=has_site))
            for cls in ("open", "restricted")
            for has_site in (False, True)
        },
        "types": {f"{each.type} {each.schema}": _first_sentence(each.action) for each in all_specs()},
        "unchecked": list(UNCHECKED),
    }
    # Inside a script element `</` could end it, wherever it stands.
    return json.dumps(tables, sort_keys=True, separators=(",", ":")).replace("<", "\\u003c")


class _Once:
    """Values that many rows have, each kept once; a row says at which place."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[str, int] = {}

    def place(self, value: Any) -> int:
        """Return where a value is kept."""
        text = json.dumps(value, sort_keys=True)
        if text not in self._places:
            self._places[text] = len(self.values)
            self.values.append(value)
        return self._places[text]


def _row(known: ActionSpec, kinds: _Once, rights: _Once) -> dict[str, Any]:
    """Return what the page asks of a type and schema: a row of the authority table, and what its data are."""
    schema = json_schema(known)
    sealed = schema.get("x-sealed", {})
    return {
        "data": _kind(schema, kinds),
        "reason": known.reason_required,
        "references": [name.rstrip("_") for name, _ in reference_members(known.action)],
        "rights": rights.place({role: sorted(meanings) for role, meanings in known.roles.items()}),
        "sealed": {path: each["scope"] for path, each in sealed.items()},
        "sealedKinds": {
            path: [_kind(each["schema"], kinds), each["nullable"]] for path, each in sealed.items()
        },
        "streams": list(known.streams),
    }


_PLAIN: Final = {
    "contentEncoding", "enum", "format", "maxItems", "maxLength", "maximum", "minItems", "minLength",
    "minimum", "required", "type", "uniqueItems",
}  # fmt: skip
_READ: Final = _PLAIN | {
    "additionalProperties", "description", "items", "pattern", "prefixItems", "properties", "title",
    "x-event", "x-sealed",
}  # fmt: skip


def _kind(schema: Any, kinds: _Once) -> int:
    """Keep a JSON Schema, its parts apart; return where.

    Raises:
        ValueError: on a word that the page does not read.
    """
    unknown = schema.keys() - _READ
    if unknown:
        raise ValueError(f"verify.html does not read {sorted(unknown)} of a schema")
    kind = {name: schema[name] for name in sorted(_PLAIN & schema.keys())}
    if "pattern" in schema:
        kind["pattern"] = schema["pattern"]
    if "properties" in schema:
        kind["properties"] = {name: _kind(each, kinds) for name, each in schema["properties"].items()}
    if "prefixItems" in schema:
        kind["prefixItems"] = [_kind(each, kinds) for each in schema["prefixItems"]]
    if schema.get("items"):
        kind["items"] = _kind(schema["items"], kinds)
    return kinds.place(kind)


def _first_sentence(cls: type) -> str:
    text = " ".join((cls.__doc__ or "").split())
    return text.partition(". ")[0].partition(" (")[0].rstrip(".")
