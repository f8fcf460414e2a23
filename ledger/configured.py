"""What runs, compared with what the log says of it: `ledger.toml` and the signing pages (21 CFR 11.10(k)).

`configuration.changed` names a setting with its value before and after, `system.released` the signing pages
by their hash. Each setting of `ledger.toml` has one name and one text here; what could hold a secret, or is
long, stands as the SHA-256 of its text. A setting that the log never named is not compared; it is counted.

    store                  sqlite or postgresql; checkpoints and data_keys likewise
    demonstration          true or false
    tokens                 sha256 of the sorted reading tokens, each by its own hash, role, person and sites
    signers_log …          sha256 of the address of a key in a token
    signing_rp_id, signing_origins, identity_…, oidc_…, timestamps_url
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import orjson

from ledger.browser import ENCODING_FILE, encoding_module
from ledger.directory import Config
from ledger.store.port import Reads
from ledger.store.urls import SQLITE

CHANGED: Final = "configuration.changed"
RELEASED: Final = "system.released"
LONGEST: Final = 120
_SECRET: Final = frozenset({"identity_alert_command", "oidc_people"})
_PAGES: Final = ("web", "sign")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A setting whose value here is not the one that the log named at an index; None: it is not set."""

    setting: str
    here: str | None
    logged: str | None
    index: int

    def __str__(self) -> str:
        here, logged = self.here or "not set", self.logged or "not set"
        return f"{self.setting} is {here}, and {logged} by the log (index {self.index})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Every setting of `ledger.toml`, how many of them the log names, and where it says otherwise."""

    settings: Mapping[str, str]
    named: int
    differences: tuple[Difference, ...]


def settings_of(config: Config) -> dict[str, str]:
    """Return every setting that `ledger.toml` has, by its name in the log, with its text."""
    found = {
        name: "sqlite" if url == SQLITE else url.partition(":")[0]
        for name, url in (
            ("store", config.store),
            ("checkpoints", config.checkpoints),
            ("data_keys", config.data_keys),
        )
    }
    found["demonstration"] = _text(config.demonstration)
    tokens = sorted([each.sha256, each.role, each.person, sorted(each.sites)] for each in config.tokens)
    found["tokens"] = _digest(json.dumps(tokens))
    found |= {f"signers_{name}": _digest(address) for name, address in config.signers.items()}
    for table in ("signing", "identity", "oidc", "timestamps"):
        value = getattr(config, table)
        if value is not None:
            found |= dict(_members(table, value))
    return found


def compare(config: Config, reads: Reads) -> Compared:
    """Compare `ledger.toml` with the newest value of each of its settings that the log names."""
    here, logged = settings_of(config), _logged(reads)
    known = {name: said for name, said in logged.items() if name in here or _is_ours(name)}
    differences = tuple(
        Difference(setting=name, here=here.get(name), logged=said, index=index)
        for name, (said, index) in sorted(known.items())
        if here.get(name) != said
    )
    return Compared(settings=here, named=len(known), differences=differences)


def released_pages(reads: Reads) -> tuple[str, int] | None:
    """Return the hash of the signing pages of the newest release, with its index; None before any."""
    entries = [entry for entry in reads.stream_entries("study") if entry.type == RELEASED]
    if not entries:
        return None
    return str(orjson.loads(entries[-1].statement)["data"]["pages_sha256"]), entries[-1].index


def installed_pages() -> str | None:
    """Return the hash of the signing pages that are installed here, as `system.released` has it.

    The interface's package is looked for and not imported; None where it is not installed.
    """
    found = importlib.util.find_spec("api")
    places = found.submodule_search_locations if found is not None else None
    folder = Path(next(iter(places)), *_PAGES) if places else None
    if folder is None or not folder.is_dir():
        return None
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    files[ENCODING_FILE] = encoding_module()  # shared with verify.html, and in no folder of the pages
    lines = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def pages_difference(reads: Reads, pages_sha256: str | None) -> str | None:
    """Say how signing pages differ from those of the newest release; None where they don't, or none was."""
    released = released_pages(reads)
    if released is None or pages_sha256 is None or released[0] == pages_sha256:
        return None
    sha256, index = released
    return f"the signing pages are {pages_sha256[:16]}…, and {sha256[:16]}… by the log (index {index})"


def _logged(reads: Reads) -> dict[str, tuple[str | None, int]]:
    found: dict[str, tuple[str | None, int]] = {}
    for entry in reads.stream_entries("study"):
        if entry.type == CHANGED:
            for change in orjson.loads(entry.statement)["data"]["changes"]:
                found[change["setting"]] = (change.get("new"), entry.index)
    return found


def _is_ours(name: str) -> bool:
    """Tell whether a setting is one that `ledger.toml` can have, though it has it not."""
    return name.startswith(("signers_", "signing_", "oidc_", "timestamps_"))


def _members(table: str, value: Any) -> Iterator[tuple[str, str]]:
    for each in fields(value):
        text, name = _text(getattr(value, each.name)), f"{table}_{each.name}"
        if text:
            yield name, _digest(text) if name in _SECRET or len(text) > LONGEST else text


def _text(value: Any) -> str:
    """Write a value in one line; nothing where it is not set."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return json.dumps(dict(value), sort_keys=True) if value else ""
    return " ".join(value) if isinstance(value, tuple) else str(value)


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
