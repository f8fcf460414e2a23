"""An endpoint, and how it gets into the log: as changes of one signed `configuration.changed` (catalogue A).

    {"after":-1,"endpoint":"9f…","person":"mchen","role":"auditor","sites":["*"],"types":[],"url":"https://…"}

The canonical bytes of this object are kept beside the log; their hash is what an administrator signs:

    webhook_<id>          old, new: SHA-256 of those bytes; without `new` the endpoint is off
    webhook_<id>_host     new: host and port that it sends to, for people who read the log
    webhook_<id>_reader   new: role, person and sites that it reads as, likewise
    webhook_<id>_key      old, new: the public key of its signatures
    webhook_<id>_replay   new: 12-40, the entries to be sent once more

A URL may carry a secret in its path, so it does not stand in the log itself; its hash binds it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Final

from ledger import canonical
from ledger.delivery.addresses import Reach, check_url
from ledger.errors import FormatError
from ledger.roles import ROLES, SIGHTS
from ledger.views import INSPECTOR

PREFIX: Final = "webhook_"
TYPE: Final = "configuration.changed"
MAX_TYPES: Final = 200
MAX_SITES: Final = 200
MAX_SPANS: Final = 100
"""So many replays fit one statement."""

_ID = re.compile(r"[0-9a-f]{16}")
_SETTING = re.compile(r"webhook_([0-9a-f]{16})(?:_(host|reader|key|replay))?")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_TYPE = re.compile(r"[a-z][a-z0-9_]{0,63}\.[a-z][a-z0-9_]{0,63}")
_RANGE = re.compile(r"(0|[1-9][0-9]{0,15})-(0|[1-9][0-9]{0,15})")
_MEMBERS: Final = {"after", "endpoint", "person", "role", "sites", "types", "url"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where to send to, as whom it reads, and what of the stream: all of it where `types` is empty."""

    endpoint: str
    url: str
    role: str
    person: str
    sites: tuple[str, ...]
    types: tuple[str, ...] = ()
    after: int = -1

    @property
    def body(self) -> bytes:
        """The canonical bytes that the log commits to."""
        return canonical.encode(
            {
                "after": self.after,
                "endpoint": self.endpoint,
                "person": self.person,
                "role": self.role,
                "sites": list(self.sites),
                "types": list(self.types),
                "url": self.url,
            }
        )

    @property
    def digest(self) -> str:
        """The hash of those bytes, hex."""
        return hashlib.sha256(self.body).hexdigest()

    @property
    def reader(self) -> str:
        """Role, person and sites, for people."""
        return _cut(f"{self.role} {self.person} {','.join(self.sites)}")

    @property
    def host(self) -> str:
        """Host and port, for people."""
        return _cut(self.url.partition("://")[2].partition("/")[0])

    def changes(self, old: str | None, key: str | None) -> list[dict[str, str]]:
        """Return the changes that put this in force; `key` is the public key of a new endpoint."""
        name = PREFIX + self.endpoint
        value = [{"setting": name, "new": self.digest, **({} if old is None else {"old": old})}]
        value += [{"setting": f"{name}_host", "new": self.host}]
        value += [{"setting": f"{name}_reader", "new": self.reader}]
        return value if key is None else [*value, {"setting": f"{name}_key", "new": key}]


def parse_endpoint(value: Any, reach: Reach) -> Endpoint:
    """Read an endpoint from a request or from the book.

    Raises:
        FormatError: `WEBHOOK` with the member, `WEBHOOK_URL`, or `ROLE_UNKNOWN` for no role of the stream.
    """
    if not isinstance(value, dict) or value.keys() != _MEMBERS:
        raise FormatError("WEBHOOK", f"expected exactly {', '.join(sorted(_MEMBERS))}")
    texts = {name: value[name] for name in ("endpoint", "person", "role", "url")}
    wrong = [name for name, text in texts.items() if not isinstance(text, str)]
    if wrong or _ID.fullmatch(value["endpoint"]) is None or _LABEL.fullmatch(value["person"]) is None:
        raise FormatError("WEBHOOK", "expected texts, and the ids of an endpoint and of a person")
    role = value["role"]
    if role not in ROLES or role == INSPECTOR or SIGHTS[role].others != "all":
        raise FormatError("ROLE_UNKNOWN", "expected a role that follows the stream", field="role")
    check_url(value["url"], reach)
    if type(value["after"]) is not int or not -1 <= value["after"] <= canonical.MAX_INTEGER:
        raise FormatError("WEBHOOK", "expected an index, or -1", field="after")
    sites, types = _words(value, "sites", _LABEL, MAX_SITES), _words(value, "types", _TYPE, MAX_TYPES)
    if not sites:
        raise FormatError("WEBHOOK", "expected at least one site, or *", field="sites")
    return Endpoint(sites=sites, types=types, after=value["after"], **texts)


def off(endpoint: str, old: str) -> list[dict[str, str]]:
    """Return the changes that take an endpoint out of force."""
    return [{"setting": PREFIX + endpoint, "old": old}]


def rotation(endpoint: str, old: str, new: str) -> list[dict[str, str]]:
    """Return the changes that give an endpoint another signing key."""
    return [{"setting": f"{PREFIX}{endpoint}_key", "old": old, "new": new}]


def replay(endpoint: str, *spans: tuple[int, int]) -> list[dict[str, str]]:
    """Return the changes that have entries sent once more; both indexes of a span are included."""
    return [
        {"setting": f"{PREFIX}{endpoint}_replay", "new": f"{first}-{last}"}
        for first, last in spans[:MAX_SPANS]
    ]


def ranges(indexes: list[int]) -> list[tuple[int, int]]:
    """Return ascending indexes as spans."""
    spans: list[tuple[int, int]] = []
    for index in indexes:
        if spans and spans[-1][1] == index - 1:
            spans[-1] = (spans[-1][0], index)
        else:
            spans.append((index, index))
    return spans


def action(changes: list[dict[str, str]], reference: str) -> dict[str, Any]:
    """Return the action for an administrator to prepare and sign."""
    data = {"changes": changes, "reference": reference, "source": {"kind": "esource"}}
    return {"type": TYPE, "stream": "study", "meaning": "approval", "data": data}


def parse_setting(setting: str) -> tuple[str, str] | None:
    """Return endpoint and what of it a setting is about (`` for itself); None for another setting."""
    found = _SETTING.fullmatch(setting)
    return None if found is None else (found[1], found[2] or "")


def parse_range(text: str) -> tuple[int, int] | None:
    """Return the first and last index of a replay; None where it is none."""
    found = _RANGE.fullmatch(text)
    if found is None or int(found[1]) > int(found[2]):
        return None
    return int(found[1]), int(found[2])


def _words(value: dict[str, Any], name: str, form: re.Pattern[str], most: int) -> tuple[str, ...]:
    words = value[name]
    everything = name == "sites" and words == ["*"]
    if not isinstance(words, list) or len(words) > most or len(set(map(str, words))) != len(words):
        raise FormatError("WEBHOOK", "expected a list, each word once", field=name)
    if not everything and not all(isinstance(word, str) and form.fullmatch(word) for word in words):
        raise FormatError("WEBHOOK", "expected words of the catalogue", field=name)
    return tuple(sorted(words))


def _cut(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:199]}…"
